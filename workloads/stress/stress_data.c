// SPDX-License-Identifier: GPL-2.0-or-later
/* The stress workload's data: guarded accesses, the checks of what is read, and how a fault is
 * told. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

/* Lines that a task writes to the kernel log; all violations are counted. */
#define VIOLATION_LINES 20

/* Of the access that is under way; a task is a process, and only its main thread accesses. */
static struct {
	sigjmp_buf jump;
	const void *volatile addr; /* NULL: none */
	volatile int signo, code;
	const void *volatile at;
} guard;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	(void)context;
	if (!guard.addr) {
		/* A poisoned page that is mapped here but not being accessed: of no interest now.
		 */
		if (signo == SIGBUS && info->si_code == BUS_MCEERR_AO)
			return;
		/* Not an access of ours: a bug of this program, let it crash as it would. */
		signal(signo, SIG_DFL);
		return;
	}
	guard.signo = signo;
	guard.code = info->si_code;
	guard.at = info->si_addr;
	siglongjmp(guard.jump, 1);
}

int stress_access_init(struct hb_error *e)
{
	/* SA_NODEFER: the handler leaves by siglongjmp() and the mask is not saved (a system call).
	 */
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER};

	if (sigaction(SIGBUS, &sa, NULL) < 0 || sigaction(SIGSEGV, &sa, NULL) < 0)
		return hb_error_set(e, -errno, "sigaction: %m");
	return 0;
}

static enum stress_access judge_signal(struct stress_task *st)
{
	if (guard.signo == SIGBUS && (guard.code == BUS_MCEERR_AR || guard.code == BUS_MCEERR_AO))
		return STRESS_POISON;
	if (guard.at != guard.addr)
		stress_violation(st, "access to %p got signal %d code %d with si_addr %p",
				 (void *)guard.addr, guard.signo, guard.code, (void *)guard.at);
	if (guard.signo == SIGBUS && guard.code == BUS_ADRERR)
		return STRESS_EOF;
	if (guard.signo == SIGSEGV && guard.code == SEGV_ACCERR)
		return STRESS_DENIED;
	stress_violation(st, "access to %p got signal %d code %d", (void *)guard.addr, guard.signo,
			 guard.code);
	return STRESS_DENIED;
}

static enum stress_access access_word(struct stress_task *st, volatile uint64_t *p, uint64_t *value,
				      bool write)
{
	enum stress_access how = STRESS_OK;

	guard.addr = (const void *)p;
	if (sigsetjmp(guard.jump, 0)) {
		how = judge_signal(st);
	} else if (write) {
		*p = *value;
	} else {
		*value = *p;
	}
	guard.addr = NULL;
	return how;
}

enum stress_access stress_load(struct stress_task *st, const uint8_t *p, uint64_t *value)
{
	*value = 0;
	return access_word(st, (volatile uint64_t *)p, value, false);
}

enum stress_access stress_store(struct stress_task *st, uint8_t *p, uint64_t value)
{
	return access_word(st, (volatile uint64_t *)p, &value, true);
}

void stress_violation(struct stress_task *st, const char *fmt, ...)
{
	char text[512];
	HB_CLOSE int fd = -1;
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text),
		     "BUG: stress %s[%u]: ", st->stress->actor[st->task->index]->name,
		     st->task->index);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	task_count(st->task, STRESS_VIOLATIONS, 1);
	if (atomic_load(&st->task->shared->counter[STRESS_VIOLATIONS]) > VIOLATION_LINES)
		return;
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s\n", text);
}

unsigned int stress_random_page(struct stress_task *st)
{
	return task_random(st->task) % st->stress->npages;
}

/* SIGBUS of BUS_ADRERR is right only while the file was short at some time of the access. */
struct eof_window {
	unsigned int truncating;
	uint64_t truncates;
};

static struct eof_window eof_window_open(const struct stress *s)
{
	struct eof_window w = {.truncates = atomic_load(&s->shared->truncates)};

	w.truncating = atomic_load(&s->shared->truncating);
	return w;
}

static void judge_access(struct stress_task *st, enum stress_access how, unsigned int index,
			 struct eof_window before)
{
	const struct stress *s = st->stress;

	if (how == STRESS_EOF) {
		task_count(st->task, STRESS_EOF_SIGBUS, 1);
		if (!before.truncating && !atomic_load(&s->shared->truncating) &&
		    atomic_load(&s->shared->truncates) == before.truncates)
			stress_violation(st, "SIGBUS at page %u below i_size", index);
	} else if (how == STRESS_POISON) {
		task_count(st->task, STRESS_POISON_SIGBUS, 1);
		if (!atomic_load(&s->shared->poisoned))
			stress_violation(st, "page %u lost, nobody poisoned a page", index);
	} else if (how == STRESS_DENIED) {
		stress_violation(st, "access to page %u denied", index);
	}
}

void stress_touch(struct stress_task *st, unsigned int index)
{
	struct stress_shared *sh = st->stress->shared;
	unsigned int me = st->task->index;
	uint8_t *p = st->map + index * STRESS_HUGE_PAGE + stress_word_offset(me);
	struct stress_word w = {STRESS_FILE_SHARED, me, index, st->last[index]};
	struct eof_window window = eof_window_open(st->stress);
	enum stress_access how;
	uint64_t v;

	task_count(st->task, STRESS_TOUCHES, 1);
	how = stress_load(st, p, &v);
	if (how != STRESS_OK)
		return judge_access(st, how, index, window);
	if (v && (!st->last[index] || v != stress_word_pack(w)))
		stress_violation(st, "page %u holds %#llx, last written was generation %llu", index,
				 (unsigned long long)v, (unsigned long long)st->last[index]);
	else if (!v && st->last[index] && !st->stress->destroys)
		stress_violation(st, "page %u lost generation %llu", index,
				 (unsigned long long)st->last[index]);
	/*
	 * The lower bound stands before the generation is taken: whoever sees the clock past this
	 * generation sees the write as on its way, or done.
	 */
	atomic_store(&sh->inflight[me], atomic_load(&sh->clock) + 1);
	w.generation = atomic_fetch_add(&sh->clock, 1) + 1;
	how = stress_store(st, p, stress_word_pack(w));
	atomic_store(&sh->inflight[me], 0);
	st->last[index] = how == STRESS_OK ? w.generation : 0;
	judge_access(st, how, index, window);
}

void stress_check_page(struct stress_task *st, const uint8_t *map, unsigned int index)
{
	const struct stress *s = st->stress;

	for (unsigned int task = 0; task < s->nactors; task++) {
		struct eof_window window = eof_window_open(s);
		const uint8_t *p = map + index * STRESS_HUGE_PAGE + stress_word_offset(task);
		enum stress_access how;
		uint64_t v;

		how = stress_load(st, p, &v);
		if (how != STRESS_OK)
			return judge_access(st, how, index, window);
		if (!stress_word_belongs(v, STRESS_FILE_SHARED, task, index,
					 atomic_load(&s->shared->clock)))
			stress_violation(st, "page %u holds %#llx at task %u's place", index,
					 (unsigned long long)v, task);
	}
}

void stress_moment_now(const struct stress *s, struct stress_moment *m)
{
	m->clock = atomic_load(&s->shared->clock);
	for (unsigned int i = 0; i < s->nactors; i++)
		m->inflight[i] = atomic_load(&s->shared->inflight[i]);
}

void stress_check_fresh(struct stress_task *st, unsigned int index, const struct stress_moment *m)
{
	const struct stress *s = st->stress;

	for (unsigned int task = 0; task < s->nactors; task++) {
		struct eof_window window = eof_window_open(s);
		enum stress_access how;
		uint64_t v;

		how = stress_load(st, st->map + index * STRESS_HUGE_PAGE + stress_word_offset(task),
				  &v);
		if (how != STRESS_OK)
			return judge_access(st, how, index, window);
		if (!stress_word_fresh(v, m->clock, m->inflight[task]))
			stress_violation(st,
					 "stale data in page %u: %#llx, everything up to "
					 "generation %llu was destroyed",
					 index, (unsigned long long)v,
					 (unsigned long long)m->clock);
	}
	task_count(st->task, STRESS_FRESH_CHECKS, 1);
}
