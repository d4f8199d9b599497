/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of the PostgreSQL server: found, sized, started, watched, stopped. Unix socket only. */
#ifndef HB_WORKLOADS_PG_SERVER_H
#define HB_WORKLOADS_PG_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"

#define PG_PATH	    200
#define PG_SETTINGS 48
#define PG_CONNINFO (PG_PATH + 200)

struct pg_server {
	char programs[PG_PATH];	 /* directory of postgres and pgbench */
	char data[PG_PATH];	 /* data directory */
	char directory[PG_PATH]; /* ours: socket and log; empty: none yet */
	uid_t uid;		 /* owner of the data directory; the server runs as it */
	gid_t gid;
	pid_t postmaster; /* 0: not running */
	unsigned int nsettings;
	char *setting[PG_SETTINGS]; /* "name=value" for -c, owned */
};

/*
 * Find the programs (@programs: their directory, "": major version @version, 0: the newest, below
 * /usr/lib/postgresql), check the data directory and its owner, create the working directory. The
 * structure must be zero before; it is released with pg_server_free(), also after an error.
 */
int pg_server_init(struct pg_server *s, const char *programs, uint64_t version, const char *data,
		   struct hb_error *e);
/* Add a setting for the command line: printf of "name=value". */
int pg_server_set(struct pg_server *s, struct hb_error *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Huge pages of the default size that the shared memory segment needs with the settings so far, as
 * the server itself computes it (`postgres -C shared_memory_size_in_huge_pages`, version 15 on);
 * before version 15 the server is started and stopped for it.
 */
int pg_server_huge_pages(struct pg_server *s, uint64_t *pages, struct hb_error *e);
/*
 * Start and wait until it accepts connections. Fails with the last lines of its log when it ends
 * before, or is not ready within @deadline_ns.
 */
int pg_server_start(struct pg_server *s, uint64_t deadline_ns, struct hb_error *e);
/* Is it alive, and its log without a crash? -ECHILD with the line, else 0. */
int pg_server_check(struct pg_server *s, struct hb_error *e);
/*
 * Something failed with @err and the reason in @e: put the server's own reason before it when the
 * server crashed, which it may log a moment later. Returns @err.
 */
int pg_server_explain(struct pg_server *s, int err, struct hb_error *e);
/* Fast shutdown; immediate, then killed, when that takes too long. The reason when it was not
 * clean. */
int pg_server_stop(struct pg_server *s, struct hb_error *e);
/* The end of the log, at most @max bytes from the start of a line; owned by the caller, NULL: none.
 */
char *pg_server_log(const struct pg_server *s, size_t max);
/* Processes of the server: the postmaster first, then its children; at most @max; the number or
 * -errno. */
int pg_server_pids(const struct pg_server *s, pid_t *pids, unsigned int max);
/*
 * Page faults, minor and major, of the server since its start, ended backends included
 * (/proc/PID/stat, proc(5)). What ends while this reads may be missed or counted twice.
 */
int pg_server_faults(const struct pg_server *s, uint64_t *faults);
/* "host=... dbname=... " for libpq: writes into @buf. */
const char *pg_server_conninfo(const struct pg_server *s, char *buf, size_t len);
void pg_server_free(struct pg_server *s);

/* A line of the log that tells of a crash (or of shared memory that could not be had)? */
int pg_server_line_is_bad(const char *line);

#endif
