// SPDX-License-Identifier: GPL-2.0-or-later
/* The database goes into the shared buffers before anything is measured. */
#include <inttypes.h>
#include <stdlib.h>

#include "workloads/postgres/postgres.h"

#define BLOCK 8192ULL
/* Of the buffers; the rest is for catalogs, indexes and what the load adds. */
#define PREWARM_SHARE 0.96
/* Enough to touch every GiB of a segment some times. */
#define SPARSE_BUFFERS 32

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
	int64_t room = (int64_t)((double)pg_buffers_bytes(o) / BLOCK * PREWARM_SHARE) - index;

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

int pg_fill(struct instance *in, struct hb_error *e)
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
		      (int64_t)(index * BLOCK >> 20), pg_buffers_bytes(o) >> 20);
	st->touch = pg_touch_query(blocks, o->probe_buffers);
	st->sparse = pg_touch_query(blocks, SPARSE_BUFFERS);
	if (!st->touch || !st->sparse)
		return hb_error_set(e, -ENOMEM, "no memory");
	return o->prewarm ? prewarm(in, blocks, e) : 0;
}
