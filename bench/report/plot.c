// SPDX-License-Identifier: GPL-2.0-or-later
/* Which pictures a model gives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/capacity.h"
#include "bench/report/plot.h"

#define FOREST_ROWS 36 /* per picture */
#define FOREST_PICTURES                                                                            \
	4	   /* per family; more than these nobody looks at; summary.csv has the rest */
#define SECTIONS 8 /* with pictures of their own */

static const struct {
	const char *name, *script;
} kinds[PLOT_KINDS] = {
	[PLOT_PERCENTILE] = {"percentile", "percentile"},
	[PLOT_CDF] = {"cdf", "cdf"},
	[PLOT_SCALING] = {"scaling", "scaling"},
	[PLOT_FOREST] = {"forest", "forest"},
	[PLOT_TIMELINE] = {"timeline", "timeline"},
	[PLOT_CLIENTS] = {"clients", "clients"},
	[PLOT_PAGE_TABLES] = {"pagetables", "scaling"},
	[PLOT_CAPACITY] = {"capacity", "capacity"},
};

const char *plot_script(enum plot_kind kind)
{
	return kinds[kind].script;
}

/* Takes the texts over; NULL texts mean no memory, except for @why, which NULL makes a picture of.
 */
static int add(struct plot_set *set, struct plot plot, char *heading, char *why)
{
	struct plot *more = realloc(set->plots, (set->n + 1) * sizeof(*more));
	unsigned int number = 1;

	if (!more || !heading) {
		if (more)
			set->plots = more;
		free(heading);
		free(why);
		return -ENOMEM;
	}
	set->plots = more;
	for (size_t i = 0; i < set->n; i++)
		number += set->plots[i].kind == plot.kind && set->plots[i].stem;
	plot.heading = heading;
	plot.why = why;
	plot.stem = why ? NULL : hb_strf("%s-%u", kinds[plot.kind].name, number);
	set->plots[set->n++] = plot;
	return why || plot.stem ? 0 : -ENOMEM;
}

static char *section_name(const struct compare_group *g)
{
	return hb_strf("%s%s%s", g->workloads, *g->antagonists ? " beside " : "", g->antagonists);
}

/* The largest group of the section in which the most arms have the figure. */
static int fullest(const struct compare_model *m, unsigned int first, unsigned int end,
		   const struct compare_metric *metric, unsigned int *group)
{
	unsigned int most = 0;

	for (unsigned int g = first; g < end; g++) {
		unsigned int k = compare_find_metric(&m->groups[g], metric->source, metric->label);
		unsigned int arms = 0;

		for (unsigned int a = 0; a < m->narms && k < m->groups[g].nmetrics; a++)
			arms += m->groups[g].figures[k * m->narms + a].arm.n > 0;
		if (arms && arms >= most) {
			most = arms;
			*group = g;
		}
	}
	return most > 0;
}

/* Main distributions: by percentile, and cumulated. */
static int distributions(const struct compare_model *m, unsigned int first, unsigned int end,
			 struct plot_set *set)
{
	int err = 0;

	for (unsigned int k = 0; k < m->groups[first].nmetrics && !err; k++) {
		const struct compare_metric *metric = &m->groups[first].metrics[k];
		struct plot p = {.kind = PLOT_PERCENTILE};

		if (metric->kind != METRIC_HIST || !metric->primary || metric->quantile != 0.5 ||
		    !fullest(m, first, end, metric, &p.first))
			continue;
		p.end = p.first + 1;
		p.metric = compare_find_metric(&m->groups[p.first], metric->source, metric->label);
		err = add(set, p,
			  hb_strf("%s %s by percentile, cell %s", metric->source, metric->name,
				  m->groups[p.first].cell),
			  NULL);
		p.kind = PLOT_CDF;
		err = err
			      ?: add(set, p,
				     hb_strf("%s %s, cumulated, cell %s", metric->source,
					     metric->name, m->groups[p.first].cell),
				     NULL);
	}
	return err;
}

/* Different values that the section's sweep goes over. */
static unsigned int scales(const struct compare_model *m, unsigned int first, unsigned int end,
			   bool *unique)
{
	unsigned int n = 0;

	*unique = true;
	for (unsigned int g = first; g < end; g++) {
		const char *across;
		bool seen = false;

		for (unsigned int k = first; k < g; k++)
			seen = seen || compare_scale(&m->groups[k], &across) ==
					       compare_scale(&m->groups[g], &across);
		n += !seen;
		*unique = *unique && !seen;
	}
	return n;
}

static int capacity_plot(const struct compare_model *m, const struct plot *like,
			 const char *section, const char *name, struct plot_set *set)
{
	struct plot p = *like;
	const char *why = NULL;
	unsigned int usable = 0;
	int err = 0;

	p.kind = PLOT_CAPACITY;
	for (unsigned int arm = 0; arm < m->narms && !err; arm++) {
		struct capacity_fit fit;

		err = capacity_of_section(m, p.first, p.end, p.metric, arm, &fit);
		usable += !err && fit.usable;
		why = !err && fit.why ? fit.why : why;
	}
	if (err)
		return err;
	return add(set, p, hb_strf("scalability of %s, %s", name, section),
		   usable ? NULL : hb_strf("%s", why ? why : "no figures"));
}

/* What the section's sweep shows: throughput, clients, page tables, the law of its scaling. */
static int sweeps(const struct compare_model *m, unsigned int first, unsigned int end,
		  struct plot_set *set)
{
	const struct compare_metric *metric = plot_throughput(&m->groups[first]);
	HB_FREE char *section = section_name(&m->groups[first]);
	struct plot p = {.kind = PLOT_SCALING, .first = first, .end = end};
	const char *across;
	char *why = NULL;
	bool unique;
	int err;

	if (!section)
		return -ENOMEM;
	if (!metric)
		return 0;
	compare_scale(&m->groups[first], &across);
	if (scales(m, first, end, &unique) < 2)
		why = hb_strf("one number of %s only", across);
	else if (!unique)
		why = hb_strf("cells with equal %s differ by other options", across);
	p.metric = metric - m->groups[first].metrics;
	if (!strcmp(across, "tasks"))
		return add(set, p, hb_strf("%s by number of %s, %s", metric->name, across, section),
			   why)
			       ?: why ? 0
				      : capacity_plot(m, &p, section, metric->name, set);
	p.kind = PLOT_CLIENTS;
	err = add(set, p, hb_strf("%s and p99 by clients, %s", metric->name, section), why);
	if (err || why)
		return err;
	err = capacity_plot(m, &p, section, metric->name, set);
	p.kind = PLOT_PAGE_TABLES;
	p.metric = compare_find_metric(&m->groups[first], metric->source,
				       "page_tables_per_connection");
	if (p.metric == m->groups[first].nmetrics)
		return err;
	return err ?: add(set, p, hb_strf("page tables per connection (KiB), %s", section), NULL);
}

static int timeline(const struct compare_model *m, unsigned int first, unsigned int end,
		    struct plot_set *set)
{
	const struct compare_metric *metric = plot_workload_rate(&m->groups[first]);
	struct plot p = {.kind = PLOT_TIMELINE};
	const struct compare_group *g;

	if (!*m->groups[first].antagonists || !metric)
		return 0;
	if (!fullest(m, first, end, metric, &p.first))
		return add(set, p, strdup("one boot of each arm over time"),
			   strdup("no boot is OK"));
	p.end = p.first + 1;
	g = &m->groups[p.first];
	if (!plot_workload_rate(g) || !plot_next_antagonist(g, NULL))
		return 0;
	return add(set, p, hb_strf("one boot of each arm over time, cell %s", g->cell), NULL);
}

static int forest(const struct compare_model *m, enum compare_family family, struct plot_set *set)
{
	const char *name = compare_family_name(family);
	size_t rows = 0;
	int err = 0;

	for (size_t i = 0; i < m->ncomparisons; i++)
		rows += plot_forest_row(m, &m->comparisons[i], family);
	if (!rows && m->npairs && family == COMPARE_MAIN)
		return add(set, (struct plot){.kind = PLOT_FOREST},
			   strdup("change of every main figure"),
			   strdup("no comparison has an interval"));
	for (unsigned int i = 0; i < FOREST_PICTURES && i * FOREST_ROWS < rows && !err; i++) {
		struct plot p = {.kind = PLOT_FOREST, .family = family, .row = i * FOREST_ROWS};

		p.rows = rows - p.row < FOREST_ROWS ? rows - p.row : FOREST_ROWS;
		err = add(set, p,
			  rows <= FOREST_ROWS ? hb_strf("change of the %s figures", name)
					      : hb_strf("change of the %s figures, %zu to %zu of "
							"%zu",
							name, p.row + 1, p.row + p.rows, rows),
			  NULL);
	}
	return err;
}

static int forests(const struct compare_model *m, struct plot_set *set)
{
	return forest(m, COMPARE_MAIN, set) ?: forest(m, COMPARE_SECONDARY, set);
}

int plot_plan(const struct compare_model *m, struct plot_set *set)
{
	unsigned int sections = 0;
	int err = 0;

	*set = (struct plot_set){0};
	/* Exact figures have no spread and no time: the tables say all. */
	if (!compare_is_exact(m))
		err = forests(m, set);
	for (unsigned int first = 0, end; first < m->ngroups && !err; first = end) {
		end = compare_section_end(m, first);
		if (sections++ == SECTIONS)
			return add(set, (struct plot){.kind = PLOT_SCALING},
				   strdup("further workloads"),
				   hb_strf("pictures stop at %d workloads", SECTIONS));
		err = distributions(m, first, end, set);
		err = err ?: sweeps(m, first, end, set);
		err = err ?: timeline(m, first, end, set);
	}
	return err;
}

void plot_free(struct plot_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		free(set->plots[i].stem);
		free(set->plots[i].heading);
		free(set->plots[i].why);
	}
	free(set->plots);
	*set = (struct plot_set){0};
}
