// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode exact, fixed work: a boot's instructions are exact (load_run() has seen to it that boots of
 * one seed agree), and there is no error to allow for; but where things lie in memory has a say in
 * them, and every seed has them elsewhere. Boots of both arms with one seed are a pair.
 */
#include <math.h>

#include "bench/result/compare.h"

static const char why_layouts[] = "layouts of memory do not agree";
static const char why_apart[] = "no layout of memory that both arms have";

static double of_seed(const struct compare_figure *f, uint64_t seed)
{
	for (size_t i = 0; f->seed && i < f->arm.n; i++)
		if (f->seed[i] == seed)
			return f->boot[i];
	return NAN;
}

/* Differences of the pairs. */
struct differences {
	size_t n, less, more;
	double low, high;
};

static struct differences differences(const struct compare_figure *a,
				      const struct compare_figure *b)
{
	struct differences d = {.low = NAN, .high = NAN};

	for (size_t i = 0; a->seed && i < a->arm.n; i++) {
		double difference = of_seed(b, a->seed[i]) - a->boot[i];

		if (isnan(difference))
			continue;
		d.n++;
		d.less += difference < 0;
		d.more += difference > 0;
		d.low = fmin(d.low, difference);
		d.high = fmax(d.high, difference);
	}
	return d;
}

bool compare_exact_range(const struct compare_model *m, const struct comparison *c, double *low,
			 double *high)
{
	struct differences d = differences(compare_figure(m, c, false), compare_figure(m, c, true));

	*low = d.low;
	*high = d.high;
	return d.n;
}

/* One instruction is a change when all pairs agree on its direction; "same" is what takes as many
 * in the layouts that are best for either arm. */
static enum stats_verdict judge(const struct differences *d, bool equal, enum metric_better better)
{
	if (d->less == d->n || d->more == d->n)
		return (d->less == d->n) == (better == METRIC_LOWER) ? STATS_BETTER : STATS_WORSE;
	return equal ? STATS_SAME : STATS_UNCLEAR;
}

void compare_exact(const struct compare_model *m, struct comparison *c)
{
	const struct compare_metric *metric = compare_metric(m, c);
	const struct compare_figure *a = compare_figure(m, c, false);
	const struct compare_figure *b = compare_figure(m, c, true);
	const struct stats_arm none = {0, NAN, NAN};
	const struct stats_arm arm_a = {a->arm.n, a->arm.n ? a->arm.estimate : NAN, 0};
	const struct stats_arm arm_b = {b->arm.n, b->arm.n ? b->arm.estimate : NAN, 0};
	struct differences d = differences(a, b);

	stats_compare(metric->judged ? &arm_a : &none, &arm_b, STATS_ALPHA, &c->change);
	if (isnan(c->change.log_ratio))
		return;
	if (d.n)
		c->verdict = judge(&d, arm_a.estimate == arm_b.estimate, metric->better);
	if (c->verdict == STATS_UNCLEAR)
		c->why = d.n ? why_layouts : why_apart;
}
