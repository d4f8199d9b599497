/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of pgbench: started, its log and output read while it runs, ended, summary parsed. */
#ifndef HB_WORKLOADS_PG_PGBENCH_H
#define HB_WORKLOADS_PG_PGBENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"
#include "workloads/postgres/log.h"
#include "workloads/postgres/summary.h"

#define PGBENCH_THREADS 64
/* Bytes of its summary; more is an error. */
#define PGBENCH_OUTPUT (16 << 10)

struct pgbench_config {
	const char *program;	 /* path of pgbench */
	const char *directory;	 /* of the server's socket, for the log as well; owned by uid */
	const char *environment; /* a further variable, "PGOPTIONS=...", or NULL */
	uid_t uid;
	gid_t gid;
	uint64_t scale;		       /* rows that the built-in scripts touch: 100000 each */
	unsigned int clients, threads; /* threads: 1 .. clients, at most PGBENCH_THREADS */
	bool connect;		       /* a connection per transaction */
	bool prepared;		       /* -M prepared, else simple */
	double rate;		       /* transactions per second, 0: as fast as they go */
	uint64_t latency_limit_ns;     /* 0: none */
	uint64_t seed;
	/* NULL at the end, at most PG_SCRIPTS pairs: "-b", "select-only@1", "-f", PATH */
	const char *const *scripts;
};

struct pgbench;

/* Start it; it runs until pgbench_stop(). On success *@p is released with pgbench_free(). */
int pgbench_start(const struct pgbench_config *c, struct pgbench **p, struct hb_error *e);
/*
 * Wait up to @timeout_ms for output and take it in; @fn gets every logged transaction. 1: still
 * running, 0: it has ended and everything was read; -errno with the reason.
 */
int pgbench_pump(struct pgbench *p, int timeout_ms, pg_log_fn fn, void *arg, struct hb_error *e);
/* Ask it to end: transactions under way are finished, the summary is printed. */
void pgbench_stop(struct pgbench *p);
pid_t pgbench_pid(const struct pgbench *p);
/* After pgbench_pump() returned 0: exit status and summary. -ECHILD with its last messages when it
 * failed. */
int pgbench_finish(struct pgbench *p, struct pg_summary *s, struct hb_error *e);
/* What it printed so far, borrowed. */
const char *pgbench_output(const struct pgbench *p);
/* Kills it if it still runs, reaps it. */
void pgbench_free(struct pgbench *p);

#endif
