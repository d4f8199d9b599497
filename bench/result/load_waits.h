/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operations waited for (observe = waits), of one boot or added up over several. */
#ifndef HB_LOAD_WAITS_H
#define HB_LOAD_WAITS_H

#include "bench/result/load.h"

/* Strings belong to the run's set, or are static. */
struct load_wait {
	const char *kind;     /* of lock; "cpu": others had the CPU; "own": executed itself */
	const char *function; /* that waited; "": none */
	double spun, asleep;  /* sums, in the row's unit; of what held up all is in asleep */
	double count;	      /* operations that waited so, or were held up by it */
};

struct load_waits {
	const char *source, *name;	/* of the metric */
	double count, total, executed;	/* operations; sums in the unit of their latency */
	double slow, least;		/* operations above p99.9, and the shortest of them */
	struct load_wait *waits, *held; /* by kind and function, the longest sum first */
	unsigned int nwaits, nheld;
};

/* The member "waits" of a cell.json into c->waits; none: c->nwaits is 0. Errors as
 * load_cell_parse(). */
int load_waits_parse(struct load_run *run, const json_t *j, struct load_cell *c,
		     struct hb_error *e);
void load_waits_release(struct load_cell *c);
/* Add @from to @into, which is of the same metric or zeroed. 0 or -ENOMEM. */
int load_waits_add(struct load_waits *into, const struct load_waits *from);
void load_waits_free(struct load_waits *w);

#endif
