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

/* A plan that is being carried out. */
struct walk {
	struct run *r;
	json_t *cells; /* of the plan */
	bool *done;    /* for each of them: it is in its place */
	size_t next;   /* the first that is neither done nor begun */
	int rep;       /* repetition of the last that was */
	bool ending;   /* no further cell is begun */
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

static double estimate(const struct run *r, const json_t *planned)
{
	int measured;

	return costs_estimate(r->costs, planned, &measured);
}

/* Seconds until all cells are done that are not. */
static double seconds_left(const struct walk *k)
{
	double seconds = 0;

	for (size_t i = 0; i < json_array_size(k->cells); i++)
		if (!k->done[i])
			seconds += estimate(k->r, planned_at(k, i));
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
			seconds += estimate(k->r, planned_at(k, i));
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

/* What earlier sittings have done. */
static int walk_begin(struct walk *k, struct hb_error *e)
{
	size_t n = json_array_size(k->cells);

	k->done = calloc(n + 1, sizeof(*k->done));
	if (!k->done)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < n; i++) {
		json_t *cell = store_has_cell(&k->r->store, text(planned_at(k, i), "id"))
				       ? cell_read(k, i)
				       : NULL;

		if (cell)
			cell_count(k, i, cell);
		json_decref(cell);
	}
	return 0;
}

/* Workers, and what they do, until they are gone. */
static int walk_carry_out(struct walk *k, struct hb_error *e)
{
	int rc = workers_open(k->r, &k->progress, &k->workers, e);

	if (!rc && !run_is_native(k->r))
		json_object_set_new(json_object_get(k->r->record, "guest"), "memory_backing",
				    json_string(k->workers.w[0].memory.text));
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
			     .workloads = r->workloads,
			     .total = json_array_size(json_object_get(r->plan, "cells"))},
	};
	struct hb_error ignored = {""};
	int rc = workers_signals(e);

	if (!rc)
		rc = walk_begin(&k, e);
	if (!rc)
		rc = walk_carry_out(&k, e);
	if (run_is_native(r))
		settings_check(&k.progress);
	if (costs_save(r->costs, &ignored))
		progress_note(&k.progress, "%s", ignored.text);
	free(k.done);
	*unexpected = k.unexpected;
	if (run_record_status(r, rc ? "interrupted" : "finished", rc ? &ignored : e) && !rc)
		return -EIO;
	return rc;
}
