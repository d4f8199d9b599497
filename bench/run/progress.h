/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user sees while a run goes on: one live line on a terminal, a line per finished cell
 * elsewhere. */
#ifndef HB_PROGRESS_H
#define HB_PROGRESS_H

#include <jansson.h>
#include <stdio.h>

/* A running cell. */
struct progress_cell {
	const json_t *planned; /* borrowed */
	double began;	       /* s, CLOCK_MONOTONIC */
	char headline[96];     /* counter whose rate is shown, "pmdshare.faults" */
	char phase[32];
	double count, length; /* the headline counter so far, and in how many s or Minsn */
	char figure[160];     /* its rate */
};

struct progress {
	FILE *out;		 /* stderr, so that stdout has the report alone */
	int terminal;		 /* @out is one */
	const json_t *workloads; /* describe_agent(), borrowed */
	size_t total, done;	 /* cells of the plan */
	double seconds_left;	 /* estimate of the cells that are not finished, the running ones
				    included */
};

/* Cell @planned begins now. */
void progress_begin(const struct progress *p, struct progress_cell *c, const json_t *planned);
/* What an interval or phase of the cell says. */
void progress_frame(struct progress_cell *c, const char *phase, const json_t *frame);
/* Draw the live line: @running, @n of them, side by side. */
void progress_live(const struct progress *p, const struct progress_cell *const *running, size_t n);
/* The cell has ended with @cell (cell.json); p->done and p->seconds_left are up to date. */
void progress_end(const struct progress *p, const struct progress_cell *c, const json_t *cell);
/* No cell runs any more: take the live line away. */
void progress_clear(const struct progress *p);
/* A line of its own, whatever the live line shows. */
void progress_note(const struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
