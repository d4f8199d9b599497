// SPDX-License-Identifier: GPL-2.0-or-later
/* Options of the workload, and the settings of the server that follow from them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "workloads/postgres/postgres.h"

#define GIB ((uint64_t)1 << 30)
/* max_connections, where nobody sets it. */
#define DEFAULT_CONNECTIONS 100

static const char *const load_choices[] = {"churn", "steady", "scan", "mixed", NULL};
static const char *const script_choices[] = {"select-only", "tpcb-like", NULL};
static const char *const claim_choices[] = {"sharing", "hugetlb", "none", NULL};

#define OPTION(field, ...)                                                                         \
	{                                                                                          \
		.offset = offsetof(struct pg_options, field), __VA_ARGS__                          \
	}

const struct option_row pg_option_rows[] = {
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
	OPTION(script, .name = "script", .type = OPTION_FILE, .dflt = "select-only",
	       .choices = script_choices,
	       .help = "pgbench's script for churn and steady: select-only, tpcb-like, or a file "
		       "of your own"),
	OPTION(clients, .name = "clients", .type = OPTION_U64, .dflt = "4", .min = "1",
	       .max = "1000", .help = "pgbench's clients"),
	OPTION(jobs, .name = "jobs", .type = OPTION_U64, .dflt = "1", .min = "1", .max = "64",
	       .help = "pgbench's threads, at most the clients"),
	OPTION(scale, .name = "scale", .type = OPTION_U64, .dflt = "16", .min = "1", .max = "10000",
	       .help = "how much of the prepared database is used, pgbench's unit: 131 MiB at fill "
		       "factor 10"),
	OPTION(version, .name = "version", .type = OPTION_U64, .dflt = "0", .min = "0", .max = "99",
	       .help = "major version of server and pgbench; 0: the host's; one that is not "
		       "installed is fetched from the Debian suite that has it: 13, 15, 17, 18"),
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
	OPTION(fault_time, .name = "fault_time", .type = OPTION_BOOL, .dflt = "off",
	       .help = "measure the server's time in hugetlb_fault() by kprobes, which slows "
		       "faults "
		       "down"),
	OPTION(start_deadline, .name = "start_deadline", .type = OPTION_DURATION, .dflt = "2m",
	       .min = "1s", .max = "1h", .help = "for the server to accept connections"),
	OPTION(conf, .name = "conf.*", .type = OPTION_SETTINGS, .dflt = "",
	       .help = "any line of postgresql.conf: conf.work_mem = 64MB"),
	OPTION(data, .name = "data", .type = OPTION_STRING, .dflt = "/var/lib/hugebench/pgdata",
	       .help = "data directory; the server runs as its owner"),
	OPTION(programs, .name = "programs", .type = OPTION_STRING, .dflt = "",
	       .help = "directory of postgres and pgbench; empty: the newest below "
		       "/usr/lib/postgresql"),
	OPTION_END,
};

uint64_t pg_buffers_bytes(const struct pg_options *o)
{
	uint64_t kib, bytes;

	if (o->shared_buffers)
		return o->shared_buffers;
	if (hb_file_number("/proc/meminfo", "MemTotal", &kib))
		return GIB / 2;
	/* The kernel keeps some for itself: 8 GiB of a machine are 7.7 in MemTotal. */
	bytes = ((kib << 10) + GIB / 2) / 2 / GIB * GIB;
	if (bytes > 64 * GIB)
		bytes = 64 * GIB;
	return bytes ? bytes : GIB / 2;
}

/* What the workload itself relies on, and by which option it is set, if any. */
static int is_free(const char *name, struct hb_error *e)
{
	static const struct {
		const char *name, *option;
	} ours[] = {
		{"shared_buffers", "postgres.shared_buffers"},
		{"huge_pages", "postgres.huge_pages"},
		{"data_directory", "postgres.data"},
		{"listen_addresses", NULL},
		{"log_destination", NULL},
		{"logging_collector", NULL},
		{"port", NULL},
		{"restart_after_crash", NULL},
		{"unix_socket_directories", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strcasecmp(name, ours[i].name))
			return hb_error_set(e, -EINVAL, "conf.%s is set by %s", ours[i].name,
					    ours[i].option ? ours[i].option
							   : "the workload, which needs it so");
	return 0;
}

int pg_config_lines(struct pg_server *s, const char *lines, struct hb_error *e)
{
	HB_FREE char *text = strdup(lines);
	char *save, *line;
	int err = text ? 0 : hb_error_set(e, -ENOMEM, "no memory");

	for (line = err ? NULL : strtok_r(text, "\n", &save); line && !err;
	     line = strtok_r(NULL, "\n", &save)) {
		HB_FREE char *name = strndup(line, strcspn(line, "="));

		err = name ? is_free(name, e) : hb_error_set(e, -ENOMEM, "no memory");
		err = err ?: pg_server_set(s, e, "%s", line);
	}
	return err;
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
	uint64_t connections = 2 * o->clients + 30;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed) && !err; i++)
		err = pg_server_set(s, e, "%s", fixed[i]);
	if (!err)
		err = pg_server_set(s, e, "unix_socket_directories=%s", s->directory);
	if (!err)
		err = pg_server_set(s, e, "shared_buffers=%" PRIu64 "kB",
				    pg_buffers_bytes(o) >> 10);
	if (!err)
		err = pg_server_set(s, e, "huge_pages=%s", o->huge_pages ? "on" : "off");
	/* With churn a backend may still be leaving while its successor arrives. */
	if (!err && connections > DEFAULT_CONNECTIONS)
		err = pg_server_set(s, e, "max_connections=%" PRIu64, connections);
	/* The last of a name counts: the user's. */
	return err ? err : pg_config_lines(s, o->conf, e);
}

int pg_config_server(struct pg_server *s, const struct pg_options *o, struct hb_error *e)
{
	int err = pg_server_init(s, o->programs, o->version, o->data, e);

	return err ? err : configure(s, o, e);
}

int pg_config_check(const struct instance *in, struct hb_error *e)
{
	const struct pg_options *o = in->options;

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
	if (strcmp(o->script, script_choices[0]) &&
	    (o->load == PG_LOAD_SCAN || o->load == PG_LOAD_MIXED))
		return hb_error_set(e, -EINVAL, "script = %.*s has no meaning with load = %s",
				    (int)strcspn(o->script, "\n"), o->script,
				    load_choices[o->load]);
	return 0;
}

void pg_note_lines(struct instance *in, const char *key, char *text, const char *between)
{
	char part[490] = "", *save, *line;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*part && strlen(part) + strlen(between) + strlen(line) >= sizeof(part)) {
			instance_note(in, key, "%s", part);
			part[0] = '\0';
		}
		snprintf(part + strlen(part), sizeof(part) - strlen(part), "%s%s",
			 *part ? between : "", line);
	}
	if (*part)
		instance_note(in, key, "%s", part);
}

int pg_config_note(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	HB_FREE char *table = NULL;
	char version[64];
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
	pg_note_lines(in, "settings", table, ", ");
	return 0;
}
