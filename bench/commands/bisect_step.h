/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One commit of `hugebench bisect`: built, measured, judged. */
#ifndef HB_BISECT_STEP_H
#define HB_BISECT_STEP_H

#include "bench/base/util.h"
#include "bench/commands/own_run.h"

/* What all steps have in common. */
struct bisect {
	const char *scenario, *cells, *figure; /* cells: may be NULL */
	const char *options[OWN_RUN_OPTIONS];  /* KEY=VALUE, up to a NULL */
	const char *tree;		       /* a git tree with all commits */
	const char *log; /* file with a line "COMMIT FIGURE" for each commit that was measured */
};

/* What git bisect run understands. */
enum bisect_status {
	BISECT_GOOD = 0,
	BISECT_BAD = 1,
	BISECT_SKIP = 125,
	BISECT_STOP = 128, /* ends the search: nothing to do with the commit */
};

/*
 * The figure of @commit into *@value, and into the log. BISECT_GOOD; BISECT_SKIP with the reason:
 * it does not build, or the boot ended without the figure; BISECT_STOP with the reason.
 */
enum bisect_status bisect_measure(const struct bisect *b, const char *commit, double *value,
				  struct hb_error *e);
/* The figure of @commit in the log; false: it was not measured. */
bool bisect_find(const char *log, const char *commit, double *value);

#endif
