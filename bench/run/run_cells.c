// SPDX-License-Identifier: GPL-2.0-or-later
/* Carrying out a plan: which cell is next, when the run ends, what is recorded of it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/restore.h"
#include "bench/base/units.h"
#include "bench/result/compare.h"
#include "bench/run/workers.h"
#include "bench/scenario/costs.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The boots of one cell and arm: they cost the same. */
struct kind {
	json_t *boot; /* one of them, plan_boot() */
	size_t left;
};

/* A plan that is being carried out. */
struct walk {
	struct run *r;
	json_t *cells;	    /* of the plan */
	bool *done;	    /* for each of them: it is in its place, or not ours to do */
	unsigned int *kind; /* for each of them */
	struct kind *kinds;
	size_t nkinds;
	size_t next;	     /* the first that is neither done nor begun */
	int rep;	     /* repetition of the last that was */
	bool ending;	     /* no further cell is begun */
	bool block_complete; /* nothing is left to do of our block */
	uint64_t began;
	unsigned int unexpected;
	struct progress progress;
	struct workers workers;
};

static const json_t *planned_at(const struct walk *k, size_t at)
{
	return json_array_get(k->cells, at);
}

static int rep_of(const struct walk *k, size_t at)
{
	return json_integer_value(json_object_get(planned_at(k, at), "rep"));
}

static int64_t block_of(const json_t *planned)
{
	return json_integer_value(json_object_get(planned, "block"));
}

static double kind_seconds(const struct walk *k, unsigned int kind)
{
	int measured;

	return costs_estimate(k->r->costs, k->kinds[kind].boot, &measured);
}

/* Seconds until all cells are done that are not. */
static double seconds_left(const struct walk *k)
{
	double seconds = 0;

	for (size_t i = 0; i < k->nkinds; i++)
		seconds += k->kinds[i].left * kind_seconds(k, i);
	return seconds / k->r->jobs;
}

bool run_has_cells(const struct run *r)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	size_t i;

	json_array_foreach (cells, i, planned)
		if (store_has_cell(&r->store, text(planned, "id")))
			return true;
	return false;
}

/* Seconds of the repetition that begins with cell @first. */
static double repetition_seconds(const struct walk *k, size_t first)
{
	double seconds = 0;

	for (size_t i = first; i < json_array_size(k->cells); i++)
		if (rep_of(k, i) == rep_of(k, first))
			seconds += kind_seconds(k, k->kind[i]);
	return seconds / k->r->jobs;
}

/*
 * The costs were estimates: would the repetition that begins with cell @at end beyond the budget?
 * Whole repetitions only, and by the clock alone, so that no result has a say in when the run ends.
 */
static bool budget_spent(const struct walk *k, size_t at)
{
	double spent = (hb_now_ns() - k->began) / (double)NSEC_PER_SEC;
	double budget = k->r->budget / (double)NSEC_PER_SEC;

	return k->r->budget && spent + repetition_seconds(k, at) > budget * 1.05;
}

/* Is a look at the results planned before repetition @rep begins (run.json "stopping")? */
static bool look_planned(const struct walk *k, int rep)
{
	const json_t *stopping = json_object_get(k->r->record, "stopping");

	return stopping && rep > json_integer_value(json_object_get(stopping, "min_boots"));
}

/* Has every main figure its verdict? A run that cannot be read goes on. */
static bool decided(const struct walk *k)
{
	bool all;

	return !compare_decided(k->r->store.dir, &all, NULL) && all;
}

static void record_stop(struct run *r, int repetitions, const char *why)
{
	json_int_t planned = json_integer_value(json_object_get(r->record, "repetitions"));
	HB_FREE char *reason = hb_strf("of %lld planned (%s): %s", (long long)planned,
				       text(r->record, "repetitions_reason"), why);

	json_object_set_new(r->record, "repetitions", json_integer(repetitions));
	if (reason)
		json_object_set_new(r->record, "repetitions_reason", json_string(reason));
}

/* A run that had been ended, by its budget or a verdict, goes on: say so. */
static void record_resumed(const struct walk *k)
{
	json_int_t complete = json_integer_value(json_object_get(k->r->record, "repetitions"));
	int planned = rep_of(k, json_array_size(k->cells) - 1);
	HB_FREE char *reason =
		hb_strf("%s; resumed after repetition %lld",
			text(k->r->record, "repetitions_reason"), (long long)complete);

	if (complete >= planned || !reason)
		return;
	json_object_set_new(k->r->record, "repetitions", json_integer(planned));
	json_object_set_new(k->r->record, "repetitions_reason", json_string(reason));
}

/* Before the repetition of cell @at begins: does the run end here? Then say and record why. */
static bool run_ends(struct walk *k, size_t at)
{
	int complete = rep_of(k, at) - 1;

	if (budget_spent(k, at)) {
		progress_note(&k->progress, "the budget is spent after %d repetitions of %lld",
			      complete,
			      json_integer_value(json_object_get(k->r->record, "repetitions")));
		record_stop(k->r, complete,
			    "the cells took longer than estimated and the next would not have "
			    "fitted the budget");
		return true;
	}
	if (look_planned(k, rep_of(k, at)) && decided(k)) {
		progress_note(&k->progress, "every main figure has a verdict after %d repetitions",
			      complete);
		record_stop(k->r, complete, "every main figure has a verdict");
		return true;
	}
	return false;
}

/* cell.json of a finished cell; new reference, NULL when it cannot be read. */
static json_t *cell_read(const struct walk *k, size_t at)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", text(planned_at(k, at), "id"));

	return file ? store_read(&k->r->store, file, NULL) : NULL;
}

/* Cell @at is in its place. */
static void cell_count(struct walk *k, size_t at, const json_t *cell)
{
	k->done[at] = true;
	k->kinds[k->kind[at]].left--;
	k->progress.done++;
	if (!json_is_true(json_object_get(planned_at(k, at), "warmup_boot")) &&
	    json_is_false(json_object_get(cell, "expected")))
		k->unexpected++;
}

/* A guest is thrown away; the running kernel with tasks that hang is no place for more cells. */
static int kernel_usable(const struct run *r, const json_t *cell, struct hb_error *e)
{
	if (!run_is_native(r) || strcmp(text(cell, "verdict"), "HANG"))
		return 0;
	return hb_error_set(e, -EIO, "the running kernel hangs: %s; reboot before anything else",
			    text(cell, "reason"));
}

/* The agent was killed before it could put this machine's settings back. */
static void settings_check(const struct progress *p)
{
	HB_FREE char *path = restore_path(), *what = NULL;

	if (path && restore_pending(path, NULL) > 0 && (what = restore_text(path)))
		progress_note(p, "settings were left behind, %s; mend: hugebench doctor --restore",
			      what);
}

/* Wait for the next cell to end. */
static int cell_finish(struct walk *k, struct hb_error *e)
{
	struct worker *w;
	json_t *cell;
	int rc = workers_wait(&k->workers, &w, e);

	if (rc)
		return rc;
	cell = cell_read(k, w->at);
	costs_learn(k->r->costs, w->cell.planned, cell);
	cell_count(k, w->at, cell);
	k->progress.seconds_left = seconds_left(k);
	progress_end(&k->progress, &w->cell, cell);
	rc = kernel_usable(k->r, cell, e);
	json_decref(cell);
	return rc;
}

/* The next cell to begin into *@at; false: there is none, or none yet. */
static bool cell_choose(struct walk *k, size_t *at)
{
	int rep;

	while (k->next < json_array_size(k->cells) && k->done[k->next])
		k->rep = rep_of(k, k->next++);
	if (k->ending || k->next == json_array_size(k->cells))
		return false;
	rep = rep_of(k, k->next);
	if (rep >= 2 && rep != k->rep) {
		/* A look is at complete repetitions. */
		if (look_planned(k, rep) && workers_busy(&k->workers))
			return false;
		k->ending = run_ends(k, k->next);
	}
	k->rep = rep;
	*at = k->next;
	k->next += !k->ending;
	return !k->ending;
}

static int cells_start(struct walk *k, struct hb_error *e)
{
	struct worker *w;
	size_t at;
	int rc = 0;

	while (!rc && (w = workers_idle(&k->workers)) && cell_choose(k, &at))
		rc = workers_interrupted() ? -EINTR : workers_start(&k->workers, w, at, e);
	return rc;
}

static int cells_walk(struct walk *k, struct hb_error *e)
{
	struct hb_error later;
	int rc;

	k->progress.seconds_left = seconds_left(k);
	while (!(rc = cells_start(k, e)) && workers_busy(&k->workers) && !(rc = cell_finish(k, e)))
		;
	if (rc)
		workers_interrupt(&k->workers);
	while (workers_busy(&k->workers))
		cell_finish(k, &later);
	return rc;
}

/* The kind of boot @at, a new one if need be; *@names: kernel and cell -> index. */
static int kind_find(struct walk *k, size_t at, json_t *names)
{
	const json_t *planned = planned_at(k, at), *known;
	HB_FREE char *name = hb_strf("%s/%s", text(planned, "kernel"), text(planned, "cell"));

	if (!name)
		return -ENOMEM;
	known = json_object_get(names, name);
	if (known) {
		k->kind[at] = json_integer_value(known);
		return 0;
	}
	k->kind[at] = k->nkinds;
	k->kinds[k->nkinds].boot = plan_boot(k->r->plan, at);
	if (!k->kinds[k->nkinds].boot)
		return -ENOMEM;
	return json_object_set_new(names, name, json_integer(k->nkinds++));
}

/* Boots of other blocks are not ours to do. */
static bool is_ours(const struct walk *k, size_t at)
{
	return k->r->args.block == RUN_WHOLE || block_of(planned_at(k, at)) == k->r->args.block;
}

/*
 * A boot that is there already counts. But a block is of one machine: what another one has begun of
 * ours and not finished is done again.
 */
static int boot_find(struct walk *k, size_t at, struct hb_error *e)
{
	const char *id = text(planned_at(k, at), "id");
	json_t *cell = store_has_cell(&k->r->store, id) ? cell_read(k, at) : NULL;
	const char *host = text(json_object_get(cell, "environment"), "host_id");
	int rc = 0;

	if (cell && k->r->args.block != RUN_WHOLE && !k->block_complete &&
	    strcmp(host, text(k->r->environment, "host_id")))
		rc = store_cell_remove(&k->r->store, id, e);
	else if (cell)
		cell_count(k, at, cell);
	json_decref(cell);
	return rc;
}

/* Are all boots of our block there? */
static bool block_complete(const struct walk *k)
{
	for (size_t i = 0; i < json_array_size(k->cells); i++)
		if (is_ours(k, i) && !store_has_cell(&k->r->store, text(planned_at(k, i), "id")))
			return false;
	return true;
}

/* Which cells are ours, their kinds, and what earlier sittings have done of them. */
static int walk_begin(struct walk *k, struct hb_error *e)
{
	size_t n = json_array_size(k->cells);
	json_t *names = json_object();
	int rc;

	k->done = calloc(n + 1, sizeof(*k->done));
	k->kind = calloc(n + 1, sizeof(*k->kind));
	k->kinds = calloc(n + 1, sizeof(*k->kinds));
	rc = k->done && k->kind && k->kinds ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	k->block_complete = !rc && block_complete(k);
	for (size_t i = 0; i < n && !rc; i++) {
		k->done[i] = !is_ours(k, i);
		if (k->done[i])
			continue;
		k->progress.total++;
		rc = kind_find(k, i, names) ? hb_error_set(e, -ENOMEM, "no memory") : 0;
		if (rc)
			break;
		k->kinds[k->kind[i]].left++;
		rc = boot_find(k, i, e);
	}
	json_decref(names);
	if (!rc && !k->progress.total)
		rc = hb_error_set(e, -EINVAL, "the plan of run %s has no block %jd",
				  k->r->store.name, (intmax_t)k->r->args.block);
	return rc;
}

static void walk_free(struct walk *k)
{
	for (size_t i = 0; i < k->nkinds; i++)
		json_decref(k->kinds[i].boot);
	free(k->kinds);
	free(k->kind);
	free(k->done);
}

/* Workers, and what they do, until they are gone. */
static int walk_carry_out(struct walk *k, struct hb_error *e)
{
	int rc;

	record_resumed(k);
	run_place(k->r);
	rc = workers_open(k->r, &k->progress, &k->workers, e);
	if (!rc)
		rc = run_environment_guest(k->r, &k->workers.w[0].memory, e);
	if (!rc)
		rc = cells_walk(k, e);
	progress_clear(&k->progress);
	workers_close(&k->workers);
	return rc;
}

int run_cells(struct run *r, unsigned int *unexpected, struct hb_error *e)
{
	struct walk k = {
		.r = r,
		.cells = json_object_get(r->plan, "cells"),
		.began = hb_now_ns(),
		.progress = {.out = stderr,
			     .terminal = isatty(STDERR_FILENO),
			     .workloads = r->workloads},
	};
	struct hb_error ignored = {""};
	int rc = workers_signals(e);

	if (!rc)
		rc = walk_begin(&k, e);
	if (!rc && k.progress.done < k.progress.total)
		rc = walk_carry_out(&k, e);
	if (run_is_native(r))
		settings_check(&k.progress);
	if (costs_save(r->costs, &ignored))
		progress_note(&k.progress, "%s", ignored.text);
	walk_free(&k);
	*unexpected = k.unexpected;
	/* Of one block the run's state is not told. */
	if (r->args.block != RUN_WHOLE)
		return rc;
	if (run_record_status(r, rc ? "interrupted" : "finished", rc ? &ignored : e) && !rc)
		return -EIO;
	return rc;
}
