// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench run` from outside: exit statuses, messages, what is on disk afterwards. Mode native
 * with a fake agent, so that no guest boots.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/host/child.h"
#include "bench/base/util.h"
#include "bench/run/progress.h"
#include "tests/leftovers.h"
#include "tests/run_command.h"
#include "tests/put.h"

/* In which an interrupted build is over, on a loaded machine too. */
#define BUILD_GRACE_NS (5 * NSEC_PER_SEC)

/* Four cells, one boot each. */
static const char scenario[] = "[scenario]\ndescription = for the test\nmode = native\nrepeat = 4\n"
			       "warmup = 0\nmeasure = 100ms\ninterval = 50ms\n"
			       "[cell a]\nworkload = null\n";

static void usage_is_two(void **state)
{
	(void)state;
	write_scenario(scenario);
	expect_run(2, "no scenario; give -s NAME");
	expect_run(2, "no scenario 'smokk'; the nearest is 'smoke'", "-s", "smokk");
	expect_run(2, "cannot read the scenario ./none.ini", "-s", "./none.ini");
	expect_run(2, "'smoke' is not understood here", "smoke");
	expect_run(2, "--budget soon is not a duration", "-s!", "--budget", "soon");
	expect_run(2, "matches 'b*'; there are: a", "-s!", "-c", "b*");
	expect_run(2, "mode = turbo is not known", "-s!", "--mode", "turbo");
	expect_run(2, "-o measure=0", "-s!", "-o", "measure=0");
	expect_run(2, "does not hold one boot", "-s!", "--budget", "10ms");
	expect_run(2, "leave --kernels out", "-s!", "-k", "base");
	expect_run(2, "-j none: a number from 1", "-s!", "-j", "none");
	expect_run(2, "-j 2: boots side by side would disturb one another's figures in mode native",
		   "-s!", "-j", "2");
	expect_run(2, "in mode kvm; leave -j out", "-s!", "-j", "2", "--mode", "kvm");
	expect_run(2, "there is no kernel variant 'bas'; there are: base, ", "-s!", "--mode",
		   "emulated", "-k", "bas", "--dry-run");
	expect_run(2, "'../up' cannot name a run", "-s!", "--name", "../up");
	expect_run(2, "'a b' cannot name a run", "-s!", "--name", "a b", "--dry-run");
	expect_run(2, "cannot read the scenario /proc/: Is a directory", "-s", "/proc/");
	expect_run(2, "there is no run none", "--resume", "--name", "none");
	expect_run(2, "leave -s, -o, -c, -k and --mode out", "--resume", "-o", "repeat=3");
	expect_run(2, "leave -s, -o", "--resume", "-s!");
	expect_run(2, "is not UTF-8", "-s!", "-o", "measure=\xff");
	expect_run(2, "", "-s!", "--no-such-option");
}

static void expect_kernels(const char *names, const char *part)
{
	HB_FREE char *output = path_of("output"), *text = NULL;
	char *args[] = {"kernels", (char *)names, NULL};

	assert_int_equal(command_finish(command_start(output, args)), 2);
	assert_int_equal(hb_file_read(output, &text, NULL), 0);
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

/* A series is named as for a run. */
static void kernels_of_a_series(void **state)
{
	(void)state;
	expect_kernels("hinode..base", "the patches of base do not begin with those of hinode");
	expect_kernels("base..none", "there is no kernel variant 'none'");
	expect_kernels("base, none..hinode", "there is no kernel variant 'none'");
}

/*
 * What is said of a cell that ended with @verdict after an interval of two seconds, @left s before
 * the end of the one after it.
 */
static char *said_of(const char *verdict, bool live, double left)
{
	json_t *planned = json_pack("{s:s, s:s, s:i, s:{s:[{s:s}]}}", "kernel", "k", "cell", "c",
				    "rep", 1, "spec", "instances", "workload", "w");
	json_t *workloads = json_pack("[{s:s, s:[{s:s, s:s}]}]", "name", "w", "metrics", "name",
				      "ops", "kind", "rate");
	json_t *frame = json_pack("{s:I, s:{s:i}}", "length_ns", (json_int_t)(2 * NSEC_PER_SEC),
				  "counters", "w.ops", 84);
	json_t *cell = json_pack("{s:s, s:s}", "verdict", verdict, "reason", "");
	struct progress p = {.workloads = workloads,
			     .terminal = live,
			     .total = 2,
			     .done = 1,
			     .seconds_left = left};
	struct progress_cell c;
	const struct progress_cell *running = &c;
	char *text = NULL;
	size_t len;

	p.out = open_memstream(&text, &len);
	assert_non_null(p.out);
	progress_begin(&p, &c, planned);
	progress_frame(&c, "measure", frame);
	if (live)
		progress_live(&p, &running, 1);
	else
		progress_end(&p, &c, cell);
	fclose(p.out);
	json_decref(planned);
	json_decref(workloads);
	json_decref(frame);
	json_decref(cell);
	return text;
}

/* The figure so far is none of a boot that ended badly. */
static void bad_end_has_no_figure(void **state)
{
	HB_FREE char *good = said_of("OK", false, 0), *bad = said_of("INVALID", false, 0);

	(void)state;
	assert_non_null(strstr(good, "k c r1: OK in "));
	assert_non_null(strstr(good, ", w.ops 42/s"));
	assert_non_null(strstr(bad, "k c r1: INVALID in "));
	assert_null(strstr(bad, "42"));
}

/* A time that is known to be wrong is not said. */
static void time_that_is_left(void **state)
{
	HB_FREE char *ended = said_of("OK", false, 125.7), *late = said_of("OK", false, 0);
	HB_FREE char *live = said_of("OK", true, 100.9), *overdue = said_of("OK", true, 0);

	(void)state;
	assert_non_null(strstr(ended, "; 1 left, about 2 m 5 s\n"));
	assert_non_null(strstr(late, "; 1 left\n"));
	assert_non_null(strstr(live, " k c r1: measure, w.ops 42/s; 1 left, about 1 m 40 s"));
	assert_non_null(strstr(overdue, "; 1 left"));
	assert_null(strstr(overdue, "about"));
}

static void host_is_three(void **state)
{
	HB_FREE char *file = path_of("t.ini");

	(void)state;
	write_scenario(scenario);
	expect_run(3, "cannot run the agent /none", "-s!", "--agent", "/none");
	expect_run(3, "cannot make /proc/none", "-s!", "--results", "/proc/none");
	expect_run(3, "/t.ini: Not a directory", "-s!", "--results", file);
	expect_run(3, "the agent failed", "-s!", "--agent", "/bin/false");
}

static void garbage_is_placed(void **state)
{
	(void)state;
	write_scenario("[scenario]\nmode = native\n[cell a]\nworkload = null\nnull.wrok = 3\n");
	expect_run(2, "t.ini:5: no option 'wrok'; did you mean 'work'", "-s!");
	write_scenario("[scenario]\nmode = native\n[cell a]\nworkload = null\nnull.work = 10\n");
	expect_run(2, "t.ini:5: work = 10 is out of range; allowed: 1 to 9", "-s!");
	write_scenario("\n\n%%%%\n");
	expect_run(2, "t.ini:3", "-s!");
}

static void dry_run_writes_nothing(void **state)
{
	HB_FREE char *path = path_of("results/dry");

	(void)state;
	write_scenario(scenario);
	expect_run(0, "-a-r4  expects [\"OK\"]", "-s!", "--dry-run", "--name", "dry");
	assert_int_not_equal(access(path, F_OK), 0);
	expect_run(0, "4 per cell and kernel: as the scenario says", "-s!", "--dry-run");
}

static void run_is_complete(void **state)
{
	json_t *plan, *run, *typed;

	(void)state;
	write_scenario(scenario);
	expect_run(0, "report.txt", "-s!", "--name", "whole");
	status_is("whole", "finished");
	assert_int_equal(cells_of("whole", false), 4);
	run = json_of("whole", "run.json");
	typed = json_object_get(run, "command");
	assert_string_equal(json_string_value(json_array_get(typed, 0)), "hugebench");
	assert_string_equal(json_string_value(json_array_get(typed, 1)), "run");
	assert_string_equal(json_string_value(json_array_get(typed, 2)), "--results");
	json_decref(run);
	plan = json_of("whole", "plan.json");
	assert_int_equal(json_array_size(json_object_get(plan, "cells")), 4);
	json_decref(plan);
	expect_run(0, "this one is whole-2", "-s!", "--name", "whole");
	status_is("whole-2", "finished");
}

static void unexpected_verdict_is_one(void **state)
{
	(void)state;
	write_scenario(scenario);
	setenv("fake", "dirty", 1);
	expect_run(1, "4 cells ended otherwise than the scenario expects", "-s!", "--name",
		   "dirty");
	unsetenv("fake");
	status_is("dirty", "finished");
	assert_int_equal(cells_of("dirty", false), 4);
}

static void missing_cells_are_resumed(void **state)
{
	HB_FREE char *cells = path_of("results/half/cells");
	HB_FREE char *left = path_of("results/half/cells/.new-003-x");
	char ids[4][128];
	struct stat before, after;
	json_t *plan;

	(void)state;
	write_scenario(scenario);
	expect_run(0, "report.txt", "-s!", "--name", "half");
	plan = json_of("half", "plan.json");
	for (size_t i = 0; i < 4; i++) {
		const json_t *cell = json_array_get(json_object_get(plan, "cells"), i);

		snprintf(ids[i], sizeof(ids[i]), "results/half/cells/%s",
			 json_string_value(json_object_get(cell, "id")));
	}
	json_decref(plan);
	for (size_t i = 2; i < 4; i++) {
		HB_FREE char *path = path_of("%s", ids[i]);

		assert_int_equal(hb_remove_all(path), 0);
	}
	assert_int_equal(mkdir(left, 0777), 0);
	{
		HB_FREE char *path = path_of("%s/cell.json", ids[0]);

		assert_int_equal(stat(path, &before), 0);
		expect_run(0, "[4/4]", "--resume", "--name", "half");
		assert_int_equal(stat(path, &after), 0);
	}
	assert_int_equal(cells_of("half", false), 4);
	assert_int_equal(cells_of("half", true), 0);
	assert_int_equal(before.st_ino, after.st_ino); /* a finished cell is not touched */
}

/* Take the first boot of run @name away, change what @change does of its environment. */
static void begin_otherwise(const char *name, void (*change)(json_t *environment))
{
	HB_FREE char *file = path_of("results/%s/run.json", name), *missing = NULL;
	json_t *run = json_of(name, "run.json"), *plan = json_of(name, "plan.json");

	change(json_object_get(run, "environment"));
	assert_int_equal(json_dump_file(run, file, 0), 0);
	missing = path_of("results/%s/cells/%s", name,
			  json_string_value(json_object_get(
				  json_array_get(json_object_get(plan, "cells"), 0), "id")));
	json_decref(plan);
	json_decref(run);
	assert_int_equal(hb_remove_all(missing), 0);
}

static void other_cpu(json_t *environment)
{
	assert_true(json_is_string(json_object_get(environment, "boot_id")));
	json_object_set_new(environment, "cpu_model", json_string("Other"));
}

static void other_build(json_t *environment)
{
	json_t *build_ids = json_object_get(environment, "build_ids");

	assert_int_equal(json_object_size(build_ids), 1);
	json_object_set_new(build_ids, json_object_iter_key(json_object_iter(build_ids)),
			    json_string("feed"));
}

static void no_clock(json_t *environment)
{
	json_object_del(environment, "clock");
}

static void no_clock_earlier(json_t *environment)
{
	json_object_del(environment, "clock");
	json_object_del(environment, "format");
}

/* What has changed since the run began is named, and nothing is measured. */
static void other_environment_is_refused(void **state)
{
	(void)state;
	write_scenario(scenario);
	expect_run(0, "report.txt", "-s!", "--name", "moved");
	begin_otherwise("moved", other_cpu);
	expect_run(2, "CPU differs (Other, ", "--resume", "--name", "moved");
	assert_int_equal(cells_of("moved", false), 3);
}

static void other_build_is_refused(void **state)
{
	(void)state;
	write_scenario(scenario);
	expect_run(0, "report.txt", "-s!", "--name", "rebuilt");
	begin_otherwise("rebuilt", other_build);
	expect_run(2, " differs (feed, ", "--resume", "--name", "rebuilt");
	assert_int_equal(cells_of("rebuilt", false), 3);
}

/* Unless an earlier hugebench did not record it. */
static void unknown_environment_is_refused(void **state)
{
	json_t *run;

	(void)state;
	write_scenario(scenario);
	expect_run(0, "report.txt", "-s!", "--name", "unclear");
	begin_otherwise("unclear", no_clock);
	expect_run(2, "host's clock differs (not known, ", "--resume", "--name", "unclear");
	assert_int_equal(cells_of("unclear", false), 3);
	begin_otherwise("unclear", no_clock_earlier);
	expect_run(0, "[4/4]", "--resume", "--name", "unclear");
	run = json_of("unclear", "run.json");
	assert_null(json_object_get(json_object_get(run, "environment"), "format"));
	json_decref(run);
}

static pid_t start_slow(const char *name)
{
	HB_FREE char *file = path_of("t.ini"), *output = path_of("output");
	char *args[] = {"run", "--results", command_results, "--agent",	   command_agent,
			"-s",  file,	    "--name",	     (char *)name, NULL};
	pid_t pid;

	write_scenario(scenario);
	setenv("fake", "slow", 1);
	pid = command_start(output, args);
	unsetenv("fake");
	return pid;
}

static void interrupt_keeps_finished_cells(void **state)
{
	unsigned int n;
	pid_t pid = start_slow("stopped");

	(void)state;
	wait_for_cells("stopped", 1);
	kill(pid, SIGINT);
	assert_int_equal(command_finish(pid), 130);
	n = cells_of("stopped", false);
	assert_in_range(n, 1, 3);
	assert_int_equal(cells_of("stopped", true), 0);
	status_is("stopped", "interrupted");
	expect_run(0, "[4/4]", "--resume"); /* the newest unfinished run */
	assert_int_equal(cells_of("stopped", false), 4);
	status_is("stopped", "finished");
}

/* An agent that never answers: the second Ctrl-C does not wait for anything. */
static void second_interrupt_is_forced(void **state)
{
	HB_FREE char *file = path_of("t.ini"), *output = path_of("output");
	char *args[] = {"run", "--results", command_results, "--agent", command_agent,
			"-s",  file,	    "--name",	     "forced",	NULL};
	uint64_t began;
	pid_t pid;

	(void)state;
	write_scenario(scenario);
	setenv("fake", "silent", 1);
	pid = command_start(output, args);
	unsetenv("fake");
	for (int i = 0; i < 200 && !cells_of("forced", true); i++)
		usleep(20000);
	began = hb_now_ns();
	kill(pid, SIGSTOP); /* so that both are there when it goes on */
	kill(pid, SIGINT);
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	assert_int_equal(command_finish(pid), 130);
	assert_true(hb_now_ns() - began < 3 * NSEC_PER_SEC);
	status_is("forced", "running");
	expect_run(0, "[4/4]", "--resume", "--name", "forced");
}

/*
 * A kernel whose configuration takes for ever, whatever make says, and tells in the file "begun"
 * that it has begun.
 */
static void put_endless_kernel(void)
{
	HB_FREE char *kernels = path_of("kernels"), *tree = path_of("tree"),
		     *begun = path_of("begun");
	HB_FREE char *makefile =
		hb_strf("allnoconfig:\n\ttrap '' TERM; touch %s; sleep 600\n", begun);

	put_file(makefile, "%s/Makefile", tree);
	put_file("CONFIG_A=y\n", "%s/endless.config", kernels);
	put_file("[kernel]\ndescription = for the test\ntree = ../tree\n"
		 "fragments = endless.config\n",
		 "%s/endless.ini", kernels);
	setenv("HUGEBENCH_KERNELS", kernels, 1);
}

static void interrupt_ends_a_build(void **state)
{
	HB_FREE char *output = path_of("output"), *begun = path_of("begun");
	HB_FREE char *made = path_of("cache/hugebench/kernels"), *text = NULL;
	pid_t pid;

	(void)state;
	put_endless_kernel();
	assert_int_equal(leftovers_adopt(), 0);
	signal(SIGINT, SIG_IGN); /* as of a script's `hugebench kernels &` */
	pid = command_start(output, (char *[]){"kernels", "endless", NULL});
	signal(SIGINT, SIG_DFL);
	for (int i = 0; i < 3000 && access(begun, F_OK); i++)
		usleep(20000);
	kill(pid, access(begun, F_OK) ? SIGKILL : SIGINT);
	/* hugebench and make, and what make runs */
	assert_int_equal(leftovers_end(BUILD_GRACE_NS), 0);
	assert_int_equal(access(begun, F_OK), 0);
	assert_int_not_equal(access(made, F_OK), 0);
	unsetenv("HUGEBENCH_KERNELS");
	assert_int_equal(hb_file_read(output, &text, NULL), 0);
	assert_null(strstr(text, "make"));
}

static void killed_run_is_resumed(void **state)
{
	pid_t pid = start_slow("killed");

	(void)state;
	wait_for_cells("killed", 1);
	expect_run(2, "killed is in use by another hugebench (process ", "--resume", "--name",
		   "killed");
	kill(pid, SIGKILL);
	assert_int_equal(command_finish(pid), 1000 + SIGKILL);
	status_is("killed", "running");
	expect_run(0, "[4/4]", "--resume", "--name", "killed");
	assert_int_equal(cells_of("killed", false), 4);
	assert_int_equal(cells_of("killed", true), 0);
	status_is("killed", "finished");
}

/* Short cells of workload null, which cost @seconds by what is on record. */
static void write_costly(double seconds)
{
	HB_FREE char *costs = path_of("cache/hugebench/costs.json");
	struct utsname u;

	assert_int_equal(uname(&u), 0);
	put_json(json_pack("{s:{s+:f}}", "native", u.release, "/null", seconds), "%s", costs);
	write_scenario("[scenario]\nmode = native\nrepeat = 0\nwarmup = 0\nmeasure = 100ms\n"
		       "interval = 50ms\n[cell a]\nworkload = null\n");
}

/* Costs on record say 100 ms per cell, it takes 400 ms more: whole repetitions until the budget is
 * spent. */
static void budget_ends_a_run(void **state)
{
	HB_FREE char *report = path_of("results/spent/report.txt"), *text = NULL;
	json_t *run, *plan;
	size_t planned;

	(void)state;
	write_costly(0.01);
	setenv("fake", "slow", 1);
	expect_run(0, "the budget is spent after", "-s!", "--name", "spent", "--budget", "2s");
	unsetenv("fake");
	run = json_of("spent", "run.json");
	plan = json_of("spent", "plan.json");
	planned = json_array_size(json_object_get(plan, "cells"));
	assert_in_range(planned, 15, 20);
	assert_in_range(cells_of("spent", false), 2, 8);
	assert_int_equal(json_integer_value(json_object_get(run, "repetitions")),
			 cells_of("spent", false));
	status_is("spent", "finished");
	json_decref(run);
	/* Who goes on all the same is told so by the run. */
	expect_run(0, "report.txt", "--resume", "--name", "spent");
	run = json_of("spent", "run.json");
	assert_int_equal(json_integer_value(json_object_get(run, "repetitions")), planned);
	assert_non_null(strstr(json_string_value(json_object_get(run, "repetitions_reason")),
			       "; resumed after repetition "));
	json_decref(run);
	assert_int_equal(hb_file_read(report, &text, NULL), 0);
	for (char *c = text; (c = strchr(c, '\n'));)
		*c = ' ';
	assert_non_null(strstr(text, "; resumed after repetition "));
	json_decref(plan);
}

/* Costs on record say 2 s per cell, it takes a tenth: what the budget holds is worked out anew. */
static void budget_is_used(void **state)
{
	json_t *run, *plan;

	(void)state;
	write_costly(1.9);
	expect_run(0, "where 3 were planned", "-s!", "--name", "used", "--budget", "6s");
	run = json_of("used", "run.json");
	plan = json_of("used", "plan.json");
	assert_in_range(cells_of("used", false), 4, 40);
	assert_int_equal(json_integer_value(json_object_get(run, "repetitions")),
			 cells_of("used", false));
	assert_int_equal(json_array_size(json_object_get(plan, "cells")), cells_of("used", false));
	json_decref(run);
	json_decref(plan);
}

static void finished_run_is_extended(void **state)
{
	json_t *run;

	(void)state;
	write_scenario(scenario);
	expect_run(0, "[4/4]", "-s!", "--name", "more");
	expect_run(2, "--extend RUN wants -o repeat=N", "--extend", "more");
	expect_run(2, "--extend RUN wants -o repeat=N", "--extend", "more", "-o", "measure=1s");
	expect_run(2, "as many boots per cell and kernel already", "--extend", "more", "-o",
		   "repeat=4");
	expect_run(0, "[6/6]", "--extend", "more", "-o", "repeat=6");
	assert_int_equal(cells_of("more", false), 6);
	status_is("more", "finished");
	run = json_of("more", "run.json");
	assert_int_equal(json_integer_value(json_object_get(run, "repetitions")), 6);
	assert_int_equal(json_array_size(json_object_get(run, "extended")), 1);
	json_decref(run);
}

/* A full disk behind stdout is told; a closed stdout must not lead into a file of the run. */
static void output_that_cannot_be_written(void **state)
{
	HB_FREE char *file = path_of("t.ini"), *lock = path_of("results/mute/.lock");
	HB_FREE char *mute = path_of("results/mute");
	char *report[] = {"report", mute, NULL};
	char *args[] = {"run", "--results", command_results, "--agent", command_agent,
			"-s",  file,	    "--name",	     "mute",	NULL};
	char *dry[] = {"run", "--results", command_results, "--agent", command_agent,
		       "-s",  file,	   "--dry-run",	    NULL};
	HB_FREE char *text = NULL;

	(void)state;
	write_scenario(scenario);
	assert_int_equal(command_finish(command_start("/dev/full", dry)), 3);
	assert_int_equal(command_finish(command_start(NULL, args)), 0);
	assert_int_equal(command_finish(command_start("/dev/full", report)), 3);
	status_is("mute", "finished");
	assert_int_equal(hb_file_read(lock, &text, NULL), 0);
	assert_int_equal(strncmp(text, "process ", 8), 0);
	assert_null(strstr(text, "hugebench:"));
}

/* The lines below "To run it again" of a report, which are indented by two. */
static char *printed_commands(const char *report)
{
	HB_FREE char *text = NULL;
	char *begin, *end;

	assert_int_equal(hb_file_read(report, &text, NULL), 0);
	begin = strstr(text, "To run it again");
	begin = begin ? strstr(begin, "\n  ") : NULL;
	assert_non_null(begin);
	end = strstr(begin, "\n\n");
	assert_non_null(end);
	*end = 0;
	return strdup(begin);
}

/* What a report prints, in a shell that knows nothing of this one, makes the run again and its
 * report. */
static void printed_commands_work(void **state)
{
	char *args[] = {"run",	     "--agent",	     command_agent, "-s",    "./t.ini",
			"--results", "other's runs", "--name",	    "again", NULL};
	HB_FREE char *top = path_of("."), *output = path_of("output");
	HB_FREE char *kernels = path_of("my kernels"), *home = path_of("home");
	HB_FREE char *home_is = hb_strf("HOME=%s", home);
	HB_FREE char *report = path_of("other's runs/again/report.txt");
	HB_FREE char *second = path_of("other's runs/again-2/report.txt");
	HB_FREE char *commands = NULL, *text = NULL;
	char *shell[] = {"env", "-i", home_is, "PATH=/usr/bin:/bin", "sh", "-e", "-c", NULL, NULL};
	HB_FREE char *before = getcwd(NULL, 0);

	(void)state;
	assert_non_null(before);
	assert_int_equal(hb_mkdir_all(kernels), 0);
	write_scenario(scenario);
	assert_int_equal(setenv("HUGEBENCH_KERNELS", kernels, 1), 0);
	assert_int_equal(chdir(top), 0);
	assert_int_equal(command_finish(command_start(output, args)), 0);
	unsetenv("HUGEBENCH_KERNELS");
	assert_int_equal(chdir("/"), 0);
	commands = printed_commands(report);
	assert_non_null(strstr(commands, "HUGEBENCH_KERNELS="));
	shell[7] = commands;
	assert_int_equal(child_do(shell, -1), 0);
	assert_int_equal(hb_file_read(second, &text, NULL), 0);
	assert_int_equal(chdir(before), 0);
}

/* A plan that somebody has changed by hand. */
static void damaged_plan_is_refused(void **state)
{
	HB_FREE char *path = path_of("results/half/plan.json");
	json_t *plan = json_of("half", "plan.json");

	(void)state;
	json_object_set_new(json_array_get(json_object_get(plan, "cells"), 1), "id",
			    json_string("../../up"));
	put_json(plan, "%s", path);
	expect_run(2, "plan.json is damaged", "--resume", "--name", "half");
}

static void other_format_is_refused(void **state)
{
	HB_FREE char *path = path_of("results/whole/run.json");

	(void)state;
	put_file("{\"format\": 7}", "%s", path);
	expect_run(2, "run.json is of format 7", "--resume", "--name", "whole");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_end_has_no_figure),
		cmocka_unit_test(time_that_is_left),
		cmocka_unit_test(kernels_of_a_series),
		cmocka_unit_test(usage_is_two),
		cmocka_unit_test(host_is_three),
		cmocka_unit_test(garbage_is_placed),
		cmocka_unit_test(dry_run_writes_nothing),
		cmocka_unit_test(run_is_complete),
		cmocka_unit_test(unexpected_verdict_is_one),
		cmocka_unit_test(missing_cells_are_resumed),
		cmocka_unit_test(other_environment_is_refused),
		cmocka_unit_test(other_build_is_refused),
		cmocka_unit_test(unknown_environment_is_refused),
		cmocka_unit_test(interrupt_keeps_finished_cells),
		cmocka_unit_test(second_interrupt_is_forced),
		cmocka_unit_test(interrupt_ends_a_build),
		cmocka_unit_test(killed_run_is_resumed),
		cmocka_unit_test(budget_ends_a_run),
		cmocka_unit_test(budget_is_used),
		cmocka_unit_test(finished_run_is_extended),
		cmocka_unit_test(output_that_cannot_be_written),
		cmocka_unit_test(printed_commands_work),
		cmocka_unit_test(damaged_plan_is_refused),
		cmocka_unit_test(other_format_is_refused),
	};

	return cmocka_run_group_tests(tests, command_setup, command_teardown);
}
