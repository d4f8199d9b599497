// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A scorecard: every published pair beside the like pair of a run of the scenarios faults-forks and
 * lineage.
 * Published by M. Kravetz: "hugetlb: Use new vma lock for huge pmd sharing synchronization", v2
 * 0/9, 14 Sep 2022, Message-ID 20220914221810.95771-1-mike.kravetz@oracle.com, on a VM of 48 CPUs
 * and 320 GB with mappings of 250 GB; "hugetlb: Change huge pmd sharing synchronization again", Apr
 * 2022, on a VM of 4 CPUs and 8 GB.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/* Single figures, without a spread: less than this is no change. */
#define PUBLISHED_NOISE 0.05

enum change {
	REVERT,
	NEW_LOCK,
	CHANGES,
};

/* What each change is called there, and the kernels here that do the like or have it. */
static const struct {
	const char *there;
	const char *here[4]; /* NULL-terminated */
} changes[CHANGES] = {
	[REVERT] = {"revert", {"revert"}},
	[NEW_LOCK] = {"vma lock", {"hinode", "v6.1", "v6.12"}},
};

/* @workloads NULL: no workload here does it. A figure of 0 was not published. */
static const struct published {
	const char *test;
	unsigned int tasks;
	const char *workloads, *source, *metric;
	const char *parameter; /* that a cell must have; NULL: any */
	double unmodified, changed[CHANGES];
} published[] = {
	{"faults/s",
	 1,
	 "pmdshare",
	 "pmdshare",
	 "touches",
	 "pmdshare.aligned=no",
	 393043,
	 {395680, 389932}},
	{"faults/s",
	 24,
	 "pmdshare",
	 "pmdshare",
	 "touches",
	 "pmdshare.aligned=no",
	 71405,
	 {81191, 79048}},
	{"faults/s, Apr 2022",
	 8,
	 "pmdshare",
	 "pmdshare",
	 "touches",
	 "pmdshare.aligned=yes",
	 3622,
	 {1777939, 0}},
	{"forks/s", 1, "forkexit", "forkexit", "forks", NULL, 2802, {2747, 2725}},
	{"forks/s", 24, "forkexit", "forkexit", "forks", NULL, 439, {536, 500}},
	{"both: faults/s",
	 24,
	 "pmdshare, forkexit",
	 "pmdshare",
	 "touches",
	 "pmdshare.aligned=no",
	 1621,
	 {68070, 53662}},
	{"both: forks/s", 24, "pmdshare, forkexit", "forkexit", "forks", NULL, 358, {67, 142}},
	{"usemem, KB/s", 48, NULL, NULL, NULL, NULL, 498150, {501934, 504793}},
};

static bool does_the_same(const struct compare_group *g, const struct published *p)
{
	return !strcmp(g->workloads, p->workloads) && !*g->antagonists &&
	       (strcmp(p->source, "pmdshare") || strstr(g->parameters, "pmdshare.shape=remap")) &&
	       (!p->parameter || strstr(g->parameters, p->parameter));
}

/*
 * The cell of so many tasks; where many were published, else the one of the most tasks: that is
 * about whether they get in each other's way.
 */
static const struct compare_group *find_group(const struct compare_model *m,
					      const struct published *p)
{
	const struct compare_group *most = NULL;

	for (unsigned int g = 0; g < m->ngroups && p->workloads; g++) {
		const struct compare_group *group = &m->groups[g];

		if (!does_the_same(group, p))
			continue;
		if (group->tasks == p->tasks)
			return group;
		if (p->tasks > 1 && group->tasks > 1 && (!most || group->tasks > most->tasks))
			most = group;
	}
	return most;
}

static const struct comparison *find_comparison(const struct compare_model *m,
						const struct compare_group *g,
						const struct published *p, unsigned int pair)
{
	for (size_t i = 0; i < m->ncomparisons && g; i++) {
		const struct comparison *c = &m->comparisons[i];
		const struct compare_metric *metric = compare_metric(m, c);

		if (&m->groups[c->group] == g && c->pair == pair &&
		    !strcmp(metric->source, p->source) && !strcmp(metric->label, p->metric))
			return c;
	}
	return NULL;
}

/* -1, 0 or 1. */
static int direction(double log_ratio, double noise)
{
	return log_ratio > noise ? 1 : log_ratio < -noise ? -1 : 0;
}

/* Does what was seen here go the same way? Or the reason why that cannot be said. */
static const char *agreement(const struct published *p, const struct compare_group *g,
			     const struct comparison *c, double there)
{
	int here;

	if (!p->workloads)
		return "no such workload";
	if (!g)
		return "not run";
	if (!c || isnan(c->change.log_ratio))
		return "no figure";
	if (c->verdict == STATS_UNCLEAR)
		return "unclear here";
	here = c->verdict == STATS_SAME ? 0 : direction(c->change.log_ratio, 0);
	if (here == direction(there, log1p(PUBLISHED_NOISE)))
		return "agrees";
	return here == -direction(there, log1p(PUBLISHED_NOISE)) ? "the other way" : "not as there";
}

/* "x1.14": of four orders of magnitude, so no per cent. */
static char *factor(double log_ratio)
{
	return isfinite(log_ratio) ? hb_strf("x%.3g", exp(log_ratio)) : report_percent(log_ratio);
}

static char *factor_here(const struct comparison *c)
{
	HB_FREE char *middle = factor(c ? c->change.log_ratio : NAN);

	if (!middle || !c || isnan(c->change.log_low))
		return HB_STEAL(middle);
	return hb_strf("%s [%.3g..%.3g]", middle, exp(c->change.log_low), exp(c->change.log_high));
}

static void row(const struct compare_model *m, struct doc *d, const struct published *p,
		enum change change, unsigned int pair)
{
	const struct compare_group *g = find_group(m, p);
	const struct comparison *c = find_comparison(m, g, p, pair);
	double there = log(p->changed[change] / p->unmodified);
	char here[32] = "";

	if (g && g->tasks != p->tasks)
		snprintf(here, sizeof(here), ", here %u", g->tasks);
	doc_row(d, (char *const[]){
			   hb_strf("%s, %u task%s%s", p->test, p->tasks, p->tasks == 1 ? "" : "s",
				   here),
			   factor(there),
			   factor_here(c),
			   strdup(agreement(p, g, c, there)),
		   });
}

static void scorecard(const struct compare_model *m, struct doc *d, enum change change,
		      unsigned int pair)
{
	const struct compare_pair *p = &m->pairs[pair];

	doc_table(d, "There unmodified and %s, here %s and %s", changes[change].there,
		  m->arms[p->a].label, m->arms[p->b].label);
	doc_column(d, "test", true);
	doc_column(d, "there", false);
	doc_column(d, "here", false);
	doc_column(d, "direction", true);
	for (size_t i = 0; i < ARRAY_SIZE(published); i++)
		if (published[i].changed[change] > 0)
			row(m, d, &published[i], change, pair);
}

/* Is the pair the first arm and a kernel that does what @change did? */
static bool is_like(const struct compare_model *m, unsigned int pair, enum change change)
{
	const struct compare_pair *p = &m->pairs[pair];

	for (const char *const *name = changes[change].here; *name; name++)
		if (!p->a && !p->control && !strcmp(m->arms[p->b].name, *name))
			return true;
	return false;
}

void report_published(const struct compare_model *m, struct doc *d)
{
	const json_t *run = m->runs[0]->run;
	const char *scenario =
		json_string_value(json_object_get(json_object_get(run, "scenario"), "name"));
	const json_t *guest = json_object_get(run, "guest");

	if (!scenario || (strcmp(scenario, "faults-forks") && strcmp(scenario, "lineage")) ||
	    m->runs[1] || !m->npairs)
		return;
	doc_heading(d, 2, "The published test");
	doc_paragraph(
		d,
		"\"there\" is ANOTHER MACHINE: a VM of 48 CPUs and 320 GB, mappings of 250 GB, "
		"a kernel of 2022 (mail 20220914221810.95771-1); for Apr 2022 one of 4 CPUs "
		"and 8 GB. Here: %lld CPUs. What can be compared is which kernel is ahead, "
		"and by what factor. Figures there are single ones: below %.0f %% is no "
		"change. The vma lock came two years after what hinode follows, for the same "
		"purpose; v6.1 and v6.12 have it, and all else that came until then.",
		(long long)json_integer_value(json_object_get(guest, "vcpus")),
		100 * PUBLISHED_NOISE);
	for (enum change change = 0; change < CHANGES; change++)
		for (unsigned int pair = 0; pair < m->npairs; pair++)
			if (is_like(m, pair, change))
				scorecard(m, d, change, pair);
}
