// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/postgres/probe.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg_session {
	PGconn *conn;
};

/* libpq ends its messages with a newline. */
static int fail(PGconn *conn, const char *what, struct hb_error *e)
{
	const char *text = conn ? PQerrorMessage(conn) : "no memory";

	return hb_error_set(e, -ECONNABORTED, "%s: %.*s", what, (int)strcspn(text, "\n"), text);
}

int pg_session_open(const char *conninfo, struct pg_session **result, struct hb_error *e)
{
	struct pg_session *s = malloc(sizeof(*s));
	int err;

	if (!s)
		return hb_error_set(e, -ENOMEM, "no memory for a connection");
	s->conn = PQconnectdb(conninfo);
	if (PQstatus(s->conn) != CONNECTION_OK) {
		err = fail(s->conn, "cannot connect to the server", e);
		pg_session_close(s);
		return err;
	}
	*result = s;
	return 0;
}

int pg_session_query(struct pg_session *s, const char *query, char *value, size_t len,
		     struct hb_error *e)
{
	PGresult *r = PQexec(s->conn, query);
	ExecStatusType status = PQresultStatus(r);
	int err = 0;

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		err = fail(s->conn, "query failed", e);
	else if (value && PQntuples(r) < 1)
		err = hb_error_set(e, -ENODATA, "no row from: %s", query);
	else if (value)
		snprintf(value, len, "%s", PQgetvalue(r, 0, 0));
	PQclear(r);
	return err;
}

static int table_print(FILE *f, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r); row++)
		for (int col = 0; col < PQnfields(r); col++)
			if (fprintf(f, "%s%s", PQgetvalue(r, row, col),
				    col + 1 < PQnfields(r) ? " " : "\n") < 0)
				return -ENOMEM;
	return 0;
}

int pg_session_table(struct pg_session *s, const char *query, char **table, struct hb_error *e)
{
	PGresult *r = PQexec(s->conn, query);
	size_t len;
	FILE *f;
	int err = 0;

	if (PQresultStatus(r) != PGRES_TUPLES_OK) {
		err = fail(s->conn, "query failed", e);
		PQclear(r);
		return err;
	}
	*table = NULL;
	f = open_memstream(table, &len);
	if (f)
		err = table_print(f, r);
	if (!f || fclose(f) || err)
		err = hb_error_set(e, -ENOMEM, "no memory for a result");
	PQclear(r);
	return err;
}

int pg_session_send(struct pg_session *s, const char *query, struct hb_error *e)
{
	return PQsendQuery(s->conn, query) ? 0 : fail(s->conn, "query failed", e);
}

int pg_session_wait(struct pg_session *s, struct hb_error *e)
{
	PGresult *r;
	int err = 0;

	while ((r = PQgetResult(s->conn))) {
		if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
			err = fail(s->conn, "query failed", e);
		PQclear(r);
	}
	return err;
}

pid_t pg_session_backend(const struct pg_session *s)
{
	return PQbackendPID(s->conn);
}

void pg_session_close(struct pg_session *s)
{
	if (!s)
		return;
	PQfinish(s->conn);
	free(s);
}

char *pg_touch_query(uint64_t blocks, uint64_t buffers)
{
	uint64_t n = buffers < blocks ? buffers : blocks;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int bad;

	if (!f)
		return NULL;
	fputs("SELECT count(abalance) FROM pgbench_accounts WHERE ctid = ANY('{", f);
	for (uint64_t i = 0; i < n; i++)
		fprintf(f, "%s\"(%" PRIu64 ",1)\"", i ? "," : "", i * blocks / n);
	fputs("}'::tid[])", f);
	bad = ferror(f);
	if (fclose(f) || bad) {
		free(text);
		return NULL;
	}
	return text;
}

uint64_t pg_pace_due(const struct pg_pace *p, uint64_t i)
{
	return p->start_ns + (uint64_t)(i * (NSEC_PER_SEC / p->rate));
}

int pg_probe_once(const char *conninfo, const char *query, struct pg_probe_times *t,
		  struct hb_error *e)
{
	struct pg_session *s = NULL;
	int err;

	t->started = hb_now_ns();
	err = pg_session_open(conninfo, &s, e);
	if (err)
		return err;
	t->connected = hb_now_ns();
	err = pg_session_query(s, query, NULL, 0, e);
	t->queried = hb_now_ns();
	pg_session_close(s);
	t->gone = hb_now_ns();
	return err;
}
