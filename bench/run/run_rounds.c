// SPDX-License-Identifier: GPL-2.0-or-later
/* Between the repetitions of a plan: how many there will be, which cells need them, when to end. */
#include <math.h>

#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/result/compare.h"
#include "bench/run/walk.h"

/* In a sequential run cells that have their verdicts leave their time to the others: so many times
 * the repetitions that fit are the most that the others may have. */
#define SEQUENTIAL_ROOM 1.5

static double seconds_spent(const struct walk *k)
{
	return (hb_now_ns() - k->began) / (double)NSEC_PER_SEC;
}

/* Seconds of what is left to do of the repetition that begins with cell @first. */
static double repetition_left(struct walk *k, size_t first)
{
	double all = walk_repetition_seconds(k), cells = k->nkinds, left = 0;

	for (size_t i = first; i < k->ncells && walk_rep(k, i) == walk_rep(k, first); i++)
		left += !k->done[i];
	return all * left / cells;
}

/*
 * The costs were estimates: would the repetition that begins with cell @at end beyond the budget?
 * Whole repetitions only, and by the clock alone, so that no result has a say in when the run ends.
 */
static bool budget_spent(struct walk *k, size_t at)
{
	double budget = k->r->budget / (double)NSEC_PER_SEC;

	return k->r->budget && seconds_spent(k) + repetition_left(k, at) > budget * 1.05;
}

static json_t *stopping_of(const struct walk *k)
{
	return json_object_get(k->r->record, "stopping");
}

/* Is a look at the results planned before repetition @rep begins (run.json "stopping")? */
static bool look_planned(const struct walk *k, int rep)
{
	const json_t *stopping = stopping_of(k);

	return stopping && rep > json_integer_value(json_object_get(stopping, "min_boots"));
}

/* May the number of repetitions be worked out anew? Never after a look at results. */
static bool may_grow(const struct walk *k)
{
	return k->r->budget && k->r->most && !k->r->until;
}

bool round_matters(const struct walk *k, int rep)
{
	return (rep == 2 && may_grow(k)) || look_planned(k, rep);
}

/* How many repetitions the budget holds, by what the first @complete have cost. */
static unsigned int repetitions_that_fit(const struct walk *k, int complete)
{
	double left = k->r->budget / (double)NSEC_PER_SEC - seconds_spent(k);
	double more = fmax(0, floor(left / walk_repetition_seconds(k)));

	if (stopping_of(k))
		more = floor(more * SEQUENTIAL_ROOM);
	return fmin(k->r->most, complete + more);
}

static void record_repetitions(struct run *r, unsigned int repetitions, double seconds)
{
	HB_FREE char *reason = NULL;
	char budget[32], each[32];
	json_t *stopping = json_object_get(r->record, "stopping");

	hb_format_duration(budget, sizeof(budget), r->budget);
	hb_format_duration(each, sizeof(each), seconds * NSEC_PER_SEC);
	reason = hb_strf(
		"what fits into the budget of %s, worked out anew from what the first took; "
		"one of each takes about %s",
		budget, each);
	json_object_set_new(r->record, "repetitions", json_integer(repetitions));
	if (reason)
		json_object_set_new(r->record, "repetitions_reason", json_string(reason));
	if (stopping)
		json_object_set_new(stopping, "max_boots", json_integer(repetitions));
}

/* Make the plan longer where the budget holds more than was planned. By the clock alone. */
static int plan_anew(struct walk *k, int complete, struct hb_error *e)
{
	struct run *r = k->r;
	unsigned int planned = plan_repetitions(r->plan), fit = repetitions_that_fit(k, complete);
	int rc;

	if (fit <= planned)
		return 0;
	if (plan_extend(r->plan, fit))
		return hb_error_set(e, -ENOMEM, "no memory");
	record_repetitions(r, fit, walk_repetition_seconds(k));
	rc = store_write(&r->store, "plan.json", r->plan, e) ?:
	     store_write(&r->store, "run.json", r->record, e) ?: walk_grow(k, e);
	if (rc)
		return rc;
	k->progress.seconds_left = walk_seconds_left(k);
	progress_note(&k->progress, "%u boots per cell and kernel, where %u were planned: %s", fit,
		      planned, json_text(r->record, "repetitions_reason"));
	return 0;
}

static void record_stop(struct run *r, int repetitions, const char *why)
{
	json_int_t planned = json_integer_value(json_object_get(r->record, "repetitions"));
	HB_FREE char *reason = hb_strf("of %lld planned (%s): %s", (long long)planned,
				       json_text(r->record, "repetitions_reason"), why);

	json_object_set_new(r->record, "repetitions", json_integer(repetitions));
	if (reason)
		json_object_set_new(r->record, "repetitions_reason", json_string(reason));
}

/* The cells in @decided get no boot in the repetition that begins with cell @first; the plan says
 * so. */
static void leave_out(struct walk *k, size_t first, const json_t *decided)
{
	struct hb_error e;

	for (size_t i = first; i < k->ncells && walk_rep(k, i) == walk_rep(k, first); i++)
		if (json_object_get(decided, json_text(walk_planned(k, i), "cell")))
			walk_leave_out(k, i);
	if (json_object_size(decided) && store_write(&k->r->store, "plan.json", k->r->plan, &e))
		progress_note(&k->progress, "%s", e.text);
}

/* A look: the run ends when every main figure has its verdict, else those that have wait for the
 * others. A run that cannot be read goes on, and says why. */
static bool look(struct walk *k, size_t at)
{
	json_t *decided = json_object();
	bool all = false;
	int complete = walk_rep(k, at) - 1;
	struct hb_error e;

	if (compare_decided(k->r->store.dir, decided, &all, &e))
		progress_note(&k->progress, "what has a verdict is not known: %s", e.text);
	else if (!all)
		leave_out(k, at, decided);
	json_decref(decided);
	if (!all)
		return false;
	progress_note(&k->progress, "every main figure has a verdict after %d repetitions",
		      complete);
	record_stop(k->r, complete, "every main figure has a verdict");
	return true;
}

bool round_begins(struct walk *k, size_t at, struct hb_error *e)
{
	int complete = walk_rep(k, at) - 1;

	/* Without a longer plan the run goes on as it was planned. */
	if (complete == 1 && may_grow(k) && plan_anew(k, complete, e))
		progress_note(&k->progress, "%s", e->text);
	if (look_planned(k, complete + 1) && look(k, at))
		return true;
	if (!budget_spent(k, at))
		return false;
	progress_note(&k->progress, "the budget is spent after %d repetitions of %lld", complete,
		      json_integer_value(json_object_get(k->r->record, "repetitions")));
	record_stop(k->r, complete,
		    "the cells took longer than estimated and the next would not have fitted the "
		    "budget");
	return true;
}

bool round_is_added(struct walk *k, struct hb_error *e)
{
	size_t n = k->ncells;

	if (!may_grow(k) || stopping_of(k))
		return false;
	if (plan_anew(k, plan_repetitions(k->r->plan), e))
		progress_note(&k->progress, "%s", e->text);
	return k->ncells > n;
}
