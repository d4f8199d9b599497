// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures and verdicts as people read them: four digits, a scaled unit, whatever the locale. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/* Two boots can give an interval that reaches to 10^100. */
#define SENSIBLE_FACTOR 10000

struct scale {
	double from, divisor;
	const char *suffix;
};

/* "%.*f" with the number of decimals that gives four significant digits. */
static char *four_digits(double v, const char *suffix)
{
	double size = fabs(v);
	int decimals = size >= 999.95 ? 0 : size >= 99.995 ? 1 : size >= 9.9995 ? 2 : 3;

	if (size > 0 && size < 0.001)
		return hb_strf("%.3g%s", v, suffix);
	if (v == floor(v) && size < 1e4)
		decimals = 0;
	return hb_strf("%.*f%s", decimals, v, suffix);
}

static char *scaled(double v, const struct scale *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fabs(v) >= s[i].from)
			return four_digits(v / s[i].divisor, s[i].suffix);
	return four_digits(v, "");
}

char *report_value(double v, const char *unit)
{
	static const struct scale times[] = {
		{999.95e6, 1e9, "s"}, {999.95e3, 1e6, "ms"}, {999.95, 1e3, "us"}, {0, 1, "ns"}};
	static const struct scale counts[] = {{999.95e9, 1e12, "T"},
					      {999.95e6, 1e9, "G"},
					      {999.95e3, 1e6, "M"},
					      {9999.5, 1e3, "k"}};

	if (isnan(v))
		return strdup("-");
	if (!strcmp(unit, "ns"))
		return scaled(v, times, ARRAY_SIZE(times));
	/* Instructions are exact: every digit is shown. */
	if (!strcmp(unit, "insn"))
		return v == floor(v) ? hb_strf("%.0f", v) : hb_strf("%.3f", v);
	return scaled(v, counts, ARRAY_SIZE(counts));
}

char *report_figure(const struct compare_figure *f, const char *unit)
{
	HB_FREE char *value = report_value(f->arm.n ? f->arm.estimate : NAN, unit);

	if (!value || isnan(f->variation) || !strcmp(unit, "insn"))
		return HB_STEAL(value);
	return hb_strf("%s ±%.*f%%", value, f->variation < 0.0995 ? 1 : 0, 100 * f->variation);
}

char *report_percent(double log_ratio)
{
	double percent = stats_percent(log_ratio);

	if (isnan(percent))
		return strdup("-");
	if (isinf(log_ratio))
		return strdup(log_ratio > 0 ? "from 0" : "to 0");
	if (percent >= 999900)
		return strdup(">x9999");
	if (fabs(percent) >= 999.95)
		return hb_strf("x%.*f", exp(log_ratio) < 99.95 ? 1 : 0, exp(log_ratio));
	/* Close to -100 the digits behind the point are the ones that differ. */
	return hb_strf("%+.*f%%", fabs(percent) < 9.995 || percent < -90 ? 2 : 1, percent);
}

bool report_sensible(double log_ratio)
{
	return fabs(log_ratio) <= log(SENSIBLE_FACTOR);
}

char *report_interval(const struct stats_change *c)
{
	HB_FREE char *low = report_percent(c->log_low);
	HB_FREE char *high = report_percent(c->log_high);

	if (!low || !high)
		return NULL;
	if (!report_sensible(c->log_low) || !report_sensible(c->log_high))
		return strdup("-");
	/* The head of the column has the sign. */
	low[strcspn(low, "%")] = 0;
	high[strcspn(high, "%")] = 0;
	return hb_strf("%s..%s", low, high);
}

const char *report_unit(const struct compare_metric *metric)
{
	return strcmp(metric->unit, "ns") ? metric->unit : "time";
}

/* Of a secondary figure in brackets, and "-" when nothing was found. */
char *report_judged(const struct compare_model *m, const struct comparison *c)
{
	const struct compare_metric *metric = compare_metric(m, c);
	const char *name = stats_verdict_name(c->verdict);

	if (!metric->judged || (metric->family == COMPARE_SECONDARY && c->verdict == STATS_UNCLEAR))
		return strdup("-");
	return metric->family == COMPARE_MAIN || compare_is_exact(m) ? strdup(name)
								     : hb_strf("(%s)", name);
}

static char *difference_text(double difference)
{
	return hb_strf(difference == floor(difference) ? "%+.0f" : "%+.3f", difference);
}

/* The interval of the change; exact figures have a difference instead, or one of each layout. */
char *report_spread(const struct compare_model *m, const struct stats_change *change,
		    const struct comparison *c)
{
	HB_FREE char *least = NULL, *greatest = NULL;
	double low, high;

	if (!compare_is_exact(m) || !c)
		return report_interval(change);
	if (!compare_exact_range(m, c, &low, &high))
		return strdup("-");
	least = difference_text(low);
	greatest = difference_text(high);
	if (!least || !greatest)
		return NULL;
	return low == high ? HB_STEAL(least) : hb_strf("%s..%s", least, greatest);
}

void report_pair_columns(const struct compare_model *m, struct doc *d, const struct compare_pair *p,
			 const char *head, bool left)
{
	doc_column(d, head, left);
	doc_column(d, m->arms[p->a].label, false);
	doc_column(d, m->arms[p->b].label, false);
	doc_column(d, "change", false);
	doc_column(d, compare_is_exact(m) ? "difference" : "interval %", false);
	doc_column(d, "verdict", true);
}

void report_arm_columns(const struct compare_model *m, struct doc *d, const char *head, bool left)
{
	doc_column(d, head, left);
	for (unsigned int a = 0; a < m->narms && a + 1 < DOC_COLUMNS; a++)
		doc_column(d, m->arms[a].label, false);
}
