// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A real server in a real guest, small: 512 MiB of shared buffers on huge pages, so nothing is
 * shared and the claim of sharing must be refused. Runs from the top of the tree, as make does.
 */
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/base/util.h"

static char results[] = "/tmp/hugebench-e2e-XXXXXX";

static const char scenario[] = "[scenario]\n"
			       "kernels = base\n"
			       "repeat = 1\n"
			       "warmup = 3s\n"
			       "measure = 5s\n"
			       "memory = 2G\n"
			       "vcpus = 4\n"
			       "[cell small]\n"
			       "workload = postgres\n"
			       "postgres.scale = 3\n"
			       "postgres.shared_buffers = 512M\n"
			       "postgres.clients = 2\n"
			       "postgres.probe_rate = 2\n";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(results) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(results);
}

/* Run the scenario with @claim; the one cell's object (new reference). */
static json_t *run_cell(const char *claim, int status)
{
	HB_FREE char *file = hb_strf("%s/small.ini", results);
	HB_FREE char *option = hb_strf("postgres.claim=%s", claim);
	HB_FREE char *pattern = hb_strf("%s/%s/cells/*/cell.json", results, claim);
	char *const argv[] = {
		"build/hugebench", "run",	"-s",	 file,	   "-o",	  option, "--mode",
		"emulated",	   "--results", results, "--name", (char *)claim, NULL};
	json_error_t e;
	json_t *cell;
	glob_t g;

	assert_non_null(file);
	assert_int_equal(hb_file_write(file, scenario), 0);
	assert_int_equal(hb_run(argv, -1), status);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 1);
	cell = json_load_file(g.gl_pathv[0], 0, &e);
	globfree(&g);
	assert_non_null(cell);
	return cell;
}

static const json_t *metric(const json_t *cell, const char *name)
{
	const json_t *m;
	size_t i;

	json_array_foreach (json_object_get(cell, "metrics"), i, m)
		if (!strcmp(json_string_value(json_object_get(m, "name")), name))
			return m;
	fail_msg("no metric %s", name);
	return NULL;
}

static double figure(const json_t *cell, const char *name, const char *key)
{
	return json_number_value(json_object_get(metric(cell, name), key));
}

static const char *note(const json_t *cell, const char *key)
{
	const json_t *n;
	size_t i;

	json_array_foreach (json_object_get(cell, "notes"), i, n)
		if (!strcmp(json_string_value(json_object_get(n, "key")), key))
			return json_string_value(json_object_get(n, "text"));
	fail_msg("no note %s", key);
	return NULL;
}

/* The figures are those of pgbench's own summary, which is in the notes as it was read. */
static void agrees_with_pgbench(void **state)
{
	json_t *cell = run_cell("hugetlb", 0);
	unsigned long processed;
	double tps, connecting, mean_ms;

	(void)state;
	assert_int_equal(sscanf(note(cell, "pgbench"),
				"%lu transactions, tps %lf without and %lf with connecting, "
				"latency average %lf ms",
				&processed, &tps, &connecting, &mean_ms),
			 4);
	assert_true(processed > 0);
	assert_true(fabs(figure(cell, "tps", "value") - tps) < 1e-5);
	assert_true(fabs(figure(cell, "tps_with_connecting", "value") - connecting) < 1e-5);
	assert_int_equal((unsigned long)figure(cell, "latency", "count"), processed);
	assert_true(fabs(figure(cell, "latency", "mean") / 1e6 - mean_ms) < 0.0011);
	assert_true(figure(cell, "first_query_latency", "count") > 0);
	assert_true(figure(cell, "huge_pages", "value") > 100);
	assert_non_null(strstr(note(cell, "settings"), "huge_pages=on"));
	json_decref(cell);
}

static void unproved_claim_is_invalid(void **state)
{
	json_t *cell = run_cell("sharing", 1);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(cell, "verdict")), "INVALID");
	assert_non_null(
		strstr(json_string_value(json_object_get(cell, "reason")), "no whole aligned GiB"));
	json_decref(cell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_pgbench),
		cmocka_unit_test(unproved_claim_is_invalid),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
