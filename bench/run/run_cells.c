// SPDX-License-Identifier: GPL-2.0-or-later
/* Carrying out a plan, cell after cell. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/restore.h"
#include "bench/run/walk.h"
#include "bench/scenario/cell_costs.h"

bool run_has_cells(const struct run *r)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	size_t i;

	json_array_foreach (cells, i, planned)
		if (store_has_cell(&r->store, json_text(planned, "id")))
			return true;
	return false;
}

/* A guest is thrown away; the running kernel with tasks that hang is no place for more cells. */
static int kernel_usable(const struct run *r, const json_t *cell, struct hb_error *e)
{
	if (!run_is_native(r) || strcmp(json_text(cell, "verdict"), "HANG"))
		return 0;
	return hb_error_set(e, -EIO, "the running kernel hangs: %s; reboot before anything else",
			    json_text(cell, "reason"));
}

/* The agent was killed before it could put this machine's settings back. */
static void settings_check(const struct progress *p)
{
	HB_FREE char *path = restore_path(), *what = NULL;

	if (path && restore_pending(path, NULL) > 0 && (what = restore_text(path)))
		progress_note(p, "settings were left behind, %s; mend: hugebench doctor --restore",
			      what);
}

/* Does other work take most of this machine? What a cell took is no measure of its cost then. */
static bool host_is_busy(void)
{
	double load;

	return getloadavg(&load, 1) == 1 && load > 3.0 * sysconf(_SC_NPROCESSORS_ONLN);
}

/* Wait for the next cell to end. */
static int cell_finish(struct walk *k, struct hb_error *e)
{
	struct worker *w;
	json_t *cell;
	int rc = workers_wait(&k->workers, &w, e);

	if (rc)
		return rc;
	cell = walk_read(k, w->at);
	if (!host_is_busy())
		costs_learn(k->r->costs, w->cell.planned, cell);
	walk_count(k, w->at, cell);
	k->progress.seconds_left = walk_seconds_left(k);
	progress_end(&k->progress, &w->cell, cell);
	rc = kernel_usable(k->r, cell, e);
	json_decref(cell);
	return rc;
}

/* The next cell to begin into *@at; false: there is none, or none yet. */
static bool cell_choose(struct walk *k, size_t *at, struct hb_error *e)
{
	int rep;

	while (k->next < k->ncells && k->done[k->next])
		k->rep = walk_rep(k, k->next++);
	if (k->ending)
		return false;
	if (k->next == k->ncells && (workers_busy(&k->workers) || !round_is_added(k, e)))
		return false;
	rep = walk_rep(k, k->next);
	if (rep >= 2 && rep != k->rep) {
		if (round_matters(k, rep) && workers_busy(&k->workers))
			return false;
		k->ending = round_begins(k, k->next, e);
		k->rep = rep;
		return cell_choose(k, at, e);
	}
	k->rep = rep;
	*at = k->next++;
	return true;
}

static int cells_start(struct walk *k, struct hb_error *e)
{
	struct worker *w;
	size_t at;
	int rc = 0;

	while (!rc && (w = workers_idle(&k->workers)) && cell_choose(k, &at, e))
		rc = workers_interrupted() ? -EINTR : workers_start(&k->workers, w, at, e);
	return rc;
}

static int cells_walk(struct walk *k, struct hb_error *e)
{
	struct hb_error later;
	int rc;

	k->progress.seconds_left = walk_seconds_left(k);
	while (!(rc = cells_start(k, e)) && workers_busy(&k->workers) && !(rc = cell_finish(k, e)))
		;
	if (rc)
		workers_interrupt(&k->workers);
	while (workers_busy(&k->workers))
		cell_finish(k, &later);
	return rc;
}

/* A run that had been ended, by its budget or a verdict, goes on: say so. */
static void record_resumed(const struct walk *k)
{
	json_int_t complete = json_integer_value(json_object_get(k->r->record, "repetitions"));
	int planned = walk_rep(k, k->ncells - 1);
	HB_FREE char *reason =
		hb_strf("%s; resumed after repetition %lld",
			json_text(k->r->record, "repetitions_reason"), (long long)complete);

	if (k->r->until || complete >= planned || !reason)
		return;
	json_object_set_new(k->r->record, "repetitions", json_integer(planned));
	json_object_set_new(k->r->record, "repetitions_reason", json_string(reason));
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
