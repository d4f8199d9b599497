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
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/postgres/postgres.h"

/* Bytes of the end of the server's log that go into the cell's notes. */
#define LOG_KEPT (16 << 10)

/* Asked before setup(): the server itself says it. An error shows again, with its reason, in
 * setup(). */
static uint64_t pg_huge_pages(const void *options, unsigned int tasks)
{
	const struct pg_options *o = options;
	struct pg_server s = {0};
	uint64_t pages = 0;

	(void)tasks;
	if (o->huge_pages &&
	    (pg_config_server(&s, o, NULL) || pg_server_huge_pages(&s, &pages, NULL)))
		pages = 0;
	pg_server_free(&s);
	return pages;
}

/*
 * For migration: the segment, and who maps all of it: the backend that stays, and during the load
 * the keeper in its place (load.c).
 */
static int publish(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	struct target *target = in->target;
	struct pg_segment seg;
	int err;

	err = pg_warm_segment(st->warm, &seg, e);
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
		err = hb_file_number("/proc/meminfo", "HugePages_Free", &available);
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
	int err = pg_fill(in, e);

	if (!err)
		err = pg_config_note(in, e);
	if (!err)
		err = pg_page_tables(in, e);
	if (!err)
		err = pg_load_prepare(in, e);
	return err ? err : publish(in, e);
}

static int probe_faults(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	int err;

	if (in->cell->native)
		return hb_error_set(e, -EOPNOTSUPP,
				    "fault_time = on changes the machine's tracing, which a kill "
				    "would leave so: only in a guest");
	err = functime_open(&pg_fault_probe);
	if (err) {
		functime_close(&pg_fault_probe);
		return hb_error_set(e, -EOPNOTSUPP,
				    "fault_time = on: hugetlb_fault() cannot be probed: %s "
				    "(inlined in this kernel, or CONFIG_KPROBE_EVENTS or "
				    "CONFIG_HIST_TRIGGERS missing)",
				    strerror(-err));
	}
	st->fault_probe = true;
	return 0;
}

static int pg_setup(struct instance *in, struct hb_error *e)
{
	const struct pg_options *o = in->options;
	struct pg_state *st;
	int err;

	err = pg_config_check(in, e);
	if (!err)
		err = state_new(in, e);
	if (err)
		return err;
	st = in->priv;
	err = pg_config_server(&st->server, o, e);
	if (!err)
		err = start_server(in, e);
	if (err)
		return err;
	in->server = st->server.postmaster;
	/* Connecting all clients may take longer than a short phase. */
	in->awaited = 1;
	pg_server_conninfo(&st->server, st->conninfo, sizeof(st->conninfo));
	err = fill_and_sample(in, e);
	if (!err && o->fault_time)
		err = probe_faults(in, e);
	return err ? pg_server_explain(&st->server, err, e) : 0;
}

static void note_log(struct instance *in)
{
	const struct pg_state *st = in->priv;
	HB_FREE char *log = pg_server_log(&st->server, LOG_KEPT);

	if (log)
		pg_note_lines(in, "server_log", log, "\n");
}

static void pg_teardown(struct instance *in)
{
	struct pg_state *st = in->priv;

	if (!st)
		return;
	note_log(in);
	if (st->fault_probe)
		functime_close(&pg_fault_probe);
	pg_session_close(st->warm);
	pg_server_free(&st->server);
	free(st->touch);
	free(st->sparse);
	free(st->scan_file);
	free(st->script_file);
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
	.options = pg_option_rows,
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
