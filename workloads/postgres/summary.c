// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines as printed by printResults() in src/bin/pgbench/pgbench.c:
 * 13: "tps = N (including connections establishing)" and "(excluding ...)", no connection time;
 * 14: "initial connection time = N ms", or "average connection time" with -C, and one tps;
 *     a first line with the versions;
 * 15: "maximum number of tries", failed transactions, failures beside the statements;
 * 18: what a script processed, and its tps, on a line of their own.
 */
#include "workloads/postgres/summary.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field {
	HAVE_CLIENTS = 1 << 0,
	HAVE_THREADS = 1 << 1,
	HAVE_PROCESSED = 1 << 2,
	HAVE_LATENCY = 1 << 3,
	HAVE_STDDEV = 1 << 4,
	HAVE_LAG = 1 << 5,
	HAVE_LATE = 1 << 6,
	HAVE_CONNECTION = 1 << 7,
	HAVE_TPS = 1 << 8,
	HAVE_TPS_CONNECTING = 1 << 9,
	HAVE_STATEMENTS = 1 << 10,
	HAVE_AVERAGE_CONNECTION = 1 << 11,
	HAVE_SKIPPED = 1 << 12,
};

static const struct {
	unsigned int field;
	const char *name;
} field_names[] = {
	{HAVE_CLIENTS, "number of clients"},
	{HAVE_THREADS, "number of threads"},
	{HAVE_PROCESSED, "number of transactions actually processed"},
	{HAVE_LATENCY, "latency average"},
	{HAVE_STDDEV, "latency stddev"},
	{HAVE_LAG, "rate limit schedule lag"},
	{HAVE_LATE, "number of transactions above the latency limit"},
	{HAVE_CONNECTION, "initial connection time"},
	{HAVE_TPS, "tps without connecting"},
	{HAVE_TPS_CONNECTING, "tps with connecting"},
	{HAVE_STATEMENTS, "statement latencies"},
	{HAVE_AVERAGE_CONNECTION, "average connection time"},
	{HAVE_SKIPPED, "number of transactions skipped"},
};

struct parser {
	struct pg_summary *s;
	unsigned int have;
	unsigned int script;   /* sections seen */
	int statement_columns; /* 0: not in a list of statements; 1: latency, 2: failures, 3:
				  retries */
};

/* sscanf() that must use up the whole line. */
#define LINE(line, fmt, ...)                                                                       \
	({                                                                                         \
		int line_end_ = -1;                                                                \
		(void)sscanf(line, fmt "%n", __VA_ARGS__, &line_end_);                             \
		line_end_ >= 0 && !(line)[line_end_];                                              \
	})

static bool starts(const char *line, const char *prefix)
{
	return !strncmp(line, prefix, strlen(prefix));
}

/* What the run was told; nothing of it is a result, but all of it is known. */
static bool line_setting(struct parser *p, const char *line)
{
	static const char *const known[] = {
		"pgbench (",
		"transaction type: ",
		"scaling factor: ",
		"partition method: ",
		"partitions: ",
		"query mode: ",
		"maximum number of tries: ",
		"duration: ",
		"number of transactions per client: ",
	};

	if (LINE(line, "number of clients: %lu", &p->s->clients)) {
		p->have |= HAVE_CLIENTS;
		return true;
	}
	if (LINE(line, "number of threads: %lu", &p->s->threads)) {
		p->have |= HAVE_THREADS;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (starts(line, known[i]))
			return true;
	return false;
}

static bool line_counts(struct parser *p, const char *line)
{
	struct pg_summary *s = p->s;
	uint64_t n;
	double d, limit;

	if (LINE(line, "number of transactions actually processed: %lu", &s->processed) ||
	    LINE(line, "number of transactions actually processed: %lu/%lu", &s->processed, &n)) {
		p->have |= HAVE_PROCESSED;
		return true;
	}
	if (LINE(line, "number of failed transactions: %lu (%lf%%)", &s->failed, &d))
		return true;
	if (LINE(line, "number of transactions skipped: %lu (%lf%%)", &s->skipped, &d) ||
	    LINE(line, "number of transactions skipped: %lu (%lf %%)", &s->skipped, &d)) {
		p->have |= HAVE_SKIPPED;
		return true;
	}
	if (LINE(line, "number of transactions above the %lf ms latency limit: %lu/%lu (%lf%%)",
		 &limit, &s->late, &n, &d) ||
	    LINE(line, "number of transactions above the %lf ms latency limit: %lu/%lu (%lf %%)",
		 &limit, &s->late, &n, &d)) {
		p->have |= HAVE_LATE;
		return true;
	}
	return false;
}

static bool line_times(struct parser *p, const char *line)
{
	struct pg_summary *s = p->s;

	if (LINE(line, "latency average = %lf ms", &s->latency_ms) ||
	    LINE(line, "latency average = %lf ms (including failures)", &s->latency_ms)) {
		p->have |= HAVE_LATENCY;
		return true;
	}
	if (LINE(line, "latency stddev = %lf ms", &s->stddev_ms)) {
		p->have |= HAVE_STDDEV;
		return true;
	}
	if (LINE(line, "rate limit schedule lag: avg %lf (max %*f) ms", &s->lag_ms)) {
		p->have |= HAVE_LAG;
		return true;
	}
	if (LINE(line, "initial connection time = %lf ms", &s->connection_ms)) {
		p->have |= HAVE_CONNECTION;
		return true;
	}
	if (LINE(line, "average connection time = %lf ms", &s->connection_ms)) {
		p->have |= HAVE_AVERAGE_CONNECTION;
		return true;
	}
	return false;
}

static bool line_tps(struct parser *p, const char *line)
{
	double tps = 0;

	if (LINE(line, "tps = %lf (excluding connections establishing)", &tps) ||
	    LINE(line, "tps = %lf (without initial connection time)", &tps)) {
		p->s->tps = tps;
		p->have |= HAVE_TPS;
		return true;
	}
	if (LINE(line, "tps = %lf (including connections establishing)", &tps) ||
	    LINE(line, "tps = %lf (including reconnection times)", &tps)) {
		p->s->tps_connecting = tps;
		p->have |= HAVE_TPS_CONNECTING;
		return true;
	}
	return false;
}

/* A section per script, when there is more than one. */
static bool line_script(struct parser *p, const char *line)
{
	struct pg_script *script;
	unsigned int number;
	double share, tps, d;
	uint64_t n;
	int at = 0;

	if (sscanf(line, "SQL script %u: %n", &number, &at) == 1 && at) {
		if (number != p->script + 1 || number > PG_SCRIPTS)
			return false;
		p->script = number;
		p->s->nscripts = number;
		p->statement_columns = 0;
		script = &p->s->script[number - 1];
		snprintf(script->name, sizeof(script->name), "%s", line + at);
		script->latency_ms = NAN;
		return true;
	}
	if (!p->script || !starts(line, " - "))
		return false;
	script = &p->s->script[p->script - 1];
	return LINE(line, " - weight: %lu (targets %lf%% of total)", &n, &share) ||
	       LINE(line, " - %lu transactions (%lf%% of total, tps = %lf)", &script->transactions,
		    &share, &tps) ||
	       LINE(line, " - %lu transactions (%lf%% of total)", &n, &share) ||
	       LINE(line, " - number of transactions actually processed: %lu (tps = %lf)",
		    &script->transactions, &tps) ||
	       LINE(line, " - number of failed transactions: %lu (%lf%%)", &n, &d) ||
	       LINE(line, " - number of transactions skipped: %lu (%lf%%)", &n, &d) ||
	       LINE(line, " - number of transactions skipped: %lu (%lf %%)", &n, &d) ||
	       LINE(line, " - latency average = %lf ms", &script->latency_ms) ||
	       LINE(line, " - latency stddev = %lf ms", &d);
}

static bool line_statements_head(struct parser *p, const char *line)
{
	if (starts(line, " - "))
		line += 3;
	if (!strcmp(line, "statement latencies in milliseconds:"))
		p->statement_columns = 1;
	else if (!strcmp(line, "statement latencies in milliseconds and failures:"))
		p->statement_columns = 2;
	else if (!strcmp(line, "statement latencies in milliseconds, failures and retries:"))
		p->statement_columns = 3;
	else
		return false;
	p->have |= HAVE_STATEMENTS;
	return true;
}

static bool line_statement(struct parser *p, const char *line)
{
	struct pg_summary *s = p->s;
	struct pg_statement *st = &s->statement[s->nstatements];
	uint64_t retries;
	int at = 0;

	if (!p->statement_columns || !isspace((unsigned char)*line) ||
	    s->nstatements == PG_STATEMENTS)
		return false;
	*st = (struct pg_statement){.script = p->script ? p->script - 1 : 0};
	if (p->statement_columns == 1)
		(void)sscanf(line, " %lf %n", &st->latency_ms, &at);
	else if (p->statement_columns == 2)
		(void)sscanf(line, " %lf %lu %n", &st->latency_ms, &st->failures, &at);
	else
		(void)sscanf(line, " %lf %lu %lu %n", &st->latency_ms, &st->failures, &retries,
			     &at);
	if (!at || !line[at] || !isfinite(st->latency_ms))
		return false;
	snprintf(st->text, sizeof(st->text), "%s", line + at);
	s->nstatements++;
	return true;
}

static bool line_parse(struct parser *p, const char *line)
{
	return line_statement(p, line) || line_setting(p, line) || line_counts(p, line) ||
	       line_times(p, line) || line_tps(p, line) || line_script(p, line) ||
	       line_statements_head(p, line);
}

static int missing(unsigned int lacking, struct hb_error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(field_names); i++)
		if (lacking & field_names[i].field)
			return hb_error_set(e, -EBADMSG, "pgbench's summary lacks \"%s\"",
					    field_names[i].name);
	return 0;
}

static unsigned int required(const struct parser *p, const struct pg_expect *x)
{
	unsigned int need = HAVE_CLIENTS | HAVE_THREADS | HAVE_LATENCY;

	if (x->stddev)
		need |= HAVE_STDDEV;
	if (x->rate)
		need |= HAVE_LAG;
	if (x->latency_limit)
		need |= HAVE_LATE;
	if (x->latency_limit && x->rate)
		need |= HAVE_SKIPPED;
	if (x->statements)
		need |= HAVE_STATEMENTS;
	/* Version 13 prints both tps and no time; later ones a time and one tps. */
	if ((p->have & HAVE_TPS) && (p->have & HAVE_TPS_CONNECTING))
		return need;
	return need | (x->connect ? HAVE_TPS_CONNECTING | HAVE_AVERAGE_CONNECTION
				  : HAVE_TPS | HAVE_CONNECTION);
}

/* The tps that this version does not print; see the header. */
static int derive_tps(struct parser *p, struct hb_error *e)
{
	struct pg_summary *s = p->s;
	double n = s->processed, seconds;

	if (!(p->have & HAVE_TPS_CONNECTING)) {
		s->tps_connecting = n / (n / s->tps + s->connection_ms / 1e3);
	} else if (!(p->have & HAVE_TPS)) {
		seconds = n / s->tps_connecting -
			  (n + s->failed) * s->connection_ms / 1e3 / s->clients;
		if (seconds <= 0)
			return hb_error_set(e, -EBADMSG,
					    "pgbench's connection times exceed the run itself");
		s->tps = n / seconds;
	} else {
		s->connection_ms = NAN;
	}
	return 0;
}

static int check(struct parser *p, const struct pg_expect *x, struct hb_error *e)
{
	struct pg_summary *s = p->s;
	int err;

	if (!(p->have & HAVE_PROCESSED))
		return missing(HAVE_PROCESSED, e);
	if (!s->processed)
		return hb_error_set(e, -ENODATA, "pgbench finished no transaction");
	err = missing(required(p, x) & ~p->have, e);
	if (err)
		return err;
	if (s->clients != x->clients || s->threads != x->threads)
		return hb_error_set(e, -EBADMSG,
				    "pgbench ran %lu clients in %lu threads, asked for %lu in %lu",
				    s->clients, s->threads, x->clients, x->threads);
	if (!p->script)
		s->nscripts = 1;
	if (s->nscripts != x->nscripts)
		return hb_error_set(e, -EBADMSG, "pgbench's summary has %u scripts, %u were given",
				    s->nscripts, x->nscripts);
	if (!isfinite(s->latency_ms) || !isfinite(s->stddev_ms) || !isfinite(s->connection_ms) ||
	    !isfinite(s->lag_ms) || !isfinite(s->tps) || !isfinite(s->tps_connecting) ||
	    s->tps < 0 || s->tps_connecting < 0)
		return hb_error_set(e, -EBADMSG,
				    "pgbench's summary has a figure that is no number");
	if (x->statements && !s->nstatements)
		return missing(HAVE_STATEMENTS, e);
	return derive_tps(p, e);
}

int pg_summary_parse(const char *text, const struct pg_expect *x, struct pg_summary *s,
		     struct hb_error *e)
{
	struct parser p = {.s = s};
	HB_FREE char *copy = strdup(text);
	char *save, *line;

	memset(s, 0, sizeof(*s));
	if (!copy)
		return hb_error_set(e, -ENOMEM, "no memory for pgbench's summary");
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!line_parse(&p, line))
			return hb_error_set(e, -EBADMSG,
					    "pgbench's summary has a line that is not known: %s",
					    line);
	return check(&p, x, e);
}

int pg_summary_agrees(const struct pg_summary *s, uint64_t count, double mean_ms,
		      struct hb_error *e)
{
	/* It logs whole microseconds and prints three decimals of a millisecond. */
	const double tolerance_ms = 0.0011;

	if (count != s->processed)
		return hb_error_set(e, -EBADMSG, "pgbench counts %lu transactions, its log has %lu",
				    s->processed, count);
	/* Its mean includes failed transactions, which the log has no time of. */
	if (!s->failed && fabs(mean_ms - s->latency_ms) > tolerance_ms)
		return hb_error_set(e, -EBADMSG,
				    "pgbench's mean latency is %.3f ms, that of its log %.4f ms",
				    s->latency_ms, mean_ms);
	return 0;
}
