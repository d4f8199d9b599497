// SPDX-License-Identifier: GPL-2.0-or-later
/* The table bug x kernel as it is printed. */
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

/* What `hugebench check -S` prints of the run; the caller frees it. */
static char *printed(void)
{
	char name[] = "check", option[] = "-S", run[] = "run";
	char *argv[] = {name, option, run, NULL};
	int out = dup(STDOUT_FILENO), status;
	char *text = NULL;

	assert_true(out >= 0);
	assert_non_null(freopen(out_path, "w", stdout));
	status = cmd_check(3, argv);
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	close(out);
	assert_int_equal(status, EXIT_OK);
	assert_int_equal(hb_file_read(out_path, &text, NULL), 0);
	return text;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_lose_what_all_names_have),
		cmocka_unit_test(what_was_not_expected_is_marked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
