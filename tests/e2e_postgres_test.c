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

#include "bench/host/child.h"
#include "bench/base/util.h"
#include "tests/put.h"

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
			       "postgres.probe_rate = 2\n"
			       "postgres.fault_time = on\n";

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

/* Run the scenario as run @name with @claim and another setting; the one cell's object (new
 * reference). */
static json_t *run_cell(const char *name, const char *claim, const char *setting, int status)
{
	HB_FREE char *file = hb_strf("%s/small.ini", results);
	HB_FREE char *option = hb_strf("postgres.claim=%s", claim);
	const char *pages = strcmp(claim, "none") ? "on" : "off";
	HB_FREE char *huge_pages = hb_strf("postgres.huge_pages=%s", pages);
	HB_FREE char *pattern = hb_strf("%s/%s/cells/*/cell.json", results, name);
	char *const argv[] = {"build/hugebench",
			      "run",
			      "-s",
			      file,
			      "-o",
			      option,
			      "-o",
			      huge_pages,
			      "-o",
			      (char *)setting,
			      "--mode",
			      "emulated",
			      "--results",
			      results,
			      "--name",
			      (char *)name,
			      NULL};
	json_error_t e;
	json_t *cell;
	glob_t g;

	assert_non_null(file);
	put_file(scenario, "%s", file);
	assert_int_equal(child_do(argv, -1), status);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 1);
	cell = json_load_file(g.gl_pathv[0], 0, &e);
	globfree(&g);
	assert_non_null(cell);
	return cell;
}

/* What is said instead of a run, with exit status 2. */
static void refused(const char *setting, const char *wanted)
{
	HB_FREE char *file = hb_strf("%s/two.ini", results);
	HB_FREE char *text =
		hb_strf("%s[cell other]\nworkload = postgres\npostgres.version = 13\n", scenario);
	char *const argv[] = {"build/hugebench", "run",	      "-s",    file,	    "--mode",
			      "emulated",	 "--results", results, "--dry-run", "-o",
			      (char *)setting,	 NULL};
	HB_FREE char *out = NULL;

	put_file(text, "%s", file);
	assert_int_equal(child_capture(&(struct child){0}, argv, &out), 2);
	if (!strstr(out, wanted))
		fail_msg("'%s' is not in: %s", wanted, out);
}

/* The server is in the image of all guests. */
static void one_server_of_a_known_version(void **state)
{
	(void)state;
	refused("repeat=1", "postgres.version is 0 in cell small and 13 in cell other");
	refused("postgres.version=12", "no Debian suite has it; there are 13, 15, 17, 18");
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

/* The number behind @before in a note of this key. */
static double noted(const json_t *cell, const char *key, const char *before)
{
	const json_t *n;
	size_t i;

	json_array_foreach (json_object_get(cell, "notes"), i, n) {
		const char *text = json_string_value(json_object_get(n, "text"));
		const char *at = strstr(text, before);

		if (at && !strcmp(json_string_value(json_object_get(n, "key")), key))
			return strtod(at + strlen(before), NULL);
	}
	fail_msg("no note %s has \"%s\"", key, before);
	return NAN;
}

/* The figures against what pgbench itself printed, which the notes have word for word. */
static void agrees_with_pgbench(void **state)
{
	const char *key = "pgbench";
	HB_FREE char *script = hb_strf("%s/own.sql", results);
	HB_FREE char *setting = hb_strf("postgres.script=%s", script);
	json_t *cell;
	double processed, tps, connection_ms;

	(void)state;
	put_file("\\set aid random(1, 100000 * :scale)\n"
		 "SELECT 77, abalance FROM pgbench_accounts WHERE aid = :aid;\n",
		 "%s", script);
	cell = run_cell("agrees", "hugetlb", setting, 0);
	processed = noted(cell, key, "number of transactions actually processed: ");
	assert_true(processed > 0);
	assert_true(figure(cell, "transactions", "count") == processed);
	assert_true(figure(cell, "latency", "count") == processed);
	tps = noted(cell, key, "\ntps = ");
	assert_true(figure(cell, "tps", "value") == tps);
	connection_ms = noted(cell, key, "initial connection time = ");
	assert_true(fabs(figure(cell, "connection_time", "value") / 1e6 - connection_ms) < 1e-6);
	assert_true(fabs(figure(cell, "tps_with_connecting", "value") -
			 processed / (processed / tps + connection_ms / 1e3)) < 1e-6);
	assert_true(fabs(figure(cell, "latency", "mean") / 1e6 -
			 noted(cell, key, "latency average = ")) < 0.0011);
	assert_true(fabs(figure(cell, "latency_stddev", "value") / 1e6 -
			 noted(cell, key, "latency stddev = ")) < 1e-6);
	assert_true(figure(cell, "first_query_latency", "count") > 0);
	assert_true(figure(cell, "huge_pages", "value") > 100);
	assert_true(figure(cell, "fault_time", "count") > 0);
	assert_true(figure(cell, "fault_time", "count") <=
		    figure(cell, "faults_per_transaction", "value") * processed);
	assert_true(noted(cell, "settings", "shared_buffers=") == 512);
	/* The user's script is what ran, and the run has its text. */
	assert_true(noted(cell, key, "SELECT ") == 77);
	assert_true(noted(cell, "script", "own.sql / \\set aid random(1, ") == 100000);
	json_decref(cell);
}

static void unproved_claim_is_invalid(void **state)
{
	json_t *cell = run_cell("unproved", "sharing", "postgres.jobs=2", 1);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(cell, "verdict")), "INVALID");
	assert_non_null(
		strstr(json_string_value(json_object_get(cell, "reason")), "no whole aligned GiB"));
	json_decref(cell);
}

/* More shared buffers than the guest has memory: the server's own words are the reason. */
static void failed_start_is_told(void **state)
{
	json_t *cell = run_cell("failed", "none", "postgres.shared_buffers=3G", 1);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(cell, "verdict")), "INVALID");
	assert_non_null(strstr(json_string_value(json_object_get(cell, "reason")),
			       "could not map anonymous shared memory"));
	json_decref(cell);
}

/* More of huge pages: nothing of the guest's kernel, which would have none left for itself. */
static void too_many_huge_pages_are_told(void **state)
{
	json_t *cell = run_cell("many", "hugetlb", "postgres.shared_buffers=3G", 1);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(cell, "verdict")), "INVALID");
	assert_non_null(strstr(json_string_value(json_object_get(cell, "reason")),
			       "are too many for the guest"));
	json_decref(cell);
}

/* Before anything is built. */
static void exact_refuses_a_large_database(void **state)
{
	char *const argv[] = {"build/hugebench", "run",	  "-s",	       "postgres",
			      "--mode",		 "exact", "--dry-run", NULL};

	(void)state;
	assert_int_equal(child_do(argv, -1), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_server_of_a_known_version),
		cmocka_unit_test(agrees_with_pgbench),
		cmocka_unit_test(unproved_claim_is_invalid),
		cmocka_unit_test(failed_start_is_told),
		cmocka_unit_test(too_many_huge_pages_are_told),
		cmocka_unit_test(exact_refuses_a_large_database),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
