// SPDX-License-Identifier: GPL-2.0-or-later
/* What threads waited for, by a trace; and what that makes of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "workloads/agent/waits.h"
#include "workloads/agent/waits_join.h"

#define ROUNDS 20000

/* As 5.10 prints it, cut short. */
#define HEAD(tid, time) "      0-pmdshare-" tid "     [001] d..2   " time ": "
#define SWITCH(out, state, in, time)                                                               \
	HEAD(out, time)                                                                            \
	"sched_switch: prev_comm=0-pmdshare prev_pid=" out " prev_prio=120 prev_state=" state      \
	" ==> next_comm=a b prev_pid= next_pid=" in " next_prio=120"
#define STACK(tid, time) HEAD(tid, time) "<stack trace>"
#define SLOW_IN(tid, time, name)                                                                   \
	HEAD(tid, time)                                                                            \
	name ": (rwsem_down_read_slowpath+0x0/0x380) s0=down_read+0x2e/0x90 "                      \
	     "s1=0xffff888012345678 s2=hugetlb_fault.part.0+0x1a2/0x8e0 s3=do_user+0x1/0x2"
#define SLOW_OUT(tid, time, name)                                                                  \
	HEAD(tid, time) name "_ret: (down_read+0x2e/0x90 <- rwsem_down_read_slowpath)"

static void take(struct waits_trace *t, const char *const *lines)
{
	for (; *lines; lines++)
		waits_take_line(t, *lines);
	waits_sort(t);
	assert_false(t->failed);
}

static void assert_wait(const struct waits_trace *t, size_t i, int tid, uint64_t begin,
			uint64_t end, const char *what)
{
	const struct wait *w = &t->wait[i];
	const struct wait_class *c = &t->classes[w->class];
	HB_FREE char *text = hb_strf("%s %s %s", wait_how_name(c->how), c->kind, c->function);

	assert_true(i < t->nwaits);
	assert_string_equal(text, what);
	assert_int_equal(w->tid, tid);
	assert_int_equal(w->begin, begin);
	assert_int_equal(w->end, end);
}

static void sleep_is_of_the_function_that_locks(void **state)
{
	static const char *const lines[] = {
		"# tracer: nop",
		"#",
		SWITCH("71", "D", "0", "1000"),
		STACK("71", "1001"),
		" => __schedule",
		" => schedule",
		" => io_schedule",
		" => __lock_page",
		" => find_lock_entry.isra.0",
		" => hugetlb_fault",
		SWITCH("0", "R", "71", "4000"),
		SWITCH("71", "S", "72", "5000"),
		STACK("71", "5001"),
		" => __schedule",
		" => do_nanosleep",
		SWITCH("72", "R+", "71", "6000"),
		SWITCH("71", "R", "72", "6500"),
		NULL,
	};
	struct waits_trace t = {0};

	(void)state;
	take(&t, lines);
	assert_int_equal(t.nwaits, 3);
	assert_wait(&t, 0, 71, 1000, 4000, "asleep page-lock find_lock_entry");
	assert_wait(&t, 1, 71, 5000, 6000, "asleep sleep do_nanosleep");
	/* Others had the CPU; the other one's way out is where it gets it back. */
	assert_wait(&t, 2, 72, 6000, 6500, "ready cpu ");
	waits_trace_free(&t);
}

static void slow_path_is_spun_but_for_its_sleep(void **state)
{
	static const char *const lines[] = {
		SLOW_IN("71", "1000", "rwsem_read"),
		SWITCH("71", "D", "0", "1300"),
		STACK("71", "1301"),
		" => __schedule",
		" => rwsem_down_read_slowpath",
		" => kretprobe_trampoline",
		" => nobody_knows",
		SWITCH("0", "R", "71", "2000"),
		SLOW_OUT("71", "2100", "rwsem_read"),
		SWITCH("71", "S", "0", "3000"),
		SWITCH("0", "R", "71", "3500"),
		NULL,
	};
	struct waits_trace t = {0};

	(void)state;
	take(&t, lines);
	assert_int_equal(t.nwaits, 4);
	assert_wait(&t, 0, 71, 1000, 1300, "spun rwsem-read hugetlb_fault");
	assert_wait(&t, 1, 71, 1300, 2000, "asleep rwsem-read hugetlb_fault");
	assert_wait(&t, 2, 71, 2000, 2100, "spun rwsem-read hugetlb_fault");
	/* No stack came with it, and the slow path is over. */
	assert_wait(&t, 3, 71, 3000, 3500, "asleep sleep unknown");
	waits_trace_free(&t);
}

static void slow_paths_nest(void **state)
{
	static const char *const lines[] = {
		SLOW_IN("71", "1000", "mutex"),
		SLOW_IN("71", "1100", "rwsem_write"),
		SLOW_OUT("71", "1150", "rwsem_write"),
		SLOW_OUT("71", "1400", "mutex"),
		/* A return without an entry, and an entry whose return was missed. */
		SLOW_OUT("71", "1500", "mutex"),
		SLOW_IN("71", "2000", "mutex"),
		SLOW_IN("71", "2200", "mutex"),
		SLOW_OUT("71", "2300", "mutex"),
		NULL,
	};
	struct waits_trace t = {0};

	(void)state;
	take(&t, lines);
	assert_int_equal(t.nwaits, 5);
	assert_wait(&t, 0, 71, 1000, 1100, "spun mutex hugetlb_fault");
	assert_wait(&t, 1, 71, 1100, 1150, "spun rwsem-write hugetlb_fault");
	assert_wait(&t, 2, 71, 1150, 1400, "spun mutex hugetlb_fault");
	assert_wait(&t, 4, 71, 2200, 2300, "spun mutex hugetlb_fault");
	waits_trace_free(&t);
}

/* Deterministic noise out of pieces of true lines: nothing but what can be asserted of any trace.
 */
static void garbage_is_no_wait(void **state)
{
	static const char *const pieces[] = {
		HEAD("71", "18446744073709551615"),
		HEAD("4194305", "12"),
		HEAD("-3", "9"),
		"sched_switch: ",
		" prev_pid=71",
		" prev_state=D",
		" ==> next_pid=72",
		" next_pid=99999999999999999999",
		"rwsem_read: (x) s0=",
		"mutex_ret: ",
		" => ",
		"\n",
		"<stack trace>",
		"-1 [",
		"=+=+",
		"\xff\x01",
		"s1="
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+"
		"0x1",
	};
	struct waits_trace t = {0};
	uint64_t rng = 14;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char line[2048];
		size_t n = 0;

		for (int k = 0; k < 8; k++) {
			rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
			n += snprintf(line + n, sizeof(line) - n, "%s",
				      pieces[(rng >> 33) % ARRAY_SIZE(pieces)]);
		}
		waits_take_line(&t, line);
	}
	waits_sort(&t);
	for (size_t i = 0; i < t.nwaits; i++) {
		assert_true(t.wait[i].begin < t.wait[i].end);
		assert_true(t.wait[i].class < t.nclasses);
		assert_true(t.wait[i].tid > 0 && t.wait[i].tid < t.nthreads);
		assert_true(strlen(t.classes[t.wait[i].class].function) < WAIT_FUNCTION);
	}
	waits_trace_free(&t);
}

/* Waits of thread 71: 100 spun for a mutex, 1000 asleep for it, 50 for a CPU. */
static void three_waits(struct waits_trace *t)
{
	static const char *const lines[] = {
		SLOW_IN("71", "1000", "mutex"),
		SWITCH("71", "D", "0", "1100"),
		SWITCH("0", "R", "71", "2100"),
		SLOW_OUT("71", "2100", "mutex"),
		SWITCH("71", "R", "73", "3000"),
		SWITCH("73", "S", "71", "3050"),
		NULL,
	};

	take(t, lines);
}

static json_int_t number(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

/* "KIND FUNCTION COUNT SUM" of each of a list. */
static char *listed(const json_t *list)
{
	char *text = strdup("");
	const json_t *w;
	size_t i;

	json_array_foreach ((json_t *)list, i, w) {
		const char *how = json_string_value(json_object_get(w, "how"));
		char *more = hb_strf("%s%s%s%s %s %lld %lld; ", text, how ? how : "",
				     how ? " " : "", json_string_value(json_object_get(w, "kind")),
				     json_string_value(json_object_get(w, "function")),
				     (long long)number(w, "count"), (long long)number(w, "sum"));

		free(text);
		text = more;
	}
	return text;
}

static void operations_are_taken_apart(void **state)
{
	struct task_op op[] = {
		/* All of the mutex; half of it; before it; another thread's; the CPU's alone. */
		{.end = 2500, .ns = 2000, .tid = 71}, {.end = 1600, .ns = 400, .tid = 71},
		{.end = 1000, .ns = 300, .tid = 71},  {.end = 2500, .ns = 2000, .tid = 7},
		{.end = 3060, .ns = 70, .tid = 71},
	};
	HB_FREE char *waits = NULL, *held = NULL;
	struct waits_trace t = {0};
	const json_t *slow;
	json_t *row;

	(void)state;
	three_waits(&t);
	row = waits_join(&t, op, ARRAY_SIZE(op));
	assert_non_null(row);
	assert_int_equal(number(row, "count"), 5);
	assert_int_equal(number(row, "total"), 4770);
	assert_int_equal(number(row, "executed"), 4770 - 1100 - 400 - 50);
	waits = listed(json_object_get(row, "waits"));
	assert_string_equal(waits, "spun mutex hugetlb_fault 1 100; asleep mutex hugetlb_fault 2 "
				   "1400; ready cpu  1 50; ");
	/* Of so few the slowest; of two equal ones that of the lower thread. */
	slow = json_object_get(row, "slow");
	assert_int_equal(number(slow, "count"), 1);
	assert_int_equal(number(slow, "least"), 2000);
	held = listed(json_object_get(slow, "held"));
	assert_string_equal(held, "own  1 2000; ");
	json_decref(row);
	waits_trace_free(&t);
}

static void slow_ones_are_held_up_by_what_took_most(void **state)
{
	static struct task_op op[2000];
	struct waits_trace t = {0};
	HB_FREE char *held = NULL;
	json_t *row;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(op); i++)
		op[i] = (struct task_op){.end = 100, .ns = 10, .tid = 71};
	/* Spun and asleep are one lock: 1100 of 1800. The other one executed 500 of 900. */
	op[5] = (struct task_op){.end = 2300, .ns = 1800, .tid = 71};
	op[1500] = (struct task_op){.end = 1500, .ns = 900, .tid = 71};
	three_waits(&t);
	op[1500].end = 1400;
	row = waits_join(&t, op, ARRAY_SIZE(op));
	assert_int_equal(number(json_object_get(row, "slow"), "count"), 2);
	assert_int_equal(number(json_object_get(row, "slow"), "least"), 900);
	held = listed(json_object_get(json_object_get(row, "slow"), "held"));
	assert_string_equal(held, "mutex hugetlb_fault 1 1500; own  1 1200; ");
	json_decref(row);
	assert_null(waits_join(&t, op, 0));
	waits_trace_free(&t);
}

/* In mode exact an instruction of a CPU takes some ns of the clock that the trace has, too. */
static void sums_are_in_the_unit_of_latencies(void **state)
{
	struct task_op op = {.end = 2500, .ns = 1600, .tid = 71};
	struct waits_trace t = {0};
	json_t *row;

	(void)state;
	three_waits(&t);
	task_clock.insn_ns = 10;
	row = waits_join(&t, &op, 1);
	task_clock.insn_ns = 1;
	assert_int_equal(number(row, "total"), 160);
	assert_int_equal(number(row, "executed"), 50);
	json_decref(row);
	waits_trace_free(&t);
}

/* The clocks of two CPUs may differ by a little: no more is waited than it took. */
static void clock_that_goes_back_is_no_more_than_all(void **state)
{
	static const char *const lines[] = {
		SWITCH("71", "R", "0", "1000"),
		SWITCH("0", "R", "71", "2000"),
		SWITCH("71", "R", "0", "1500"),
		SWITCH("0", "R", "71", "2500"),
		NULL,
	};
	struct task_op op = {.end = 2500, .ns = 1700, .tid = 71};
	struct waits_trace t = {0};
	HB_FREE char *waits = NULL;
	json_t *row;

	(void)state;
	take(&t, lines);
	row = waits_join(&t, &op, 1);
	assert_int_equal(number(row, "executed"), 0);
	waits = listed(json_object_get(row, "waits"));
	assert_string_equal(waits, "ready cpu  1 1700; ");
	json_decref(row);
	waits_trace_free(&t);
}

static void machine_without_the_clock_is_skipped(void **state)
{
	int tsc = task_clock.tsc;
	struct hb_error e = {""};

	(void)state;
	task_clock.tsc = 0;
	assert_int_equal(waits_open(NULL, &e), -EOPNOTSUPP);
	task_clock.tsc = tsc;
	assert_non_null(strstr(e.text, "observe = waits: the CPU's counter"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleep_is_of_the_function_that_locks),
		cmocka_unit_test(slow_path_is_spun_but_for_its_sleep),
		cmocka_unit_test(slow_paths_nest),
		cmocka_unit_test(garbage_is_no_wait),
		cmocka_unit_test(operations_are_taken_apart),
		cmocka_unit_test(slow_ones_are_held_up_by_what_took_most),
		cmocka_unit_test(sums_are_in_the_unit_of_latencies),
		cmocka_unit_test(clock_that_goes_back_is_no_more_than_all),
		cmocka_unit_test(machine_without_the_clock_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
