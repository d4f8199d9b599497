// SPDX-License-Identifier: GPL-2.0-or-later
/* bench/run/workers: boots side by side, in mode native with a fake agent. */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/scenario/describe.h"
#include "bench/run/workers.h"

static char results[] = "/tmp/hugebench-workers-XXXXXX";
static struct run run;
static struct progress progress;
static struct workers workers;

static json_t *planned(const char *id)
{
	return json_pack(
		"{s:i, s:s, s:s, s:s, s:i, s:b, s:[s], s:f, s:{s:i, s:s, s:s, s:{s:i, s:I, "
		"s:I, s:I}, s:[{s:s, s:s, s:i, s:{}}]}}",
		"seq", 1, "id", id, "kernel", "k", "cell", "a", "rep", 1, "warmup_boot", 0,
		"expect", "OK", "deadline_s", 60.0, "spec", "format", 1, "cell", "a", "mode",
		"native", "phases", "warmup_ns", 0, "measure_ns", (json_int_t)100000000,
		"interval_ns", (json_int_t)50000000, "stall_ns", (json_int_t)20000000000,
		"instances", "workload", "null", "role", "workload", "tasks", 1, "options");
}

static int setup(void **state)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct hb_error e;

	(void)state;
	if (n < 0 || !mkdtemp(results))
		return -1;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	setenv("fake", "slower", 1);
	run = (struct run){.jobs = 2,
			   .mode = strdup("native"),
			   .agent = hb_strf("%s/fake_guest", self),
			   .plan = json_pack("{s:[o, o, o]}", "cells", planned("001-k-a-r1"),
					     planned("002-k-a-r2"), planned("003-k-a-r3"))};
	run.workloads = describe_agent(run.agent, &e);
	progress = (struct progress){.out = stderr, .workloads = run.workloads, .total = 3};
	return run.workloads ? workers_signals(&e) : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(run.workloads);
	json_decref(run.plan);
	free(run.mode);
	free(run.agent);
	return hb_remove_all(results);
}

static int begin(void **state)
{
	struct hb_error e;

	(void)state;
	return store_create(results, "run", &run.store, &e) ||
	       workers_open(&run, &progress, &workers, &e);
}

static int end(void **state)
{
	(void)state;
	workers_close(&workers);
	store_close(&run.store);
	return 0;
}

static struct worker *start(size_t at)
{
	struct worker *w = workers_idle(&workers);
	struct hb_error e;

	assert_non_null(w);
	assert_int_equal(workers_start(&workers, w, at, &e), 0);
	return w;
}

static bool unfinished(const char *id)
{
	HB_FREE char *path = hb_strf("%s/cells/.new-%s", run.store.dir, id);

	return !access(path, F_OK);
}

static void two_run_side_by_side(void **state)
{
	struct worker *done;
	struct hb_error e;

	(void)state;
	start(0);
	start(1);
	assert_null(workers_idle(&workers));
	for (int i = 0; i < 400 && !(unfinished("001-k-a-r1") && unfinished("002-k-a-r2")); i++)
		usleep(10000);
	assert_true(unfinished("001-k-a-r1") && unfinished("002-k-a-r2"));
	assert_int_equal(workers_wait(&workers, &done, &e), 0);
	assert_true(workers_busy(&workers));
	assert_string_equal(done->cell.figure, "null.ops 100 M/s"); /* heard from the worker */
	start(2);						    /* it is idle again */
	assert_int_equal(workers_wait(&workers, &done, &e), 0);
	assert_int_equal(workers_wait(&workers, &done, &e), 0);
	assert_false(workers_busy(&workers));
	assert_true(store_has_cell(&run.store, "001-k-a-r1"));
	assert_true(store_has_cell(&run.store, "002-k-a-r2"));
	assert_true(store_has_cell(&run.store, "003-k-a-r3"));
}

/* With a CPU for QEMU's other threads, this process is on it while there are workers. */
static void workers_are_off_the_vcpus(void **state)
{
	cpu_set_t before, one, now;
	struct hb_error e;
	int cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	run.placement.others = one;
	assert_int_equal(workers_open(&run, &progress, &workers, &e), 0);
	sched_getaffinity(0, sizeof(now), &now);
	assert_true(CPU_EQUAL(&now, &one));
	workers_close(&workers);
	CPU_ZERO(&run.placement.others);
	sched_getaffinity(0, sizeof(now), &now);
	assert_true(CPU_EQUAL(&now, &before));
}

static void killed_worker_is_named(void **state)
{
	struct worker *w = start(0), *done;
	struct hb_error e = {""};

	(void)state;
	kill(w->pid, SIGKILL);
	assert_int_equal(workers_wait(&workers, &done, &e), -EIO);
	assert_ptr_equal(done, w);
	assert_string_equal(e.text, "the process of cell 001-k-a-r1 died (signal 9)");
	assert_false(workers_busy(&workers));
	assert_false(store_has_cell(&run.store, "001-k-a-r1"));
}

static void interrupt_ends_all(void **state)
{
	struct worker *done;
	struct hb_error e;

	(void)state;
	start(0);
	start(1);
	raise(SIGINT);
	assert_true(workers_interrupted());
	assert_int_equal(workers_wait(&workers, &done, &e), -EINTR);
	assert_int_equal(workers_wait(&workers, &done, &e), -EINTR);
	assert_false(unfinished("001-k-a-r1") || unfinished("002-k-a-r2"));
	assert_false(store_has_cell(&run.store, "001-k-a-r1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_run_side_by_side, begin, end),
		cmocka_unit_test(workers_are_off_the_vcpus),
		cmocka_unit_test_setup_teardown(killed_worker_is_named, begin, end),
		/* The last one: an interrupt stays. */
		cmocka_unit_test_setup_teardown(interrupt_ends_all, begin, end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
