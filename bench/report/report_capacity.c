// SPDX-License-Identifier: GPL-2.0-or-later
/* Capacity in words, tables and pictures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/capacity.h"
#include "bench/report/plot.h"
#include "bench/report/report.h"

static char *with_interval(double v, struct capacity_interval i, int digits)
{
	if (isnan(i.low))
		return hb_strf("%.*g", digits, v);
	return hb_strf("%.*g [%.*g..%.*g]", digits, v, digits, i.low, digits, i.high);
}

static char *peak_text(const struct capacity_fit *fit)
{
	double peak = capacity_peak(&fit->usl), reach = CAPACITY_REACH * fit->largest;

	if (fit->peak_beyond)
		return hb_strf("beyond %.0f", reach);
	if (fit->peak.high > reach)
		return hb_strf("%.3g [%.3g..>%.0f]", peak, fit->peak.low, reach);
	return with_interval(peak, fit->peak, 3);
}

static void law_table(const struct compare_model *m, struct doc *d,
		      const struct compare_metric *metric, const char *across,
		      const struct capacity_fit *fits)
{
	doc_table(d,
		  "%s by %s: Universal Scalability Law, 95 %% intervals by the spread between "
		  "boots; nothing is said beyond %.2g times the largest number measured",
		  metric->name, across, CAPACITY_REACH);
	doc_column(d, "kernel", true);
	doc_column(d, "alone", false);
	doc_column(d, "contention", false);
	doc_column(d, "coherency", false);
	doc_column(d, "peak at", false);
	for (unsigned int arm = 0; arm < m->narms; arm++) {
		const struct capacity_fit *fit = &fits[arm];

		if (fit->usable)
			doc_row(d, (char *const[]){strdup(m->arms[arm].label),
						   report_value(fit->usl.lambda, metric->unit),
						   with_interval(fit->usl.sigma, fit->sigma, 2),
						   with_interval(fit->usl.kappa, fit->kappa, 2),
						   peak_text(fit)});
	}
}

/* The law of one section: a row per arm, or why there is none. */
static void law(const struct compare_model *m, struct doc *d, unsigned int first, unsigned int end,
		const struct compare_metric *metric)
{
	HB_FREE struct capacity_fit *fits = calloc(m->narms, sizeof(*fits));
	bool any = false;
	const char *across;

	compare_scale(&m->groups[first], &across);
	for (unsigned int arm = 0; arm < m->narms; arm++) {
		if (!fits || capacity_of_section(m, first, end, metric - m->groups[first].metrics,
						 arm, &fits[arm])) {
			d->failed = true;
			return;
		}
		any = any || fits[arm].usable;
	}
	if (any)
		law_table(m, d, metric, across, fits);
	for (unsigned int arm = 0; arm < m->narms; arm++)
		if (!fits[arm].usable)
			doc_item(d, "No law:", "%s by %s, %s: %s", metric->name, across,
				 m->arms[arm].label, fits[arm].why);
}

/* The 1-2-5 step nearest to the geometric middle of what was measured: a limit that can be reached.
 */
static double natural_limit(const struct compare_model *m, unsigned int first, unsigned int end,
			    const struct compare_metric *metric)
{
	double low = INFINITY, high = 0, middle, step;

	for (unsigned int g = first; g < end; g++) {
		unsigned int k = compare_find_metric(&m->groups[g], metric->source, metric->label);

		for (unsigned int a = 0; a < m->narms && k < m->groups[g].nmetrics; a++) {
			const struct compare_figure *f = &m->groups[g].figures[k * m->narms + a];

			if (!f->arm.n || f->sparse || !(f->arm.estimate > 0))
				continue;
			low = fmin(low, f->arm.estimate);
			high = fmax(high, f->arm.estimate);
		}
	}
	if (!(high > 0))
		return NAN;
	middle = sqrt(low * high);
	step = pow(10, floor(log10(middle)));
	return middle / step < 1.5   ? step
	       : middle / step < 3.5 ? 2 * step
	       : middle / step < 7.5 ? 5 * step
				     : 10 * step;
}

/* Whole connections; "8+": that many were measured, and no more. */
static char *number_text(double n, double largest)
{
	return n >= largest ? hb_strf("%.0f+", largest) : hb_strf("%.0f", floor(n));
}

static char *limit_text(const struct capacity_limit *limit)
{
	HB_FREE char *n = number_text(limit->n, limit->largest);
	HB_FREE char *low = number_text(limit->interval.low, limit->largest);
	HB_FREE char *high = number_text(limit->interval.high, limit->largest);

	if (!n || !low || !high)
		return NULL;
	if (isnan(limit->interval.low))
		return hb_strf("%s [one boot]", n);
	return strcmp(low, high) ? hb_strf("%s [%s..%s]", n, low, high) : HB_STEAL(n);
}

/* The limit that was asked for, a time, of which mode exact has none; 0: none. */
static double asked_limit(const struct compare_model *m)
{
	return plot_in_instructions(m) ? 0 : m->limit;
}

static void limit_row(const struct compare_model *m, struct doc *d, unsigned int first,
		      unsigned int end, const struct compare_metric *metric)
{
	double at = asked_limit(m) > 0 ? asked_limit(m) : natural_limit(m, first, end, metric);
	char *cells[DOC_COLUMNS] = {NULL};

	cells[0] = strdup(metric->label);
	cells[1] = isnan(at) ? strdup("-") : report_value(at, metric->unit);
	for (unsigned int arm = 0; arm < m->narms && arm + 2 < DOC_COLUMNS; arm++) {
		struct capacity_limit limit;
		int err = capacity_limit_of_section(
			m, first, end, metric - m->groups[first].metrics, arm, at, &limit);

		cells[arm + 2] = err ? strdup("too few") : limit_text(&limit);
	}
	doc_row(d, cells);
}

/* Up to which number the latencies of the workload keep below a limit. */
static void limits(const struct compare_model *m, struct doc *d, unsigned int first,
		   unsigned int end)
{
	const struct compare_group *g = &m->groups[first];
	const char *across;

	compare_scale(g, &across);
	doc_table(d,
		  "Largest number of %s that keeps a latency below a limit, with its 95 %% "
		  "interval by the spread between boots; N+: at least N, more was not measured%s%s",
		  across, asked_limit(m) > 0 ? "" : "; limits chosen from these data",
		  asked_limit(m) > 0 || plot_in_instructions(m)
			  ? ""
			  : ", report --limit=TIME sets your own");
	doc_column(d, "figure", true);
	doc_column(d, "limit", false);
	for (unsigned int arm = 0; arm < m->narms && arm + 2 < DOC_COLUMNS; arm++)
		doc_column(d, m->arms[arm].label, false);
	for (unsigned int k = 0; k < g->nmetrics; k++)
		if (g->metrics[k].kind == METRIC_HIST && g->metrics[k].primary &&
		    g->metrics[k].quantile == 0.99 && strcmp(g->metrics[k].role, "antagonist"))
			limit_row(m, d, first, end, &g->metrics[k]);
}

static unsigned int different_scales(const struct compare_model *m, unsigned int first,
				     unsigned int end)
{
	unsigned int n = 0;
	const char *across;

	for (unsigned int g = first; g < end; g++) {
		bool seen = false;

		for (unsigned int k = first; k < g; k++)
			seen = seen || compare_scale(&m->groups[k], &across) ==
					       compare_scale(&m->groups[g], &across);
		n += !seen;
	}
	return n == end - first ? n : 0;
}

void report_capacity(const struct compare_model *m, struct doc *d, const struct plot_set *pictures)
{
	bool headed = false;

	for (unsigned int first = 0, end; first < m->ngroups; first = end) {
		const struct compare_group *g = &m->groups[first];
		const struct compare_metric *metric = plot_throughput(g);

		end = compare_section_end(m, first);
		if (!metric || different_scales(m, first, end) < CAPACITY_MIN_POINTS)
			continue;
		if (!headed)
			doc_heading(d, 2, "Capacity");
		headed = true;
		law(m, d, first, end, metric);
		limits(m, d, first, end);
		report_pictures(d, pictures, first, end, true);
	}
}
