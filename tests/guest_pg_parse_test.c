// SPDX-License-Identifier: GPL-2.0-or-later
/* pgbench's summary and log as PostgreSQL 13 to 17 print them, and what is not one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workloads/postgres/log.h"
#include "workloads/postgres/postgres.h"
#include "workloads/postgres/summary.h"

static const char version13[] =
	"transaction type: <builtin: select only>\n"
	"scaling factor: 16\n"
	"query mode: prepared\n"
	"number of clients: 4\n"
	"number of threads: 2\n"
	"duration: 1000000 s\n"
	"number of transactions actually processed: 8000\n"
	"latency average = 1.234 ms\n"
	"latency stddev = 0.567 ms\n"
	"tps = 790.100000 (including connections establishing)\n"
	"tps = 800.200000 (excluding connections establishing)\n"
	"statement latencies in milliseconds:\n"
	"         0.002  \\set aid random(1, 100000 * :scale)\n"
	"         1.230  SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n";

static const char version14[] =
	"pgbench (PostgreSQL) 14.13 (Debian 14.13-1)\n"
	"transaction type: <builtin: select only>\n"
	"scaling factor: 16\n"
	"query mode: prepared\n"
	"number of clients: 4\n"
	"number of threads: 2\n"
	"duration: 1000000 s\n"
	"number of transactions actually processed: 8000\n"
	"latency average = 1.234 ms\n"
	"latency stddev = 0.567 ms\n"
	"initial connection time = 250.000 ms\n"
	"tps = 800.000000 (without initial connection time)\n"
	"statement latencies in milliseconds:\n"
	"         0.002  \\set aid random(1, 100000 * :scale)\n"
	"         1.230  SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n";

/* 15 to 17 are alike as far as they are used here. */
static const char version15[] =
	"pgbench (15.18 (Debian 15.18-0+deb12u1))\n"
	"transaction type: <builtin: select only>\n"
	"scaling factor: 16\n"
	"query mode: prepared\n"
	"number of clients: 4\n"
	"number of threads: 2\n"
	"maximum number of tries: 1\n"
	"duration: 1000000 s\n"
	"number of transactions actually processed: 8000\n"
	"number of failed transactions: 3 (0.037%)\n"
	"latency average = 1.234 ms\n"
	"latency stddev = 0.567 ms\n"
	"initial connection time = 250.000 ms\n"
	"tps = 800.000000 (without initial connection time)\n"
	"statement latencies in milliseconds and failures:\n"
	"         0.002           0  \\set aid random(1, 100000 * :scale)\n"
	"         1.230           3  SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n";

static const char version17_churn[] =
	"pgbench (17.2 (Debian 17.2-1.pgdg120+1))\n"
	"transaction type: <builtin: select only>\n"
	"scaling factor: 16\n"
	"query mode: simple\n"
	"number of clients: 4\n"
	"number of threads: 2\n"
	"maximum number of tries: 1\n"
	"duration: 1000000 s\n"
	"number of transactions actually processed: 1000\n"
	"number of failed transactions: 0 (0.000%)\n"
	"latency average = 20.000 ms\n"
	"latency stddev = 2.000 ms\n"
	"average connection time = 8.000 ms\n"
	"tps = 200.000000 (including reconnection times)\n"
	"statement latencies in milliseconds and failures:\n"
	"         0.002           0  \\set aid random(1, 100000 * :scale)\n"
	"        19.900           0  SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n";

static const char version13_rate[] =
	"transaction type: <builtin: select only>\n"
	"scaling factor: 16\n"
	"partition method: range\n"
	"partitions: 4\n"
	"query mode: simple\n"
	"number of clients: 4\n"
	"number of threads: 2\n"
	"duration: 10 s\n"
	"number of transactions actually processed: 990\n"
	"number of transactions skipped: 10 (1.000 %)\n"
	"number of transactions above the 5.0 ms latency limit: 20/990 (2.020 %)\n"
	"latency average = 1.100 ms\n"
	"latency stddev = 0.300 ms\n"
	"rate limit schedule lag: avg 0.150 (max 7.500) ms\n"
	"tps = 99.000000 (including connections establishing)\n"
	"tps = 99.500000 (excluding connections establishing)\n"
	"statement latencies in milliseconds:\n"
	"         1.000  SELECT 1;\n";

static const char version16_mixed[] =
	"pgbench (16.4)\n"
	"transaction type: multiple scripts\n"
	"scaling factor: 16\n"
	"query mode: prepared\n"
	"number of clients: 4\n"
	"number of threads: 2\n"
	"maximum number of tries: 1\n"
	"duration: 1000000 s\n"
	"number of transactions actually processed: 100\n"
	"number of failed transactions: 0 (0.000%)\n"
	"number of transactions skipped: 0 (0.000%)\n"
	"number of transactions above the 5.0 ms latency limit: 1/100 (1.000%)\n"
	"latency average = 1.500 ms\n"
	"latency stddev = 0.500 ms\n"
	"rate limit schedule lag: avg 0.010 (max 0.500) ms\n"
	"initial connection time = 100.000 ms\n"
	"tps = 10.000000 (without initial connection time)\n"
	"SQL script 1: <builtin: select only>\n"
	" - weight: 90 (targets 90.9% of total)\n"
	" - 91 transactions (91.0% of total, tps = 9.100000)\n"
	" - number of failed transactions: 0 (0.000%)\n"
	" - number of transactions skipped: 0 (0.000%)\n"
	" - latency average = 1.200 ms\n"
	" - latency stddev = 0.100 ms\n"
	" - statement latencies in milliseconds and failures:\n"
	"         1.200           0  SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
	"SQL script 2: /tmp/x/scan.sql\n"
	" - weight: 9 (targets 9.1% of total)\n"
	" - 9 transactions (9.0% of total, tps = 0.900000)\n"
	" - number of failed transactions: 0 (0.000%)\n"
	" - number of transactions skipped: 0 (0.000%)\n"
	" - latency average = 4.500 ms\n"
	" - latency stddev = 0.200 ms\n"
	" - statement latencies in milliseconds and failures:\n"
	"         4.500           0  SELECT count(*) FROM pgbench_accounts;\n";

/* As Debian's 18.6 printed it, most statements left out. */
static const char version18_mixed[] =
	"pgbench (18.6 (Debian 18.6-3))\n"
	"transaction type: multiple scripts\n"
	"scaling factor: 1\n"
	"query mode: simple\n"
	"number of clients: 2\n"
	"number of threads: 1\n"
	"maximum number of tries: 1\n"
	"duration: 2 s\n"
	"number of transactions actually processed: 56\n"
	"number of failed transactions: 0 (0.000%)\n"
	"latency average = 71.570 ms\n"
	"average connection time = 24.795 ms\n"
	"tps = 27.944642 (including reconnection times)\n"
	"SQL script 1: <builtin: select only>\n"
	" - weight: 1 (targets 50.0% of total)\n"
	" - 25 transactions (44.6% of total)\n"
	" - number of transactions actually processed: 25 (tps = 12.475286)\n"
	" - number of failed transactions: 0 (0.000%)\n"
	" - latency average = 17.000 ms\n"
	" - latency stddev = 13.415 ms\n"
	" - statement latencies in milliseconds and failures:\n"
	"        16.995           0 SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
	"SQL script 2: <builtin: TPC-B (sort of)>\n"
	" - weight: 1 (targets 50.0% of total)\n"
	" - 31 transactions (55.4% of total)\n"
	" - number of transactions actually processed: 31 (tps = 15.469355)\n"
	" - number of failed transactions: 0 (0.000%)\n"
	" - latency average = 70.214 ms\n"
	" - latency stddev = 26.536 ms\n"
	" - statement latencies in milliseconds and failures:\n"
	"        13.303           0 BEGIN;\n";

static struct pg_expect steady = {
	.clients = 4, .threads = 2, .stddev = true, .statements = true, .nscripts = 1};

static void assert_near(double a, double b)
{
	assert_true(fabs(a - b) < 1e-9);
}

/* Both tps are printed, the connection time is not. */
static void reads_version_13(void **state)
{
	struct pg_summary s;

	(void)state;
	assert_int_equal(pg_summary_parse(version13, &steady, &s, NULL), 0);
	assert_int_equal(s.processed, 8000);
	assert_near(s.tps, 800.2);
	assert_near(s.tps_connecting, 790.1);
	assert_near(s.latency_ms, 1.234);
	assert_near(s.stddev_ms, 0.567);
	assert_true(isnan(s.connection_ms));
	assert_int_equal(s.nstatements, 2);
	assert_string_equal(s.statement[1].text,
			    "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;");
	assert_near(s.statement[1].latency_ms, 1.23);
}

/* 8000 transactions at 800/s took 10 s, and connecting a quarter of a second more. */
static void reads_version_14(void **state)
{
	struct pg_summary s;

	(void)state;
	assert_int_equal(pg_summary_parse(version14, &steady, &s, NULL), 0);
	assert_near(s.tps, 800);
	assert_near(s.connection_ms, 250);
	assert_near(s.tps_connecting, 8000 / 10.25);
}

static void reads_version_15(void **state)
{
	struct pg_summary s;

	(void)state;
	assert_int_equal(pg_summary_parse(version15, &steady, &s, NULL), 0);
	assert_near(s.tps, 800);
	assert_int_equal(s.failed, 3);
	assert_int_equal(s.statement[1].failures, 3);
	assert_near(s.statement[1].latency_ms, 1.23);
}

/* 5 s by 4 clients; 8 s of connecting, 2 s of each client's: 3 s are left for 1000 transactions. */
static void reads_churn(void **state)
{
	struct pg_expect x = steady;
	struct pg_summary s;

	(void)state;
	x.connect = true;
	assert_int_equal(pg_summary_parse(version17_churn, &x, &s, NULL), 0);
	assert_near(s.tps_connecting, 200);
	assert_near(s.tps, 1000 / 3.0);
	assert_near(s.connection_ms, 8);
}

static void reads_rate_and_limit(void **state)
{
	struct pg_expect x = steady;
	struct pg_summary s;

	(void)state;
	x.rate = x.latency_limit = true;
	assert_int_equal(pg_summary_parse(version13_rate, &x, &s, NULL), 0);
	assert_int_equal(s.skipped, 10);
	assert_int_equal(s.late, 20);
	assert_near(s.lag_ms, 0.15);
}

static void reads_several_scripts(void **state)
{
	struct pg_expect x = steady;
	struct pg_summary s;

	(void)state;
	x.rate = x.latency_limit = true;
	x.nscripts = 2;
	assert_int_equal(pg_summary_parse(version16_mixed, &x, &s, NULL), 0);
	assert_int_equal(s.nscripts, 2);
	assert_string_equal(s.script[1].name, "/tmp/x/scan.sql");
	assert_int_equal(s.script[0].transactions, 91);
	assert_near(s.script[1].latency_ms, 4.5);
	assert_near(s.latency_ms, 1.5);
	assert_int_equal(s.nstatements, 2);
	assert_int_equal(s.statement[1].script, 1);
	x.nscripts = 1;
	assert_int_equal(pg_summary_parse(version16_mixed, &x, &s, NULL), -EBADMSG);
}

static void reads_version_18(void **state)
{
	const struct pg_expect x = {
		.clients = 2, .threads = 1, .connect = true, .statements = true, .nscripts = 2};
	struct pg_summary s;

	(void)state;
	assert_int_equal(pg_summary_parse(version18_mixed, &x, &s, NULL), 0);
	assert_int_equal(s.script[0].transactions, 25);
	assert_int_equal(s.script[1].transactions, 31);
	assert_near(s.script[1].latency_ms, 70.214);
	assert_near(s.tps_connecting, 27.944642);
	assert_string_equal(s.statement[1].text, "BEGIN;");
}

/* Every line that carries a figure, left out in turn: never a zero in its place. */
static void misses_every_line(void **state)
{
	static const char *const may_be_missing[] = {
		"pgbench (",	  "transaction type", "scaling factor",	  "query mode",
		"maximum number", "duration",	      "number of failed", "         ",
	};
	char text[sizeof(version15)];
	const char *line, *next;
	unsigned int missed = 0;
	struct pg_summary s;
	struct hb_error e;
	bool may;

	(void)state;
	for (line = version15; *line; line = next) {
		next = strchr(line, '\n') + 1;
		memcpy(text, version15, line - version15);
		memcpy(text + (line - version15), next, strlen(next) + 1);
		may = false;
		for (size_t i = 0; i < ARRAY_SIZE(may_be_missing); i++)
			may |= !strncmp(line, may_be_missing[i], strlen(may_be_missing[i]));
		assert_int_equal(pg_summary_parse(text, &steady, &s, &e), may ? 0 : -EBADMSG);
		missed += !may;
	}
	assert_int_equal(missed, 8);
}

/* Cut anywhere: an error, or nothing but the list of statements was cut. */
static void notices_truncation(void **state)
{
	const char *statements = strstr(version15, "         1.230");
	char text[sizeof(version15)];
	struct pg_summary s;

	(void)state;
	for (size_t len = 0; len < (size_t)(statements - version15); len++) {
		memcpy(text, version15, len);
		text[len] = '\0';
		/* Up to the last complete row of a statement nothing may pass. */
		if (len < (size_t)(strstr(version15, "\\set") - version15))
			assert_int_not_equal(pg_summary_parse(text, &steady, &s, NULL), 0);
	}
}

static void refuses(const char *from, const char *to, int code)
{
	const char *at = strstr(version15, from);
	char text[sizeof(version15) + 200];
	struct pg_summary s;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - version15), version15, to,
		 at + strlen(from));
	assert_int_equal(pg_summary_parse(text, &steady, &s, NULL), code);
}

static void refuses_garbage(void **state)
{
	struct pg_summary s;
	struct hb_error e;

	(void)state;
	refuses("tps = 800.000000", "tps = nan", -EBADMSG);
	refuses("tps = 800.000000", "tps = inf", -EBADMSG);
	refuses("tps = 800.000000", "tps = ", -EBADMSG);
	refuses("latency average = 1.234 ms", "latency average = 1.234 us", -EBADMSG);
	refuses("latency average = 1.234 ms", "latency average = -nan ms", -EBADMSG);
	refuses("number of clients: 4", "number of clients: 5", -EBADMSG);
	refuses("(without initial connection time)", "(without connections)", -EBADMSG);
	refuses("processed: 8000", "processed: 0", -ENODATA);
	refuses("latency stddev", "latency variance", -EBADMSG);
	assert_int_equal(pg_summary_parse("", &steady, &s, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "number of transactions actually processed"));
	assert_int_equal(pg_summary_parse("\x01\x02 rubbish\n", &steady, &s, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "not known"));
}

/* To the transaction, and to the rounding of both. */
static void compares_with_the_log(void **state)
{
	struct hb_error e = {""};
	struct pg_summary s;

	(void)state;
	assert_int_equal(pg_summary_parse(version14, &steady, &s, NULL), 0);
	assert_int_equal(pg_summary_agrees(&s, 8000, 1.2339, &e), 0);
	assert_int_equal(pg_summary_agrees(&s, 8000, 1.2350, &e), 0);
	assert_int_equal(pg_summary_agrees(&s, 7999, 1.234, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "8000 transactions, its log has 7999"));
	assert_int_equal(pg_summary_agrees(&s, 8000, 1.2352, &e), -EBADMSG);
	assert_int_equal(pg_summary_agrees(&s, 8000, 1.2328, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "1.234 ms, that of its log 1.2328 ms"));
	/* Failed transactions are in the one mean and not in the other. */
	s.failed = 1;
	assert_int_equal(pg_summary_agrees(&s, 8000, 9.9, &e), 0);
}

static void reads_log_lines(void **state)
{
	struct pg_log_entry l;

	(void)state;
	assert_int_equal(pg_log_parse("3 199 1412 0 1795362053 508719", false, &l, NULL), 0);
	assert_int_equal(l.client, 3);
	assert_int_equal(l.number, 199);
	assert_int_equal(l.state, PG_LOG_OK);
	assert_int_equal(l.latency_us, 1412);
	assert_int_equal(pg_log_parse("0 81 4621 1 1412881037 912698 3005", true, &l, NULL), 0);
	assert_int_equal(l.script, 1);
	assert_int_equal(l.lag_us, 3005);
	assert_int_equal(pg_log_parse("0 82 skipped 0 1412881037 914578 217", true, &l, NULL), 0);
	assert_int_equal(l.state, PG_LOG_SKIPPED);
	assert_int_equal(pg_log_parse("3 0 failed 0 1499414498 84905", false, &l, NULL), 0);
	assert_int_equal(l.state, PG_LOG_FAILED);
	assert_int_equal(pg_log_parse("3 0 serialization 0 1499414498 84905", false, &l, NULL), 0);
	assert_int_equal(pg_log_parse("3 0 deadlock 0 1499414498 84905", false, &l, NULL), 0);
	assert_int_equal(l.state, PG_LOG_FAILED);
}

static void refuses_log_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1 2 3 4 5",
		"1 2 x 0 5 6",
		"1 2 3x 0 5 6",
		"1 2 -3 0 5 6",
		"1 2 3 0 5 1000000",
		"1 2 3 0 5 6 7",
		"1 2 3 0 5 6 ",
		"a 2 3 0 5 6",
	};
	struct pg_log_entry l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pg_log_parse(bad[i], false, &l, NULL), -EBADMSG);
	/* The column of the lag is missing, or one too many. */
	assert_int_equal(pg_log_parse("1 2 3 0 5 6", true, &l, NULL), -EBADMSG);
	assert_int_equal(pg_log_parse("1 2 3 0 5 6 7 8", true, &l, NULL), -EBADMSG);
}

struct total {
	unsigned int lines;
	uint64_t latency_us;
};

static void add(void *arg, const struct pg_log_entry *entry)
{
	struct total *t = arg;

	t->lines++;
	t->latency_us += entry->latency_us;
}

/* The same lines whatever the size of the pieces. */
static void streams_in_pieces(void **state)
{
	static const char text[] = "0 1 100 0 1795362053 1\n"
				   "1 1 20 0 1795362053 22\n"
				   "0 2 3 0 1795362053 999999\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct pg_log_stream s = {.lag = false};
		struct total t = {0};

		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;

			assert_int_equal(pg_log_feed(&s, text + at, left < piece ? left : piece,
						     add, &t, NULL),
					 0);
		}
		assert_int_equal(pg_log_end(&s, NULL), 0);
		assert_int_equal(t.lines, 3);
		assert_int_equal(t.latency_us, 123);
	}
}

static void stream_is_bounded(void **state)
{
	struct pg_log_stream s = {.lag = false};
	struct total t = {0};
	char junk[64];
	int err = 0;

	(void)state;
	memset(junk, '7', sizeof(junk));
	for (int i = 0; i < 100 && !err; i++)
		err = pg_log_feed(&s, junk, sizeof(junk), add, &t, NULL);
	assert_int_equal(err, -EBADMSG);
	assert_int_equal(t.lines, 0);
	s.used = 0;
	assert_int_equal(pg_log_feed(&s, "0 1 100 0 1", 11, add, &t, NULL), 0);
	assert_int_equal(pg_log_end(&s, NULL), -EBADMSG);
}

/* Lines of postgresql.conf go to the server as they are, but for what the workload relies on. */
static void takes_settings(void **state)
{
	struct pg_server s = {0};
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(pg_config_lines(&s, "work_mem=64MB\nio_method=sync\n", &e), 0);
	assert_int_equal(s.nsettings, 2);
	assert_string_equal(s.setting[0], "work_mem=64MB");
	assert_string_equal(s.setting[1], "io_method=sync");
	assert_int_equal(pg_config_lines(&s, "Shared_Buffers=1GB\n", &e), -EINVAL);
	assert_string_equal(e.text, "conf.shared_buffers is set by postgres.shared_buffers");
	assert_int_equal(pg_config_lines(&s, "jit=on\nport=1\n", &e), -EINVAL);
	assert_string_equal(e.text, "conf.port is set by the workload, which needs it so");
	pg_server_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_version_13),	cmocka_unit_test(reads_version_14),
		cmocka_unit_test(reads_version_15),	cmocka_unit_test(reads_churn),
		cmocka_unit_test(reads_rate_and_limit), cmocka_unit_test(reads_several_scripts),
		cmocka_unit_test(reads_version_18),	cmocka_unit_test(misses_every_line),
		cmocka_unit_test(notices_truncation),	cmocka_unit_test(refuses_garbage),
		cmocka_unit_test(reads_log_lines),	cmocka_unit_test(compares_with_the_log),
		cmocka_unit_test(refuses_log_lines),	cmocka_unit_test(takes_settings),
		cmocka_unit_test(streams_in_pieces),	cmocka_unit_test(stream_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
