// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver against shell scripts that behave like pgbench, well and badly. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "workloads/postgres/pgbench.h"
#include "workloads/postgres/spawn.h"

/* Finds the log's prefix among its arguments, as pgbench opens it. */
#define HEAD                                                                                       \
	"#!/bin/sh\n"                                                                              \
	"for a; do case $a in --log-prefix=*) log=${a#*=}.$$;; esac; done\n"                       \
	"exec 3>$log\n"
#define SUMMARY(n)                                                                                 \
	"number of clients: 2\nnumber of threads: 1\n"                                             \
	"number of transactions actually processed: " n "\n"                                       \
	"latency average = 0.100 ms\nlatency stddev = 0.000 ms\n"                                  \
	"initial connection time = 1.000 ms\n"                                                     \
	"tps = 50.000000 (without initial connection time)\n"                                      \
	"statement latencies in milliseconds and failures:\n"                                      \
	"    0.100  0  SELECT 1;\n"

struct fixture {
	char directory[64], program[96];
	struct pgbench *p;
	struct pg_summary summary;
	unsigned int lines;
	uint64_t latency_us;
};

static const char *const scripts[] = {"-b", "select-only@1", NULL};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->directory, sizeof(f->directory), "/tmp/hugebench-test-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->program, sizeof(f->program), "%s/pgbench", f->directory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pgbench_free(f->p);
	assert_int_equal(hb_remove_all(f->directory), 0);
	free(f);
	return 0;
}

static void on_line(void *arg, const struct pg_log_entry *entry)
{
	struct fixture *f = arg;

	f->lines++;
	f->latency_us += entry->latency_us;
}

static void start(struct fixture *f, const char *text)
{
	struct hb_error e = {""};
	int err;

	assert_int_equal(hb_file_write(f->program, text), 0);
	assert_int_equal(chmod(f->program, 0755), 0);
	err = pgbench_start(&(struct pgbench_config){.program = f->program,
						     .directory = f->directory,
						     .uid = geteuid(),
						     .gid = getegid(),
						     .scale = 1,
						     .clients = 2,
						     .threads = 1,
						     .scripts = scripts},
			    &f->p, &e);
	if (err)
		fail_msg("%s", e.text);
}

/* Until it has ended, at most ten seconds. */
static int pump_to_end(struct fixture *f, struct hb_error *e)
{
	uint64_t until = hb_now_ns() + 10 * NSEC_PER_SEC;
	int more;

	do
		more = pgbench_pump(f->p, 10, on_line, f, e);
	while (more > 0 && hb_now_ns() < until);
	return more;
}

/* Every line arrives although the process is gone when most are read. */
static void reads_all_of_the_log(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	start(f, HEAD "i=0; while [ $i -lt 2000 ]; do echo \"0 $i 100 0 1700000000 5\" >&3; "
		      "i=$((i+1)); done\ncat <<E\n" SUMMARY("2000") "E\n");
	assert_int_equal(pump_to_end(f, &e), 0);
	assert_int_equal(f->lines, 2000);
	assert_int_equal(f->latency_us, 200000);
	assert_int_equal(pgbench_finish(f->p, &f->summary, &e), 0);
	assert_int_equal(f->summary.processed, 2000);
}

/* Lines come while it runs; told to stop, it prints its summary. */
static void is_live_and_stops(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};
	uint64_t until = hb_now_ns() + 10 * NSEC_PER_SEC;

	start(f, HEAD "end() {\ncat <<E\n" SUMMARY(
			 "1") "E\nexit 0\n}\ntrap end ALRM\n"
			      "echo '0 1 100 0 1700000000 5' >&3\nwhile :; do sleep 0.05; done\n");
	while (!f->lines && hb_now_ns() < until)
		assert_int_equal(pgbench_pump(f->p, 10, on_line, f, &e), 1);
	assert_int_equal(f->lines, 1);
	assert_int_equal(pgbench_finish(f->p, &f->summary, &e), -EBUSY);
	pgbench_stop(f->p);
	assert_int_equal(pump_to_end(f, &e), 0);
	assert_int_equal(pgbench_finish(f->p, &f->summary, &e), 0);
}

static void tells_why_it_failed(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	start(f, HEAD "echo 'pgbench: error: connection to server failed' >&2; exit 2\n");
	assert_int_equal(pump_to_end(f, &e), 0);
	assert_int_equal(pgbench_finish(f->p, &f->summary, &e), -ECHILD);
	assert_non_null(strstr(e.text, "exit status 2"));
	assert_non_null(strstr(e.text, "connection to server failed"));
	/* of much that it said the last lines, whole */
	pgbench_free(HB_STEAL(f->p));
	start(f, HEAD "for i in 1 2 3 4 5 6 7 8 9; do printf 'pgbench: error: client %s aborted: "
		      "ERROR:  temporary file size exceeds temp_file_limit\\n' $i >&2; done; "
		      "exit 2\n");
	assert_int_equal(pump_to_end(f, &e), 0);
	assert_int_equal(pgbench_finish(f->p, &f->summary, &e), -ECHILD);
	assert_non_null(strstr(e.text, "status 2: pgbench: error: client 6 aborted: ERROR: "));
}

static void ends_begin_with_a_line(void **state)
{
	(void)state;
	assert_string_equal(pg_last_lines("one\ntwo\nthree\n", 100), "one\ntwo\nthree\n");
	assert_string_equal(pg_last_lines("one\ntwo\nthree\n", 9), "three\n");
	assert_string_equal(pg_last_lines("one\ntwo\nthree\n", 11), "two\nthree\n");
	/* of a longer line what fits */
	assert_string_equal(pg_last_lines("one\ntwo\nthree\n", 4), "ree\n");
	assert_string_equal(pg_last_lines("", 4), "");
}

static void stopped_too_early_is_no_data(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	start(f, HEAD "echo '0 1 100 0 1700000000 5' >&3\nexec sleep 20\n");
	while (!f->lines)
		assert_int_equal(pgbench_pump(f->p, 10, on_line, f, &e), 1);
	pgbench_stop(f->p);
	assert_int_equal(pump_to_end(f, &e), 0);
	assert_int_equal(pgbench_finish(f->p, &f->summary, &e), -ENODATA);
}

static void cut_log_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	start(f, HEAD "printf '0 1 100 0' >&3\n");
	assert_int_equal(pump_to_end(f, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "middle of a line"));
}

/* Freed while it runs: killed, and nothing of it stays. */
static void leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	start(f, HEAD "exec sleep 20\n");
	pid = pgbench_pid(f->p);
	pgbench_free(f->p);
	f->p = NULL;
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(unlink(f->program), 0);
	assert_int_equal(rmdir(f->directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_all_of_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(is_live_and_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_why_it_failed, setup, teardown),
		cmocka_unit_test(ends_begin_with_a_line),
		cmocka_unit_test_setup_teardown(stopped_too_early_is_no_data, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_log_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_nothing_behind, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
