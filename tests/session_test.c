// SPDX-License-Identifier: GPL-2.0-or-later
/* Every verdict and failure of a cell that needs no QEMU, with the fake guest as native child. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/guest/session.h"
#include "bench/guest/session_state.h"
#include "bench/result/load.h"

struct fixture {
	char directory[64];
	char agent[4096];
	json_t *planned;
	json_t *cell;
	struct hb_error e;
	struct kernel kernel;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	ssize_t n;

	assert_non_null(f);
	snprintf(f->directory, sizeof(f->directory), "/tmp/session_test.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	n = readlink("/proc/self/exe", f->agent, sizeof(f->agent) - 32);
	assert_true(n > 0);
	f->agent[n] = '\0';
	snprintf(strrchr(f->agent, '/'), 32, "/fake_guest");
	f->planned = json_pack("{s:s, s:i, s:s, s:s, s:i, s:b, s:i, s:{s:{s:I, s:I}, s:[{s:s, s:s, "
			       "s:i}, {s:s, s:s, s:i}]}}",
			       "id", "001-base-x-r1", "seq", 1, "kernel", "base", "cell", "x",
			       "rep", 1, "warmup_boot", 0, "deadline_s", 60, "spec", "phases",
			       "warmup_ns", (json_int_t)1, "measure_ns", (json_int_t)1, "instances",
			       "workload", "null", "role", "workload", "tasks", 3, "workload",
			       "truncate", "role", "antagonist", "tasks", 1);
	assert_non_null(f->planned);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	json_decref(f->planned);
	json_decref(f->cell);
	assert_int_equal(hb_remove_all(f->directory), 0);
	free(f);
	return 0;
}

static int run_as(struct fixture *f, const char *fake, const volatile int *interrupted)
{
	struct session_config c = {
		.planned = f->planned,
		.agent = f->agent,
		.native = 1,
		.native_mode = "native",
		.directory = f->directory,
		.interrupted = interrupted,
		.accept = load_cell_check,
		.kernel = f->kernel.build_id ? &f->kernel : NULL,
		.boot_timeout_ns = NSEC_PER_SEC * 2,
		.phase_timeout_ns = NSEC_PER_SEC / 2,
	};

	setenv("fake", fake, 1);
	return session_run(&c, &f->cell, &f->e);
}

static const char *text(const struct fixture *f, const char *key)
{
	return json_string_value(json_object_get(f->cell, key));
}

static void expect(struct fixture *f, const char *fake, const char *verdict, const char *reason)
{
	assert_int_equal(run_as(f, fake, NULL), 0);
	assert_string_equal(text(f, "verdict"), verdict);
	if (!strstr(text(f, "reason"), reason))
		fail_msg("reason is \"%s\", expected \"%s\" in it", text(f, "reason"), reason);
}

static char *read_file(struct fixture *f, const char *name)
{
	char *path = hb_strf("%s/%s", f->directory, name), *contents = NULL;

	hb_file_read(path, &contents, NULL);
	free(path);
	return contents;
}

static void test_ok(void **state)
{
	struct fixture *f = *state;
	json_t *metric, *times;
	char *contents;

	expect(f, "ok", "OK", "");
	assert_true(json_is_true(json_object_get(f->cell, "expected")));
	assert_string_equal(text(f, "id"), "001-base-x-r1");
	assert_string_equal(text(f, "mode"), "native");
	assert_int_equal(json_integer_value(json_object_get(f->cell, "tasks")), 3);
	assert_int_equal(json_array_size(json_object_get(f->cell, "workloads")), 1);
	assert_int_equal(json_array_size(json_object_get(f->cell, "antagonists")), 1);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(f->cell, "hello"), "agent")),
		"fake");
	metric = json_array_get(json_object_get(f->cell, "metrics"), 0);
	assert_string_equal(json_string_value(json_object_get(metric, "file")),
			    "null.latency.hist");
	metric = json_array_get(json_object_get(f->cell, "metrics"), 1);
	assert_null(json_object_get(metric, "file"));
	times = json_object_get(f->cell, "times");
	assert_true(json_integer_value(json_object_get(times, "total_ns")) >=
		    json_integer_value(json_object_get(times, "boot_ns")));

	contents = read_file(f, "intervals.jsonl");
	assert_non_null(contents);
	assert_string_equal(contents,
			    "{\"t_ns\":0,\"length_ns\":10,\"counters\":{\"null.ops\":1}}\n"
			    "{\"t_ns\":10,\"length_ns\":10,\"counters\":{\"null.ops\":1}}\n");
	free(contents);
	contents = read_file(f, "null.latency.hist");
	assert_non_null(contents);
	assert_non_null(strstr(contents, "\"count\":2"));
	free(contents);
}

static void test_dirty_is_not_expected(void **state)
{
	struct fixture *f = *state;

	expect(f, "dirty", "DIRTY", "");
	assert_true(json_is_false(json_object_get(f->cell, "expected")));
}

static void test_stall_is_hang_with_stacks(void **state)
{
	struct fixture *f = *state;
	json_t *evidence;

	json_object_set_new(f->planned, "expect", json_pack("[s]", "HANG"));
	expect(f, "stall", "HANG", "no progress");
	assert_true(json_is_true(json_object_get(f->cell, "expected")));
	evidence = json_object_get(f->cell, "evidence");
	assert_int_equal(json_array_size(evidence), 2);
	assert_string_equal(json_string_value(json_array_get(evidence, 0)),
			    "task:mapper state:D stack:0");
}

static void test_silent(void **state)
{
	expect(*state, "silent", "TIMEOUT", "no hello within 2 s");
}

/* This process and what it starts have one CPU, and share it with @n that never let go of it. */
static void crowd(pid_t *other, size_t n, cpu_set_t *before)
{
	pid_t us = getpid();
	cpu_set_t one;

	assert_int_equal(sched_getaffinity(0, sizeof(*before), before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (size_t i = 0; i < n; i++) {
		other[i] = fork();
		assert_true(other[i] >= 0);
		if (other[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == us)
			;
		_exit(0);
	}
}

static void disperse(const pid_t *other, size_t n, const cpu_set_t *before)
{
	for (size_t i = 0; i < n; i++) {
		kill(other[i], SIGKILL);
		waitpid(other[i], NULL, 0);
	}
	sched_setaffinity(0, sizeof(*before), before);
}

/* A second of work beside four others takes five: more than the boot's two, but it has waited. */
static void test_waiting_does_not_count(void **state)
{
	struct fixture *f = *state;
	cpu_set_t before;
	pid_t other[4];
	int rc;

	crowd(other, ARRAY_SIZE(other), &before);
	rc = run_as(f, "busy", NULL);
	disperse(other, ARRAY_SIZE(other), &before);
	assert_int_equal(rc, 0);
	assert_string_equal(text(f, "verdict"), "OK");
	assert_true(json_integer_value(json_object_get(json_object_get(f->cell, "times"),
						       "boot_ns")) > 2 * (json_int_t)NSEC_PER_SEC);
}

static void test_phase_deadline(void **state)
{
	expect(*state, "hang", "TIMEOUT", "phase measure");
}

/* What comes without end neither keeps the deadline from being seen nor fills the record. */
static void test_flood(void **state)
{
	struct fixture *f = *state;

	expect(f, "flood", "TIMEOUT", "phase measure");
	assert_in_range(json_array_size(json_object_get(f->cell, "evidence")), 100, 500);
}

static void test_cell_deadline(void **state)
{
	struct fixture *f = *state;
	uint64_t start = hb_now_ns();

	/* As plan.json has it: with a fraction. */
	json_object_set_new(f->planned, "deadline_s", json_real(1.5));
	expect(f, "silent", "TIMEOUT", "no hello within 1 s");
	/* The whole, with the time the agent gets to clean up, ends before the boot's own limit. */
	assert_true(hb_now_ns() - start < 14 * NSEC_PER_SEC);
}

/* A guest of 64 GiB has time to fill them; the host's own memory is not ours to fill. */
static void test_deadline_grows_with_memory(void **state)
{
	struct fixture *f = *state;
	struct session_config c = {.planned = f->planned, .vm = {.mode = VM_KVM}};
	struct session s = {.c = &c};

	assert_int_equal(session_most_ns(&s), 60 * NSEC_PER_SEC);
	c.vm.memory = 64ULL << 30;
	assert_int_equal(session_most_ns(&s), (60 + 64 * 15) * NSEC_PER_SEC);
	c.vm.memory = 512ULL << 20;
	assert_int_equal(session_most_ns(&s), 67500 * (NSEC_PER_SEC / 1000));
	c.vm.mode = VM_EXACT;
	assert_int_equal(session_most_ns(&s), 60 * NSEC_PER_SEC);
	json_object_set_new(f->planned, "deadline_s", json_integer(0));
	c.vm.mode = VM_KVM;
	assert_int_equal(session_most_ns(&s), 0);
}

/* The cell of a guest in @mode whose agent said @verdict, and figures of these counts. */
static json_t *cell_of(struct fixture *f, enum vm_mode mode, const char *verdict, int touches,
		       int punches)
{
	struct session_config c = {.planned = f->planned, .vm = {.mode = mode}};
	struct session s = {
		.c = &c,
		.result =
			json_pack("{s:s, s:[{s:s, s:s, s:s, s:i}, {s:s, s:s, s:s, s:i}, "
				  "{s:s, s:s, s:s, s:i}]}",
				  "verdict", verdict, "metrics", "role", "workload", "kind", "rate",
				  "name", "faults", "count", 0, "role", "workload", "kind", "rate",
				  "name", "touches", "count", touches, "role", "antagonist", "kind",
				  "rate", "name", "punches", "count", punches)};
	json_t *cell;

	assert_non_null(s.result);
	cell = session_cell(&s, "2020-01-01T00:00:00Z");
	json_decref(s.result);
	return cell;
}

static void expect_cell(json_t *cell, const char *verdict, const char *reason)
{
	const char *said = json_string_value(json_object_get(cell, "reason"));

	assert_string_equal(json_string_value(json_object_get(cell, "verdict")), verdict);
	assert_non_null(strstr(said, reason));
	json_decref(cell);
}

/* One figure of a workload is enough; what an antagonist did is none. */
static void test_nothing_measured(void **state)
{
	struct fixture *f = *state;

	expect_cell(cell_of(f, VM_EXACT, "OK", 1, 0), "OK", "");
	expect_cell(cell_of(f, VM_EXACT, "OK", 0, 3), "INVALID",
		    "no workload did anything in the measured phase");
	/* What happened is worse than that nothing was measured, and said. */
	expect_cell(cell_of(f, VM_EXACT, "DIRTY", 0, 3), "DIRTY", "");
	/* A phase in time: where nothing is done in it, that is a figure. */
	expect_cell(cell_of(f, VM_KVM, "OK", 0, 3), "OK", "");
}

static void test_garbage(void **state)
{
	expect(*state, "garbage", "INVALID", "not a frame");
}

static void test_died(void **state)
{
	expect(*state, "die", "INVALID", "exited with status 3 in phase measure");
}

static void test_result_before_hello(void **state)
{
	expect(*state, "early", "INVALID", "before the hello");
}

static void test_wrong_wire_version(void **state)
{
	expect(*state, "badwire", "INVALID", "wire version 99");
}

static void test_wrong_build_id(void **state)
{
	struct fixture *f = *state;

	f->kernel.build_id = "abcd";
	setenv("fake_build_id", "1234", 1);
	expect(f, "ok", "INVALID", "build-id 1234 instead of abcd");
	unsetenv("fake_build_id");
}

static void test_right_build_id(void **state)
{
	struct fixture *f = *state;

	f->kernel.build_id = "abcd";
	setenv("fake_build_id", "abcd", 1);
	expect(f, "ok", "OK", "");
	unsetenv("fake_build_id");
}

static void test_hist_name_cannot_leave_the_directory(void **state)
{
	struct fixture *f = *state;

	expect(f, "badhist", "INVALID", "histogram");
}

static void test_unknown_verdict(void **state)
{
	expect(*state, "badverdict", "INVALID", "GREAT");
}

/* The agent's words may be cut in the middle of a character, and may hold what terminals obey. */
static void test_reason_is_one_plain_line(void **state)
{
	expect(*state, "badreason", "INVALID", "one  two?[2J\xc2\xb5");
}

/* A metric whose name no reader would take: nothing of the result is kept. */
static void test_metric_without_a_name(void **state)
{
	struct fixture *f = *state;

	expect(f, "badmetric", "INVALID", "\"metrics\": [1]: \"name\": 'x`touch F`' is no name");
	assert_int_equal(json_array_size(json_object_get(f->cell, "metrics")), 0);
	json_decref(f->cell);
	expect(f, "badpath", "INVALID", "'../x' is no name");
}

static void test_escape_sequences_stay_outside(void **state)
{
	struct fixture *f = *state;

	expect(f, "escape", "OK", "");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(f->cell, "evidence"), 0)),
		"a ?]0;title? line");
	json_decref(f->cell);
	expect(f, "badkey", "INVALID", "\"counters\": a key: '?[2J' is no name");
}

static void test_interrupted(void **state)
{
	struct fixture *f = *state;
	volatile int interrupted = 1;

	assert_int_equal(run_as(f, "hang", &interrupted), -EINTR);
	assert_null(f->cell);
}

static void test_no_agent(void **state)
{
	struct fixture *f = *state;

	snprintf(f->agent, sizeof(f->agent), "/nonexistent/agent");
	assert_int_equal(run_as(f, "ok", NULL), -ENOENT);
	assert_non_null(strstr(f->e.text, "/nonexistent/agent"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_ok),
		T(test_dirty_is_not_expected),
		T(test_stall_is_hang_with_stacks),
		T(test_silent),
		T(test_waiting_does_not_count),
		T(test_phase_deadline),
		T(test_flood),
		T(test_cell_deadline),
		T(test_deadline_grows_with_memory),
		T(test_nothing_measured),
		T(test_garbage),
		T(test_died),
		T(test_result_before_hello),
		T(test_wrong_wire_version),
		T(test_wrong_build_id),
		T(test_right_build_id),
		T(test_hist_name_cannot_leave_the_directory),
		T(test_unknown_verdict),
		T(test_reason_is_one_plain_line),
		T(test_metric_without_a_name),
		T(test_escape_sequences_stay_outside),
		T(test_interrupted),
		T(test_no_agent),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
