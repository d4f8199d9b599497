// SPDX-License-Identifier: GPL-2.0-or-later
/* Damage: every kind is named with its file, and the rest of the run stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/result/load.h"
#include "bench/result/load_waits.h"
#include "tests/synthetic.h"
#include "tests/put.h"

#define CELL "cells/0003-base-faults-2-r1"

static char dir[] = "/tmp/hugebench-load-XXXXXX";
static char *run_dir;

static int setup(void **state)
{
	struct synthetic s;

	(void)state;
	if (!run_dir) {
		if (!mkdtemp(dir))
			return -1;
		run_dir = hb_strf("%s/run", dir);
	}
	s = synthetic_default(run_dir);
	s.boots = 2;
	return synthetic_write(&s);
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(dir);
	free(run_dir);
	return 0;
}

/* Replace @from by @to in a file of the run. */
static void edit(const char *name, const char *from, const char *to)
{
	HB_FREE char *path = hb_strf("%s/%s", run_dir, name);
	HB_FREE char *text = NULL, *changed = NULL;
	char *at;

	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	at = strstr(text, from);
	assert_non_null(at);
	*at = 0;
	changed = hb_strf("%s%s%s", text, to, at + strlen(from));
	put_file(changed, "%s", path);
}

static void truncate_file(const char *name, size_t keep)
{
	HB_FREE char *path = hb_strf("%s/%s", run_dir, name);
	HB_FREE char *text = NULL;

	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	text[keep] = 0;
	put_file(text, "%s", path);
}

/* One problem, in @file, that says @what; @cells stand. */
static void expect_problem(const char *file, const char *what, size_t cells)
{
	struct load_run *run;
	struct hb_error e;

	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_int_equal(run->nproblems, 1);
	if (!strstr(run->problems[0], file) || !strstr(run->problems[0], what))
		fail_msg("problem is '%s', wanted '%s' and '%s'", run->problems[0], file, what);
	assert_int_equal(run->ncells, cells);
	load_free(run);
}

static void test_whole(void **state)
{
	struct load_run *run;
	struct hb_error e;

	(void)state;
	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_int_equal(run->nproblems, 0);
	assert_int_equal(run->ncells, 12);
	assert_int_equal(run->planned, 12);
	assert_string_equal(run->cells[2].kernel, "base");
	assert_string_equal(run->cells[2].antagonists, "truncate, migrate");
	assert_string_equal(run->cells[2].parameters, "pmdshare.size=1G; pmdshare.tasks=2");
	assert_int_equal(run->cells[2].seq, 3);
	assert_int_equal(run->cells[2].rep, 1);
	assert_int_equal(run->cells[2].tasks, 2);
	assert_false(run->cells[2].warmup_boot);
	assert_true(run->cells[2].expected);
	assert_true(run->cells[2].measure_ns > 0 && run->cells[2].warmup_ns > 0);
	assert_true(run->cells[2].total_ns > run->cells[2].measure_ns);
	assert_true(run->cells[2].boot_ns > 0);
	/* equal texts are one text */
	assert_ptr_equal(run->cells[0].kernel, run->cells[2].kernel);
	load_free(run);
}

static void test_truncated(void **state)
{
	(void)state;
	truncate_file(CELL "/cell.json", 100);
	expect_problem(CELL "/cell.json:", "not valid JSON", 11);
}

static void test_version(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"format\": 1", "\"format\": 2");
	expect_problem(CELL "/cell.json", "format is not 1", 11);
}

static void test_nan(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"seconds\": 10.0", "\"seconds\": NaN");
	expect_problem(CELL "/cell.json", "not valid JSON", 11);
}

static void test_negative(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"seconds\": 10.0", "\"seconds\": -10.0");
	expect_problem(CELL "/cell.json", "pmdshare.faults: \"seconds\" is negative", 11);
}

static void test_fractional_count(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"count\": 20000", "\"count\": 20000.5");
	expect_problem(CELL "/cell.json", "not a whole number", 11);
}

/* A boot that does not count has to be known as such. */
static void test_flags(void **state)
{
	struct load_run *run;
	struct hb_error e;

	(void)state;
	edit(CELL "/cell.json", "\"warmup_boot\": false", "\"warmup_boot\": true");
	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_int_equal(run->nproblems, 0);
	assert_true(run->cells[2].warmup_boot);
	load_free(run);
}

static void test_missing_keys(void **state)
{
	static const struct {
		const char *from, *to, *what;
	} rows[] = {
		{"\"kind\": \"rate\"", "\"sort\": \"rate\"", "\"kind\""},
		{"\"verdict\": \"OK\"", "\"verdict\": \"\"", "\"verdict\""},
		{"\"verdict\": \"OK\"", "\"verdict\": \"FINE\"", "verdict \"FINE\" is none of"},
		{"\"min\": ", "\"mim\": ", "\"min\" is missing"},
		{"\"min\": ", "\"min\": -", "\"min\" is negative"},
		{"\"total_ns\": ", "\"total_ns\": -", "\"total_ns\" is negative"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(setup(state), 0);
		edit(CELL "/cell.json", rows[i].from, rows[i].to);
		expect_problem(CELL "/cell.json", rows[i].what, 11);
	}
}

static void test_mode(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"mode\": \"emulated\"", "\"mode\": \"kvm\"");
	expect_problem(CELL "/cell.json", "mode is kvm, the run's is emulated", 11);
}

static void test_foreign(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"kernel\": \"base\"", "\"kernel\": \"other\"");
	expect_problem(CELL "/cell.json", "kernel other is not in run.json", 11);
}

static void test_duplicate(void **state)
{
	(void)state;
	edit("cells/0009-base-faults-2-r2/cell.json", "\"rep\": 2", "\"rep\": 1");
	expect_problem("cells/0009-base-faults-2-r2/cell.json",
		       "duplicate of 0003-base-faults-2-r1", 11);
}

static void test_run_version(void **state)
{
	struct load_run *run;
	struct hb_error e;

	(void)state;
	edit("run.json", "\"format\": 1", "\"format\": 7");
	assert_int_equal(load_run(run_dir, &run, &e), -EINVAL);
	assert_non_null(strstr(e.text, "run.json"));
	assert_non_null(strstr(e.text, "format 7"));
}

static void test_no_run(void **state)
{
	struct load_run *run;
	struct hb_error e;

	(void)state;
	assert_int_equal(load_run("/nonexistent", &run, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent"));
}

/* Histograms are read when they are needed. */
static void expect_hist_error(const char *what)
{
	struct hist *h = malloc(sizeof(*h));
	struct load_run *run;
	struct hb_error e;

	assert_non_null(h);
	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_true(load_hist(run, &run->cells[2], &run->cells[2].metrics[1], h, &e) < 0);
	if (!strstr(e.text, CELL "/pmdshare.fault_latency.hist") || !strstr(e.text, what))
		fail_msg("error is '%s', wanted '%s'", e.text, what);
	load_free(run);
	free(h);
}

static void test_hist_layout(void **state)
{
	(void)state;
	edit(CELL "/pmdshare.fault_latency.hist", "sub_bits=7", "sub_bits=5");
	expect_hist_error("sub_bits=5");
}

static void test_hist_count(void **state)
{
	(void)state;
	edit(CELL "/cell.json", "\"count\": 20000", "\"count\": 19999");
	expect_hist_error("cell.json says 19999");
}

static void test_hist_truncated(void **state)
{
	(void)state;
	truncate_file(CELL "/pmdshare.fault_latency.hist", 500);
	expect_hist_error("not valid JSON");
}

#define WAIT(function, count)                                                                      \
	"{\"how\": \"spun\", \"kind\": \"mutex\", \"function\": \"" function                       \
	"\", \"count\": " count ", \"sum\": 50}"
#define WAITS(count, waits, slow)                                                                  \
	"\"waits\": [{\"source\": \"pmdshare\", \"name\": \"fault_latency\", \"count\": " count    \
	", \"total\": 900, \"executed\": 800, \"waits\": [" waits "], \"slow\": " slow             \
	"}], \"notes\": ["
#define SLOW "{\"count\": 1, \"least\": 90, \"held\": [" WAIT("", "1") "]}"

static void test_waits(void **state)
{
	struct load_waits sum = {0};
	const struct load_waits *w;
	struct load_run *run;
	struct hb_error e;

	(void)state;
	edit(CELL "/cell.json", "\"notes\": [",
	     WAITS("7", WAIT("_b", "3") ", " WAIT("a", "2") ", " WAIT("a", "4"), SLOW));
	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_int_equal(run->nproblems, 0);
	assert_int_equal(run->cells[0].nwaits, 0);
	assert_int_equal(run->cells[2].nwaits, 1);
	w = run->cells[2].waits;
	assert_true(w->count == 7 && w->total == 900 && w->executed == 800 && w->least == 90);
	/* By function, the longest first. */
	assert_int_equal(w->nwaits, 2);
	assert_string_equal(w->waits[0].function, "a");
	assert_true(w->waits[0].count == 6 && w->waits[0].spun == 100 && !w->waits[0].asleep);
	assert_string_equal(w->waits[1].function, "_b");
	assert_int_equal(w->nheld, 1);
	assert_int_equal(load_waits_add(&sum, w), 0);
	assert_int_equal(load_waits_add(&sum, w), 0);
	assert_true(sum.count == 14 && sum.slow == 2 && sum.least == 90 && sum.nwaits == 2);
	assert_true(sum.waits[0].spun == 200);
	load_waits_free(&sum);
	load_free(run);
}

static void test_hostile_waits(void **state)
{
	static const struct {
		const char *to, *what;
	} rows[] = {
		{WAITS("7", WAIT("a b", "1"), SLOW),
		 "\"waits\": [0]: \"waits\": [0]: \"function\" is 'a b', not a name of C"},
		{WAITS("7", WAIT("9", "1"), SLOW), "\"function\" is '9'"},
		{WAITS("7", WAIT("a", "-1"), SLOW), "\"count\" is negative"},
		{WAITS("7", WAIT("a", "0.5"), SLOW), "\"count\" is not a whole number"},
		{WAITS("0", WAIT("a", "1"), SLOW), "no operation"},
		{WAITS("7", WAIT("a", "1"), "{}"), "\"count\" is missing"},
		{WAITS("7", "7", SLOW), "\"kind\" is missing"},
		{"\"waits\": 7, \"notes\": [", "\"waits\" is not an array"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(setup(state), 0);
		edit(CELL "/cell.json", "\"notes\": [", rows[i].to);
		expect_problem(CELL "/cell.json", rows[i].what, 11);
	}
}

/* Names and texts of somebody else's run: refused with file and key. */
static void test_hostile_cell(void **state)
{
	static const struct {
		const char *from, *to, *what;
	} rows[] = {
		{"\"source\": \"truncate\"", "\"source\": \"x`touch F`\"",
		 "\"source\": 'x`touch F`' is no name"},
		{"\"truncate\"", "\"x`touch F`\"", "\"antagonists\": [0]: 'x`touch F`' is no name"},
		{"\"name\": \"faults\"", "\"name\": \"a/b\"", "\"name\": 'a/b' is no name"},
		{"\"name\": \"faults\"", "\"name\": \"..\"", "\"name\": '..' is no name"},
		{"\"name\": \"faults\"", "\"name\": \"%n\"", "\"name\": '%n' is no name"},
		{"\"name\": \"faults\"", "\"name\": \"a\\nb\"", "is no name"},
		{"\"cell\": \"faults-2\"", "\"cell\": \"$(id)\"", "\"cell\": '$(id)' is no name"},
		{"\"reason\": \"", "\"reason\": \"\\u001b[31m", "\"reason\": control characters"},
		{"\"reason\": \"", "\"reason\": \"\\u009b31m", "\"reason\": control characters"},
		{"\"text\": \"", "\"text\": \"\\u001b]0;x\\u0007",
		 "\"notes\": [0]: \"text\": control characters in \"?]0;x?"},
		{"\"file\": \"pmdshare.", "\"file\": \"../pmdshare.", "\"file\" is '../pmdshare."},
		{"\"unit\": \"", "\"unit\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 "\"unit\" has more than 32 bytes"},
		{"\"parameters\": {", "\"parameters\": {\"a b\": \"\", ",
		 "\"parameters\": a key: 'a b' is no name"},
		{"\"reason\": \"", "\"x\": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]], \"reason\": \"",
		 "deeper than 16 levels"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(setup(state), 0);
		edit(CELL "/cell.json", rows[i].from, rows[i].to);
		expect_problem(CELL "/cell.json", rows[i].what, 11);
	}
}

static void test_name_of_300_bytes(void **state)
{
	char name[330] = "\"name\": \"";

	memset(name + strlen(name), 'n', 300);
	name[strlen(name)] = '"';
	(void)state;
	edit(CELL "/cell.json", "\"name\": \"faults\"", name);
	expect_problem(CELL "/cell.json", "is no name: a letter or digit, then letters", 11);
}

static void test_hostile_run(void **state)
{
	static const struct {
		const char *from, *to, *what;
	} rows[] = {
		{"\"mode\": \"emulated\"", "\"mode\": \"`id`\"", "\"mode\" is none of kvm"},
		{"\"name\": \"base\"", "\"name\": \"../base\"",
		 "\"kernels\": [0]: \"name\": '../base' is no name"},
		{"\"cpu_model\": \"", "\"cpu_model\": \"\\u001b[2J",
		 "\"host\": \"cpu_model\": control characters"},
	};
	struct load_run *run;
	struct hb_error e;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(setup(state), 0);
		edit("run.json", rows[i].from, rows[i].to);
		assert_int_equal(load_run(run_dir, &run, &e), -EINVAL);
		if (!strstr(e.text, "run.json: ") || !strstr(e.text, rows[i].what))
			fail_msg("error is '%s', wanted '%s'", e.text, rows[i].what);
	}
}

/* What is no plain file of the run itself, or too large to be one, is not read. */
static void test_no_file_of_the_run(void **state)
{
	HB_FREE char *cell = hb_strf("%s/" CELL, run_dir);
	HB_FREE char *file = hb_strf("%s/cell.json", cell);
	HB_FREE char *moved = hb_strf("%s/moved", dir);

	(void)state;
	assert_int_equal(rename(file, moved), 0);
	assert_int_equal(symlink(moved, file), 0);
	expect_problem(CELL "/cell.json", "a symbolic link", 11);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	expect_problem(CELL "/cell.json", "not a plain file", 11);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rename(moved, file), 0);
	assert_int_equal(truncate(file, 10LL << 30), 0);
	expect_problem(CELL "/cell.json", "larger than 16 MiB", 11);
	assert_int_equal(hb_remove_all(moved), 0);
	assert_int_equal(rename(cell, moved), 0);
	assert_int_equal(symlink(moved, cell), 0);
	expect_problem(CELL "/cell.json", "a symbolic link", 11);
	assert_int_equal(unlink(cell), 0);
	assert_int_equal(hb_remove_all(moved), 0);
}

static void test_a_million_metrics(void **state)
{
	HB_FREE char *list = NULL;
	size_t len;
	FILE *f = open_memstream(&list, &len);

	(void)state;
	assert_non_null(f);
	fputs("\"metrics\": [", f);
	for (int i = 0; i < 1000000; i++)
		fputs("{}, ", f);
	fclose(f);
	edit(CELL "/cell.json", "\"metrics\": [", list);
	expect_problem(CELL "/cell.json", "at most 1000 are read", 11);
}

static int count_interval(void *arg, double t_ns, double length_ns, const json_t *counters)
{
	(void)t_ns, (void)length_ns;
	*(int *)arg += json_object_get(counters, "pmdshare.faults") != NULL;
	return 0;
}

static void test_intervals(void **state)
{
	struct load_run *run;
	struct hb_error e;
	int n = 0;

	(void)state;
	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_int_equal(load_intervals(run, &run->cells[2], count_interval, &n, &e), 0);
	assert_int_equal(n, 10);
	load_free(run);
	truncate_file(CELL "/intervals.jsonl", 500);
	assert_int_equal(load_run(run_dir, &run, &e), 0);
	assert_int_equal(load_intervals(run, &run->cells[2], count_interval, &n, &e), -EINVAL);
	assert_non_null(strstr(e.text, CELL "/intervals.jsonl:"));
	load_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole, setup),
		cmocka_unit_test_setup(test_truncated, setup),
		cmocka_unit_test_setup(test_version, setup),
		cmocka_unit_test_setup(test_nan, setup),
		cmocka_unit_test_setup(test_negative, setup),
		cmocka_unit_test_setup(test_fractional_count, setup),
		cmocka_unit_test_setup(test_flags, setup),
		cmocka_unit_test_setup(test_missing_keys, setup),
		cmocka_unit_test_setup(test_mode, setup),
		cmocka_unit_test_setup(test_foreign, setup),
		cmocka_unit_test_setup(test_duplicate, setup),
		cmocka_unit_test_setup(test_run_version, setup),
		cmocka_unit_test_setup(test_no_run, setup),
		cmocka_unit_test_setup(test_hist_layout, setup),
		cmocka_unit_test_setup(test_hist_count, setup),
		cmocka_unit_test_setup(test_hist_truncated, setup),
		cmocka_unit_test_setup(test_intervals, setup),
		cmocka_unit_test_setup(test_waits, setup),
		cmocka_unit_test_setup(test_hostile_waits, setup),
		cmocka_unit_test_setup(test_hostile_cell, setup),
		cmocka_unit_test_setup(test_name_of_300_bytes, setup),
		cmocka_unit_test_setup(test_hostile_run, setup),
		cmocka_unit_test_setup(test_no_file_of_the_run, setup),
		cmocka_unit_test_setup(test_a_million_metrics, setup),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, teardown);
}
