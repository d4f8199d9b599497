/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user sees while a run goes on: one live line on a terminal, a line per finished cell
 * elsewhere. */
#ifndef HB_PROGRESS_H
#define HB_PROGRESS_H

#include <jansson.h>
#include <stdio.h>

struct progress {
	FILE *out;		 /* stderr, so that stdout has the report alone */
	int terminal;		 /* @out is one */
	const json_t *workloads; /* describe_agent(), borrowed */
	size_t total, done;	 /* cells of the plan */
	double seconds_left;	 /* estimate of the cells that are not finished, the running one
				    included */

	const json_t *planned; /* the running cell, borrowed */
	double began;	       /* s, CLOCK_MONOTONIC */
	char headline[96];     /* counter whose rate is shown, "pmdshare.faults" */
	char phase[32];
	char figure[160]; /* of the last interval */
};

void progress_begin(struct progress *p, const json_t *planned);
/* A session_progress callback; @arg is the struct progress. */
void progress_frame(void *arg, const char *phase, const json_t *frame);
/* The cell has ended with @cell (cell.json); p->done and p->seconds_left are up to date. */
void progress_end(struct progress *p, const json_t *cell);
/* No cell runs any more: take the live line away. */
void progress_clear(struct progress *p);
/* A line of its own, whatever the live line shows. */
void progress_note(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
