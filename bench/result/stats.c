// SPDX-License-Identifier: GPL-2.0-or-later
/* Estimates, intervals, tests and verdicts; the methods and their sources stand in stats.h. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"
#include "bench/result/stats.h"

double stats_mean(const double *v, const double *w, size_t n, double *deleted)
{
	double sum = 0, weight = 0;

	for (size_t i = 0; i < n; i++) {
		sum += (w ? w[i] : 1) * v[i];
		weight += w ? w[i] : 1;
	}
	for (size_t i = 0; deleted && i < n; i++) {
		double rest = weight - (w ? w[i] : 1);

		deleted[i] = rest > 0 ? (sum - (w ? w[i] : 1) * v[i]) / rest : NAN;
	}
	return weight > 0 ? sum / weight : NAN;
}

double stats_variation(const double *v, size_t n)
{
	double mean = stats_mean(v, NULL, n, NULL);
	double ss = 0;

	if (n < 2 || mean == 0)
		return NAN;
	for (size_t i = 0; i < n; i++)
		ss += (v[i] - mean) * (v[i] - mean);
	return sqrt(ss / (n - 1)) / fabs(mean);
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double stats_median(const double *v, size_t n)
{
	HB_FREE double *sorted = NULL;

	if (!n)
		return NAN;
	sorted = malloc(n * sizeof(*sorted));
	if (!sorted)
		return NAN;
	memcpy(sorted, v, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_double);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* Quantiles of @all less @left_out (NULL: nothing left out) in one walk over the buckets. */
static void quantile_walk(const struct hist *all, const struct hist *left_out, uint64_t max,
			  const double *q, size_t nq, double *out)
{
	uint64_t count = all->count - (left_out ? left_out->count : 0);
	uint64_t seen = 0;
	size_t k = 0;

	for (unsigned int i = 0; i < HIST_BUCKETS && k < nq && count; i++) {
		uint64_t here = all->bucket[i] - (left_out ? left_out->bucket[i] : 0);

		/* Rank q * count falls into this bucket: interpolate between its ends. */
		while (k < nq && here && q[k] * count <= seen + here) {
			double low = hist_bucket_low(i), width = hist_bucket_high(i) - low;
			double value = low + width * (q[k] * count - seen) / here;

			out[k++] = value < max ? value : max;
		}
		seen += here;
	}
	for (; k < nq; k++)
		out[k] = count ? (double)max : NAN;
}

static uint64_t max_without(const struct hist *const *boots, size_t n, size_t left_out)
{
	uint64_t max = 0;

	for (size_t i = 0; i < n; i++)
		if (i != left_out && boots[i]->count && boots[i]->max > max)
			max = boots[i]->max;
	return max;
}

void stats_merged_quantiles(const struct hist *const *boots, size_t n, const double *q, size_t nq,
			    double *estimate, double *deleted)
{
	struct hist merged;

	hist_reset(&merged);
	for (size_t i = 0; i < n; i++)
		hist_merge(&merged, boots[i]);
	quantile_walk(&merged, NULL, merged.max, q, nq, estimate);
	for (size_t i = 0; deleted && i < n; i++)
		quantile_walk(&merged, boots[i], max_without(boots, n, i), q, nq, deleted + i * nq);
}

/* Equal figures differ in the last bits of their logarithms; that is no spread. */
static double spread_or_zero(double log_se)
{
	return log_se < 1e-12 ? 0 : log_se;
}

void stats_arm_set(struct stats_arm *arm, double estimate, const double *deleted, size_t stride,
		   size_t n)
{
	double mean = 0, ss = 0;

	arm->n = n;
	arm->estimate = estimate;
	arm->log_se = NAN;
	if (n < 2 || !(estimate > 0))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!(deleted[i * stride] > 0))
			return;
		mean += log(deleted[i * stride]) / n;
	}
	for (size_t i = 0; i < n; i++) {
		double d = log(deleted[i * stride]) - mean;

		ss += d * d;
	}
	arm->log_se = spread_or_zero(sqrt(ss * (n - 1) / n));
}

double stats_mde(double se, double df, double alpha, double power)
{
	double t = gsl_cdf_tdist_Pinv(1 - alpha / 2, df);

	return se * (t * (1 - 1 / (4 * df)) +
		     gsl_cdf_ugaussian_Pinv(power) * sqrt(1 + t * t / (2 * df)));
}

double stats_half_width(double se, double df, double alpha)
{
	return se > 0 ? gsl_cdf_tdist_Pinv(1 - alpha / 2, df) * se : 0;
}

unsigned int stats_boots_needed(double se, size_t boots, double effect, double alpha, double power)
{
	double one = se * sqrt(boots); /* standard error with one boot per arm */

	for (unsigned int n = stats_rank_min_boots(STATS_ALPHA); n <= STATS_BOOTS_MOST; n++)
		if (stats_mde(one / sqrt(n), 2.0 * (n - 1), alpha, power) <= effect)
			return n;
	return 0;
}

static const struct stats_change no_change = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};

/* Both arms without any spread. */
static void compare_points(double log_ratio, struct stats_change *c)
{
	*c = no_change;
	c->log_ratio = c->log_low = c->log_high = log_ratio;
	c->se = c->log_mde = 0;
}

/* The log ratio has the spread: all that follows from it. */
static void compare_spread(double log_ratio, const struct stats_variance *a,
			   const struct stats_variance *b, double alpha, struct stats_change *c)
{
	double va = a->of_mean, vb = b->of_mean;
	double half;

	c->log_ratio = log_ratio;
	c->se = sqrt(va + vb);
	c->df = (va + vb) * (va + vb) / (va * va / a->df + vb * vb / b->df);
	half = stats_half_width(c->se, c->df, alpha);
	c->log_low = c->log_ratio - half;
	c->log_high = c->log_ratio + half;
	c->p = 2 * gsl_cdf_tdist_Q(fabs(c->log_ratio) / c->se, c->df);
	c->log_mde = stats_mde(c->se, c->df, alpha, STATS_POWER);
}

void stats_change_set(struct stats_change *c, double log_ratio, const struct stats_variance *a,
		      const struct stats_variance *b, double alpha)
{
	*c = no_change;
	c->log_ratio = log_ratio;
	if (!isfinite(log_ratio) || isnan(a->of_mean) || isnan(b->of_mean))
		return;
	if (a->of_mean + b->of_mean == 0)
		compare_points(log_ratio, c);
	else
		compare_spread(log_ratio, a, b, alpha, c);
}

void stats_arm_typical(const double *v, size_t n, struct stats_arm *arm)
{
	double mean = 0, ss = 0;

	*arm = (struct stats_arm){n, NAN, NAN};
	for (size_t i = 0; i < n; i++)
		mean += log(v[i]) / n;
	for (size_t i = 0; i < n; i++)
		ss += (log(v[i]) - mean) * (log(v[i]) - mean);
	if (n < 2 || !isfinite(mean))
		return;
	arm->estimate = exp(mean);
	arm->log_se = spread_or_zero(sqrt(ss / (n - 1) / n));
}

double stats_same_p(const struct stats_change *c, double margin)
{
	double room = log1p(margin) - fabs(c->log_ratio);

	if (isnan(c->se))
		return NAN;
	if (c->se == 0)
		return room >= 0 ? 0 : 1;
	return gsl_cdf_tdist_Q(room / c->se, c->df);
}

double stats_percent(double log_ratio)
{
	return 100 * expm1(log_ratio);
}

/* All the same value. */
static bool is_constant(const double *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i] != v[0])
			return false;
	return n;
}

static bool is_zero(const double *v, size_t n)
{
	return is_constant(v, n) && *v == 0;
}

static bool has_zero(const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == 0)
			return true;
	return false;
}

double stats_apart_p(const double *a, size_t na, const double *b, size_t nb)
{
	bool by_zero = (is_zero(a, na) && !has_zero(b, nb)) || (is_zero(b, nb) && !has_zero(a, na));
	bool by_value = is_constant(a, na) && is_constant(b, nb) && *a != *b;
	double x = na / (double)(na + nb);

	if (na && nb && (by_zero || by_value))
		return 2 * pow(x, na) * pow(1 - x, nb);
	return stats_rank_p(a, na, b, nb);
}

struct indexed {
	double p;
	size_t at;
};

static int compare_indexed(const void *a, const void *b)
{
	const struct indexed *x = a, *y = b;

	if (x->p != y->p)
		return x->p < y->p ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* The entries that are not NAN, by size; @adjusted is NAN for the others. NULL without memory. */
static struct indexed *sort_family(const double *p, double *adjusted, size_t n, size_t *m)
{
	struct indexed *sorted = malloc((n + 1) * sizeof(*sorted));

	*m = 0;
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		adjusted[i] = NAN;
		if (!isnan(p[i]))
			sorted[(*m)++] = (struct indexed){p[i], i};
	}
	qsort(sorted, *m, sizeof(*sorted), compare_indexed);
	return sorted;
}

static size_t fewer(size_t a, size_t b)
{
	return a < b ? a : b;
}

int stats_holm(const double *p, double *adjusted, size_t n, size_t true_most)
{
	size_t m;
	HB_FREE struct indexed *sorted = sort_family(p, adjusted, n, &m);
	double running = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < m; i++) {
		running = fmax(running, fmin(1, fewer(m - i, true_most) * sorted[i].p));
		adjusted[sorted[i].at] = running;
	}
	return 0;
}

int stats_false_discovery(const double *p, double *adjusted, size_t n, size_t true_most)
{
	size_t m;
	HB_FREE struct indexed *sorted = sort_family(p, adjusted, n, &m);
	double running = 1;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = m; i-- > 0;) {
		running = fmin(running, sorted[i].p * fewer(m, true_most) / (i + 1));
		adjusted[sorted[i].at] = fmax(running, sorted[i].p);
	}
	return 0;
}

const char *stats_verdict_name(enum stats_verdict v)
{
	static const char *const names[] = {"unclear", "same", "better", "worse"};

	return names[v];
}

enum stats_verdict stats_judge(const struct stats_change *c, const struct stats_evidence *e,
			       const struct stats_rule *rule, enum metric_better better)
{
	if (better == METRIC_NEITHER || isnan(c->log_ratio))
		return STATS_UNCLEAR;
	if (e->same <= rule->alpha)
		return STATS_SAME;
	if (!(e->differ <= rule->alpha) || !(e->rank <= STATS_ALPHA))
		return STATS_UNCLEAR;
	return (c->log_ratio > 0) == (better == METRIC_HIGHER) ? STATS_BETTER : STATS_WORSE;
}

double stats_sequential_spent(const struct stats_sequential *s, unsigned int boots)
{
	double z;

	if (boots < s->min_boots)
		return 0;
	if (boots >= s->max_boots)
		return s->alpha;
	z = gsl_cdf_ugaussian_Qinv(s->alpha / 2);
	return 2 * gsl_cdf_ugaussian_Q(z / sqrt((double)boots / s->max_boots));
}

double stats_sequential_level(const struct stats_sequential *s, unsigned int boots)
{
	if (boots < s->min_boots || boots > s->max_boots)
		return 0;
	if (boots == s->min_boots)
		return stats_sequential_spent(s, boots);
	return stats_sequential_spent(s, boots) - stats_sequential_spent(s, boots - 1);
}
