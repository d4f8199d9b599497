/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary that pgbench prints on stdout at the end, of PostgreSQL 13 to 17, read strictly: a
 * line that is not known, a figure that is missing or not finite is an error, never a zero.
 */
#ifndef HB_WORKLOADS_PG_SUMMARY_H
#define HB_WORKLOADS_PG_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/base/util.h"

#define PG_STATEMENTS 64
#define PG_SCRIPTS    4
#define PG_TEXT	      96

/* A row of -r; meta commands (\set) have rows as well. */
struct pg_statement {
	unsigned int script; /* 0 .. nscripts - 1 */
	double latency_ms;   /* mean */
	uint64_t failures;   /* 0 before version 15, which does not print them */
	char text[PG_TEXT];  /* first line of the command, cut to fit */
};

struct pg_script {
	char name[PG_TEXT];
	uint64_t transactions;
	double latency_ms; /* mean; NAN when it ran no transaction */
};

struct pg_summary {
	uint64_t clients, threads;
	uint64_t processed;
	uint64_t failed;  /* 0 before version 15: a failure ended the client there */
	uint64_t skipped; /* with rate and latency limit */
	uint64_t late;	  /* with a latency limit */
	double latency_ms, stddev_ms;
	double lag_ms; /* with a rate */
	/*
	 * Connecting: of all clients before the load (version 14 on), or the mean per connection
	 * when every transaction has its own; NAN in version 13, which does not print it.
	 */
	double connection_ms;
	double tps;	       /* connecting excluded */
	double tps_connecting; /* connecting included */
	unsigned int nscripts; /* 1 when only one ran: its script[0] is empty then */
	struct pg_script script[PG_SCRIPTS];
	unsigned int nstatements;
	struct pg_statement statement[PG_STATEMENTS];
};

/* What the command line asked for, hence what must be there. */
struct pg_expect {
	uint64_t clients, threads;
	bool connect;	    /* -C */
	bool rate;	    /* -R */
	bool latency_limit; /* -L */
	bool stddev;	    /* -P, -R or -L: the standard deviation is printed */
	bool statements;    /* -r */
	unsigned int nscripts;
};

/*
 * Read the whole of @text. -EBADMSG: a line is not understood, contradicts @x, or a figure is
 * missing; -ENODATA: pgbench finished no transaction.
 *
 * Of the two tps one is printed from version 14 on, the other follows from what pgbench prints
 * beside it, as version 13 computed it: without -C: including = n / (n / excluding + initial
 * connection time); with -C: excluding = n / (n / including - n * average connection time /
 * clients).
 */
int pg_summary_parse(const char *text, const struct pg_expect *x, struct pg_summary *s,
		     struct hb_error *e);
/*
 * Does the log, @count successful transactions of @mean_ms on average, tell the same? -EBADMSG: not
 * to the transaction, or not to the rounding of what pgbench prints.
 */
int pg_summary_agrees(const struct pg_summary *s, uint64_t count, double mean_ms,
		      struct hb_error *e);

#endif
