/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of a run: which there are, their .dat files, and gnuplot over plots/KIND.gp. A picture
 * without data is not made; the plan says why instead.
 */
#ifndef HB_PLOT_H
#define HB_PLOT_H

#include <string.h>

#include "bench/result/compare.h"

enum plot_kind {
	PLOT_PERCENTILE,
	PLOT_CDF,
	PLOT_SCALING,
	PLOT_FOREST,
	PLOT_TIMELINE,
	PLOT_CLIENTS,
	PLOT_PAGE_TABLES,
	PLOT_CAPACITY,
	PLOT_KINDS,
};

struct plot {
	enum plot_kind kind;
	char *stem;		    /* file in plots/ without suffix; NULL: not made */
	char *heading;		    /* what it shows, in words */
	char *why;		    /* not made: the reason */
	unsigned int first, end;    /* groups; one group for distributions and time lines */
	unsigned int metric;	    /* of group first */
	enum compare_family family; /* PLOT_FOREST */
	size_t row, rows; /* PLOT_FOREST: comparisons, counted among those of the family */
};

struct plot_set {
	struct plot *plots;
	size_t n;
};

/* Which pictures the model gives; nothing is written. -ENOMEM. Release with plot_free(). */
int plot_plan(const struct compare_model *m, struct plot_set *set);
void plot_free(struct plot_set *set);
/* The name in plots/, without .gp, of what draws pictures of this kind. */
const char *plot_script(enum plot_kind kind);
/*
 * Write RUN/plots/STEM.dat, .svg and .png of every planned picture. -ENOENT: gnuplot or its scripts
 * are missing, the .dat files are there.
 */
int plot_draw(const struct compare_model *m, const struct plot_set *set, struct hb_error *e);

/* One .dat file (plot_data.c); the layout of each kind stands in its .gp file. */
int plot_data(const struct compare_model *m, const struct plot *p, FILE *out);
/* Are latencies instructions, and rates per million of them? */
static inline bool plot_in_instructions(const struct compare_model *m)
{
	return !strcmp(m->runs[0]->mode, "exact");
}
/* Is a comparison drawn in the forest plot of @family? */
bool plot_forest_row(const struct compare_model *m, const struct comparison *c,
		     enum compare_family family);
/* The first main rate of the group's workload, and the first rate of each antagonist (plot_data.c).
 */
const struct compare_metric *plot_workload_rate(const struct compare_group *g);
const struct compare_metric *plot_next_antagonist(const struct compare_group *g,
						  const struct compare_metric *previous);
/*
 * Main throughput of a section: a rate or gauge of the workload, per second or per million
 * instructions; NULL: none.
 */
const struct compare_metric *plot_throughput(const struct compare_group *g);

#endif
