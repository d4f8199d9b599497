// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode native on this very machine: the huge page pool is grown with --yes alone and is as before
 * after every end of a run, also that by SIGKILL. No guest boots. Runs from the top of the tree.
 */
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/base/util.h"
#include "tests/leftovers.h"
#include "tests/put.h"

#define HUGEBENCH "build/hugebench"
#define POOL	  "/proc/sys/vm/nr_hugepages"
#define FREE	  "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
/* What a run takes beyond the pages that are free already; these may be so many. */
#define PAGES	    32
#define FREE_MAX    256
#define WAIT_NS	    (30 * NSEC_PER_SEC)
#define PAUSE_NS    20000000ULL
#define EXIT_OK	    0
#define EXIT_CELLS  1
#define EXIT_USAGE  2
#define EXIT_SIGINT 130
#define NO_EXEC	    97

static char top[] = "/tmp/hugebench-native-XXXXXX";
static char *output, *note;
static uint64_t before;
static unsigned long long unused;
static bool changeable;

static char *in_top(const char *name)
{
	char *path = hb_strf("%s/%s", top, name);

	assert_non_null(path);
	return path;
}

static uint64_t pool(void)
{
	uint64_t v;

	assert_int_equal(hb_file_read_u64(POOL, &v), 0);
	return v;
}

/* One cell whose measured phase lasts @seconds. */
static void write_scenario(unsigned int seconds, const char *more)
{
	HB_FREE char *file = in_top("t.ini");
	HB_FREE char *text = hb_strf("[scenario]\nmode = native\nrepeat = 1\nwarmup = 100ms\n"
				     "measure = %us\ninterval = 500ms\n[cell a]\n"
				     "workload = pmdshare\ntasks = 2\npmdshare.file = memfd\n"
				     "pmdshare.touched = %lluM\n%s",
				     seconds, 2 * (unused + PAGES), more);

	assert_non_null(text);
	unlink(file);
	put_file(text, "%s", file);
}

/* Start hugebench with @args as user @uid, its output to a file. */
static pid_t start_as(uid_t uid, const char *const *args)
{
	/* Not by a relative path: it leads into directories that @uid may not enter. */
	HB_FREE char *program = realpath(HUGEBENCH, NULL);
	const char *argv[16] = {program};
	pid_t pid;

	assert_non_null(program);
	for (size_t n = 1; *args && n < 15; n++)
		argv[n] = *args++;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
			_exit(99);
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(98);
		execv(program, (char *const *)argv);
		_exit(NO_EXEC);
	}
	return pid;
}

static pid_t start(const char *run, bool yes)
{
	HB_FREE char *file = in_top("t.ini");
	const char *args[] = {"run", "-s", file, "--name", run, yes ? "--yes" : NULL, NULL};

	return start_as(0, args);
}

static int finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void expect_output(const char *part)
{
	HB_FREE char *text = NULL;

	assert_int_equal(hb_file_read(output, &text, NULL), 0);
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

/* Is the pool as before, and no note of a change left? Waits for an agent that tidies up. */
static void expect_put_back(void)
{
	uint64_t until = hb_now_ns() + WAIT_NS;

	while ((pool() != before || !access(note, F_OK)) && hb_now_ns() < until)
		hb_sleep_until_ns(hb_now_ns() + PAUSE_NS);
	assert_int_equal(pool(), before);
	assert_int_equal(access(note, F_OK), -1);
}

/* Wait until the run has grown the pool; the pid of its agent, which the note has. */
static pid_t expect_grown(void)
{
	uint64_t until = hb_now_ns() + WAIT_NS;
	json_error_t e;
	json_t *j;
	pid_t agent;

	while (pool() < before + PAGES && hb_now_ns() < until)
		hb_sleep_until_ns(hb_now_ns() + PAUSE_NS);
	assert_true(pool() >= before + PAGES);
	j = json_load_file(note, 0, &e);
	if (!j)
		fail_msg("%s: %s", note, e.text);
	agent = json_integer_value(json_object_get(j, "pid"));
	json_decref(j);
	assert_true(agent > 1);
	return agent;
}

static void need_pool(void)
{
	if (!changeable)
		skip();
}

/* Skipped where root is missing or the kernel refuses: then nothing below says anything. */
static void this_machine_lets_its_pool_change(void **state)
{
	(void)state;
	need_pool();
}

static void nothing_changes_without_yes(void **state)
{
	(void)state;
	write_scenario(1, "");
	assert_int_equal(finish(start("refused", false)), EXIT_CELLS);
	expect_output("--yes allows to grow the pool");
	assert_int_equal(pool(), before);
	assert_int_equal(access(note, F_OK), -1);
}

static void antagonists_want_yes(void **state)
{
	(void)state;
	write_scenario(1, "antagonists = truncate\ntruncate.amount = 16M\n");
	assert_int_equal(finish(start("antagonist", false)), EXIT_CELLS);
	expect_output("truncate beside page faults may hang a kernel");
	assert_int_equal(pool(), before);
}

static void yes_is_for_native(void **state)
{
	const char *const args[] = {"run", "-s", "smoke", "--mode", "emulated", "--yes", NULL};

	(void)state;
	assert_int_equal(finish(start_as(0, args)), EXIT_USAGE);
	expect_output("--yes is for mode native");
}

static void finished_run_puts_back(void **state)
{
	(void)state;
	need_pool();
	write_scenario(1, "");
	assert_int_equal(finish(start("finished", true)), EXIT_OK);
	expect_output("pmdshare.touches");
	expect_put_back();
}

static void interrupted_run_puts_back(void **state)
{
	pid_t pid;

	(void)state;
	need_pool();
	write_scenario(60, "");
	pid = start("interrupted", true);
	expect_grown();
	kill(pid, SIGINT);
	assert_int_equal(finish(pid), EXIT_SIGINT);
	expect_put_back();
}

/* The agent sees that nobody listens any more. */
static void agent_puts_back_alone(void **state)
{
	pid_t pid;

	(void)state;
	need_pool();
	write_scenario(60, "");
	pid = start("killed", true);
	expect_grown();
	kill(pid, SIGKILL);
	assert_int_equal(finish(pid), 1000 + SIGKILL);
	expect_put_back();
}

/* Kill hugebench and the agent; the note stays. */
static void kill_both(const char *run)
{
	pid_t pid, agent;

	write_scenario(60, "");
	pid = start(run, true);
	agent = expect_grown();
	/* Stopped first: it must not see its host go. */
	kill(agent, SIGSTOP);
	kill(pid, SIGKILL);
	kill(agent, SIGKILL);
	assert_int_equal(finish(pid), 1000 + SIGKILL);
	for (int i = 0; i < 500 && !kill(agent, 0); i++)
		hb_sleep_until_ns(hb_now_ns() + PAUSE_NS);
	assert_true(pool() >= before + PAGES);
	assert_int_equal(access(note, F_OK), 0);
}

static void doctor_puts_back(void **state)
{
	const char *const look[] = {"doctor", NULL}, *const mend[] = {"doctor", "--restore", NULL};
	HB_FREE char *what = hb_strf("nr_hugepages was %llu and is", (unsigned long long)before);

	(void)state;
	need_pool();
	kill_both("both");
	/* Its exit status is about the whole machine. */
	finish(start_as(0, look));
	expect_output("a native run was killed and left its settings behind");
	expect_output(what);
	expect_output("hugebench doctor --restore");
	assert_int_equal(finish(start_as(0, mend)), EXIT_OK);
	expect_output(what);
	expect_put_back();
	assert_int_equal(finish(start_as(0, mend)), EXIT_OK);
	expect_output("nothing to put back");
}

static void next_run_puts_back(void **state)
{
	(void)state;
	need_pool();
	kill_both("left");
	write_scenario(1, "");
	assert_int_equal(finish(start("next", true)), EXIT_OK);
	expect_put_back();
}

static void one_run_at_a_time(void **state)
{
	const char *const mend[] = {"doctor", "--restore", NULL};
	uint64_t grown;
	pid_t first;

	(void)state;
	need_pool();
	write_scenario(60, "");
	first = start("first", true);
	expect_grown();
	grown = pool();
	write_scenario(1, "");
	assert_int_equal(finish(start("second", true)), EXIT_CELLS);
	expect_output("still runs with what");
	assert_int_not_equal(finish(start_as(0, mend)), EXIT_OK);
	expect_output("still runs with what");
	assert_int_equal(pool(), grown);
	kill(first, SIGTERM);
	assert_int_equal(finish(first), EXIT_SIGINT);
	expect_put_back();
}

static void others_may_not_grow_it(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	HB_FREE char *file = in_top("t.ini"), *runs = in_top("nobody");
	const char *args[] = {"run", "-s", file, "--results", runs, "--yes", NULL};
	int status;

	(void)state;
	if (getuid() || !nobody)
		skip();
	write_scenario(1, "");
	assert_int_equal(mkdir(runs, 0777), 0);
	assert_int_equal(chown(runs, nobody->pw_uid, nobody->pw_gid), 0);
	status = finish(start_as(nobody->pw_uid, args));
	/* The clone is in a directory of root's own. */
	if (status == NO_EXEC)
		skip();
	assert_int_equal(status, EXIT_CELLS);
	expect_output("nr_hugepages cannot be changed: Permission denied");
	assert_int_equal(pool(), before);
	assert_int_equal(access(note, F_OK), -1);
}

/* Does the machine let us? One page more, and back. */
static bool pool_changes(void)
{
	HB_FREE char *more = hb_strf("%llu", (unsigned long long)before + PAGES);
	HB_FREE char *same = hb_strf("%llu", (unsigned long long)before);
	bool grew;

	if (hb_file_write(POOL, more))
		return false;
	grew = pool() == before + PAGES;
	return !hb_file_write(POOL, same) && grew;
}

static int setup(void **state)
{
	HB_FREE char *cache = NULL;
	uint64_t free_pages = 0;

	(void)state;
	if (!mkdtemp(top) || chmod(top, 0777))
		return -1;
	cache = in_top("cache");
	output = in_top("output");
	note = in_top("cache/hugebench/restore.json");
	if (mkdir(cache, 0777) || chmod(cache, 0777))
		return -1;
	before = pool();
	changeable =
		!hb_file_read_u64(FREE, &free_pages) && free_pages <= FREE_MAX && pool_changes();
	unused = changeable ? free_pages : 0;
	return setenv("XDG_CACHE_HOME", cache, 1) || setenv("HUGEBENCH_RESULTS", top, 1);
}

static int teardown(void **state)
{
	(void)state;
	free(output);
	free(note);
	return hb_remove_all(top);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, leftovers_setup, leftovers_teardown)
	const struct CMUnitTest tests[] = {
		T(this_machine_lets_its_pool_change),
		T(nothing_changes_without_yes),
		T(antagonists_want_yes),
		T(yes_is_for_native),
		T(finished_run_puts_back),
		T(interrupted_run_puts_back),
		T(agent_puts_back_alone),
		T(doctor_puts_back),
		T(next_run_puts_back),
		T(one_run_at_a_time),
		T(others_may_not_grow_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
