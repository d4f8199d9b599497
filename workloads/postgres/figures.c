// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures of the workload: their rows, and how they come from what the task found. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "workloads/postgres/postgres.h"

#define METRIC(row, n, k, u, b, p, h)                                                              \
	[row] = {.name = n,                                                                        \
		 .kind = METRIC_##k,                                                               \
		 .unit = u,                                                                        \
		 .better = METRIC_##b,                                                             \
		 .primary = p,                                                                     \
		 .help = h}

const struct metric_row pg_metrics[] = {
	METRIC(PG_TPS, "tps", GAUGE, "1/s", HIGHER, 1,
	       "transactions per second without connecting, as pgbench prints or, with "
	       "load = churn, defines it"),
	METRIC(PG_TPS_CONNECTING, "tps_with_connecting", GAUGE, "1/s", HIGHER, 0,
	       "transactions per second, connecting included"),
	METRIC(PG_TRANSACTIONS, "transactions", RATE, "1/s", HIGHER, 0,
	       "transactions of pgbench's log, live"),
	METRIC(PG_LATENCY, "latency", HIST, "ns", LOWER, 1,
	       "of a transaction, from pgbench's log; with a rate from its scheduled start"),
	METRIC(PG_LATENCY_MEAN, "latency_mean", GAUGE, "ns", LOWER, 0,
	       "mean latency as pgbench prints it"),
	METRIC(PG_LATENCY_STDDEV, "latency_stddev", GAUGE, "ns", LOWER, 0,
	       "standard deviation as pgbench prints it"),
	METRIC(PG_CONNECTION_TIME, "connection_time", GAUGE, "ns", LOWER, 0,
	       "pgbench's connecting: all clients before the load, or the mean of one with load = "
	       "churn"),
	METRIC(PG_CONNECT_LATENCY, "connect_latency", HIST, "ns", LOWER, 1,
	       "prober: from the scheduled start until connected"),
	METRIC(PG_FIRST_QUERY_LATENCY, "first_query_latency", HIST, "ns", LOWER, 1,
	       "prober: first query of a new backend, over the whole segment"),
	METRIC(PG_DISCONNECT_LATENCY, "disconnect_latency", HIST, "ns", LOWER, 0,
	       "prober: closing the connection"),
	METRIC(PG_SESSION_LATENCY, "session_latency", HIST, "ns", LOWER, 0,
	       "prober: from the scheduled start until disconnected"),
	METRIC(PG_PROBE_LAG, "probe_lag", HIST, "ns", LOWER, 0,
	       "prober: start behind the schedule"),
	METRIC(PG_PROBES, "probes", GAUGE, "sessions", NEITHER, 0, "prober: sessions made"),
	METRIC(PG_SCHEDULE_LAG, "schedule_lag", HIST, "ns", LOWER, 0,
	       "with a rate: start of a transaction behind the schedule"),
	METRIC(PG_FAILED, "failed", COUNT, "transactions", LOWER, 0, "transactions that failed"),
	METRIC(PG_LATE, "late", GAUGE, "transactions", LOWER, 0,
	       "transactions above latency_limit"),
	METRIC(PG_SKIPPED, "skipped", GAUGE, "transactions", LOWER, 0,
	       "transactions not started, so far behind the schedule"),
	METRIC(PG_FAULTS, "faults_per_transaction", GAUGE, "faults", LOWER, 1,
	       "page faults of all server processes per transaction of pgbench"),
	METRIC(PG_FAULT_TIME, "fault_time", HIST, "ns", LOWER, 1,
	       "with fault_time: the server's processes in hugetlb_fault(), sleeping included"),
	METRIC(PG_FAULT_TIME_SHARE, "fault_time_per_transaction", GAUGE, "ns", LOWER, 1,
	       "that time per transaction of pgbench"),
	METRIC(PG_PAGE_TABLES, "page_tables_per_connection", GAUGE, "KiB", LOWER, 1,
	       "page tables of a backend that has touched the whole segment"),
	METRIC(PG_HUGE_PAGES, "huge_pages", GAUGE, "pages", LOWER, 0,
	       "huge pages in use at the end of the load"),
	METRIC(PG_HUGE_PAGES_NEEDED, "huge_pages_needed", GAUGE, "pages", NEITHER, 1,
	       "shared_memory_size_in_huge_pages of the server"),
	METRIC(PG_SHARABLE, "sharable", GAUGE, "GiB", NEITHER, 0,
	       "whole aligned GiB inside the segment"),
	METRIC(PG_SHARED, "shared", GAUGE, "MiB", NEITHER, 0,
	       "mapped in a fresh backend through tables of others"),
	METRIC(PG_STATEMENT + 0, "statement_begin", GAUGE, "ns", LOWER, 0, "mean latency of BEGIN"),
	METRIC(PG_STATEMENT + 1, "statement_update_accounts", GAUGE, "ns", LOWER, 0,
	       "mean latency of UPDATE pgbench_accounts"),
	METRIC(PG_STATEMENT + 2, "statement_select", GAUGE, "ns", LOWER, 0,
	       "mean latency of SELECT by key"),
	METRIC(PG_STATEMENT + 3, "statement_update_tellers", GAUGE, "ns", LOWER, 0,
	       "mean latency of UPDATE pgbench_tellers"),
	METRIC(PG_STATEMENT + 4, "statement_update_branches", GAUGE, "ns", LOWER, 0,
	       "mean latency of UPDATE pgbench_branches"),
	METRIC(PG_STATEMENT + 5, "statement_insert_history", GAUGE, "ns", LOWER, 0,
	       "mean latency of INSERT INTO pgbench_history"),
	METRIC(PG_STATEMENT + 6, "statement_end", GAUGE, "ns", LOWER, 0, "mean latency of END"),
	METRIC(PG_STATEMENT + 7, "statement_scan", GAUGE, "ns", LOWER, 0,
	       "mean latency of the scan"),
	METRIC_END,
};

/* How the statements of PG_STATEMENT + i begin. */
static const char *const statement_starts[PG_STATEMENT_ROWS] = {
	"BEGIN",
	"UPDATE pgbench_accounts",
	"SELECT abalance FROM pgbench_accounts",
	"UPDATE pgbench_tellers",
	"UPDATE pgbench_branches",
	"INSERT INTO pgbench_history",
	"END",
	"SELECT count(*)",
};

_Static_assert(ARRAY_SIZE(pg_metrics) - 1 <= TASK_COUNTERS, "more rows than a task has counters");

static void report_summary(struct instance *in, const struct pg_summary *s)
{
	instance_gauge(in, PG_TPS, s->tps);
	instance_gauge(in, PG_TPS_CONNECTING, s->tps_connecting);
	instance_gauge(in, PG_LATENCY_MEAN, s->latency_ms * 1e6);
	instance_gauge(in, PG_LATENCY_STDDEV, s->stddev_ms * 1e6);
	if (isfinite(s->connection_ms))
		instance_gauge(in, PG_CONNECTION_TIME, s->connection_ms * 1e6);
}

/* The first script that has the statement gives the figure. */
static void report_statements(struct instance *in, const struct pg_summary *s)
{
	bool seen[PG_STATEMENT_ROWS] = {false};

	for (unsigned int i = 0; i < s->nstatements; i++) {
		const struct pg_statement *one = &s->statement[i];

		for (unsigned int k = 0; k < PG_STATEMENT_ROWS; k++) {
			if (seen[k] ||
			    strncmp(one->text, statement_starts[k], strlen(statement_starts[k])))
				continue;
			seen[k] = true;
			instance_gauge(in, PG_STATEMENT + k, one->latency_ms * 1e6);
		}
	}
}

int pg_report(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	struct pg_found *f = st->found;
	int err;

	err = pg_server_check(&st->server, e);
	if (err)
		return err;
	if (!f->complete)
		return hb_error_set(e, -ENODATA, "the measured phase had no whole run of pgbench");
	pg_note_lines(in, "pgbench", f->output, "\n");
	report_summary(in, &f->summary);
	report_statements(in, &f->summary);
	instance_gauge(in, PG_FAULTS, (double)f->faults / f->summary.processed);
	if (o->fault_time)
		instance_gauge(in, PG_FAULT_TIME_SHARE, f->fault_ns / f->summary.processed);
	if (isfinite(st->page_tables_kib))
		instance_gauge(in, PG_PAGE_TABLES, st->page_tables_kib);
	if (f->huge_pages != UINT64_MAX)
		instance_gauge(in, PG_HUGE_PAGES, f->huge_pages);
	if (o->huge_pages)
		instance_gauge(in, PG_HUGE_PAGES_NEEDED, st->huge_pages_needed);
	if (isfinite(st->sharable_gib)) {
		instance_gauge(in, PG_SHARABLE, st->sharable_gib);
		instance_gauge(in, PG_SHARED, st->shared_mib);
	}
	if (o->latency_limit)
		instance_gauge(in, PG_LATE, f->summary.late);
	if (o->latency_limit && o->rate > 0)
		instance_gauge(in, PG_SKIPPED, f->summary.skipped);
	if (o->probe_rate > 0)
		instance_gauge(in, PG_PROBES, f->probes);
	if (f->probes_missed)
		instance_note(in, "probe",
			      "%" PRIu64 " sessions that were due could not be started any more",
			      f->probes_missed);
	return 0;
}
