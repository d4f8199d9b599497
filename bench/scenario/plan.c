// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/scenario/cell_costs.h"
#include "bench/scenario/plan.h"

#define FORMAT		 1
#define REPETITIONS_MAX	 40		    /* more boots than any comparison here gains from */
#define WORK_REPETITIONS 5		    /* layouts of memory, where instructions are counted */
#define SEED_MAX	 ((1ULL << 52) - 1) /* whole in a double, so in every JSON reader */

/* The seed of a boot: one for a cell and repetition, the same in all arms. */
static uint64_t cell_seed(uint64_t seed, size_t cell, unsigned int rep)
{
	uint64_t state = seed ^ (cell + 1) * 0x100000001b3ULL ^ (uint64_t)rep << 40;

	return hb_random(&state) & SEED_MAX;
}

static void shuffle(size_t *order, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = hb_random(state) % i, other = order[i - 1];

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
		return 0; /* session.c: follows from instructions, and vCPUs */
	if (!strcmp(mode, "emulated"))
		return 180 + 3 * (phases + stall);
	return 90 + 2 * (phases + stall);
}

bool plan_expects(const json_t *planned, const char *verdict)
{
	const json_t *expect = json_object_get(planned, "expect");

	return json_array_size(expect) ? json_has_text(expect, verdict) : !strcmp(verdict, "OK");
}

/* What is expected of the arm @name: what the scenario says of it, else of what it is a kind of,
 * "base" for "metal-base"; borrowed, or NULL. */
static json_t *arm_expect(const struct spec_cell *cell, const char *name)
{
	json_t *expect = json_object_get(cell->expect, name);

	for (const char *dash = name; !expect && (dash = strchr(dash, '-'));)
		expect = json_object_get(cell->expect, ++dash);
	return expect;
}

/* Verdicts that are expected of the arms, {KERNEL: ["OK"]}; a control arm is judged as its
 * original.
 */
static json_t *cell_expect(const struct spec_cell *cell, const json_t *arms)
{
	const char *first = json_string_value(json_array_get(arms, 0));
	HB_FREE char *control = plan_control_name(first);
	json_t *all = json_object();
	const json_t *arm;
	size_t i;

	if (!control)
		return NULL;
	json_array_foreach (arms, i, arm) {
		const char *kernel = json_string_value(arm);
		json_t *expect = arm_expect(cell, kernel);

		if (!expect && !strcmp(control, kernel))
			expect = arm_expect(cell, first);
		json_object_set_new(all, kernel,
				    expect ? json_incref(expect) : json_pack("[s]", "OK"));
	}
	return all;
}

/* Lengths of the phases: of the guest's clock, in mode exact instructions of each CPU. */
static json_t *cell_phases(const struct spec_timing *t, const char *mode)
{
	json_int_t insn = t->insn;

	if (!strcmp(mode, "exact"))
		return json_pack("{s:I, s:I, s:I, s:I, s:I}", "warmup_insn",
				 insn / SPEC_EXACT_PARTS, "measure_insn", insn, "interval_insn",
				 insn / SPEC_EXACT_PARTS, "stall_insn",
				 (json_int_t)SPEC_EXACT_STALL, "turn_insn", (json_int_t)t->turn);
	return json_pack("{s:I, s:I, s:I, s:I}", "warmup_ns", (json_int_t)t->warmup, "measure_ns",
			 (json_int_t)t->measure, "interval_ns", (json_int_t)t->interval, "stall_ns",
			 (json_int_t)t->stall);
}

/* What all boots of a cell have in common; the seed is filled in by plan_boot(). */
static json_t *cell_common(const struct spec_cell *cell, const char *mode, const json_t *arms)
{
	const struct spec_timing *t = &cell->timing;

	return json_pack("{s:f, s:o, s:{s:i, s:s, s:s, s:i, s:o, s:I, s:O, s:s, s:O}}",
			 "deadline_s", cell_deadline(t, mode), "expect", cell_expect(cell, arms),
			 "spec", "format", FORMAT, "cell", cell->name, "mode", mode, "seed", 0,
			 "phases", cell_phases(t, mode), "work", (json_int_t)t->work, "observe",
			 cell->observed, "nodes", "spread", "instances", cell->instances);
}

/* A plan that grows; what is borrowed of it. */
struct planner {
	json_t *cells;
	const json_t *arms;
	const char **name; /* of cell i of the scenario */
	size_t n;	   /* cells of the scenario */
	uint64_t seed;
	json_int_t block; /* of the last boot */
};

/* Release with free(p->name). */
static int planner_init(struct planner *p, const json_t *plan)
{
	json_t *common = json_object_get(plan, "common"), *cell;
	const char *name;
	size_t i = 0;

	*p = (struct planner){
		.cells = json_object_get(plan, "cells"),
		.arms = json_object_get(plan, "arms"),
		.n = json_object_size(common),
		.seed = json_integer_value(json_object_get(plan, "seed")),
	};
	p->block = plan_blocks(plan);
	p->name = calloc(p->n + 1, sizeof(*p->name));
	if (!p->name)
		return -ENOMEM;
	json_object_foreach (common, name, cell)
		p->name[i++] = name;
	return 0;
}

static int boot_append(const struct planner *p, size_t cell, const char *kernel, unsigned int rep)
{
	size_t seq = json_array_size(p->cells) + 1;
	HB_FREE char *id =
		hb_strf("%03zu-%s-%s-%s%u", seq, kernel, p->name[cell], rep ? "r" : "w", rep);

	if (!id)
		return -ENOMEM;
	return json_array_append_new(
		p->cells, json_pack("{s:I, s:s, s:I, s:s, s:s, s:i, s:b, s:I}", "seq",
				    (json_int_t)seq, "id", id, "block", p->block, "kernel", kernel,
				    "cell", p->name[cell], "rep", rep, "warmup_boot", !rep, "seed",
				    (json_int_t)cell_seed(p->seed, cell, rep)));
}

/*
 * The arm that boots at @place of repetition @rep: forwards and backwards in turn, and with more
 * than two arms another one begins in every second repetition.
 */
static const char *arm_at(const json_t *arms, unsigned int rep, size_t place)
{
	size_t n = json_array_size(arms);
	size_t at = (place + (n > 2 ? rep / 2 : 0)) % n;

	return json_string_value(json_array_get(arms, rep % 2 ? n - 1 - at : at));
}

/* A boot of every arm, one after another; @turn: see arm_at(). */
static int block_append(struct planner *p, size_t cell, unsigned int rep, unsigned int turn)
{
	p->block += rep > 0;
	for (size_t k = 0; k < json_array_size(p->arms); k++)
		if (boot_append(p, cell, arm_at(p->arms, turn, k), rep))
			return -ENOMEM;
	return 0;
}

int plan_extend(json_t *plan, unsigned int repetitions)
{
	unsigned int there = plan_repetitions(plan);
	struct planner p;
	int rc = planner_init(&p, plan);
	unsigned char first[p.n + 1]; /* direction of a cell's first block */
	size_t order[p.n + 1];
	uint64_t state = p.seed;

	memset(first, 0, sizeof(first));
	memset(order, 0, sizeof(order));
	for (size_t i = 0; i < p.n; i++)
		first[i] = hb_random(&state) & 1;
	/* Those that are there are drawn again, so that the others come as if planned at once. */
	for (unsigned int rep = 1; rep <= repetitions && !rc; rep++) {
		for (size_t i = 0; i < p.n; i++)
			order[i] = i;
		shuffle(order, p.n, &state);
		for (size_t i = 0; i < p.n && rep > there && !rc; i++)
			rc = block_append(&p, order[i], rep, rep - 1 + first[order[i]]);
	}
	free(p.name);
	return rc;
}

/* A boot of every arm that is not counted: image and guest memory come warm to the first that is.
 */
static int warmup_append(json_t *plan)
{
	struct planner p;
	int rc = planner_init(&p, plan);

	if (!rc)
		rc = block_append(&p, 0, 0, 0);
	free(p.name);
	return rc;
}

json_t *plan_make(const struct spec *spec, const char *mode, const json_t *kernels, uint64_t seed,
		  unsigned int repetitions)
{
	json_t *common = json_object();
	json_t *plan = json_pack("{s:i, s:I, s:O, s:o, s:[]}", "format", FORMAT, "seed",
				 (json_int_t)seed, "arms", kernels, "common", common, "cells");
	int rc = 0;

	for (size_t i = 0; i < spec->ncells && !rc; i++)
		rc = json_object_set_new(common, spec->cells[i].name,
					 cell_common(&spec->cells[i], mode, kernels));
	if (!rc && spec->scenario.warmup_boot)
		rc = warmup_append(plan);
	if (!rc)
		rc = plan_extend(plan, repetitions);
	if (!rc)
		return plan;
	json_decref(plan);
	return NULL;
}

static json_int_t last_number(const json_t *plan, const char *key)
{
	const json_t *cells = json_object_get(plan, "cells");
	const json_t *last = json_array_get(cells, json_array_size(cells) - 1);

	return json_integer_value(json_object_get(last, key));
}

unsigned int plan_repetitions(const json_t *plan)
{
	return last_number(plan, "rep");
}

unsigned int plan_blocks(const json_t *plan)
{
	return last_number(plan, "block");
}

json_t *plan_boot(const json_t *plan, size_t at)
{
	json_t *boot = json_copy(json_array_get(json_object_get(plan, "cells"), at));
	const char *cell = json_string_value(json_object_get(boot, "cell"));
	const char *kernel = json_string_value(json_object_get(boot, "kernel"));
	const json_t *common = json_object_get(json_object_get(plan, "common"), cell);
	json_t *spec = json_copy(json_object_get(common, "spec"));

	/* A plan of an earlier version has all of it in every entry. */
	if (!boot || !spec)
		return boot;
	json_object_set(spec, "seed", json_object_get(boot, "seed"));
	json_object_set(boot, "deadline_s", json_object_get(common, "deadline_s"));
	json_object_set(boot, "expect", json_object_get(json_object_get(common, "expect"), kernel));
	json_object_set_new(boot, "spec", spec);
	return boot;
}

struct estimate {
	double warmup, repetition; /* seconds: warm-up boots; one repetition of all cells and arms,
				      as many side by side as may be */
	unsigned int measured, cells; /* of one repetition */
};

static int plan_estimate(const struct spec *spec, const struct plan_terms *t, struct estimate *est)
{
	json_t *plan = plan_make(spec, t->mode, t->kernels, 1, 1);
	size_t n = json_array_size(json_object_get(plan, "cells"));

	*est = (struct estimate){0};
	if (!plan)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_t *boot = plan_boot(plan, i);
		bool warmup = json_is_true(json_object_get(boot, "warmup_boot"));
		int measured;
		double seconds = costs_estimate(t->costs, boot, &measured) / t->jobs;

		json_decref(boot);
		if (warmup) {
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
	bool work = spec_is_work(spec);
	unsigned int limit = spec->scenario.repeat ? spec->scenario.repeat
			     : work		   ? WORK_REPETITIONS
						   : REPETITIONS_MAX;
	const char *whose = spec->scenario.repeat ? "as the scenario says"
			    : work ? "of fixed work more layouts of memory add nothing"
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
	choice->most = limit;
	choice->seconds = est.warmup + choice->repetitions * est.repetition;
	snprintf(choice->reason, sizeof(choice->reason),
		 "%s%s; one of each takes about %s (%u of %u cells from measured costs on this "
		 "host, "
		 "the rest estimated)",
		 fits < limit ? "what fits into the budget of " : whose, fits < limit ? budget : "",
		 each, est.measured, est.cells);
	return 0;
}
