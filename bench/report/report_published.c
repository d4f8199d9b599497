// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The published test beside a run of the scenario faults-forks. Figures: M. Kravetz, "hugetlb: Use
 * new vma lock for huge pmd sharing synchronization", v2 0/9, 14 Sep 2022, Message-ID
 * 20220914221810.95771-1-mike.kravetz@oracle.com; a VM of 48 CPUs and 320 GB, mappings of 250 GB.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

static const struct {
	const char *workloads, *source, *metric, *test;
	unsigned int tasks;
	const char *unmodified, *revert, *vma_lock; /* as printed there */
} published[] = {
	{"pmdshare", "pmdshare", "faults", "faults/s", 1, "393043", "395680", "389932"},
	{"pmdshare", "pmdshare", "faults", "faults/s", 24, "71405", "81191", "79048"},
	{"forkexit", "forkexit", "forks", "forks/s", 1, "2802", "2747", "2725"},
	{"forkexit", "forkexit", "forks", "forks/s", 24, "439", "536", "500"},
	{"pmdshare, forkexit", "pmdshare", "faults", "both: faults/s", 24, "1621", "68070",
	 "53662"},
	{"pmdshare, forkexit", "forkexit", "forks", "both: forks/s", 24, "358", "67", "142"},
};

static void row(const struct compare_model *m, struct doc *d, const struct compare_group *g,
		size_t like)
{
	unsigned int k = compare_find_metric(g, published[like].source, published[like].metric);
	char *cells[DOC_COLUMNS] = {NULL};
	unsigned int n = 0;
	size_t p = 0;

	while (p < ARRAY_SIZE(published) &&
	       (strcmp(published[p].test, published[like].test) || published[p].tasks != g->tasks))
		p++;
	cells[n++] = strdup(published[like].test);
	cells[n++] = hb_strf("%u", g->tasks);
	for (unsigned int a = 0; a < m->narms && n + 3 < DOC_COLUMNS; a++) {
		const struct compare_figure *f = &g->figures[k * m->narms + a];

		cells[n++] = k < g->nmetrics && f->arm.n
				     ? report_value(f->arm.estimate, g->metrics[k].unit)
				     : strdup("-");
	}
	cells[n++] = strdup(p < ARRAY_SIZE(published) ? published[p].unmodified : "-");
	cells[n++] = strdup(p < ARRAY_SIZE(published) ? published[p].revert : "-");
	cells[n++] = strdup(p < ARRAY_SIZE(published) ? published[p].vma_lock : "-");
	doc_row(d, cells);
}

void report_published(const struct compare_model *m, struct doc *d)
{
	const char *scenario = json_string_value(
		json_object_get(json_object_get(m->runs[0]->run, "scenario"), "name"));

	if (!scenario || strcmp(scenario, "faults-forks"))
		return;
	doc_heading(d, 2, "The published test");
	doc_paragraph(
		d, "The three columns on the right are figures of ANOTHER MACHINE (a VM of 48 CPUs "
		   "and 320 GB, mappings of 250 GB; mail 20220914221810.95771-1 of 14 Sep 2022: "
		   "unmodified, revert, vma lock). Compare which arm is ahead and by what factor, "
		   "never the figures.");
	doc_table(d, "%s", "");
	doc_column(d, "test", true);
	doc_column(d, "tasks", false);
	for (unsigned int a = 0; a < m->narms && a + 5 < DOC_COLUMNS; a++)
		doc_column(d, m->arms[a].label, false);
	doc_column(d, "unmodified", false);
	doc_column(d, "revert", false);
	doc_column(d, "vma lock", false);
	for (size_t p = 0; p < ARRAY_SIZE(published); p++) {
		if (p && !strcmp(published[p].test, published[p - 1].test))
			continue;
		for (unsigned int g = 0; g < m->ngroups; g++)
			if (!strcmp(m->groups[g].workloads, published[p].workloads) &&
			    !*m->groups[g].antagonists)
				row(m, d, &m->groups[g], p);
	}
}
