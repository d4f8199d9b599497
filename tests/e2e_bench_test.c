// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * End to end, as a user types it: real kernels, real guests. Runs from the top of the tree (as
 * make does) and keeps its runs in a results directory of its own.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/base/json.h"
#include "bench/host/child.h"
#include "bench/base/exit_status.h"
#include "bench/base/util.h"
#include "tests/leftovers.h"
#include "tests/put.h"

#define HUGEBENCH "build/hugebench"

static char results[] = "/tmp/hugebench-e2e-XXXXXX";

static char *in_results(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *in_results(const char *fmt, ...)
{
	char tail[512], *path;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(tail, sizeof(tail), fmt, ap);
	va_end(ap);
	path = hb_strf("%s/%s", results, tail);
	assert_non_null(path);
	return path;
}

static char *file_text(const char *path)
{
	char *text = NULL;

	if (hb_file_read(path, &text, NULL))
		fail_msg("%s cannot be read", path);
	return text;
}

static json_t *file_json(const char *path)
{
	json_error_t e;
	json_t *j = json_load_file(path, 0, &e);

	if (!j)
		fail_msg("%s: %s", path, e.text);
	return j;
}

static void make_results(void)
{
	assert_non_null(mkdtemp(results));
	setenv("HUGEBENCH_RESULTS", results, 1);
}

static int make_results_dir(void **state)
{
	(void)state;
	make_results();
	return 0;
}

static int remove_results_dir(void **state)
{
	(void)state;
	return hb_remove_all(results);
}

/* A progress line on stderr of every run is kept: a failed test shows it. */
static int hugebench(char *const argv[])
{
	return child_do(argv, -1);
}

static bool cell_has(const json_t *cell, const char *key, const char *value)
{
	const json_t *note;
	size_t i;

	if (!key || !strcmp(json_text(cell, key), value))
		return true;
	json_array_foreach (json_object_get(cell, "notes"), i, note)
		if (!strcmp(json_text(note, "key"), key) && !strcmp(json_text(note, "text"), value))
			return true;
	return false;
}

/* Cells that have been measured; those alone whose member or note @key is @value, if not NULL. */
static unsigned int count_cells(const char *run, const char *key, const char *value)
{
	HB_FREE char *path = in_results("%s/cells", run);
	DIR *d = opendir(path);
	struct dirent *entry;
	unsigned int n = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		HB_FREE char *cell_path = in_results("%s/cells/%s/cell.json", run, entry->d_name);
		json_t *cell;

		if (!isdigit((unsigned char)entry->d_name[0]) || access(cell_path, F_OK))
			continue;
		cell = file_json(cell_path);
		n += cell_has(cell, key, value);
		json_decref(cell);
	}
	closedir(d);
	return n;
}

static unsigned int planned_cells(const char *run)
{
	HB_FREE char *path = in_results("%s/plan.json", run);
	json_t *plan = file_json(path);
	unsigned int n = json_array_size(json_object_get(plan, "cells"));

	json_decref(plan);
	return n;
}

/* What a mail can carry: at most 72 columns, no control characters. */
static void assert_mailable(const char *text)
{
	size_t column = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\n') {
			column = 0;
			continue;
		}
		assert_false(iscntrl((unsigned char)*p));
		/* a UTF-8 continuation byte takes no column */
		column += (*p & 0xc0) != 0x80;
		assert_true(column <= 72);
	}
}

static void smoke_compares_two_kernels(void **state)
{
	static const char header[] =
		"cell,workload,antagonists,tasks,metric,unit,better,kernel_a,kernel_b,"
		"n_a,n_b,estimate_a,estimate_b,delta_pct,ci_low_pct,ci_high_pct,"
		"p,p_adjusted,p_same_adjusted,verdict,mde_pct,mode,family";
	char *const argv[] = {HUGEBENCH,  "run",    "-s",    "smoke", "-o",
			      "repeat=1", "--name", "smoke", NULL};
	HB_FREE char *report_path = in_results("smoke/report.txt");
	HB_FREE char *csv_path = in_results("smoke/summary.csv");
	HB_FREE char *run_path = in_results("smoke/run.json");
	HB_FREE char *report = NULL, *csv = NULL;
	json_t *run;

	(void)state;
	assert_int_equal(hugebench(argv), 0);
	run = file_json(run_path);
	assert_string_equal(json_text(run, "status"), "finished");
	assert_int_equal(json_array_size(json_object_get(run, "kernels")), 2);
	assert_true(planned_cells("smoke") >= 4);
	assert_int_equal(count_cells("smoke", NULL, NULL), planned_cells("smoke"));
	assert_true(count_cells("smoke", "verdict", "OK") >= 4);
	/* all CPUs, those that came up late too */
	assert_true(count_cells("smoke", "placement", "tasks in turn on node 0, 1") >= 4);
	csv = file_text(csv_path);
	assert_true(!strncmp(csv, header, strlen(header)));
	assert_non_null(strstr(csv, "pmdshare"));
	report = file_text(report_path);
	assert_non_null(strstr(report, json_text(run, "mode")));
	assert_non_null(strstr(report, "hinode"));
	assert_mailable(report);
	json_decref(run);
}

/* What `hugebench report smoke --format @format` prints is @file of the run, to the byte. */
static void assert_report_is(const char *format, const char *file)
{
	char *const argv[] = {HUGEBENCH, "report", "smoke", "--format", (char *)format, NULL};
	HB_FREE char *file_path = in_results("smoke/%s", file);
	HB_FREE char *out_path = in_results("printed");
	HB_FREE char *written = file_text(file_path), *printed = NULL;
	HB_CLOSE int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(out >= 0);
	assert_int_equal(child_do(argv, out), 0);
	printed = file_text(out_path);
	assert_string_equal(written, printed);
}

static void report_is_made_again_from_raw_data(void **state)
{
	(void)state;
	assert_report_is("text", "report.txt");
	assert_report_is("md", "report.md");
	assert_report_is("csv", "summary.csv");
}

/* A scenario of null cells: the harness itself, by the guest that boots soonest. */
static char *null_scenario(void)
{
	static const char text[] = "[scenario]\n"
				   "description = The harness alone\n"
				   "mode = exact\n"
				   "vcpus = 1\n"
				   "nodes = 1\n"
				   "repeat = 2\n"
				   "warmup = 100ms\n"
				   "measure = 1s\n"
				   "interval = 500ms\n"
				   "[cell idle]\n"
				   "workload = null\n"
				   "tasks = 1\n";
	char *path = in_results("idle.ini");

	put_file(text, "%s", path);
	return path;
}

static pid_t spawn(char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* Processes whose command line holds @needle, this one aside. */
static unsigned int processes_with(const char *needle)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		HB_FREE char *path = hb_strf("/proc/%s/cmdline", entry->d_name);
		HB_FREE char *text = NULL;
		size_t len;

		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid())
			continue;
		if (!hb_file_read(path, &text, &len))
			n += memmem(text, len, needle, strlen(needle)) != NULL;
	}
	closedir(d);
	return n;
}

/* A boot that is lost has a deadline of two minutes, then comes another; the host may be busy. */
#define FIRST_CELL_NS (300 * NSEC_PER_SEC)

static void wait_for_first_cell(const char *run, pid_t pid)
{
	uint64_t until = hb_now_ns() + FIRST_CELL_NS;

	while (!count_cells(run, NULL, NULL)) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		if (hb_now_ns() > until)
			fail_msg("no cell finished within five minutes");
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 10);
	}
}

/* Only the kernel may differ between the boots of a run. */
static void with_another_qemu(char *const argv[])
{
	HB_FREE char *program = in_results("qemu");

	put_file("#!/bin/sh\necho QEMU emulator version 99.0.0\n", "%s", program);
	assert_int_equal(chmod(program, 0755), 0);
	setenv("QEMU", program, 1);
	assert_int_equal(hugebench(argv), EXIT_USAGE);
	unsetenv("QEMU");
}

static void killed_run_resumes(void **state)
{
	HB_FREE char *scenario = null_scenario();
	char *const argv[] = {HUGEBENCH, "run", "-s", scenario, "--name", "killed", NULL};
	char *const again[] = {HUGEBENCH, "run", "--resume", "--name", "killed", NULL};
	struct stat before, after;
	HB_FREE char *first = in_results("killed/cells");
	HB_FREE char *cell = NULL;
	unsigned int done;
	struct dirent **names = NULL;
	pid_t pid;
	int n;

	(void)state;
	pid = spawn(argv);
	wait_for_first_cell("killed", pid);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	done = count_cells("killed", NULL, NULL);
	assert_true(done < planned_cells("killed"));
	/* QEMU goes with its parent. */
	assert_int_equal(leftovers_end(LEFTOVERS_GRACE_NS), 0);
	assert_int_equal(processes_with(results), 0);
	n = scandir(first, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (!cell && isdigit((unsigned char)names[i]->d_name[0]))
			cell = in_results("killed/cells/%s/cell.json", names[i]->d_name);
		free(names[i]);
	}
	free(names);
	assert_int_equal(stat(cell, &before), 0);
	with_another_qemu(again);
	assert_int_equal(hugebench(again), 0);
	assert_int_equal(stat(cell, &after), 0);
	assert_true(before.st_ino == after.st_ino && before.st_mtime == after.st_mtime);
	assert_int_equal(count_cells("killed", NULL, NULL), planned_cells("killed"));
}

static void interrupt_keeps_finished_cells(void **state)
{
	HB_FREE char *scenario = null_scenario();
	char *const argv[] = {HUGEBENCH, "run", "-s", scenario, "--name", "interrupted", NULL};
	HB_FREE char *run_path = in_results("interrupted/run.json");
	int status;
	json_t *run;
	pid_t pid;

	(void)state;
	pid = spawn(argv);
	wait_for_first_cell("interrupted", pid);
	assert_int_equal(kill(pid, SIGINT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 130);
	run = file_json(run_path);
	assert_string_equal(json_text(run, "status"), "interrupted");
	assert_true(count_cells("interrupted", NULL, NULL) >= 1);
	assert_int_equal(processes_with(results), 0);
	json_decref(run);
}

/* Does KVM work here? That was found out before the first guest, and takes its time where not. */
static bool have_kvm(void)
{
	HB_FREE char *path = in_results("smoke/run.json");
	json_t *run = file_json(path);
	bool kvm = !strcmp(json_text(run, "mode"), "kvm");

	json_decref(run);
	return kvm;
}

/* The whole mix on the series with lockdep and the VM's own checks, on several CPUs at a time. */
static void series_survives_stress_under_lockdep(void **state)
{
	const char *mode = have_kvm() ? "kvm" : "emulated";
	char *const argv[] = {HUGEBENCH,    "run",    "-s",	 "lockdep", "--mode",
			      (char *)mode, "--name", "lockdep", NULL};

	(void)state;
	assert_int_equal(hugebench(argv), 0);
	assert_int_equal(count_cells("lockdep", "kernel", "debug-hinode"),
			 count_cells("lockdep", "verdict", "OK"));
	assert_true(count_cells("lockdep", "verdict", "OK") >= 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, leftovers_setup, leftovers_teardown)
	const struct CMUnitTest tests[] = {
		T(smoke_compares_two_kernels),
		T(report_is_made_again_from_raw_data),
		T(killed_run_resumes),
		T(interrupt_keeps_finished_cells),
		T(series_survives_stress_under_lockdep),
	};

	return cmocka_run_group_tests_name("e2e", tests, make_results_dir, remove_results_dir);
}
