// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The task of the workload: pgbench in the warm-up, a fresh pgbench in the measured phase, so that
 * its own summary is that of the measured phase, and beside it
 *   - the prober: sessions at their scheduled times, one at a time. A session that the one before
 *     held up starts late, and its latency counts from when it was due;
 *   - the keeper, when the cell has antagonists: a backend that touches a few buffers of every GiB
 *     over and over. Migration takes page tables away from all sharers but one (huge_pmd_unshare()
 *     in mm/rmap.c); a touch shares them again. Without it a process that maps all of the segment
 *     would soon be hard to find.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/postgres/postgres.h"

#define PUMP_MS 20
/* Transactions under way at the end of a phase have this long to finish. */
#define DRAIN_NS (45 * NSEC_PER_SEC)
/* Sessions that were due in the phase but late are still made, for this long. */
#define PROBE_DRAIN_NS	 (5 * NSEC_PER_SEC)
#define KEEPER_PERIOD_NS (NSEC_PER_SEC / 50)
#define BACKENDS_GONE_NS (2 * NSEC_PER_SEC)

struct companion {
	const struct pg_state *st;
	const struct pg_options *o;
	struct instance *in;
	struct task_shared *figures;
	_Atomic uint64_t stop_ns; /* 0: go on */
	uint64_t made, missed;
	int err;
	struct hb_error error;
	pthread_t thread;
	bool running;
};

static void probe_record(struct task_shared *s, const struct pg_probe_times *t)
{
	const struct {
		enum pg_row row;
		uint64_t from, to;
	} rows[] = {
		{PG_PROBE_LAG, t->due, t->started},
		{PG_CONNECT_LATENCY, t->due, t->connected},
		{PG_FIRST_QUERY_LATENCY, t->connected, t->queried},
		{PG_DISCONNECT_LATENCY, t->queried, t->gone},
		{PG_SESSION_LATENCY, t->due, t->gone},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		hist_record(s->hist[rows[i].row], task_latency_unit(rows[i].to - rows[i].from));
}

/* Sleep until @due, but notice the end of the phase. */
static void companion_sleep(struct companion *c, uint64_t due)
{
	const uint64_t slice = NSEC_PER_SEC / 50;
	uint64_t now;

	while ((now = hb_now_ns()) < due && !atomic_load(&c->stop_ns))
		hb_sleep_until_ns(due - now < slice ? due : now + slice);
}

/* @rate of an option, per what stands for a second, as a rate per second of the guest's clock. */
static double per_second(const struct cell *cell, double rate)
{
	return rate * NSEC_PER_SEC / cell_second_ns(cell);
}

static void *prober(void *arg)
{
	struct companion *c = arg;
	struct pg_pace pace = {.start_ns = hb_now_ns(),
			       .rate = per_second(c->in->cell, c->o->probe_rate)};
	struct pg_probe_times t;
	uint64_t stop;

	for (uint64_t i = 0;; i++) {
		t.due = pg_pace_due(&pace, i);
		companion_sleep(c, t.due);
		stop = atomic_load(&c->stop_ns);
		if (stop && t.due >= stop)
			break;
		if (stop && hb_now_ns() > stop + PROBE_DRAIN_NS) {
			c->missed++;
			continue;
		}
		c->err = pg_probe_once(c->st->conninfo, c->st->touch, &t, &c->error);
		if (c->err)
			break;
		probe_record(c->figures, &t);
		c->made++;
	}
	return NULL;
}

static void *keeper(void *arg)
{
	struct companion *c = arg;
	_Atomic pid_t *slot = &c->in->target->pids[0];
	pid_t before = atomic_load(slot);
	struct pg_session *s;

	c->err = pg_session_open(c->st->conninfo, &s, &c->error);
	if (c->err)
		return NULL;
	c->err = pg_session_query(s, c->st->touch, NULL, 0, &c->error);
	atomic_store(slot, pg_session_backend(s));
	while (!c->err && !atomic_load(&c->stop_ns)) {
		c->err = pg_session_query(s, c->st->sparse, NULL, 0, &c->error);
		companion_sleep(c, hb_now_ns() + KEEPER_PERIOD_NS);
	}
	atomic_store(slot, before);
	pg_session_close(s);
	return NULL;
}

static int companion_start(struct companion *c, struct task *t, void *(*fn)(void *),
			   struct hb_error *e)
{
	int err;

	*c = (struct companion){
		.st = t->in->priv,
		.o = t->in->options,
		.in = t->in,
		.figures = t->shared,
	};
	err = pthread_create(&c->thread, NULL, fn, c);
	if (err)
		return hb_error_set(e, -err, "cannot start a thread");
	c->running = true;
	return 0;
}

static int companion_join(struct companion *c, struct hb_error *e)
{
	int err;

	if (!c->running)
		return 0;
	atomic_store(&c->stop_ns, hb_now_ns());
	err = pthread_join(c->thread, NULL);
	c->running = false;
	if (err)
		return hb_error_set(e, -err, "cannot join a thread");
	if (c->err)
		return hb_error_set(e, c->err, "%s", c->error.text);
	return 0;
}

static int phase_now(const struct task *t)
{
	return atomic_load_explicit(&t->in->cell->shared->phase, memory_order_relaxed);
}

/* The load of one phase. */
struct load {
	struct task *t;
	int phase;
	bool running; /* a transaction has ended */
	struct companion probe, keep;
};

/*
 * The measured window of the task begins where its first transaction did, however long connecting
 * took, and ends when pgbench has ended, not before.
 */
static void follow_phase(struct load *l, const struct pg_log_entry *entry)
{
	bool first = !l->running;
	struct task *t = l->t;

	l->running = true;
	if (first && l->phase == PHASE_MEASURE) {
		task_continue(t);
		if (t->shared == t->live)
			atomic_fetch_sub(&t->live->begin_ns, entry->latency_us * 1000);
	} else if (phase_now(t) == t->phase) {
		task_continue(t);
	}
}

static void on_transaction(void *arg, const struct pg_log_entry *entry)
{
	struct load *l = arg;
	struct task *t = l->t;
	const struct pg_options *o = t->in->options;

	follow_phase(l, entry);
	if (entry->state == PG_LOG_SKIPPED)
		return;
	if (entry->state == PG_LOG_FAILED) {
		task_count(t, PG_FAILED, 1);
		return;
	}
	task_count(t, PG_TRANSACTIONS, 1);
	task_latency_told(t, PG_LATENCY, entry->latency_us * 1000);
	if (o->rate > 0)
		task_latency_told(t, PG_SCHEDULE_LAG, entry->lag_us * 1000);
}

/* A script in the server's directory, for pgbench to read; NULL: it cannot be written. */
static char *script_write(const struct pg_state *st, const char *name, const char *text,
			  struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/%s", st->server.directory, name);
	int err = path ? hb_file_write(path, text) : -ENOMEM;

	if (!err && chmod(path, 0644))
		err = -errno;
	if (!err)
		return HB_STEAL(path);
	hb_error_set(e, err, "cannot write %s: %s", name, strerror(-err));
	return NULL;
}

int pg_load_prepare(struct instance *in, struct hb_error *e)
{
	struct pg_state *st = in->priv;
	const struct pg_options *o = in->options;
	const char *own = strchr(o->script, '\n');
	HB_FREE char *text = own ? strdup(o->script) : NULL;

	st->scan_file = script_write(st, "scan.sql",
				     "SELECT count(*), sum(abalance) FROM pgbench_accounts;\n", e);
	if (own)
		st->script_file = script_write(st, "own.sql", own + 1, e);
	if (!st->scan_file || (own && !st->script_file))
		return -EIO;
	if (text)
		pg_note_lines(in, "script", text, " / ");
	return 0;
}

/* -b and -f with weights. */
static void choose_scripts(const struct pg_state *st, const struct pg_options *o, const char **argv)
{
	const bool mixed = o->load == PG_LOAD_MIXED, scan = o->load == PG_LOAD_SCAN;
	unsigned int n = 0;

	if (st->script_file) {
		argv[n++] = "-f";
		argv[n++] = st->script_file;
	} else if (mixed || (!scan && !strcmp(o->script, "select-only"))) {
		argv[n++] = "-b";
		argv[n++] = "select-only@90";
	}
	if (mixed || (!scan && !strcmp(o->script, "tpcb-like"))) {
		argv[n++] = "-b";
		argv[n++] = "tpcb-like@9";
	}
	if (mixed || scan) {
		argv[n++] = "-f";
		argv[n++] = st->scan_file;
	}
	argv[n] = NULL;
}

static int start_pgbench(struct task *t, struct pgbench **p, struct hb_error *e)
{
	const struct pg_state *st = t->in->priv;
	const struct pg_options *o = t->in->options;
	HB_FREE char *program = hb_strf("%s/pgbench", st->server.programs);
	const char *scripts[2 * PG_SCRIPTS + 1];

	if (!program)
		return hb_error_set(e, -ENOMEM, "no memory");
	choose_scripts(st, o, scripts);
	return pgbench_start(
		&(struct pgbench_config){
			.program = program,
			.directory = st->server.directory,
			.uid = st->server.uid,
			.gid = st->server.gid,
			.scale = o->scale,
			.clients = o->clients,
			.threads = o->jobs,
			.connect = o->load == PG_LOAD_CHURN,
			/* A statement prepared for one use only costs a round trip. */
			.prepared = o->load != PG_LOAD_CHURN,
			.rate = per_second(t->in->cell, o->rate),
			.latency_limit_ns = o->latency_limit,
			.seed = t->in->cell->seed & 0x7fffffff,
			.scripts = scripts,
		},
		p, e);
}

/* Run pgbench until the phase is over, then to its end. The prober meets a loaded server. */
static int drive(struct load *l, struct pgbench *p, struct hb_error *e)
{
	const struct pg_options *o = l->t->in->options;
	struct pg_state *st = l->t->in->priv;
	uint64_t stopped = 0;
	int more = 1, err;

	while (more > 0) {
		if (!stopped && phase_now(l->t) != l->phase) {
			if (l->phase == PHASE_MEASURE &&
			    hb_file_number("/proc/meminfo", "HugePages_Free",
					   &st->found->huge_pages))
				st->found->huge_pages = UINT64_MAX;
			stopped = hb_now_ns();
			pgbench_stop(p);
		}
		if (stopped && hb_now_ns() > stopped + DRAIN_NS)
			return hb_error_set(e, -ETIMEDOUT,
					    "pgbench did not end within %llu s of being told",
					    DRAIN_NS / NSEC_PER_SEC);
		if (!stopped && l->running && o->probe_rate > 0 && !l->probe.running) {
			err = companion_start(&l->probe, l->t, prober, e);
			if (err)
				return err;
		}
		more = pgbench_pump(p, PUMP_MS, on_transaction, l, e);
	}
	return more;
}

/* Backends end after pgbench does; their faults reach the postmaster when it has reaped them. */
static void wait_backends_gone(const struct pg_state *st, int before)
{
	uint64_t until = hb_now_ns() + BACKENDS_GONE_NS;
	pid_t pids[TARGET_PIDS];

	while (pg_server_pids(&st->server, pids, ARRAY_SIZE(pids)) > before && hb_now_ns() < until)
		poll(NULL, 0, PUMP_MS);
}

static int finish(struct task *t, struct pgbench *p, int phase, struct hb_error *e)
{
	struct pg_state *st = t->in->priv;
	const struct hist *h = t->shared->hist[PG_LATENCY];
	struct pg_summary warmup;
	int err;

	if (phase == PHASE_MEASURE) {
		err = pgbench_finish(p, &st->found->summary, e);
		if (err)
			return err;
		snprintf(st->found->output, sizeof(st->found->output), "%s", pgbench_output(p));
		return pg_summary_agrees(&st->found->summary, h->count,
					 hist_mean(h) * task_clock.insn_ns / 1e6, e);
	}
	/* Nothing of the warm-up is kept; that it was too short for a transaction is no fault. */
	err = pgbench_finish(p, &warmup, e);
	return err == -ENODATA || err == -EBADMSG ? 0 : err;
}

static int load_phase(struct task *t, int phase, struct hb_error *e)
{
	struct load l = {.t = t, .phase = phase};
	struct pg_state *st = t->in->priv;
	struct hb_error later = {""};
	struct pgbench *p = NULL;
	int err = 0, joined;

	if (t->in->cell->ninstances > 1)
		err = companion_start(&l.keep, t, keeper, e);
	if (!err)
		err = start_pgbench(t, &p, e);
	if (!err)
		err = drive(&l, p, e);
	joined = companion_join(&l.probe, &later);
	if (!joined)
		joined = companion_join(&l.keep, &later);
	else
		companion_join(&l.keep, NULL);
	if (!err && joined)
		err = hb_error_set(e, joined, "probe: %s", later.text);
	if (!err)
		err = finish(t, p, phase, e);
	if (phase == PHASE_MEASURE) {
		st->found->probes = l.probe.made;
		st->found->probes_missed = l.probe.missed;
	}
	pgbench_free(p);
	return err;
}

const struct functime pg_fault_probe = {
	.function = "hugetlb_fault",
	.name = "pg_hugetlb_fault",
	.comm = "postgres",
};

static int read_fault_times(struct task *t, struct hb_error *e)
{
	struct pg_state *st = t->in->priv;
	struct hist *h = t->shared->hist[PG_FAULT_TIME];
	HB_FREE char *text = NULL;
	int err = functime_read(&pg_fault_probe, &text);

	if (err)
		return hb_error_set(e, err, "the times in hugetlb_fault() cannot be read: %s",
				    strerror(-err));
	err = functime_hist(text, h, e);
	if (!err)
		st->found->fault_ns = (double)h->sum * task_clock.insn_ns;
	return err;
}

static int measured(struct task *t, struct hb_error *e)
{
	struct pg_state *st = t->in->priv;
	struct pg_found *f = st->found;
	uint64_t before, after, free_pages, total;
	pid_t pids[TARGET_PIDS];
	int err, backends;

	backends = pg_server_pids(&st->server, pids, ARRAY_SIZE(pids));
	err = pg_server_faults(&st->server, &before);
	if (err)
		return hb_error_set(e, err, "the server's page faults cannot be read");
	if (st->fault_probe && functime_clear(&pg_fault_probe))
		return hb_error_set(e, -EIO, "the times in hugetlb_fault() cannot be reset");
	err = load_phase(t, PHASE_MEASURE, e);
	if (err)
		return err;
	wait_backends_gone(st, backends);
	if (st->fault_probe) {
		err = read_fault_times(t, e);
		if (err)
			return err;
	}
	err = pg_server_faults(&st->server, &after);
	if (err)
		return hb_error_set(e, err, "the server's page faults cannot be read");
	f->faults = after - before;
	free_pages = f->huge_pages;
	if (free_pages != UINT64_MAX && !hb_file_number("/proc/meminfo", "HugePages_Total", &total))
		f->huge_pages = total - free_pages;
	f->complete = 1;
	return 0;
}

int pg_load_run(struct task *t, struct hb_error *e)
{
	struct pg_state *st = t->in->priv;
	int err = 0;

	/* This task was added to those that map the segment; it does not. */
	atomic_store(&t->in->target->npids, t->in->target->bytes ? 1 : 0);
	if (phase_now(t) == PHASE_WARMUP)
		err = load_phase(t, PHASE_WARMUP, e);
	if (!err && phase_now(t) == PHASE_MEASURE)
		err = measured(t, e);
	if (err)
		return pg_server_explain(&st->server, err, e);
	task_continue(t);
	return 0;
}
