// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A PostgreSQL server on huge pages under pgbench and a prober of ours.
 *
 * Its shared memory is anonymous, MAP_SHARED | MAP_HUGETLB, mapped by the postmaster and inherited
 * by every backend, so PMD page tables of it can be shared: of whole aligned GiB only, and
 * mmap(NULL) hardly ever returns such an address, so that a segment of 2 GiB has one such GiB, one
 * of 4 GiB three. A table is shared when another process has it populated: a backend that stays
 * reads the whole database into the buffers first (pg_prewarm), which are handed out from the start
 * of the segment: the database must fill it.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/pg_workload.h"

#define GIB   ((uint64_t)1 << 30)
#define BLOCK 8192ULL
/* Of the buffers; the rest is for catalogs, indexes and what the load adds. */
#define PREWARM_SHARE 0.96
/* Connections that are opened to see what page tables one costs. */
#define SAMPLE_SESSIONS 8
#define PROOF_TRIES	5
/* Enough to touch every GiB of a segment some times. */
#define SPARSE_BUFFERS 32

static const char *const load_choices[] = {"churn", "steady", "scan", "mixed", NULL};
static const char *const script_choices[] = {"select-only", "tpcb-like", NULL};
static const char *const claim_choices[] = {"sharing", "hugetlb", "none", NULL};

#define OPTION(field, ...)                                                                         \
	{                                                                                          \
		.offset = offsetof(struct pg_options, field), __VA_ARGS__                          \
	}

static const struct option_row pg_options[] = {
	OPTION(shared_buffers, .name = "shared_buffers", .type = OPTION_SIZE, .dflt = "0",
	       .min = "0", .max = "1T",
	       .help = "bytes; 0: half of the memory in whole GiB, at most 64 GiB, at least 512 "
		       "MiB"),
	OPTION(huge_pages, .name = "huge_pages", .type = OPTION_BOOL, .dflt = "on",
	       .help = "the server's huge_pages: on or off"),
	OPTION(claim, .name = "claim", .type = OPTION_ENUM, .dflt = "sharing",
	       .choices = claim_choices,
	       .help = "what must be proved: sharing (PMD tables), hugetlb, none"),
	OPTION(load, .name = "load", .type = OPTION_ENUM, .dflt = "steady", .choices = load_choices,
	       .help = "churn (a connection per transaction), steady, scan (whole table), mixed"),
	OPTION(script, .name = "script", .type = OPTION_ENUM, .dflt = "select-only",
	       .choices = script_choices, .help = "pgbench's script for churn and steady"),
	OPTION(clients, .name = "clients", .type = OPTION_U64, .dflt = "4", .min = "1",
	       .max = "1000", .help = "pgbench's clients"),
	OPTION(jobs, .name = "jobs", .type = OPTION_U64, .dflt = "1", .min = "1", .max = "64",
	       .help = "pgbench's threads, at most the clients"),
	OPTION(scale, .name = "scale", .type = OPTION_U64, .dflt = "16", .min = "1", .max = "10000",
	       .help = "how much of the prepared database is used, pgbench's unit: 131 MiB at fill "
		       "factor 10"),
	OPTION(rate, .name = "rate", .type = OPTION_DOUBLE, .dflt = "0", .min = "0",
	       .max = "1000000",
	       .help = "transactions per second that arrive; 0: the next after the last"),
	OPTION(latency_limit, .name = "latency_limit", .type = OPTION_DURATION, .dflt = "0",
	       .min = "0", .max = "1h", .help = "later transactions count as late; 0: no limit"),
	OPTION(prewarm, .name = "prewarm", .type = OPTION_BOOL, .dflt = "on",
	       .help = "a backend that stays reads the database into the buffers first"),
	OPTION(probe_rate, .name = "probe_rate", .type = OPTION_DOUBLE, .dflt = "0", .min = "0",
	       .max = "10000", .help = "sessions of the prober per second; 0: none"),
	OPTION(probe_buffers, .name = "probe_buffers", .type = OPTION_U64, .dflt = "512",
	       .min = "1", .max = "100000",
	       .help = "buffers that the first query of a session touches, over the whole segment"),
	OPTION(start_deadline, .name = "start_deadline", .type = OPTION_DURATION, .dflt = "2m",
	       .min = "1s", .max = "1h", .help = "for the server to accept connections"),
	OPTION(data, .name = "data", .type = OPTION_STRING, .dflt = "/var/lib/hugebench/pgdata",
	       .help = "data directory; the server runs as its owner"),
	OPTION(programs, .name = "programs", .type = OPTION_STRING, .dflt = "",
	       .help = "directory of postgres and pgbench; empty: the newest below "
		       "/usr/lib/postgresql"),
	OPTION_END,
};

#define METRIC(row, n, k, u, b, p, h)                                                              \
	[row] = {.name = n,                                                                        \
		 .kind = METRIC_##k,                                                               \
		 .unit = u,                                                                        \
		 .better = METRIC_##b,                                                             \
		 .primary = p,                                                                     \
		 .help = h}

static const struct metric_row pg_metrics[] = {
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
	METRIC(PG_FAULTS, "faults_per_transaction", GAUGE, "faults", LOWER, 0,
	       "page faults of all server processes per transaction of pgbench"),
	METRIC(PG_PAGE_TABLES, "page_tables_per_connection", GAUGE, "KiB", LOWER, 1,
	       "page tables of a backend that has touched the whole segment"),
	METRIC(PG_HUGE_PAGES, "huge_pages", GAUGE, "pages", LOWER, 0,
	       "huge pages in use at the end of the load"),
	METRIC(PG_HUGE_PAGES_NEEDED, "huge_pages_needed", GAUGE, "pages", NEITHER, 0,
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

static uint64_t buffers_bytes(const struct pg_options *o)
{
	uint64_t kib, bytes;

	if (o->shared_buffers)
		return o->shared_buffers;
	if (pg_proc_value("/proc/meminfo", "MemTotal", &kib))
		return GIB / 2;
	/* The kernel keeps some for itself: 8 GiB of a machine are 7.7 in MemTotal. */
	bytes = ((kib << 10) + GIB / 2) / 2 / GIB * GIB;
	if (bytes > 64 * GIB)
		bytes = 64 * GIB;
	return bytes ? bytes : GIB / 2;
}

/*
 * Settings fit for a benchmark of memory: no durability (the guest's disk is thrown away), no work
 * in the background that comes at its own times.
 */
static int configure(struct pg_server *s, const struct pg_options *o, struct hb_error *e)
{
	static const char *const fixed[] = {
		"listen_addresses=",
		"fsync=off",
		"full_page_writes=off",
		"synchronous_commit=off",
		"wal_level=minimal",
		"max_wal_senders=0",
		"checkpoint_timeout=1h",
		"max_wal_size=4GB",
		"bgwriter_lru_maxpages=0",
		"autovacuum=off",
		"jit=off",
		"log_destination=stderr",
		"logging_collector=off",
		"restart_after_crash=off",
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed) && !err; i++)
		err = pg_server_set(s, e, "%s", fixed[i]);
	if (!err)
		err = pg_server_set(s, e, "unix_socket_directories=%s", s->directory);
	if (!err)
		err = pg_server_set(s, e, "shared_buffers=%" PRIu64 "kB", buffers_bytes(o) >> 10);
	if (!err)
		err = pg_server_set(s, e, "huge_pages=%s", o->huge_pages ? "on" : "off");
	/* With churn a backend may still be leaving while its successor arrives. */
	if (!err)
		err = pg_server_set(s, e, "max_connections=%" PRIu64, 2 * o->clients + 30);
	return err;
}

static int server_prepare(struct pg_server *s, const struct pg_options *o, struct hb_error *e)
{
	int err = pg_server_init(s, o->programs, o->data, e);

	return err ? err : configure(s, o, e);
}

/* Asked before setup(): the server itself says it. An error shows again, with its reason, in
 * setup(). */
static uint64_t pg_huge_pages(const void *options, unsigned int tasks)
{
	const struct pg_options *o = options;
	struct pg_server s = {0};
	uint64_t pages = 0;

	(void)tasks;
	if (o->huge_pages &&
	    (server_prepare(&s, o, NULL) || pg_server_huge_pages(&s, &pages, NULL)))
		pages = 0;
	pg_server_free(&s);
	return pages;
}

/* The server wants /dev/shm for parallel queries, the log of pgbench goes through /dev/pts. */
static int guest_mounts(struct hb_error *e)
{
	if (access("/dev/pts/ptmx", F_OK)) {
		mkdir("/dev/pts", 0755);
		if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666") &&
		    errno != EBUSY)
			return hb_error_set(e, -errno, "cannot mount /dev/pts: %m");
	}
	if (access("/dev/shm", W_OK)) {
		mkdir("/dev/shm", 01777);
		if (mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") &&
		    errno != EBUSY)
			return hb_error_set(e, -errno, "cannot mount /dev/shm: %m");
	}
	return 0;
}

static int check_options(const struct instance *in, const struct pg_options *o, struct hb_error *e)
{
	if (in->cell->exact)
		return hb_error_set(e, -EOPNOTSUPP,
				    "PostgreSQL is not for mode exact: disk and several processes "
				    "end the sameness");
	if (in->ntasks != 1)
		return hb_error_set(e, -EINVAL,
				    "tasks = %u: must be 1, postgres.clients sets the load",
				    in->ntasks);
	if (o->jobs > o->clients)
		return hb_error_set(e, -EINVAL, "jobs = %lu: more than clients = %lu", o->jobs,
				    o->clients);
	if (!o->huge_pages && o->claim != PG_CLAIM_NONE)
		return hb_error_set(e, -EINVAL, "claim = %s contradicts huge_pages = off",
				    claim_choices[o->claim]);
	if (!o->prewarm && o->claim == PG_CLAIM_SHARING)
		return hb_error_set(
			e, -EINVAL,
			"prewarm = off: nothing would fill the segment, so that claim = "
			"sharing cannot hold");
	if (o->script == PG_TPCB_LIKE && (o->load == PG_LOAD_SCAN || o->load == PG_LOAD_MIXED))
		return hb_error_set(e, -EINVAL, "script = tpcb-like has no meaning with load = %s",
				    load_choices[o->load]);
	return 0;
}

static int64_t blocks_of(struct pg_session *s, const char *relation, struct hb_error *e)
{
	HB_FREE char *query = hb_strf(
		"SELECT pg_relation_size('%s') / current_setting('block_size')::int", relation);
	char value[32];
	int err;

	if (!query)
		return hb_error_set(e, -ENOMEM, "no memory");
	err = pg_session_query(s, query, value, sizeof(value), e);
	return err ? err : strtoll(value, NULL, 10);
}

/* The prepared database may be larger than this cell wants: then its first part is used. */
static int check_scale(struct pg_session *s, const struct pg_options *o, uint64_t *scale,
		       struct hb_error *e)
{
	char value[32];
	int err = pg_session_query(s, "SELECT count(*) FROM pgbench_branches", value, sizeof(value),
				   e);

	if (err)
		return err;
	*scale = strtoull(value, NULL, 10);
	if (*scale < o->scale)
		return hb_error_set(e, -EINVAL, "scale = %" PRIu64 ": the database has %" PRIu64,
				    o->scale, *scale);
	return 0;
}

/* Blocks of accounts that are used and fit the buffers beside the index. */
static int64_t blocks_wanted(const struct pg_options *o, uint64_t scale, int64_t accounts,
			     int64_t index)
{
	int64_t used = accounts * o->scale / scale;
	int64_t room = (int64_t)((double)buffers_bytes(o) / BLOCK * PREWARM_SHARE) - index;

	return used < room ? used : room;
}

static int prewarm_send(struct pg_session *s, int64_t first, int64_t last, struct hb_error *e)
{
	HB_FREE char *query = hb_strf(
		"SELECT pg_prewarm('pgbench_accounts', 'buffer', 'main', %" PRId64 ", %" PRId64 ")",
		first, last);

	return query ? pg_session_send(s, query, e) : hb_error_set(e, -ENOMEM, "no memory");
}

/* Both halves at once; the second backend leaves, what it mapped of shared tables stays. */
static int prewarm_halves(struct pg_state *st, int64_t blocks, struct hb_error *e)
{
	struct pg_session *other;
	int err = pg_session_open(st->conninfo, &other, e);

	if (err)
		return err;
	err = prewarm_send(other, blocks / 2, blocks - 1, e);
	if (!err && blocks > 1)
		err = prewarm_send(st->warm, 0, blocks / 2 - 1, e);
	if (!err)
		err = pg_session_wait(other, e);
	if (!err)
		err = pg_session_wait(st->warm, e);
	pg_session_close(other);
	return err;
}

static int prewarm(struct instance *in, int64_t blocks, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	uint64_t begin = hb_now_ns();
	int err;

	/* Reading ahead by more than 128 KiB saves an emulated disk many interrupts. */
	if (!in->cell->native)
		hb_file_write("/sys/block/vda/queue/read_ahead_kb", "2048");
	err = pg_session_query(st->warm, "CREATE EXTENSION IF NOT EXISTS pg_prewarm", NULL, 0, e);
	if (!err)
		err = pg_session_query(st->warm, "SELECT pg_prewarm('pgbench_accounts_pkey')", NULL,
				       0, e);
	if (!err)
		err = prewarm_halves(st, blocks, e);
	if (!err)
		err = pg_session_query(st->warm, st->touch, NULL, 0, e);
	if (!err)
		instance_note(in, "prewarm", "%" PRId64 " MiB of pgbench_accounts in %.1f s",
			      (int64_t)(blocks * BLOCK >> 20), (hb_now_ns() - begin) / 1e9);
	return err;
}

/* The backend that stays, the buffers it fills, and the query that reaches over them. */
static int warm_up(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	int64_t accounts, index, blocks;
	uint64_t scale;
	int err;

	err = pg_session_open(st->conninfo, &st->warm, e);
	if (!err)
		err = check_scale(st->warm, o, &scale, e);
	if (err)
		return err;
	accounts = blocks_of(st->warm, "pgbench_accounts", e);
	index = accounts < 0 ? accounts : blocks_of(st->warm, "pgbench_accounts_pkey", e);
	if (index < 0)
		return index;
	blocks = blocks_wanted(o, scale, accounts, index);
	if (blocks < 1)
		return hb_error_set(e, -EINVAL,
				    "pgbench_accounts is empty, or the buffers are too small");
	instance_note(in, "database",
		      "pgbench_accounts %" PRId64 " MiB, of which scale %" PRIu64 " of %" PRIu64
		      " is used, its index %" PRId64 " MiB, shared_buffers %" PRIu64 " MiB",
		      (int64_t)(accounts * BLOCK >> 20), o->scale, scale,
		      (int64_t)(index * BLOCK >> 20), buffers_bytes(o) >> 20);
	st->touch = pg_touch_query(blocks, o->probe_buffers);
	st->sparse = pg_touch_query(blocks, SPARSE_BUFFERS);
	if (!st->touch || !st->sparse)
		return hb_error_set(e, -ENOMEM, "no memory");
	return o->prewarm ? prewarm(in, blocks, e) : 0;
}

/* Version, and every setting that is not as the server has it by default, a few in a note. */
static int note_settings(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	HB_FREE char *table = NULL;
	char part[490] = "", *save, *line, version[64];
	int err;

	err = pg_session_query(st->warm, "SHOW server_version", version, sizeof(version), e);
	if (err)
		return err;
	instance_note(in, "version", "PostgreSQL %s", version);
	err = pg_session_table(st->warm,
			       "SELECT name || '=' || CASE name WHEN 'unix_socket_directories' "
			       "THEN '(private)' ELSE current_setting(name) END FROM pg_settings "
			       "WHERE source NOT IN ('default', 'client', 'override') "
			       "AND setting IS DISTINCT FROM boot_val ORDER BY name",
			       &table, e);
	if (err)
		return err;
	for (line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strlen(part) + strlen(line) + 3 > sizeof(part)) {
			instance_note(in, "settings", "%s", part);
			part[0] = '\0';
		}
		snprintf(part + strlen(part), sizeof(part) - strlen(part), "%s%.350s",
			 part[0] ? ", " : "", line);
	}
	instance_note(in, "settings", "%s", part);
	return 0;
}

/* Page tables of the system; per-CPU parts of the counter are added up first where that is allowed.
 */
static int page_tables_kib(uint64_t *kib)
{
	hb_file_write("/proc/sys/vm/stat_refresh", "1\n");
	return pg_proc_value("/proc/meminfo", "PageTables", kib);
}

/* What page tables a backend has that touched the whole segment: the mean over some. */
static int sample_page_tables(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	struct pg_session *s[SAMPLE_SESSIONS] = {NULL};
	uint64_t before, after;
	int err = 0;

	if (page_tables_kib(&before))
		return 0;
	for (int i = 0; i < SAMPLE_SESSIONS && !err; i++) {
		err = pg_session_open(st->conninfo, &s[i], e);
		if (!err)
			err = pg_session_query(s[i], st->touch, NULL, 0, e);
	}
	if (!err && !page_tables_kib(&after) && after >= before)
		st->page_tables_kib = (double)(after - before) / SAMPLE_SESSIONS;
	for (int i = 0; i < SAMPLE_SESSIONS; i++)
		pg_session_close(s[i]);
	return err;
}

/*
 * For migration: the segment, and who maps all of it: the backend that stays, and during the load
 * the keeper in its place (pg_load.c).
 */
static int publish(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	struct target *target = in->target;
	struct pg_segment seg;
	int err;

	err = pg_segment_read(pg_session_backend(st->warm), &seg, e);
	if (err || !seg.hugetlb)
		return err;
	target->addr = (void *)seg.start;
	target->page = seg.page_bytes;
	target->bytes = target->used = seg.end - seg.start;
	atomic_store(&target->pids[0], pg_session_backend(st->warm));
	atomic_store(&target->npids, 1);
	return 0;
}

static int state_new(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = calloc(1, sizeof(*st));

	if (!st)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = st;
	st->page_tables_kib = st->sharable_gib = st->shared_mib = NAN;
	st->found = mmap(NULL, sizeof(*st->found), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (st->found == MAP_FAILED) {
		st->found = NULL;
		return hb_error_set(e, -ENOMEM, "no shared memory");
	}
	return 0;
}

static int start_server(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	uint64_t begin, available;
	int err;

	if (o->huge_pages) {
		err = pg_server_huge_pages(&st->server, &st->huge_pages_needed, e);
		if (err)
			return err;
		err = pg_proc_value("/proc/meminfo", "HugePages_Free", &available);
		if (err)
			return hb_error_set(e, -EOPNOTSUPP, "the kernel lacks CONFIG_HUGETLBFS");
		if (available < st->huge_pages_needed)
			return hb_error_set(e, -ENOMEM,
					    "the server needs %" PRIu64 " huge pages, %" PRIu64
					    " are free",
					    st->huge_pages_needed, available);
	}
	begin = hb_now_ns();
	err = pg_server_start(&st->server, o->start_deadline, e);
	if (!err)
		instance_note(in, "start", "the server accepted connections after %.1f s",
			      (hb_now_ns() - begin) / 1e9);
	return err;
}

/* With the server running. */
static int fill_and_sample(struct instance *in, struct hb_error *e)
{
	int err = warm_up(in, e);

	if (!err)
		err = note_settings(in, e);
	if (!err)
		err = sample_page_tables(in, e);
	if (!err)
		err = pg_load_prepare(in, e);
	return err ? err : publish(in, e);
}

static int pg_setup(struct instance *in, struct hb_error *e)
{
	const struct pg_options *o = in->options;
	struct pg_state *st;
	int err;

	err = check_options(in, o, e);
	if (!err && !in->cell->native)
		err = guest_mounts(e);
	if (!err)
		err = state_new(in, e);
	if (err)
		return err;
	st = in->priv;
	err = server_prepare(&st->server, o, e);
	if (!err)
		err = start_server(in, e);
	if (err)
		return err;
	in->server = st->server.postmaster;
	pg_server_conninfo(&st->server, st->conninfo, sizeof(st->conninfo));
	err = fill_and_sample(in, e);
	return err ? pg_server_explain(&st->server, err, e) : 0;
}

/* How much of the segment a fresh backend sees, after the touching query, without having faulted it
 * in. */
static int fresh_backend(struct pg_state *st, struct pg_segment *seg, uint64_t *own_bytes,
			 struct hb_error *e)
{
	struct pg_session *s;
	char path[64];
	int err = pg_session_open(st->conninfo, &s, e);

	if (err)
		return err;
	err = pg_session_query(s, st->touch, NULL, 0, e);
	if (!err)
		err = pg_segment_read(pg_session_backend(s), seg, e);
	if (!err) {
		snprintf(path, sizeof(path), "/proc/%d/status", pg_session_backend(s));
		err = pg_proc_value(path, "HugetlbPages", own_bytes);
		*own_bytes <<= 10;
		if (err)
			hb_error_set(e, err, "%s has no HugetlbPages", path);
	}
	pg_session_close(s);
	return err;
}

/*
 * Sharing is proved when a fresh backend has at least a quarter of the sharable GiB mapped beyond
 * what it faulted in or copied itself (HugetlbPages counts that alone; pages that came with
 * another's table are not in it). Migration unshares tables for moments, so there are some tries.
 */
static int prove_sharing(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	struct pg_segment seg;
	uint64_t own = 0, shared = 0, sharable = 0;
	int err;

	st->shared_mib = 0;
	for (int i = 0; i < PROOF_TRIES; i++) {
		err = fresh_backend(st, &seg, &own, e);
		if (err)
			return err;
		sharable = pg_segment_sharable(&seg) * GIB;
		shared = seg.mapped_bytes > own ? seg.mapped_bytes - own : 0;
		if (shared >> 20 > st->shared_mib)
			st->shared_mib = shared >> 20;
		if (shared >= sharable / 4 && shared)
			break;
	}
	st->sharable_gib = (double)sharable / GIB;
	instance_note(in, "proof",
		      "segment of %" PRIu64 " MiB has %" PRIu64
		      " whole aligned GiB; a fresh backend maps %" PRIu64
		      " MiB of it and faulted in %" PRIu64 " MiB itself",
		      (seg.end - seg.start) >> 20, sharable / GIB, seg.mapped_bytes >> 20,
		      own >> 20);
	if (!sharable)
		return hb_error_set(e, -ENXIO,
				    "no whole aligned GiB in a segment of %" PRIu64
				    " MiB: nothing can be shared",
				    (seg.end - seg.start) >> 20);
	if (!shared || shared < sharable / 4)
		return hb_error_set(e, -ENXIO,
				    "no proof of shared PMD tables: a fresh backend maps %" PRIu64
				    " MiB, of which it faulted in %" PRIu64 " MiB itself",
				    seg.mapped_bytes >> 20, own >> 20);
	return 0;
}

static int pg_prove(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	struct pg_segment seg;
	int err;

	err = pg_server_check(&st->server, e);
	if (!err)
		err = pg_segment_read(pg_session_backend(st->warm), &seg, e);
	if (err)
		return err;
	instance_note(in, "proof", "%" PRIu64 " MiB at 0x%" PRIx64 ", %s, pages of %" PRIu64 " KiB",
		      (seg.end - seg.start) >> 20, seg.start,
		      seg.hugetlb ? "hugetlb" : "no hugetlb", seg.page_bytes >> 10);
	if (seg.hugetlb != !!o->huge_pages)
		return hb_error_set(e, -ENXIO, "huge_pages = %s, but the segment is %shugetlb",
				    o->huge_pages ? "on" : "off", seg.hugetlb ? "" : "not ");
	if (!seg.hugetlb)
		return 0;
	err = prove_sharing(in, e);
	/* A segment too small to share is what a control without the claim wants. */
	return o->claim == PG_CLAIM_SHARING || err != -ENXIO ? err : 0;
}

/* Scripts of ours live in a directory that is gone after the cell. */
static const char *script_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static void report_summary(struct instance *in, const struct pg_summary *s)
{
	instance_gauge(in, PG_TPS, s->tps);
	instance_gauge(in, PG_TPS_CONNECTING, s->tps_connecting);
	instance_gauge(in, PG_LATENCY_MEAN, s->latency_ms * 1e6);
	instance_gauge(in, PG_LATENCY_STDDEV, s->stddev_ms * 1e6);
	if (isfinite(s->connection_ms))
		instance_gauge(in, PG_CONNECTION_TIME, s->connection_ms * 1e6);
	instance_note(in, "pgbench",
		      "%" PRIu64
		      " transactions, tps %.6f without and %.6f with connecting, latency "
		      "average %.3f ms, stddev %.3f ms, connecting %.3f ms, %" PRIu64 " failed",
		      s->processed, s->tps, s->tps_connecting, s->latency_ms, s->stddev_ms,
		      s->connection_ms, s->failed);
	for (unsigned int i = 0; i < s->nscripts && s->nscripts > 1; i++)
		instance_note(in, "script", "%s: %" PRIu64 " transactions, latency average %.3f ms",
			      script_name(s->script[i].name), s->script[i].transactions,
			      s->script[i].latency_ms);
}

/* The first script that has the statement gives the figure; all are in the notes. */
static void report_statements(struct instance *in, const struct pg_summary *s)
{
	bool seen[PG_STATEMENT_ROWS] = {false};

	for (unsigned int i = 0; i < s->nstatements; i++) {
		const struct pg_statement *one = &s->statement[i];

		if (one->text[0] == '\\')
			continue;
		instance_note(in, "statement", "%.3f ms  %s", one->latency_ms, one->text);
		for (unsigned int k = 0; k < PG_STATEMENT_ROWS; k++) {
			if (seen[k] ||
			    strncmp(one->text, statement_starts[k], strlen(statement_starts[k])))
				continue;
			seen[k] = true;
			instance_gauge(in, PG_STATEMENT + k, one->latency_ms * 1e6);
		}
	}
}

static void note_log(struct instance *in, const struct pg_state *st)
{
	HB_FREE char *tail = pg_server_log(&st->server, 450);

	if (tail)
		instance_note(in, "server_log", "%s", tail);
}

static int pg_report(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	const struct pg_found *f = st->found;
	int err;

	note_log(in, st);
	err = pg_server_check(&st->server, e);
	if (err)
		return err;
	if (!f->complete)
		return hb_error_set(e, -ENODATA, "the measured phase had no whole run of pgbench");
	report_summary(in, &f->summary);
	report_statements(in, &f->summary);
	instance_gauge(in, PG_FAULTS, (double)f->faults / f->summary.processed);
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

static void pg_teardown(struct instance *in)
{
	struct pg_state *st = in->priv;

	if (!st)
		return;
	pg_session_close(st->warm);
	pg_server_free(&st->server);
	free(st->touch);
	free(st->sparse);
	free(st->scan_file);
	if (st->found)
		munmap(st->found, sizeof(*st->found));
	free(st);
	in->priv = NULL;
}

static const char *const pg_needs[] = {"CONFIG_HUGETLBFS", "CONFIG_UNIX", "CONFIG_UNIX98_PTYS",
				       "CONFIG_TMPFS", NULL};

static const struct workload_ops postgres = {
	.abi = WORKLOAD_ABI,
	.name = "postgres",
	.summary = "PostgreSQL server on huge pages under pgbench and a connection prober",
	.role = ROLE_WORKLOAD,
	.options = pg_options,
	.options_size = sizeof(struct pg_options),
	.metrics = pg_metrics,
	.needs = pg_needs,
	.huge_pages = pg_huge_pages,
	.setup = pg_setup,
	.run = pg_load_run,
	.prove = pg_prove,
	.report = pg_report,
	.teardown = pg_teardown,
};

WORKLOAD_REGISTER(postgres);
