// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <string.h>

#include "bench/base/units.h"
#include "bench/scenario/costs.h"
#include "bench/scenario/plan.h"

#define FORMAT		1
#define REPETITIONS_MAX 40		   /* more boots than any comparison here gains from */
#define SEED_MAX	((1ULL << 52) - 1) /* whole in a double, so in every JSON reader */

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one step of the state. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/*
 * The workloads' seed: one for a cell and repetition, the same in all arms. In mode exact one for
 * all boots of all runs: reading another number takes other instructions.
 */
static uint64_t cell_seed(const char *mode, uint64_t seed, size_t cell, unsigned int rep)
{
	uint64_t state = seed ^ (cell + 1) * 0x100000001b3ULL ^ (uint64_t)rep << 40;

	return strcmp(mode, "exact") ? random_next(&state) & SEED_MAX : 1;
}

static void shuffle(size_t *order, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_next(state) % i, other = order[i - 1];

		order[i - 1] = order[j];
		order[j] = other;
	}
}

char *plan_control_name(const char *name)
{
	return hb_strf("%s-control", name);
}

/*
 * Seconds after which a cell is given up, whatever it does. Only a backstop: a hang is found by
 * the watchdog long before, so the allowances are wide (an emulated guest on a busy host is slow).
 */
static double cell_deadline(const struct spec_timing *t, const char *mode)
{
	double phases = (t->warmup + t->measure) / (double)NSEC_PER_SEC;
	double stall = t->stall / (double)NSEC_PER_SEC;

	if (t->deadline)
		return t->deadline / (double)NSEC_PER_SEC;
	if (!strcmp(mode, "exact"))
		return 900; /* the time follows from the work, which is not known here */
	if (!strcmp(mode, "emulated"))
		return 180 + 3 * (phases + stall);
	return 90 + 2 * (phases + stall);
}

/* Verdicts that are expected of @kernel; a control arm is judged as its original. */
static json_t *cell_expect(const struct spec_cell *cell, const json_t *kernels, const char *kernel)
{
	const json_t *expect = json_object_get(cell->expect, kernel);
	HB_FREE char *control = plan_control_name(json_string_value(json_array_get(kernels, 0)));

	if (!expect && control && !strcmp(control, kernel))
		expect = json_object_get(cell->expect,
					 json_string_value(json_array_get(kernels, 0)));
	return expect ? json_deep_copy(expect) : json_pack("[s]", "OK");
}

bool plan_expects(const json_t *planned, const char *verdict)
{
	json_t *expect = json_object_get(planned, "expect"), *v;
	size_t i;

	if (!json_array_size(expect))
		return !strcmp(verdict, "OK");
	json_array_foreach (expect, i, v)
		if (json_is_string(v) && !strcmp(json_string_value(v), verdict))
			return true;
	return false;
}

static json_t *cell_spec(const struct spec_cell *cell, const char *mode, uint64_t seed)
{
	const struct spec_timing *t = &cell->timing;

	return json_pack("{s:i, s:s, s:s, s:I, s:{s:I, s:I, s:I, s:I}, s:I, s:O, s:s, s:O}",
			 "format", FORMAT, "cell", cell->name, "mode", mode, "seed",
			 (json_int_t)seed, "phases", "warmup_ns", (json_int_t)t->warmup,
			 "measure_ns", (json_int_t)t->measure, "interval_ns",
			 (json_int_t)t->interval, "stall_ns", (json_int_t)t->stall, "work",
			 (json_int_t)t->work, "observe", cell->observed, "nodes", "spread",
			 "instances", cell->instances);
}

/* What stays the same while one plan is made. */
struct planner {
	const struct spec *spec;
	const char *mode;
	const json_t *kernels;
	uint64_t seed;
	json_t *cells;
};

static int cell_append(const struct planner *p, size_t cell, const char *kernel, unsigned int rep,
		       bool warmup_boot)
{
	const struct spec_cell *c = &p->spec->cells[cell];
	size_t seq = json_array_size(p->cells) + 1;
	HB_FREE char *id =
		hb_strf("%03zu-%s-%s-%s%u", seq, kernel, c->name, warmup_boot ? "w" : "r", rep);

	if (!id)
		return -ENOMEM;
	return json_array_append_new(
		p->cells,
		json_pack("{s:I, s:s, s:s, s:s, s:i, s:b, s:o, s:f, s:o}", "seq", (json_int_t)seq,
			  "id", id, "kernel", kernel, "cell", c->name, "rep", rep, "warmup_boot",
			  warmup_boot, "expect", cell_expect(c, p->kernels, kernel), "deadline_s",
			  cell_deadline(&c->timing, p->mode), "spec",
			  cell_spec(c, p->mode, cell_seed(p->mode, p->seed, cell, rep))));
}

/*
 * The arm that boots at @place of repetition @rep: forwards and backwards in turn, and with more
 * than two arms another one begins in every second repetition.
 */
static const char *arm_at(const json_t *kernels, unsigned int rep, size_t place)
{
	size_t n = json_array_size(kernels);
	size_t at = (place + (n > 2 ? rep / 2 : 0)) % n;

	return json_string_value(json_array_get(kernels, rep % 2 ? n - 1 - at : at));
}

/* One repetition; *@state is the random state of the order, @first[cell] the direction of its first
 * pair. */
static int repetition_append(const struct planner *p, unsigned int rep, uint64_t *state,
			     const unsigned char *first)
{
	size_t order[p->spec->ncells];

	for (size_t i = 0; i < p->spec->ncells; i++)
		order[i] = i;
	shuffle(order, p->spec->ncells, state);
	for (size_t i = 0; i < p->spec->ncells; i++)
		for (size_t k = 0; k < json_array_size(p->kernels); k++) {
			const char *arm = arm_at(p->kernels, rep + first[order[i]], k);

			if (cell_append(p, order[i], arm, rep + 1, false))
				return -ENOMEM;
		}
	return 0;
}

/* A boot of every arm that is not counted: image and guest memory come warm to the first that is.
 */
static int warmup_append(const struct planner *p)
{
	size_t k;
	json_t *arm;

	json_array_foreach (p->kernels, k, arm)
		if (cell_append(p, 0, json_string_value(arm), 0, true))
			return -ENOMEM;
	return 0;
}

json_t *plan_make(const struct spec *spec, const char *mode, const json_t *kernels, uint64_t seed,
		  unsigned int repetitions)
{
	struct planner p = {spec, mode, kernels, seed, json_array()};
	unsigned char first[spec->ncells];
	uint64_t state = seed;
	int rc = p.cells ? 0 : -ENOMEM;

	for (size_t i = 0; i < spec->ncells; i++)
		first[i] = random_next(&state) & 1;
	if (!rc && spec->scenario.warmup_boot)
		rc = warmup_append(&p);
	for (unsigned int rep = 0; rep < repetitions && !rc; rep++)
		rc = repetition_append(&p, rep, &state, first);
	if (rc) {
		json_decref(p.cells);
		return NULL;
	}
	return json_pack("{s:i, s:I, s:o}", "format", FORMAT, "seed", (json_int_t)seed, "cells",
			 p.cells);
}

struct estimate {
	double warmup, repetition; /* seconds: warm-up boots; one repetition of all cells and arms,
				      as many side by side as may be */
	unsigned int measured, cells; /* of one repetition */
};

static int plan_estimate(const struct spec *spec, const struct plan_terms *t, struct estimate *est)
{
	json_t *plan = plan_make(spec, t->mode, t->kernels, 1, 1), *cell;
	size_t i;

	*est = (struct estimate){0};
	if (!plan)
		return -ENOMEM;
	json_array_foreach (json_object_get(plan, "cells"), i, cell) {
		int measured;
		double seconds = costs_estimate(t->costs, cell, &measured) / t->jobs;

		if (json_is_true(json_object_get(cell, "warmup_boot"))) {
			est->warmup += seconds;
			continue;
		}
		est->repetition += seconds;
		est->measured += measured;
		est->cells++;
	}
	json_decref(plan);
	return 0;
}

/* How many repetitions the budget holds, and why that many are taken. */
int plan_choose(const struct spec *spec, const struct plan_terms *t, struct plan_choice *choice,
		struct hb_error *e)
{
	bool exact = !strcmp(t->mode, "exact");
	unsigned int limit = spec->scenario.repeat ? spec->scenario.repeat
			     : exact		   ? 3
						   : REPETITIONS_MAX;
	const char *whose = spec->scenario.repeat ? "as the scenario says"
			    : exact ? "in mode exact more boots only show that the figures repeat"
				    : "the most that is done";
	char budget[32], each[32];
	double fits = HUGE_VAL;
	struct estimate est;

	if (plan_estimate(spec, t, &est))
		return hb_error_set(e, -ENOMEM, "no memory");
	hb_format_duration(budget, sizeof(budget), t->budget_ns);
	hb_format_duration(each, sizeof(each), est.repetition * NSEC_PER_SEC);
	if (t->budget_ns)
		fits = floor((t->budget_ns / (double)NSEC_PER_SEC - est.warmup) / est.repetition);
	if (fits < 1)
		return hb_error_set(
			e, -ERANGE,
			"the budget of %s does not hold one boot of every cell and kernel, "
			"which takes about %s; raise --budget, or shorten the cells with "
			"-o measure=... or -o warmup=...",
			budget, each);
	choice->repetitions = fits < limit ? fits : limit;
	choice->seconds = est.warmup + choice->repetitions * est.repetition;
	snprintf(choice->reason, sizeof(choice->reason),
		 "%s%s; one of each takes about %s (%u of %u cells from measured costs on this "
		 "host, "
		 "the rest estimated)",
		 fits < limit ? "what fits into the budget of " : whose, fits < limit ? budget : "",
		 each, est.measured, est.cells);
	return 0;
}
