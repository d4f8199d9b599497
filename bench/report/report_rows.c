// SPDX-License-Identifier: GPL-2.0-or-later
/* Which figures have a row in the tables of main metrics. */
#include <math.h>

#include "bench/report/report.h"

bool report_is_sparse(const struct compare_model *m, const struct compare_group *g,
		      unsigned int metric, unsigned int arm)
{
	const struct compare_figure *f = &g->figures[metric * m->narms + arm];

	return f->arm.n && f->sparse && g->metrics[metric].quantile < 1;
}

bool report_row_wanted(const struct compare_model *m, unsigned int group,
		       const struct compare_metric *like)
{
	const struct compare_group *g = &m->groups[group];
	unsigned int k = compare_find_metric(g, like->source, like->label);
	bool first = isnan(like->quantile) || like->quantile == 0.5;
	bool sparse = false;

	if (!like->primary || like->quantile == 1 || (k == g->nmetrics && (g->nmetrics || !first)))
		return false;
	for (unsigned int a = 0; a < m->narms && k < g->nmetrics; a++) {
		if (!g->figures[k * m->narms + a].arm.n)
			continue;
		sparse = report_is_sparse(m, g, k, a);
		if (!sparse)
			return true;
	}
	return !sparse;
}
