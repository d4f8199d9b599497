/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks that were carried out into several directories become one run. */
#ifndef HB_MERGE_H
#define HB_MERGE_H

#include "bench/run/store.h"

struct merge_count {
	unsigned int taken,
		known;	      /* blocks: taken over; in the run already, so left where they are */
	unsigned int partial; /* blocks that their directory has not finished: left out */
	unsigned int missing; /* blocks that are nowhere yet */
	unsigned int unexpected; /* cells whose verdict the scenario does not expect */
	unsigned int repeated,
		differing; /* boots of mode exact: also in the run; of them, with other digits */
};

/*
 * Take into run @name of @results what is finished in @dirs (@n of them; each is a copy of the run,
 * or a results directory that has one). Block by block, whole or not at all, each once. The run is
 * "finished" afterwards if no block is missing. In mode exact what a directory has of a block that
 * the run has as well is compared with it, to the digit (merge_repeat.h). *@dir is the run's
 * directory, owned by the caller.
 *
 * All of @dirs are looked at first. -EXDEV: one does not belong, with the reason: another plan, a
 * kernel or image or agent that is not the run's; -ENOENT, -EPROTO: no such run, or damaged;
 * -EBUSY: somebody works on it.
 */
int merge_run(const char *results, const char *name, char *const *dirs, size_t n,
	      struct merge_count *count, char **dir, struct hb_error *e);

#endif
