/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pgbench's per-transaction log (-l), read while it is written, in constant memory.
 *
 * Its times are pgbench's own, with a flaw of theirs from version 14 on: advanceConnectionState()
 * reads the clock once a pass, so that a transaction whose answer is there before the pass ends is
 * logged with the few microseconds to the sending of its request. With more vCPUs than CPUs that
 * was seen for up to 13 % of the transactions. Mean and lower percentiles are too short by that.
 */
#ifndef HB_WORKLOADS_PG_LOG_H
#define HB_WORKLOADS_PG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/base/util.h"

enum pg_log_state {
	PG_LOG_OK,
	PG_LOG_SKIPPED, /* never started: behind the latency limit of -L */
	PG_LOG_FAILED,	/* serialization failure, deadlock or "failed"; version 15 on */
};

struct pg_log_entry {
	uint64_t client, number; /* number: of the client's transactions */
	enum pg_log_state state;
	uint64_t latency_us; /* PG_LOG_OK only; with -R from the scheduled start */
	uint64_t script;
	uint64_t lag_us; /* -R only: start behind the schedule */
};

/*
 * One line without its newline: "client number time script seconds microseconds [lag]"; @lag: the
 * column must be there (-R), else it must not. -EBADMSG with the line in the message.
 */
int pg_log_parse(const char *line, bool lag, struct pg_log_entry *entry, struct hb_error *e);

#define PG_LOG_LINE 256

/* One thread's log. Zero-initialise but for .lag. */
struct pg_log_stream {
	char line[PG_LOG_LINE];
	size_t used;
	bool lag;
};

typedef void (*pg_log_fn)(void *arg, const struct pg_log_entry *entry);

/* Take in a piece of the log, cut anywhere; @fn is called for every whole line. */
int pg_log_feed(struct pg_log_stream *s, const char *data, size_t len, pg_log_fn fn, void *arg,
		struct hb_error *e);
/* The log has ended: -EBADMSG when it ended in the middle of a line. */
int pg_log_end(const struct pg_log_stream *s, struct hb_error *e);

#endif
