/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the workload `postgres` share among themselves. */
#ifndef HB_WORKLOADS_PG_WORKLOAD_H
#define HB_WORKLOADS_PG_WORKLOAD_H

#include <stdint.h>

#include "workloads/agent/functime.h"
#include "workloads/postgres/pgbench.h"
#include "workloads/postgres/probe.h"
#include "workloads/postgres/segment.h"
#include "workloads/postgres/server.h"
#include "workloads/postgres/summary.h"
#include "workloads/workload.h"

enum pg_load {
	PG_LOAD_CHURN,	/* a new connection for every transaction */
	PG_LOAD_STEADY, /* connections stay */
	PG_LOAD_SCAN,	/* parallel scans of the whole table */
	PG_LOAD_MIXED,	/* 90 % select-only, 9 % tpcb-like, 1 % scans */
};

enum pg_claim {
	PG_CLAIM_SHARING, /* PMD page tables of the segment are shared */
	PG_CLAIM_HUGETLB, /* the segment is on huge pages, nothing about sharing */
	PG_CLAIM_NONE,
};

struct pg_options {
	char programs[HB_OPTION_STRING];
	char data[HB_OPTION_STRING];
	uint64_t shared_buffers; /* bytes, 0: from the machine's memory */
	int huge_pages;
	int claim;		     /* enum pg_claim */
	int load;		     /* enum pg_load */
	char script[HB_OPTION_FILE]; /* a built-in one, or a name, a line end and the text */
	uint64_t version;	     /* major; 0: the newest */
	uint64_t clients, jobs, scale;
	double rate;
	uint64_t latency_limit; /* ns */
	int prewarm;
	double probe_rate;
	uint64_t probe_buffers;
	int fault_time;
	uint64_t start_deadline; /* ns */
	char conf[HB_OPTION_SETTINGS];
};

/* Rows of the metrics; the order of pg_metrics[]. */
enum pg_row {
	PG_TPS,
	PG_TPS_CONNECTING,
	PG_TRANSACTIONS,
	PG_LATENCY,
	PG_LATENCY_MEAN,
	PG_LATENCY_STDDEV,
	PG_CONNECTION_TIME,
	PG_CONNECT_LATENCY,
	PG_FIRST_QUERY_LATENCY,
	PG_DISCONNECT_LATENCY,
	PG_SESSION_LATENCY,
	PG_PROBE_LAG,
	PG_PROBES,
	PG_SCHEDULE_LAG,
	PG_FAILED,
	PG_LATE,
	PG_SKIPPED,
	PG_FAULTS,
	PG_FAULT_TIME,
	PG_FAULT_TIME_SHARE,
	PG_PAGE_TABLES,
	PG_HUGE_PAGES,
	PG_HUGE_PAGES_NEEDED,
	PG_SHARABLE,
	PG_SHARED,
	PG_STATEMENT, /* the first of PG_STATEMENT_ROWS */
};

#define PG_STATEMENT_ROWS 8

/* What the task finds out for report(); memory that agent and task share. */
struct pg_found {
	int complete; /* the measured load ended and all below is valid */
	struct pg_summary summary;
	char output[PGBENCH_OUTPUT]; /* what it was read from */
	uint64_t faults;	     /* of the server during the measured load */
	double fault_ns;	     /* of them in hugetlb_fault(), with fault_time */
	uint64_t huge_pages;	     /* in use at the end of the measured load */
	uint64_t probes;
	uint64_t probes_missed; /* due in the measured phase, never started */
};

struct pg_state {
	struct pg_server server;
	struct pg_found *found;
	struct pg_session
		*warm; /* lives as long as the server: its page tables are there to be shared */
	char conninfo[PG_CONNINFO];
	char *touch;	   /* query over the whole segment */
	char *sparse;	   /* the same with a few buffers of every GiB */
	char *scan_file;   /* script of PG_LOAD_SCAN */
	char *script_file; /* the user's own, NULL: none */
	uint64_t huge_pages_needed;
	bool fault_probe;	/* pg_fault_probe is in place */
	double page_tables_kib; /* per connection; NAN: not measured */
	double sharable_gib, shared_mib;
};

/* config.c */
extern const struct option_row pg_option_rows[];
/* Of the whole segment of buffers, the default resolved. */
uint64_t pg_buffers_bytes(const struct pg_options *o);
/* Lines of postgresql.conf, "NAME=value", to the server; -EINVAL: one that is the workload's. */
int pg_config_lines(struct pg_server *s, const char *lines, struct hb_error *e);
/* Refuses combinations that have no meaning. */
int pg_config_check(const struct instance *in, struct hb_error *e);
/* A server that is ready to be sized and started; to be freed also after an error. */
int pg_config_server(struct pg_server *s, const struct pg_options *o, struct hb_error *e);
/* Notes the lines of @text, which is cut up, as many in a note as it holds, @between them. */
void pg_note_lines(struct instance *in, const char *key, char *text, const char *between);
/* Notes the version, and every setting that is not as the server has it by default. */
int pg_config_note(struct instance *in, struct hb_error *e);

/* fill.c: the backend that stays, the buffers it fills, the queries that reach over them. */
int pg_fill(struct instance *in, struct hb_error *e);

/* hugetlb_fault() of every process of the server. */
extern const struct functime pg_fault_probe;

/* prove.c */
/* What page tables a backend has that touched the whole segment: the mean over some. */
int pg_page_tables(struct instance *in, struct hb_error *e);
/* The segment of the backend that stays; the server's words where it has ended that. */
int pg_warm_segment(struct pg_session *warm, struct pg_segment *seg, struct hb_error *e);
/* The server's huge_pages_status into @status: "on", "off", or "" before version 17, which does not
 * say it. */
int pg_huge_pages_told(struct pg_session *s, char *status, size_t len, struct hb_error *e);
/*
 * @wanted: what huge_pages was set to. -ENXIO when the server's @status or the kernel (@hugetlb, of
 * the segment) says otherwise, with the words of the first that does.
 */
int pg_huge_pages_agree(bool wanted, const char *status, bool hugetlb, struct hb_error *e);
/* workload_ops.prove */
int pg_prove(struct instance *in, struct hb_error *e);

/* load.c */
/* Write the scripts that a load needs into the server's directory. */
int pg_load_prepare(struct instance *in, struct hb_error *e);
/* workload_ops.run */
int pg_load_run(struct task *t, struct hb_error *e);

/* figures.c */
extern const struct metric_row pg_metrics[];
/* workload_ops.report */
int pg_report(struct instance *in, struct hb_error *e);

#endif
