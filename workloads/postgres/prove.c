// SPDX-License-Identifier: GPL-2.0-or-later
/* What the segment is, what of it is shared, and what page tables a connection costs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/postgres/postgres.h"

#define GIB ((uint64_t)1 << 30)
/* Connections that are opened to see what page tables one costs. */
#define SAMPLE_SESSIONS 8
#define PROOF_TRIES	5
#define STAYS		"the backend that stays"

/* Page tables of the system; per-CPU parts of the counter are added up first where that is allowed.
 */
static int page_tables_kib(uint64_t *kib)
{
	hb_file_write("/proc/sys/vm/stat_refresh", "1\n");
	return hb_file_number("/proc/meminfo", "PageTables", kib);
}

int pg_page_tables(struct instance *in, struct hb_error *e)
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
		err = hb_file_number(path, "HugetlbPages", own_bytes);
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

int pg_warm_segment(struct pg_session *warm, struct pg_segment *seg, struct hb_error *e)
{
	int err = pg_segment_read(pg_session_backend(warm), seg, e);

	/* The server may have ended it, and said why, which is read with the next query. */
	if (err && pg_session_query(warm, "SELECT 1", NULL, 0, e))
		return hb_error_prefix(e, err, STAYS);
	return err;
}

int pg_huge_pages_told(struct pg_session *s, char *status, size_t len, struct hb_error *e)
{
	return pg_session_query(s, "SELECT current_setting('huge_pages_status', true)", status, len,
				e);
}

int pg_huge_pages_agree(bool wanted, const char *status, bool hugetlb, struct hb_error *e)
{
	const char *setting = wanted ? "on" : "off";

	if (*status && strcmp(status, setting))
		return hb_error_set(e, -ENXIO,
				    "huge_pages = %s, but the server says huge_pages_status = %s",
				    setting, status);
	if (wanted != hugetlb)
		return hb_error_set(e, -ENXIO, "huge_pages = %s, but the segment is %shugetlb",
				    setting, hugetlb ? "" : "not ");
	return 0;
}

/* Is the segment on the pages that were asked for, by the kernel's word and the server's? */
static int prove_pages(struct instance *in, struct pg_segment *seg, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	char status[32];
	int err;

	err = pg_huge_pages_told(st->warm, status, sizeof(status), e);
	if (err)
		return hb_error_prefix(e, err, STAYS);
	err = pg_warm_segment(st->warm, seg, e);
	if (err)
		return err;
	instance_note(in, "proof", "segment of %" PRIu64 " MiB, %s, pages of %" PRIu64 " KiB%s%s",
		      (seg->end - seg->start) >> 20, seg->hugetlb ? "hugetlb" : "no hugetlb",
		      seg->page_bytes >> 10, *status ? "; huge_pages_status = " : "", status);
	return pg_huge_pages_agree(o->huge_pages, status, seg->hugetlb, e);
}

int pg_prove(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	struct pg_segment seg;
	int err;

	err = pg_server_check(&st->server, e);
	if (!err)
		err = prove_pages(in, &seg, e);
	if (err)
		return err;
	if (!seg.hugetlb)
		return 0;
	err = prove_sharing(in, e);
	/* A segment too small to share is what a control without the claim wants. */
	return o->claim == PG_CLAIM_SHARING || err != -ENXIO ? err : 0;
}
