// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <stdlib.h>

#include "bench/base/json.h"
#include "bench/run/slurm.h"
#include "bench/scenario/cell_costs.h"
#include "bench/scenario/plan.h"

/* The plan as an array: task t carries out blocks t, t + tasks, t + 2 tasks, ... */
struct array {
	unsigned int blocks, tasks;
	unsigned int left; /* blocks that are not in the run */
	bool *wanted;	   /* [task]: one of its blocks is not; tasks from 1 */
	double seconds;	   /* the dearest task, with what a hang of each block would add */
};

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* What the boot costs; and how long a hang goes unnoticed. */
static double boot_seconds(const json_t *boot, const json_t *costs)
{
	const json_t *phases = json_object_get(json_object_get(boot, "spec"), "phases");
	int measured;

	return 2 * costs_estimate(costs, boot, &measured) +
	       json_number_value(json_object_get(phases, "stall_ns")) / NSEC_PER_SEC;
}

/* Boots of one repetition stand for all: a cell costs the same in each. */
static double block_seconds(const struct slurm_terms *t)
{
	const json_t *cells = json_object_get(t->plan, "cells");
	double seconds = 0, most = 0;
	json_int_t block = 0;

	for (size_t i = 0; i < json_array_size(cells); i++) {
		const json_t *planned = json_array_get(cells, i);
		json_t *boot;

		if (number(planned, "rep") > 1)
			break;
		boot = plan_boot(t->plan, i);
		seconds = number(planned, "block") == block ? seconds : 0;
		block = number(planned, "block");
		seconds += boot_seconds(boot, t->costs);
		most = fmax(most, seconds);
		json_decref(boot);
	}
	return most;
}

unsigned int slurm_blocks_left(const json_t *plan, const struct store *s, bool *wanted,
			       unsigned int tasks)
{
	const json_t *planned;
	unsigned int left = 0;
	json_int_t last = 0;
	size_t i;

	json_array_foreach (json_object_get(plan, "cells"), i, planned) {
		json_int_t block = number(planned, "block");

		if (!block || block == last || store_has_cell(s, json_text(planned, "id")))
			continue;
		last = block;
		left++;
		if (wanted)
			wanted[(block - 1) % tasks + 1] = true;
	}
	return left;
}

/* "1-3,7": the tasks that are wanted. */
static void print_tasks(const struct array *a, FILE *out)
{
	const char *comma = "";

	for (unsigned int t = 1; t <= a->tasks; t++) {
		unsigned int end = t;

		if (!a->wanted[t])
			continue;
		while (end < a->tasks && a->wanted[end + 1])
			end++;
		fprintf(out, end > t ? "%s%u-%u" : "%s%u", comma, t, end);
		comma = ",";
		t = end;
	}
}

static void print_assignment(const char *name, const char *value, FILE *out)
{
	fprintf(out, "%s=", name);
	hb_shell_word(out, value);
	fputc('\n', out);
}

/* What the jobs do. */
static void print_jobs(const struct slurm_terms *t, const struct array *a, FILE *out)
{
	print_assignment("hugebench", t->hugebench, out);
	print_assignment("results", t->results, out);
	print_assignment("run", t->run, out);
	fprintf(out,
		"log=$results/$run/slurm\n"
		"\n"
		"case $1 in\n"
		"prepare)\n"
		"	exec \"$hugebench\" run --results \"$results\" --name \"$run\" --prepare\n"
		"	;;\n"
		"block) # %u blocks, %u tasks; one that is done already is left as it is\n"
		"	worst=0\n"
		"	for k in $(seq \"$SLURM_ARRAY_TASK_ID\" %u %u); do\n"
		"		status=0\n"
		"		\"$hugebench\" run --results \"$results\" --name \"$run\" --block "
		"\"$k\" || "
		"status=$?\n"
		"		[ $status -le 1 ] || exit $status # 1: a cell is not as expected\n"
		"		[ $status = 0 ] || worst=$status\n"
		"	done\n"
		"	exit $worst\n"
		"	;;\n"
		"merge)\n"
		"	exec \"$hugebench\" merge --results \"$results\" \"$run\"\n"
		"	;;\n"
		"esac\n",
		a->blocks, a->tasks, a->tasks, a->blocks);
}

/* What is submitted. */
static void print_submission(const struct slurm_terms *t, const struct array *a, FILE *out)
{
	fputs("\n# Options of sbatch for all three.\nset --", out);
	for (char *const *option = t->options; *option; option++) {
		fputc(' ', out);
		hb_shell_word(out, *option);
	}
	fputs(" \"$@\"\n"
	      "mkdir -p \"$log\"\n"
	      "\n"
	      "# Kernels and image, once, into the cache that the nodes share.\n"
	      "prepare=$(sbatch --parsable --job-name=\"$run-prepare\" "
	      "--output=\"$log/prepare-%j.log\" \\\n"
	      "	\"$@\" \"$0\" prepare)\n"
	      "\n"
	      "# Each block on a node that it has for itself; one whose node fails is queued "
	      "again.\n"
	      "blocks=$(sbatch --parsable --job-name=\"$run\" --array=",
	      out);
	print_tasks(a, out);
	fprintf(out,
		" --exclusive --requeue \\\n"
		"	--open-mode=append --time=%.0f --dependency=\"afterok:$prepare\" "
		"--kill-on-invalid-dep=yes \\\n"
		"	--output=\"$log/block-%%a.log\" \"$@\" \"$0\" block)\n"
		"\n"
		"# Whatever came of them: what is there is reported, what is missing is said.\n"
		"merge=$(sbatch --parsable --job-name=\"$run-merge\" "
		"--dependency=\"afterany:$blocks\" "
		"\\\n"
		"	--output=\"$log/merge-%%j.log\" \"$@\" \"$0\" merge)\n"
		"\n"
		"echo \"$prepare,$blocks,$merge\" >>\"$log/jobs\"\n"
		"echo \"jobs: prepare $prepare, blocks $blocks, merge $merge\"\n",
		ceil(a->seconds / 60));
}

static int array_make(const struct slurm_terms *t, struct array *a)
{
	unsigned int each; /* blocks of a task, at most */

	*a = (struct array){.blocks = plan_blocks(t->plan)};
	a->tasks = a->blocks < SLURM_TASKS_MAX ? a->blocks : SLURM_TASKS_MAX;
	a->wanted = calloc(a->tasks + 1, sizeof(*a->wanted));
	if (!a->wanted)
		return -ENOMEM;
	a->left = slurm_blocks_left(t->plan, t->store, a->wanted, a->tasks);
	each = (a->blocks + a->tasks - 1) / a->tasks;
	/* Five minutes for kernels, image and guest memory to come from the cache. */
	a->seconds = 300 + each * block_seconds(t);
	return 0;
}

char *slurm_script(const struct slurm_terms *t, int *rc, struct hb_error *e)
{
	struct array a = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	*rc = out ? array_make(t, &a) : -ENOMEM;
	if (!*rc && !a.left)
		*rc = hb_error_set(
			e, -EEXIST,
			"run %s has all of its blocks; report it with: hugebench merge %s", t->run,
			t->run);
	if (!*rc) {
		fprintf(out,
			"#!/bin/sh\n"
			"# Run %s by Slurm: %u blocks, %u of them still to be done. Written by "
			"hugebench slurm; it may\n"
			"# be kept, changed and run again: sh slurm.sh [OPTION OF SBATCH]...\n"
			"set -e\n",
			t->run, a.blocks, a.left);
		print_jobs(t, &a, out);
		print_submission(t, &a, out);
	}
	if (out && fclose(out) && !*rc)
		*rc = -ENOMEM;
	if (*rc == -ENOMEM)
		hb_error_set(e, -ENOMEM, "no memory");
	free(a.wanted);
	if (!*rc)
		return text;
	free(text);
	return NULL;
}
