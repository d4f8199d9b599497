// SPDX-License-Identifier: GPL-2.0-or-later
/* What the tables do not show: what unclear verdicts leave open, further changes, maxima, noise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/*
 * Is a figure that no table shows worth a row? Those with a verdict of better or worse are; in mode
 * exact, where every digit is a change, those that leave the margin.
 */
static bool detail_wanted(const struct compare_model *m, const struct comparison *c)
{
	if (compare_metric(m, c)->primary ||
	    (c->verdict != STATS_BETTER && c->verdict != STATS_WORSE))
		return false;
	return !compare_is_exact(m) || !(fabs(c->change.log_ratio) <= m->rule.margin);
}

static void details(const struct compare_model *m, struct doc *d, unsigned int pair)
{
	const struct compare_pair *p = &m->pairs[pair];

	doc_table(d, "Those that changed%s (summary.csv has all)",
		  compare_is_exact(m) ? " most" : "");
	report_pair_columns(m, d, p, "cell and figure", true);
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		const struct compare_metric *metric = compare_metric(m, c);

		if (c->pair != pair || !detail_wanted(m, c))
			continue;
		doc_row(d, (char *const[]){
				   hb_strf("%s: %s.%s", m->groups[c->group].cell, metric->source,
					   metric->label),
				   report_figure(compare_figure(m, c, false), metric->unit),
				   report_figure(compare_figure(m, c, true), metric->unit),
				   report_percent(c->change.log_ratio),
				   report_spread(m, &c->change, c),
				   report_judged(m, c),
			   });
	}
}

/* A change that a reader would want to see: what it takes is said. */
#define WANTED 0.10

/* Beyond this nobody asks whether a change of such a size could have been seen. */
#define SHOWN_FACTOR 10

static char *shown_change(double log_mde)
{
	HB_FREE char *percent = log_mde <= log(SHOWN_FACTOR) ? report_percent(log_mde) : NULL;

	return percent ? hb_strf("a change of %s", percent)
		       : hb_strf("not even a change by a factor of %d", SHOWN_FACTOR);
}

static char *boots_for_wanted(double boots)
{
	return isfinite(boots) ? hb_strf("%.0f", ceil(boots))
			       : hb_strf("more than %d", STATS_BOOTS_MOST);
}

static bool is_unclear(const struct compare_model *m, const struct comparison *c)
{
	return compare_is_main(m, c) && !isnan(c->change.log_ratio) && c->verdict == STATS_UNCLEAR;
}

static bool has_few_boots(const struct comparison *c)
{
	return c->rank_floor > STATS_ALPHA;
}

/*
 * Of the unclear figures with too few boots for any verdict, or of the others: the smallest change
 * that such boots show, and how many boots show the wanted one. Returns of how many figures.
 */
static size_t unclear_needs(const struct compare_model *m, bool few, double *mde, double *boots)
{
	const size_t family = m->tested[false][COMPARE_MAIN];
	size_t n = 0;

	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		size_t na = compare_figure(m, c, false)->arm.n;
		size_t nb = compare_figure(m, c, true)->arm.n;
		unsigned int needed;

		if (!is_unclear(m, c) || has_few_boots(c) != few || !(c->change.se > 0))
			continue;
		needed = stats_boots_needed(c->change.se, na < nb ? na : nb, log1p(WANTED),
					    m->rule.alpha / family, STATS_POWER);
		boots[n] = needed ? needed : INFINITY;
		mde[n++] = c->change.log_mde;
	}
	return n;
}

/* The spread of so few is hardly known: no word about changes that they would show. */
static char *few_left_open(const double *boots, size_t known)
{
	HB_FREE char *more = known ? boots_for_wanted(stats_median(boots, known)) : NULL;
	HB_FREE char *wanted =
		more ? hb_strf(" By their spread, as far as so few show it, a change of %+.0f%% "
			       "takes %s boots per arm to be found with a probability of 80 %%.",
			       100 * WANTED, more)
		     : strdup("");

	return hb_strf(", all of them with too few boots for any verdict, which takes %u per arm: "
		       "from these nothing can be told, however large a change looks.%s",
		       stats_rank_min_boots(STATS_ALPHA), wanted ? wanted : "");
}

/* How large a change these boots would have shown. */
static char *left_open(const double *mde, const double *boots, size_t known, size_t few)
{
	HB_FREE char *shown = known ? shown_change(stats_median(mde, known)) : NULL;
	HB_FREE char *more = known ? boots_for_wanted(stats_median(boots, known)) : NULL;
	HB_FREE char *wanted =
		shown && more
			? hb_strf(" In the median of %s such boots show %s with a probability of "
				  "80 %%, and one of %+.0f%% would take %s boots per arm; "
				  "summary.csv has the smallest change for each.",
				  few ? "the others" : "these figures", shown, 100 * WANTED, more)
			: strdup("");

	return hb_strf(", %zu of them with too few boots for any verdict.%s", few,
		       wanted ? wanted : "");
}

/* What unclear verdicts leave open. */
void report_unclear(const struct compare_model *m, struct doc *d)
{
	HB_FREE double *mde = calloc(m->ncomparisons + 1, sizeof(*mde));
	HB_FREE double *boots = calloc(m->ncomparisons + 1, sizeof(*boots));
	size_t all = 0, n = 0, few = 0, known;
	HB_FREE char *text = NULL;

	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];

		all += compare_is_main(m, c) && !isnan(c->change.log_ratio);
		n += is_unclear(m, c);
		few += is_unclear(m, c) && has_few_boots(c);
	}
	if (!n || compare_is_exact(m) || !mde || !boots)
		return;
	known = unclear_needs(m, few == n, mde, boots);
	text = few == n ? few_left_open(boots, known) : left_open(mde, boots, known, few);
	doc_paragraph(d, "Unclear: %zu of %zu main figures%s", n, all, text ? text : ".");
}

void report_not_compared(const struct compare_model *m, struct doc *d)
{
	size_t rows = 0, without = 0, empty = 0;

	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];

		if (!compare_is_main(m, c) || report_is_step(m, c->pair) ||
		    !report_row_wanted(m, c->group, compare_metric(m, c)))
			continue;
		rows++;
		without += isnan(c->change.log_ratio);
	}
	for (unsigned int p = 0; p < m->npairs; p++)
		for (unsigned int g = 0; g < m->ngroups; g++)
			empty += !m->pairs[p].control && !report_is_step(m, p) &&
				 !m->groups[g].nmetrics;
	if (!without && !empty)
		return;
	doc_paragraph(d,
		      "Not compared: %zu of the %zu rows, which no count of main figures has: an "
		      "arm has no boot with that figure, or one of too few values for the "
		      "percentile.",
		      without + empty, rows + empty);
}

/* The control arm differs from its partner by nothing: what it shows is noise. */
static void noise_floor(const struct compare_model *m, struct doc *d)
{
	size_t wrong[COMPARE_FAMILIES] = {0};
	const size_t *tested = m->tested[true];
	HB_FREE char *text = NULL;
	const struct comparison *worst = NULL;

	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		enum compare_family family = compare_metric(m, c)->family;

		if (!m->pairs[c->pair].control || isnan(c->raw.differ))
			continue;
		wrong[family] += c->verdict == STATS_BETTER || c->verdict == STATS_WORSE;
		if (family == COMPARE_MAIN &&
		    (!worst || fabs(c->change.log_ratio) > fabs(worst->change.log_ratio)))
			worst = c;
	}
	if (!worst)
		return;
	text = report_percent(worst->change.log_ratio);
	doc_heading(d, 2, "Noise floor");
	doc_paragraph(
		d,
		"The control arm is the same kernel, booted as often. Of %zu main figures %zu "
		"were judged better or worse between the two, of %zu secondary ones %zu. The "
		"largest change of a main figure was %s (%s %s.%s): one of that size in that "
		"figure says nothing by itself.",
		tested[COMPARE_MAIN], wrong[COMPARE_MAIN], tested[COMPARE_SECONDARY],
		wrong[COMPARE_SECONDARY], text ? text : "?", m->groups[worst->group].cell,
		compare_metric(m, worst)->source, compare_metric(m, worst)->label);
}

/* Single values, which no test can judge: of the distributions in the tables, per arm. */
static void longest(const struct compare_model *m, struct doc *d)
{
	doc_table(d, "Longest of all operations: single values, not judged");
	report_arm_columns(m, d, "cell and figure", true);
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int k = 0; k < m->groups[g].nmetrics; k++) {
			const struct compare_metric *metric = &m->groups[g].metrics[k];
			const struct compare_figure *f = &m->groups[g].figures[k * m->narms];
			char *cells[DOC_COLUMNS] = {NULL};

			if (!metric->primary || metric->quantile != 1)
				continue;
			cells[0] = hb_strf("%s: %s.%s", m->groups[g].cell, metric->source,
					   metric->name);
			for (unsigned int a = 0; a < m->narms && a + 1 < DOC_COLUMNS; a++)
				cells[a + 1] = report_value(f[a].arm.n ? f[a].arm.estimate : NAN,
							    metric->unit);
			doc_row(d, cells);
		}
}

void report_findings(const struct compare_model *m, struct doc *d, const struct plot_set *pictures)
{
	doc_heading(d, 2, "Further figures");
	for (unsigned int p = 0; p < m->npairs; p++)
		if (compare_is_shown(m, p))
			details(m, d, p);
	report_forest(d, pictures, COMPARE_SECONDARY);
	longest(m, d);
	noise_floor(m, d);
}
