/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan that is being carried out: what is done of it, what is next, what the rest costs. */
#ifndef HB_WALK_H
#define HB_WALK_H

#include "bench/run/progress.h"
#include "bench/run/run.h"
#include "bench/run/workers.h"

/* The boots of one cell and arm: they cost the same. */
struct kind {
	json_t *boot; /* one of them, plan_boot() */
	size_t left;
};

/* A plan that is being carried out. */
struct walk {
	struct run *r;
	json_t *cells;	    /* of the plan */
	size_t ncells;	    /* those that were taken in */
	bool *done;	    /* for each of them: it is in its place, or not ours to do */
	unsigned int *kind; /* for each of them */
	struct kind *kinds;
	size_t nkinds;
	size_t next;	     /* the first that is neither done nor begun */
	int rep;	     /* repetition of the last that was */
	bool ending;	     /* no further cell is begun */
	bool block_complete; /* nothing is left to do of our block */
	uint64_t began;
	unsigned int unexpected;
	json_t *names; /* kernel and cell -> index of the kind */
	struct progress progress;
	struct workers workers;
};

/*
 * Which cells are ours, their kinds, and what earlier sittings have done of them. *@k: r, cells and
 * progress are set. -EINVAL: there is no such block. Release with walk_free(), in every case.
 */
int walk_begin(struct walk *k, struct hb_error *e);
void walk_free(struct walk *k);
/* The plan has become longer: take in what is new. */
int walk_grow(struct walk *k, struct hb_error *e);
/* Cell @at is in its place, with @cell as its cell.json. */
void walk_count(struct walk *k, size_t at, const json_t *cell);
/* Cell @at is not to be done: its entry in the plan says so from now on. */
void walk_leave_out(struct walk *k, size_t at);
/* cell.json of a finished cell; new reference, NULL when it cannot be read. */
json_t *walk_read(const struct walk *k, size_t at);

const json_t *walk_planned(const struct walk *k, size_t at);
int walk_rep(const struct walk *k, size_t at);
/* Estimates by what was measured, seconds: of all that is left; of a repetition of all cells. */
double walk_seconds_left(const struct walk *k);
double walk_repetition_seconds(const struct walk *k);

/*
 * What is to be settled before the repetition of cell @at begins, no cell running (run_rounds.c):
 * the number of repetitions anew, cells that need no more boots, the end of the run. True: it ends
 * here, and why is recorded.
 */
bool round_begins(struct walk *k, size_t at, struct hb_error *e);
/* All of the plan is done: is there time for more? Then it is longer now. */
bool round_is_added(struct walk *k, struct hb_error *e);
/* Is anything to be settled before repetition @rep? Then no cell may be running. */
bool round_matters(const struct walk *k, int rep);

#endif
