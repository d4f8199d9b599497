/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of our own through libpq: what a new connection waits for. */
#ifndef HB_WORKLOADS_PG_PROBE_H
#define HB_WORKLOADS_PG_PROBE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"

/* A connection of libpq; probe.c alone knows the library. */
struct pg_session;

int pg_session_open(const char *conninfo, struct pg_session **s, struct hb_error *e);
/* Run @query; the first column of its first row as text into @value (may be NULL). */
int pg_session_query(struct pg_session *s, const char *query, char *value, size_t len,
		     struct hb_error *e);
/* All rows, one a line, columns separated by a blank; owned by the caller. */
int pg_session_table(struct pg_session *s, const char *query, char **table, struct hb_error *e);
/* Begin a query of which nothing but success is wanted, and wait for it. */
int pg_session_send(struct pg_session *s, const char *query, struct hb_error *e);
int pg_session_wait(struct pg_session *s, struct hb_error *e);
/* Process id of the backend. */
pid_t pg_session_backend(const struct pg_session *s);
void pg_session_close(struct pg_session *s);

/*
 * A query that reads @buffers blocks of pgbench_accounts at equal distances, by their address: the
 * buffers were filled in the order of the blocks, so these lie all over the segment. Owned by the
 * caller, NULL without memory. @blocks: of the table, at least 1.
 */
char *pg_touch_query(uint64_t blocks, uint64_t buffers);

/* A schedule of equal distances. */
struct pg_pace {
	uint64_t start_ns; /* CLOCK_MONOTONIC, of arrival 0 */
	double rate;	   /* arrivals per second */
};

/* When arrival @i is due; without accumulated rounding. */
uint64_t pg_pace_due(const struct pg_pace *p, uint64_t i);

/* CLOCK_MONOTONIC of the steps of one probe. */
struct pg_probe_times {
	uint64_t due, started, connected, queried, gone;
};

/* Connect, run @query, disconnect. @t->due is the caller's; the other times are set. */
int pg_probe_once(const char *conninfo, const char *query, struct pg_probe_times *t,
		  struct hb_error *e);

#endif
