// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/postgres/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int state_parse(const char *word, struct pg_log_entry *entry)
{
	static const char *const failures[] = {"failed", "serialization", "deadlock"};
	int end = -1;

	entry->latency_us = 0;
	if (!strcmp(word, "skipped")) {
		entry->state = PG_LOG_SKIPPED;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		if (!strcmp(word, failures[i])) {
			entry->state = PG_LOG_FAILED;
			return 0;
		}
	}
	entry->state = PG_LOG_OK;
	if (word[0] == '-' || sscanf(word, "%" SCNu64 "%n", &entry->latency_us, &end) != 1 ||
	    word[end])
		return -EBADMSG;
	return 0;
}

int pg_log_parse(const char *line, bool lag, struct pg_log_entry *entry, struct hb_error *e)
{
	uint64_t seconds, micros;
	char word[24];
	int end = -1, fields;

	entry->lag_us = 0;
	fields = sscanf(line, "%" SCNu64 " %" SCNu64 " %23s %" SCNu64 " %" SCNu64 " %" SCNu64 "%n",
			&entry->client, &entry->number, word, &entry->script, &seconds, &micros,
			&end);
	if (fields != 6 || end < 0 || strchr(line, '-') || micros >= 1000000 ||
	    state_parse(word, entry))
		goto bad;
	if (lag) {
		int more = -1;

		if (sscanf(line + end, " %" SCNu64 "%n", &entry->lag_us, &more) != 1)
			goto bad;
		end += more;
	}
	if (!line[end])
		return 0;
bad:
	return hb_error_set(e, -EBADMSG,
			    "pgbench's transaction log has a line that is not known: %s", line);
}

int pg_log_feed(struct pg_log_stream *s, const char *data, size_t len, pg_log_fn fn, void *arg,
		struct hb_error *e)
{
	struct pg_log_entry entry;
	const char *newline;
	size_t n;
	int err;

	while (len) {
		newline = memchr(data, '\n', len);
		n = newline ? (size_t)(newline - data) : len;
		if (s->used + n >= sizeof(s->line))
			return hb_error_set(
				e, -EBADMSG,
				"pgbench's transaction log has a line of over %zu characters",
				sizeof(s->line) - 1);
		memcpy(s->line + s->used, data, n);
		s->used += n;
		if (!newline)
			return 0;
		s->line[s->used] = '\0';
		s->used = 0;
		err = pg_log_parse(s->line, s->lag, &entry, e);
		if (err)
			return err;
		fn(arg, &entry);
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

int pg_log_end(const struct pg_log_stream *s, struct hb_error *e)
{
	if (!s->used)
		return 0;
	return hb_error_set(e, -EBADMSG,
			    "pgbench's transaction log ends in the middle of a line: %.*s",
			    (int)s->used, s->line);
}
