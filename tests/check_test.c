// SPDX-License-Identifier: GPL-2.0-or-later
/* What check and oracle print of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "bench/base/util.h"
#include "bench/commands/commands.h"
#include "tests/synthetic.h"

static char dir[] = "/tmp/hugebench-check-XXXXXX";
static char *run_dir, *out_path;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	run_dir = hb_strf("%s/run", dir);
	out_path = hb_strf("%s/out", dir);
	return run_dir && out_path && !setenv("HUGEBENCH_RESULTS", dir, 1) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(dir);
	free(run_dir);
	free(out_path);
	return 0;
}

/* What @command prints of the run with -S; the caller frees it. */
static char *printed_by(int (*command)(int argc, char **argv))
{
	char name[] = "hugebench", option[] = "-S", run[] = "run";
	char *argv[] = {name, option, run, NULL};
	int out = dup(STDOUT_FILENO), status;
	char *text = NULL;

	assert_true(out >= 0);
	assert_non_null(freopen(out_path, "w", stdout));
	status = command(3, argv);
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	close(out);
	assert_int_equal(status, EXIT_OK);
	assert_int_equal(hb_file_read(out_path, &text, NULL), 0);
	return text;
}

static char *printed(void)
{
	return printed_by(cmd_check);
}

static void starts_with(const char *text, const char *table)
{
	if (strncmp(text, table, strlen(table)))
		fail_msg("printed:\n%.400s\nwanted:\n%s", text, table);
}

static void heads_lose_what_all_names_have(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	HB_FREE char *text = NULL;

	(void)state;
	s.kernels[0] = "debug-base";
	s.kernels[1] = "debug-hinode-fixed";
	s.hang_kernel = "debug-base";
	s.boots = 1;
	assert_int_equal(synthetic_write(&s), 0);
	text = printed();
	starts_with(text, "          base   hinode-fixed\n"
			  "faults-1  OK     OK\n"
			  "faults-2  OK     OK\n"
			  "faults-4  HANG*  OK\n"
			  "\n*: bad, and expected of that kernel.  !: NOT EXPECTED.\n"
			  "The kernels' names begin with debug-.\n");
}

/* Nothing in common, several boots, and a kernel that was expected to hang and did not. */
static void what_was_not_expected_is_marked(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	HB_FREE char *cell = hb_strf("%s/cells/0001-base-faults-1-r1/cell.json", run_dir);
	HB_FREE char *text = NULL;
	json_t *j;

	(void)state;
	s.boots = 2;
	assert_int_equal(synthetic_write(&s), 0);
	j = json_load_file(cell, 0, NULL);
	assert_non_null(j);
	json_object_set_new(j, "expected", json_false());
	assert_int_equal(json_dump_file(j, cell, 0), 0);
	json_decref(j);
	text = printed();
	starts_with(text, "          base   hinode\n"
			  "faults-1  2 OK!  2 OK\n"
			  "faults-2  2 OK   2 OK\n");
}

static void seed_set(const char *id, int seed)
{
	HB_FREE char *cell = hb_strf("%s/cells/%s/cell.json", run_dir, id);
	json_t *j = json_load_file(cell, 0, NULL);

	assert_non_null(j);
	json_object_set_new(j, "seed", json_integer(seed));
	assert_int_equal(json_dump_file(j, cell, 0), 0);
	json_decref(j);
}

/* A run of mode exact of one cell with three boots per arm, whose seeds fall. */
static void write_schedules(const char *hangs)
{
	struct synthetic s = synthetic_default(run_dir);

	s.mode = "exact";
	s.boots = 3;
	s.hang_kernel = hangs;
	memset(s.tasks, 0, sizeof(s.tasks));
	s.tasks[0] = 4;
	assert_int_equal(synthetic_write(&s), 0);
	seed_set("0001-base-faults-4-r1", 9);
	seed_set("0002-hinode-faults-4-r1", 9);
	seed_set("0003-base-faults-4-r2", 8);
	seed_set("0004-hinode-faults-4-r2", 8);
	seed_set("0005-base-faults-4-r3", 7);
	seed_set("0006-hinode-faults-4-r3", 7);
}

/* In mode exact a boot is a schedule: the smallest seed that hangs, and how to see it again. */
static void oracle_names_the_smallest_seed(void **state)
{
	HB_FREE char *text = NULL;

	(void)state;
	write_schedules("base");
	text = printed_by(cmd_oracle);
	starts_with(text, "base: HANG in 3 of 3 schedules, the smallest seed 7:\n"
			  "  hugebench replay synthetic 0005-base-faults-4-r3\n"
			  "  212 schedules per hour and CPU of this host\n");
}

/* 1 - 0.05^(1/3) = 63.2 %. */
static void oracle_bounds_what_no_seed_showed(void **state)
{
	HB_FREE char *text = NULL;

	(void)state;
	write_schedules(NULL);
	text = printed_by(cmd_oracle);
	starts_with(text, "base: not seen in 3 schedules; with 95 % confidence in less than 63.2 % "
			  "of them\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_lose_what_all_names_have),
		cmocka_unit_test(what_was_not_expected_is_marked),
		cmocka_unit_test(oracle_names_the_smallest_seed),
		cmocka_unit_test(oracle_bounds_what_no_seed_showed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
