// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/run/walk.h"
#include "bench/scenario/cell_costs.h"

const json_t *walk_planned(const struct walk *k, size_t at)
{
	return json_array_get(k->cells, at);
}

int walk_rep(const struct walk *k, size_t at)
{
	return json_integer_value(json_object_get(walk_planned(k, at), "rep"));
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
double walk_seconds_left(const struct walk *k)
{
	double seconds = 0;

	for (size_t i = 0; i < k->nkinds; i++)
		seconds += k->kinds[i].left * kind_seconds(k, i);
	return seconds / k->r->jobs;
}

/* Every kind is once in a repetition. */
double walk_repetition_seconds(const struct walk *k)
{
	double seconds = 0;

	for (size_t i = 0; i < k->nkinds; i++)
		seconds += kind_seconds(k, i);
	return seconds / k->r->jobs;
}

json_t *walk_read(const struct walk *k, size_t at)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", json_text(walk_planned(k, at), "id"));

	return file ? store_read(&k->r->store, file, NULL) : NULL;
}

void walk_count(struct walk *k, size_t at, const json_t *cell)
{
	k->done[at] = true;
	k->kinds[k->kind[at]].left--;
	k->progress.done++;
	if (!json_is_true(json_object_get(walk_planned(k, at), "warmup_boot")) &&
	    json_is_false(json_object_get(cell, "expected")))
		k->unexpected++;
}

void walk_leave_out(struct walk *k, size_t at)
{
	if (k->done[at])
		return;
	k->done[at] = true;
	k->kinds[k->kind[at]].left--;
	k->progress.total--;
	json_object_set_new(json_array_get(k->cells, at), "left_out", json_true());
}

/* The kind of boot @at, a new one if need be. */
static int kind_find(struct walk *k, size_t at)
{
	const json_t *planned = walk_planned(k, at), *known;
	HB_FREE char *name =
		hb_strf("%s/%s", json_text(planned, "kernel"), json_text(planned, "cell"));

	if (!name)
		return -ENOMEM;
	known = json_object_get(k->names, name);
	if (known) {
		k->kind[at] = json_integer_value(known);
		return 0;
	}
	k->kind[at] = k->nkinds;
	k->kinds[k->nkinds].boot = plan_boot(k->r->plan, at);
	if (!k->kinds[k->nkinds].boot)
		return -ENOMEM;
	return json_object_set_new(k->names, name, json_integer(k->nkinds++));
}

/* Boots of other blocks are not ours to do, nor those that are not wanted. */
static bool is_ours(const struct walk *k, size_t at)
{
	if (json_is_true(json_object_get(walk_planned(k, at), "left_out")))
		return false;
	if (k->r->until && walk_rep(k, at) > (int)k->r->until)
		return false;
	return k->r->args.block == RUN_WHOLE || block_of(walk_planned(k, at)) == k->r->args.block;
}

/*
 * A boot that is there already counts. But a block is of one machine: what another one has begun of
 * ours and not finished is done again.
 */
static int boot_find(struct walk *k, size_t at, struct hb_error *e)
{
	const char *id = json_text(walk_planned(k, at), "id");
	json_t *cell = store_has_cell(&k->r->store, id) ? walk_read(k, at) : NULL;
	const char *host = json_text(json_object_get(cell, "environment"), "host_id");
	int rc = 0;

	if (cell && k->r->args.block != RUN_WHOLE && !k->block_complete &&
	    strcmp(host, json_text(k->r->environment, "host_id")))
		rc = store_cell_remove(&k->r->store, id, e);
	else if (cell)
		walk_count(k, at, cell);
	json_decref(cell);
	return rc;
}

/* Are all boots of our block there? */
static bool block_complete(const struct walk *k)
{
	for (size_t i = 0; i < json_array_size(k->cells); i++)
		if (is_ours(k, i) &&
		    !store_has_cell(&k->r->store, json_text(walk_planned(k, i), "id")))
			return false;
	return true;
}

/* Cell @at of the plan comes in. */
static int boot_add(struct walk *k, size_t at, struct hb_error *e)
{
	k->done[at] = !is_ours(k, at);
	if (k->done[at])
		return 0;
	if (kind_find(k, at))
		return hb_error_set(e, -ENOMEM, "no memory");
	k->progress.total++;
	k->kinds[k->kind[at]].left++;
	return boot_find(k, at, e);
}

/* Room for all cells of the plan, those from @n on being new. */
static int walk_room(struct walk *k, size_t n)
{
	size_t all = json_array_size(k->cells);
	bool *done = reallocarray(k->done, all + 1, sizeof(*done));
	unsigned int *kind = reallocarray(k->kind, all + 1, sizeof(*kind));
	struct kind *kinds = reallocarray(k->kinds, all + 1, sizeof(*kinds));

	k->done = done ? done : k->done;
	k->kind = kind ? kind : k->kind;
	k->kinds = kinds ? kinds : k->kinds;
	if (!done || !kind || !kinds)
		return -ENOMEM;
	memset(kinds + k->nkinds, 0, (all + 1 - k->nkinds) * sizeof(*kinds));
	for (size_t i = n; i < all; i++)
		done[i] = true;
	return 0;
}

int walk_grow(struct walk *k, struct hb_error *e)
{
	size_t n = k->ncells;
	int rc = walk_room(k, n) ? hb_error_set(e, -ENOMEM, "no memory") : 0;

	k->ncells = json_array_size(k->cells);
	for (size_t i = n; i < k->ncells && !rc; i++)
		rc = boot_add(k, i, e);
	return rc;
}

int walk_begin(struct walk *k, struct hb_error *e)
{
	int rc;

	k->names = json_object();
	k->block_complete = block_complete(k);
	rc = walk_grow(k, e);
	if (!rc && !k->progress.total)
		rc = hb_error_set(e, -EINVAL, "the plan of run %s has no block %jd",
				  k->r->store.name, (intmax_t)k->r->args.block);
	return rc;
}

void walk_free(struct walk *k)
{
	for (size_t i = 0; i < k->nkinds; i++)
		json_decref(k->kinds[i].boot);
	json_decref(k->names);
	free(k->kinds);
	free(k->kind);
	free(k->done);
}
