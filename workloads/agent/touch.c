// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/touch.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define CALIBRATE_PAGES 256
/* A touch past the end of the file may have waited for pages that went meanwhile, this often at
 * most. */
#define SIGBUS_FAULTS_MAX 64
/* Share of the faults that may miss the classification before the cell is INVALID. */
#define UNCLASSIFIED_MAX 0.001

/* The touch that this thread is at: a signal handler has no other way to know. */
static __thread struct touch *current;

uint64_t touch_fault_count(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt + ru.ru_majflt;
}

/* Of numbers, or of structures that begin with them. */
static int compare_ticks(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The least that a fault costs: a read of anonymous memory that was never written maps the zero
 * page, without an allocation, a lock that others want, or clearing. A fault on a huge page does
 * more.
 */
uint64_t touch_threshold(uint64_t *plain)
{
	long size = sysconf(_SC_PAGESIZE);
	uint64_t ticks[CALIBRATE_PAGES], fastest = UINT64_MAX;
	volatile char *p;
	char *map;

	map = mmap(NULL, CALIBRATE_PAGES * size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (plain)
		*plain = 0;
	if (map == MAP_FAILED)
		return 1;
	madvise(map, CALIBRATE_PAGES * size, MADV_NOHUGEPAGE);
	p = map;
	for (int i = 0; i < CALIBRATE_PAGES; i++) {
		uint64_t begin = task_ticks(), d;

		p[i * size];
		d = task_ticks() - begin;
		if (d < fastest)
			fastest = d;
	}
	for (int i = 0; i < CALIBRATE_PAGES; i++) {
		uint64_t begin = task_ticks();

		p[i * size];
		ticks[i] = task_ticks() - begin;
	}
	munmap(map, CALIBRATE_PAGES * size);
	qsort(ticks, CALIBRATE_PAGES, sizeof(*ticks), compare_ticks);
	if (plain)
		*plain = ticks[CALIBRATE_PAGES / 2];
	return fastest / 2 ? fastest / 2 : 1;
}

static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	struct touch *t = current;
	uintptr_t at = (uintptr_t)si->si_addr, base = t ? (uintptr_t)t->base : 0;

	(void)context;
	if (t && at >= base && at < base + t->bytes && si->si_code == BUS_ADRERR) {
		t->fault_at = at - base;
		siglongjmp(t->sigbus, 1);
	}
	/* Not ours to explain: die of it, and the gang says so. */
	signal(sig, SIG_DFL);
	raise(sig);
}

int touch_init(struct touch *t, struct task *task, const struct touch_rows *rows,
	       struct hb_error *e)
{
	/* SA_NODEFER: siglongjmp() out of the handler does not have to restore the mask. */
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	*t = (struct touch){.task = task, .rows = rows};
	if (sigaction(SIGBUS, &sa, NULL))
		return hb_error_set(e, -errno, "sigaction: %s", strerror(errno));
	/* This sorts: the code of qsort() is not faulted in later, among the workload's faults. */
	t->threshold = touch_threshold(NULL);
	t->faults = touch_fault_count();
	return 0;
}

static void record(struct touch *t, unsigned int row, uint64_t ticks, uint64_t end)
{
	task_latency_of(t->task, row, task_ticks_to_ns(ticks), end, 0);
}

/* Of a mixed run the slowest @faults are taken for the faults. */
static void settle_mixed(struct touch *t, uint64_t faults)
{
	uint64_t all = t->n;

	qsort(t->pending, all, sizeof(*t->pending), compare_ticks);
	for (uint64_t i = 0; i < all; i++)
		record(t, i < all - faults ? t->rows->touch_latency : t->rows->fault_latency,
		       t->pending[i].ticks, t->pending[i].end);
	task_count(t->task, t->rows->unsettled, all);
}

/* Faults beyond one each for which the pending touches had the time. */
static uint64_t again_at_most(const struct touch *t)
{
	uint64_t sum = t->nsigbus * SIGBUS_FAULTS_MAX;

	for (unsigned int i = 0; i < t->n; i++)
		sum += t->pending[i].ticks / (2 * t->threshold);
	return sum > t->n ? sum - t->n : 0;
}

void touch_settle(struct touch *t)
{
	uint64_t now = touch_fault_count(), faults = now - t->faults;

	t->faults = now;
	task_count(t->task, t->rows->faults, faults);
	if (faults > t->n) {
		uint64_t more = faults - t->n, may = again_at_most(t),
			 again = more < may ? more : may;

		task_count(t->task, t->rows->repeated, again);
		task_count(t->task, t->rows->unclassified, more - again);
	}
	if (faults && faults < t->n) {
		settle_mixed(t, faults);
	} else {
		unsigned int row = faults ? t->rows->fault_latency : t->rows->touch_latency;

		for (unsigned int i = 0; i < t->n; i++)
			record(t, row, t->pending[i].ticks, t->pending[i].end);
	}
	t->n = 0;
	t->nsigbus = 0;
}

static int check_sigbus(struct touch *t, struct hb_error *e)
{
	uint64_t floor = atomic_load(&t->task->in->target->floor);

	if (t->fault_at < floor)
		return hb_error_set(e, -EFAULT,
				    "SIGBUS at offset %" PRIu64
				    ", but the file was never smaller than %" PRIu64 " bytes",
				    t->fault_at, floor == UINT64_MAX ? t->bytes : floor);
	task_count(t->task, t->rows->sigbus, 1);
	t->nsigbus++;
	t->at++;
	t->counted++;
	return 0;
}

/* Everything up to here is in the figures. */
static void touch_flush(struct touch *t)
{
	touch_settle(t);
	task_count(t->task, t->rows->touches, t->at - t->counted);
	t->counted = t->at;
}

/* A touch quicker than any fault: what is pending before it can be settled. */
static void touch_plain(struct touch *t, uint64_t ticks, uint64_t end)
{
	if (t->n)
		touch_settle(t);
	record(t, t->rows->touch_latency, ticks, end);
}

/*
 * Touch one page after the other, timed, until the phase changes, the page @end, or as many
 * candidates are pending as there is room for.
 *
 * One read of the clock per touch: it ends this one and begins the next. The reads do not wait for
 * what comes before them. A fault is in between all the same: the second read cannot be done before
 * the return from the exception, which serializes (Intel SDM volume 3, "Serializing Instructions";
 * AMD manual volume 2, the same), and the first one has been done when the touch behind it takes
 * its exception. Touches overlap as they do without a clock, which fences would prevent: of a touch
 * without a fault the time is a lower bound.
 */
static void touch_some(struct touch *t, char *base, uint64_t stride, const uint32_t *order,
		       uint64_t end)
{
	const _Atomic int *phase = &t->task->in->cell->shared->phase;
	_Atomic uint64_t *progress = &t->task->live->progress;
	uint64_t i = t->at, done = atomic_load_explicit(progress, memory_order_relaxed) - i;
	int64_t threshold = t->threshold;
	int in_phase = t->task->phase;
	uint64_t begin = task_ticks_early();

	while (i < end && t->n < TOUCH_RUN &&
	       atomic_load_explicit(phase, memory_order_relaxed) == in_phase) {
		volatile char *p = base + (order ? order[i] : i) * stride;
		uint64_t now, ticks;

		/* on_sigbus() leaves from here, and what is pending must be in memory. */
		atomic_signal_fence(memory_order_seq_cst);
		*p = (char)i;
		now = task_ticks_early();
		ticks = now - begin;
		begin = now;
		t->at = ++i;
		atomic_store_explicit(progress, done + i, memory_order_relaxed);
		/* Signed: on another CPU the second read may be behind the first. */
		if ((int64_t)ticks >= threshold) {
			t->pending[t->n++] = (struct touch_time){ticks, now};
			continue;
		}
		touch_plain(t, ticks, now);
		begin = task_ticks_early();
	}
}

int touch_pages(struct touch *t, char *base, uint64_t bytes, uint64_t stride, const uint32_t *order,
		uint64_t npages, struct hb_error *e)
{
	int rc = 0;

	t->base = base;
	t->bytes = bytes;
	t->n = t->nsigbus = 0;
	t->at = t->counted = 0;
	t->faults = touch_fault_count();
	current = t;
	/* Once per pass, not per touch; the loop goes on behind the page that has no backing. */
	if (sigsetjmp(t->sigbus, 0))
		rc = check_sigbus(t, e);
	while (t->at < npages && !rc) {
		if (task_moved(t->task)) {
			touch_flush(t);
			if (!task_step(t->task))
				break;
			t->faults = touch_fault_count();
		}
		touch_some(t, base, stride, order, npages);
		if (t->n == TOUCH_RUN)
			touch_settle(t);
	}
	current = NULL;
	touch_flush(t);
	return rc;
}

int touch_report(struct instance *in, const struct touch_rows *rows, struct hb_error *e)
{
	uint64_t faults = 0, repeated = 0, missed = 0, unsettled = 0, classified = 0;
	uint64_t plain, threshold = touch_threshold(&plain);

	for (unsigned int k = 0; k < in->ntasks; k++) {
		const struct task_shared *s = in->task[k];

		faults += atomic_load(&s->counter[rows->faults]);
		repeated += atomic_load(&s->counter[rows->repeated]);
		missed += atomic_load(&s->counter[rows->unclassified]);
		unsettled += atomic_load(&s->counter[rows->unsettled]);
		classified += s->hist[rows->fault_latency]->count;
	}
	instance_note(in, "classification",
		      "a touch under %" PRIu64
		      " ns (half of the fastest fault; a plain touch takes %" PRIu64
		      " ns) is plain, others are settled by the kernel's count: %" PRIu64
		      " faults counted, %" PRIu64 " classified, %" PRIu64 " repeated, %" PRIu64
		      " touches in mixed runs",
		      task_ticks_to_ns(threshold), task_ticks_to_ns(plain), faults, classified,
		      repeated, unsettled);
	if (classified + repeated + missed != faults)
		return hb_error_set(e, -ERANGE,
				    "%" PRIu64 " faults counted, but %" PRIu64 " classified",
				    faults, classified + repeated + missed);
	if (missed > faults * UNCLASSIFIED_MAX)
		return hb_error_set(e, -ERANGE,
				    "%" PRIu64 " of %" PRIu64
				    " faults were quicker than the threshold of %" PRIu64
				    " ns and are missing from the latencies",
				    missed, faults, task_ticks_to_ns(threshold));
	return 0;
}
