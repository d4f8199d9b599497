/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A planned run as a job array of Slurm: the script that a person may read, keep and run again. */
#ifndef HB_SLURM_H
#define HB_SLURM_H

#include "bench/run/store.h"

/* Tasks of an array; more blocks share them out. Slurm's default of MaxArraySize allows these. */
#define SLURM_TASKS_MAX 1000

struct slurm_terms {
	const char *hugebench, *results, *run; /* absolute paths, name of the run */
	char *const *options;		       /* for every sbatch; NULL-terminated */
	const json_t *plan;
	const json_t *costs; /* costs_load() */
	const struct store *store;
};

/*
 * Number of blocks of @plan that are not in @s. @wanted (NULL: not asked for): of @tasks tasks,
 * numbered from 1, those that one of these falls to are marked.
 */
unsigned int slurm_blocks_left(const json_t *plan, const struct store *s, bool *wanted,
			       unsigned int tasks);
/*
 * The script: called without an argument it submits three jobs, one that builds kernels and image,
 * an array of those tasks whose blocks are not all in the run, and one that merges and reports; the
 * jobs are the script itself with "prepare", "block" and "merge". Owned by the caller; NULL with
 * the reason: -EEXIST: every block is there; -ENOMEM.
 */
char *slurm_script(const struct slurm_terms *t, int *rc, struct hb_error *e);

#endif
