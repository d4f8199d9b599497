// SPDX-License-Identifier: GPL-2.0-or-later
/* Faults told from touches: on ordinary memory, where it is known which touch must fault. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "workloads/agent/clock.h"
#include "workloads/agent/touch.h"

#define PAGE  4096
#define PAGES 2000

enum row {
	FAULTS,
	TOUCHES,
	FAULT_LATENCY,
	TOUCH_LATENCY,
	UNSETTLED,
	REPEATED,
	UNCLASSIFIED,
	SIGBUS_ROW,
	ROWS
};

static const struct touch_rows rows = {
	.faults = FAULTS,
	.touches = TOUCHES,
	.fault_latency = FAULT_LATENCY,
	.touch_latency = TOUCH_LATENCY,
	.unsettled = UNSETTLED,
	.repeated = REPEATED,
	.unclassified = UNCLASSIFIED,
	.sigbus = SIGBUS_ROW,
};

struct fixture {
	struct cell_shared cell_shared;
	struct task_shared shared;
	struct cell cell;
	struct target target;
	struct instance in;
	struct task task;
	struct touch touch;
	struct hist hist[2];
};

static const struct workload_ops toucher = {.name = "test"};

static int make(void **state)
{
	struct fixture *f =
		aligned_alloc(CACHE_LINE, (sizeof(*f) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	struct hb_error e;

	if (!f)
		return -1;
	memset(f, 0, sizeof(*f));
	atomic_store(&f->cell_shared.phase, PHASE_MEASURE);
	f->cell.shared = &f->cell_shared;
	f->in = (struct instance){.ops = &toucher, .cell = &f->cell, .target = &f->target};
	f->shared.hist[FAULT_LATENCY] = &f->hist[0];
	f->shared.hist[TOUCH_LATENCY] = &f->hist[1];
	hist_reset(&f->hist[0]);
	hist_reset(&f->hist[1]);
	f->task = (struct task){
		.in = &f->in, .shared = &f->shared, .live = &f->shared, .phase = PHASE_MEASURE};
	atomic_store(&f->target.floor, UINT64_MAX);
	*state = f;
	return touch_init(&f->touch, &f->task, &rows, &e);
}

static int drop(void **state)
{
	free(*state);
	return 0;
}

static uint64_t count(const struct fixture *f, enum row row)
{
	return atomic_load(&f->shared.counter[row]);
}

static char *fresh(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	assert_true(p != MAP_FAILED);
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static void every_first_touch_faults(void **state)
{
	struct fixture *f = *state;
	char *p = fresh(PAGES);

	assert_int_equal(touch_pages(&f->touch, p, PAGES * PAGE, PAGE, NULL, PAGES, NULL), 0);
	assert_int_equal(count(f, TOUCHES), PAGES);
	assert_int_equal(count(f, FAULTS), PAGES);
	assert_int_equal(f->hist[0].count, PAGES);
	assert_int_equal(f->hist[1].count, 0);
	assert_int_equal(count(f, UNCLASSIFIED), 0);
	assert_int_equal(count(f, UNSETTLED), 0);
	munmap(p, PAGES * PAGE);
}

static void second_touches_do_not(void **state)
{
	struct fixture *f = *state;
	char *p = fresh(PAGES);

	memset(p, 1, PAGES * PAGE);
	for (int i = 0; i < 20; i++)
		assert_int_equal(touch_pages(&f->touch, p, PAGES * PAGE, PAGE, NULL, PAGES, NULL),
				 0);
	assert_int_equal(count(f, TOUCHES), 20 * PAGES);
	assert_int_equal(count(f, FAULTS), 0);
	assert_int_equal(f->hist[0].count, 0);
	assert_int_equal(f->hist[1].count, 20 * PAGES);
	munmap(p, PAGES * PAGE);
}

/* Every eighth page is missing: each fault stands among plain touches. */
static void mixed_touches_are_told_apart(void **state)
{
	struct fixture *f = *state;
	char *p = fresh(PAGES);

	memset(p, 1, PAGES * PAGE);
	for (size_t i = 0; i < PAGES; i += 8)
		madvise(p + i * PAGE, PAGE, MADV_DONTNEED);
	assert_int_equal(touch_pages(&f->touch, p, PAGES * PAGE, PAGE, NULL, PAGES, NULL), 0);
	assert_int_equal(count(f, FAULTS), PAGES / 8);
	assert_int_equal(f->hist[0].count, PAGES / 8);
	assert_int_equal(f->hist[1].count, PAGES - PAGES / 8);
	assert_true(f->hist[0].min > f->hist[1].min);
	munmap(p, PAGES * PAGE);
}

/* Pending touches of so many times the threshold, of which the kernel is to have counted @faults.
 */
static void settle(struct fixture *f, const uint64_t *thresholds, unsigned int n, uint64_t faults)
{
	f->touch.threshold = 1000;
	/* Once for nothing: code that is not mapped yet would fault in between. */
	touch_settle(&f->touch);
	for (unsigned int i = 0; i < ROWS; i++)
		atomic_store(&f->shared.counter[i], 0);
	f->touch.n = n;
	for (unsigned int i = 0; i < n; i++)
		f->touch.pending[i].ticks = thresholds[i] * f->touch.threshold;
	f->touch.faults = touch_fault_count() - faults;
	touch_settle(&f->touch);
	assert_int_equal(count(f, FAULTS), faults);
	assert_int_equal(f->touch.n, 0);
}

static void all_or_none_is_settled(void **state)
{
	static const uint64_t took[] = {3, 9, 4};
	struct fixture *f = *state;

	settle(f, took, 3, 3);
	assert_int_equal(f->hist[0].count, 3);
	settle(f, took, 3, 0);
	assert_int_equal(f->hist[1].count, 3);
	assert_int_equal(f->hist[0].count, 3);
	assert_int_equal(count(f, UNSETTLED), 0);
	assert_int_equal(count(f, REPEATED) + count(f, UNCLASSIFIED), 0);
}

static void slowest_of_a_mixed_run_are_the_faults(void **state)
{
	static const uint64_t took[] = {9, 3, 8, 4};
	struct fixture *f = *state;

	settle(f, took, 4, 2);
	assert_int_equal(f->hist[0].count, 2);
	assert_int_equal(f->hist[0].min, task_ticks_to_ns(8000));
	assert_int_equal(f->hist[1].count, 2);
	assert_int_equal(f->hist[1].max, task_ticks_to_ns(4000));
	assert_int_equal(count(f, UNSETTLED), 4);
}

/* The threshold is half of the fastest fault: in 8 of them there is time for 4. */
static void repeated_faults_need_their_time(void **state)
{
	static const uint64_t took[] = {8, 2};
	struct fixture *f = *state;

	settle(f, took, 1, 4);
	assert_int_equal(count(f, REPEATED), 3);
	assert_int_equal(count(f, UNCLASSIFIED), 0);
	settle(f, took, 1, 6);
	assert_int_equal(count(f, REPEATED), 3);
	assert_int_equal(count(f, UNCLASSIFIED), 2);
	settle(f, took, 2, 7);
	assert_int_equal(count(f, REPEATED), 3);
	assert_int_equal(count(f, UNCLASSIFIED), 2);
	/* No touch at all: somebody else's faults. */
	settle(f, took, 0, 5);
	assert_int_equal(count(f, REPEATED), 0);
	assert_int_equal(count(f, UNCLASSIFIED), 5);
	assert_int_equal(f->hist[0].count, 4);
}

/* What the tasks counted, and whether it adds up. */
static int report(struct fixture *f, uint64_t faults, uint64_t repeated, uint64_t missed,
		  uint64_t classified, struct hb_error *e)
{
	struct task_shared *tasks[2] = {&f->shared, calloc(1, sizeof(f->shared))};
	int rc;

	assert_non_null(tasks[1]);
	tasks[1]->hist[FAULT_LATENCY] = &f->hist[1];
	f->hist[0].count = classified;
	f->hist[1].count = 1;
	atomic_store(&tasks[0]->counter[FAULTS], faults);
	atomic_store(&tasks[0]->counter[REPEATED], repeated);
	atomic_store(&tasks[0]->counter[UNCLASSIFIED], missed);
	atomic_store(&tasks[1]->counter[FAULTS], 2);
	atomic_store(&tasks[1]->counter[REPEATED], 1);
	f->in.ntasks = 2;
	f->in.task = tasks;
	f->in.notes = json_array();
	rc = touch_report(&f->in, &rows, e);
	assert_int_equal(json_array_size(f->in.notes), 1);
	json_decref(f->in.notes);
	free(tasks[1]);
	return rc;
}

static void faults_must_add_up(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	assert_int_equal(report(f, 998, 100, 0, 898, &e), 0);
	assert_int_equal(report(f, 998, 100, 0, 897, &e), -ERANGE);
	assert_non_null(strstr(e.text, "1000 faults counted, but 999 classified"));
	assert_int_equal(report(f, 998, 0, 0, 999, &e), -ERANGE);
	/* One in a thousand may be missed, two may not. */
	assert_int_equal(report(f, 998, 100, 1, 897, &e), 0);
	assert_int_equal(report(f, 998, 100, 2, 896, &e), -ERANGE);
	assert_non_null(strstr(e.text, "2 of 1000 faults were quicker"));
}

static void order_is_followed(void **state)
{
	static const uint32_t order[] = {3, 1};
	struct fixture *f = *state;
	char *p = fresh(4);

	assert_int_equal(touch_pages(&f->touch, p, 4 * PAGE, PAGE, order, 2, NULL), 0);
	assert_int_equal(p[3 * PAGE], 0);
	assert_int_equal(p[1 * PAGE], 1);
	assert_int_equal(count(f, FAULTS), 2);
	munmap(p, 4 * PAGE);
}

/* A file of 8 pages, of which 4 are left: the touches behind them give SIGBUS. */
static char *truncated(struct fixture *f)
{
	int fd = memfd_create("touch", 0);
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 * PAGE), 0);
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(ftruncate(fd, 4 * PAGE), 0);
	close(fd);
	/* Once more: cmocka has put its own handler for SIGBUS in place. */
	assert_int_equal(touch_init(&f->touch, &f->task, &rows, NULL), 0);
	return p;
}

static void sigbus_past_the_end_is_expected(void **state)
{
	struct fixture *f = *state;
	char *p = truncated(f);

	atomic_store(&f->target.floor, 4 * PAGE);
	assert_int_equal(touch_pages(&f->touch, p, 8 * PAGE, PAGE, NULL, 8, NULL), 0);
	assert_int_equal(count(f, SIGBUS_ROW), 4);
	assert_int_equal(count(f, TOUCHES), 4);
	/* Those that were pending when the first SIGBUS came are not lost. */
	assert_int_equal(count(f, FAULTS), 4);
	assert_int_equal(f->hist[0].count, 4);
	munmap(p, 8 * PAGE);
}

static void sigbus_elsewhere_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};
	char *p = truncated(f);

	atomic_store(&f->target.floor, 6 * PAGE);
	assert_int_equal(touch_pages(&f->touch, p, 8 * PAGE, PAGE, NULL, 8, &e), -EFAULT);
	assert_non_null(strstr(e.text, "SIGBUS at offset 16384"));
	munmap(p, 8 * PAGE);
}

/* A bus error that the pass does not explain ends the task, and is no touch past the end. */
static void sigbus_of_something_else_kills(void **state)
{
	static const uint32_t behind[] = {6};
	struct fixture *f = *state;
	char *p = truncated(f);
	int status;
	pid_t pid;

	atomic_store(&f->target.floor, 4 * PAGE);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(touch_pages(&f->touch, p, 6 * PAGE, PAGE, behind, 1, NULL) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	munmap(p, 8 * PAGE);
}

/* The phase ends in the middle: the pass is cut short, and what was done before is in the figures.
 */
static void drain_cuts_a_pass_short(void **state)
{
	struct fixture *f = *state;
	struct task_shared *scratch = calloc(1, sizeof(*scratch));
	char *p = fresh(PAGES);

	assert_non_null(scratch);
	scratch->hist[FAULT_LATENCY] = &f->hist[0];
	scratch->hist[TOUCH_LATENCY] = &f->hist[1];
	f->task.scratch = scratch;
	atomic_store(&f->cell_shared.phase, PHASE_DRAIN);
	assert_int_equal(touch_pages(&f->touch, p, PAGES * PAGE, PAGE, NULL, PAGES, NULL), 0);
	assert_int_equal(count(f, TOUCHES), 0);
	assert_true(atomic_load(&f->shared.end_ns) > 0);
	assert_false(task_continue(&f->task));
	free(scratch);
	munmap(p, PAGES * PAGE);
}

/* For a signal handler: where the phase ends, and what is to become writable there. */
static struct {
	struct cell_shared *cell;
	char *page;
} phase_end;

static void on_segv(int sig)
{
	(void)sig;
	atomic_store(&phase_end.cell->phase, PHASE_PROVE);
	mprotect(phase_end.page, PAGE, PROT_READ | PROT_WRITE);
}

/* What was touched before is in the figures, what comes behind in the scratch, nothing in both. */
static void phase_ends_within_a_pass(void **state)
{
	struct sigaction sa = {.sa_handler = on_segv}, old;
	struct fixture *f = *state;
	struct task_shared *scratch = calloc(1, sizeof(*scratch));
	struct hist *hist = calloc(2, sizeof(*hist));
	char *p = fresh(PAGES);

	assert_true(scratch && hist);
	scratch->hist[FAULT_LATENCY] = &hist[0];
	scratch->hist[TOUCH_LATENCY] = &hist[1];
	f->task.scratch = scratch;
	phase_end.cell = &f->cell_shared;
	phase_end.page = p + 700 * PAGE;
	assert_int_equal(mprotect(phase_end.page, PAGE, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &sa, &old), 0);
	assert_int_equal(touch_pages(&f->touch, p, PAGES * PAGE, PAGE, NULL, PAGES, NULL), 0);
	sigaction(SIGSEGV, &old, NULL);
	assert_int_equal(count(f, TOUCHES), 701);
	assert_int_equal(atomic_load(&scratch->counter[TOUCHES]), PAGES - 701);
	assert_int_equal(f->hist[0].count + f->hist[1].count, 701);
	assert_int_equal(hist[0].count + hist[1].count, PAGES - 701);
	assert_true(atomic_load(&f->shared.end_ns) > 0);
	free(hist);
	free(scratch);
	munmap(p, PAGES * PAGE);
}

static void threshold_lies_between(void **state)
{
	uint64_t plain, threshold = touch_threshold(&plain);

	(void)state;
	assert_true(plain < threshold);
}

static void clock_agrees_with_the_kernel(void **state)
{
	uint64_t before = hb_now_ns(), begin = task_ticks(), inner = hb_now_ns(), ns, end;

	(void)state;
	usleep(100000);
	inner = hb_now_ns() - inner;
	end = task_ticks();
	before = hb_now_ns() - before;
	ns = task_ticks_to_ns(end - begin);
	/* Whatever came between two reads: the one lies around the ticks, the other within. */
	assert_true(ns <= before + before / 100 && ns + inner / 100 >= inner);
	assert_true(clock_cost() > 0 && clock_rate() > 0);
}

/* On another CPU, whose counter is a little behind. */
static void clock_does_not_run_backwards(void **state)
{
	uint64_t at = task_ticks();

	(void)state;
	assert_int_equal(task_ticks_to_ns(at - (at + 100)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_first_touch_faults, make, drop),
		cmocka_unit_test_setup_teardown(second_touches_do_not, make, drop),
		cmocka_unit_test_setup_teardown(mixed_touches_are_told_apart, make, drop),
		cmocka_unit_test_setup_teardown(all_or_none_is_settled, make, drop),
		cmocka_unit_test_setup_teardown(slowest_of_a_mixed_run_are_the_faults, make, drop),
		cmocka_unit_test_setup_teardown(repeated_faults_need_their_time, make, drop),
		cmocka_unit_test_setup_teardown(faults_must_add_up, make, drop),
		cmocka_unit_test_setup_teardown(order_is_followed, make, drop),
		cmocka_unit_test_setup_teardown(sigbus_past_the_end_is_expected, make, drop),
		cmocka_unit_test_setup_teardown(sigbus_elsewhere_is_an_error, make, drop),
		cmocka_unit_test_setup_teardown(sigbus_of_something_else_kills, make, drop),
		cmocka_unit_test_setup_teardown(drain_cuts_a_pass_short, make, drop),
		cmocka_unit_test_setup_teardown(phase_ends_within_a_pass, make, drop),
		cmocka_unit_test(threshold_lies_between),
		cmocka_unit_test(clock_agrees_with_the_kernel),
		cmocka_unit_test(clock_does_not_run_backwards),
	};

	clock_setup();
	/* The program's own pages must not fault among those that are counted. */
	mlockall(MCL_CURRENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
