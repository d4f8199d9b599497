/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a scenario to plan.json: every boot, its order, its specification; no input or output. */
#ifndef HB_PLAN_H
#define HB_PLAN_H

#include <jansson.h>
#include <stdint.h>

#include "bench/scenario/spec.h"

#define PLAN_BUDGET_DEFAULT (20 * 60 * NSEC_PER_SEC)

/*
 * The name of the A/A arm of kernel @name: the same kernel under another name, so that a
 * comparison of the two shows what the method finds where nothing differs. Owned by the caller.
 */
char *plan_control_name(const char *name);

/*
 * plan.json (results/FORMAT.md). @kernels: array of names, arms in order, the control arm
 * included. Repetition by repetition; within one, the cells in an order drawn from @seed, and for
 * each cell the arms directly after one another, a block, forwards in one repetition and backwards
 * in the next (A B, B A): slow drift of the host meets both arms alike. New reference; NULL without
 * memory.
 */
json_t *plan_make(const struct spec *spec, const char *mode, const json_t *kernels, uint64_t seed,
		  unsigned int repetitions);
/*
 * Make @plan one of @repetitions: the same that plan_make() makes of so many. Nothing is taken
 * away. -ENOMEM.
 */
int plan_extend(json_t *plan, unsigned int repetitions);
/* Blocks are numbered from 1 to this one; 0 has the warm-up boots, which need not be. */
unsigned int plan_blocks(const json_t *plan);
/* Number of repetitions in @plan. */
unsigned int plan_repetitions(const json_t *plan);
/*
 * Entry @at of the plan with what its cell's boots have in common: seq, id, kernel, cell, rep,
 * warmup_boot, expect, deadline_s, spec. New reference; NULL: there is none, or no memory.
 */
json_t *plan_boot(const json_t *plan, size_t at);
/* Does a boot, as of plan_boot(), expect @verdict? One that says nothing expects OK. */
bool plan_expects(const json_t *planned, const char *verdict);

/* What the number of repetitions follows from, beside the scenario. */
struct plan_terms {
	const char *mode;
	const json_t *kernels; /* as in plan_make() */
	const json_t *costs;   /* costs_load() */
	uint64_t budget_ns;    /* 0: not limited */
	unsigned int jobs;     /* boots side by side, from 1 */
};

struct plan_choice {
	unsigned int repetitions;
	unsigned int most; /* that would be planned with a larger budget */
	double seconds;	   /* the whole plan, estimated */
	char reason[512];
};

/*
 * Choose the repetitions. The scenario's own number (0: none) is never exceeded; the budget may
 * lower it. -ERANGE when not even one boot of each cell fits.
 */
int plan_choose(const struct spec *spec, const struct plan_terms *t, struct plan_choice *choice,
		struct hb_error *e);

#endif
