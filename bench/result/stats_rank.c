// SPDX-License-Identifier: GPL-2.0-or-later
/* The rank test; within machines where there are several. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"
#include "bench/result/stats_blocks.h"

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Twice the midrank of every value of @all (sorted by the caller), so that ranks stay integers. */
static void midranks(const double *all, size_t n, unsigned int *rank)
{
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && all[j] == all[i];)
			j++;
		for (size_t k = i; k < j; k++)
			rank[k] = i + j + 1;
	}
}

/* Number of ways to choose @take of the @n ranks by their sum, in the last row of a table. */
static double *shift_counts(const unsigned int *rank, size_t n, size_t take, size_t sums)
{
	double *ways = calloc((take + 1) * sums, sizeof(*ways));

	if (!ways)
		return NULL;
	ways[0] = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = (i + 1 < take ? i + 1 : take); k > 0; k--)
			for (size_t s = sums; s-- > rank[i];)
				ways[k * sums + s] += ways[(k - 1) * sums + s - rank[i]];
	return ways;
}

/* The ranks of one machine's boots, and the sum of those of arm a. All ranks are twice themselves.
 */
struct stratum {
	size_t na, n;
	double *all;	    /* sorted */
	unsigned int *rank; /* of them */
	unsigned int observed;
};

static void stratum_free(struct stratum *s)
{
	free(s->all);
	free(s->rank);
}

static int stratum_make(const struct stats_block *b, struct stratum *s)
{
	*s = (struct stratum){.na = b->a.n, .n = b->a.n + b->b.n};
	s->all = malloc((s->n + 1) * sizeof(*s->all));
	s->rank = malloc((s->n + 1) * sizeof(*s->rank));
	if (!s->all || !s->rank) {
		stratum_free(s);
		return -ENOMEM;
	}
	memcpy(s->all, b->a_boots, b->a.n * sizeof(*s->all));
	memcpy(s->all + b->a.n, b->b_boots, b->b.n * sizeof(*s->all));
	qsort(s->all, s->n, sizeof(*s->all), compare_double);
	midranks(s->all, s->n, s->rank);
	for (size_t i = 0; i < s->na; i++) {
		const double *at =
			bsearch(&b->a_boots[i], s->all, s->n, sizeof(*s->all), compare_double);

		s->observed += s->rank[at - s->all];
	}
	return 0;
}

/* What the sums of all machines add up to. */
struct sums {
	double observed, mean, variance;
	double *ways; /* how often each sum comes about; NULL: not counted */
	size_t n;
};

/* Tie correction as in Lehmann, "Nonparametrics", 1975, ch. 1. */
static double stratum_variance(const struct stratum *s)
{
	double na = s->na, nb = s->n - s->na, n = s->n, ties = 0;

	for (size_t i = 0, j; i < s->n; i = j) {
		for (j = i + 1; j < s->n && s->all[j] == s->all[i];)
			j++;
		ties += pow(j - i, 3) - (j - i);
	}
	return 4 * na * nb / 12 * (n + 1 - ties / (n * (n - 1)));
}

/* Every sum so far with every one of this machine. */
static int convolve(struct sums *t, const struct stratum *s)
{
	size_t own = s->n * (s->n + 1) + 1;
	HB_FREE double *counts = shift_counts(s->rank, s->n, s->na, own);
	const double *ways = counts ? counts + s->na * own : NULL;
	double *both = calloc(t->n + own - 1, sizeof(*both));

	if (!counts || !both) {
		free(both);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < own && t->ways[i] > 0; k++)
			both[i + k] += t->ways[i] * ways[k];
	free(t->ways);
	t->ways = both;
	t->n += own - 1;
	return 0;
}

static int add_stratum(struct sums *t, const struct stats_block *b)
{
	struct stratum s;
	int err = stratum_make(b, &s);

	if (err)
		return err;
	t->observed += s.observed;
	t->mean += (double)s.na * (s.n + 1);
	t->variance += stratum_variance(&s);
	err = t->ways ? convolve(t, &s) : 0;
	stratum_free(&s);
	return err;
}

static double p_exact(const struct sums *t)
{
	double total = 0, extreme = 0, distance = fabs(t->observed - t->mean);

	for (size_t i = 0; i < t->n; i++) {
		total += t->ways[i];
		if (fabs(i - t->mean) >= distance)
			extreme += t->ways[i];
	}
	return extreme / total;
}

/* Sums of whole ranks lie one apart, doubled two: the correction is half of that. */
static double p_normal(const struct sums *t)
{
	double z = (fabs(t->observed - t->mean) - 1) / sqrt(t->variance);

	return !(t->variance > 0) || z <= 0 ? 1 : 2 * gsl_cdf_ugaussian_Q(z);
}

static bool has_both(const struct stats_block *b)
{
	return b->a.n && b->b.n;
}

double stats_blocks_rank_p(const struct stats_block *blocks, size_t n)
{
	struct sums t = {.n = 1};
	size_t boots = 0;
	double p = 1;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		boots += has_both(&blocks[i]) ? blocks[i].a.n + blocks[i].b.n : 0;
	if (boots <= STATS_EXACT_BOOTS) {
		t.ways = calloc(1, sizeof(*t.ways));
		if (!t.ways)
			return NAN;
		*t.ways = 1;
	}
	for (size_t i = 0; i < n && !err; i++)
		err = has_both(&blocks[i]) ? add_stratum(&t, &blocks[i]) : 0;
	if (boots)
		p = t.ways ? p_exact(&t) : p_normal(&t);
	free(t.ways);
	return err ? NAN : p;
}

double stats_rank_p(const double *a, size_t na, const double *b, size_t nb)
{
	const struct stats_block block = {{na, NAN, NAN}, {nb, NAN, NAN}, a, b};

	return stats_blocks_rank_p(&block, 1);
}

double stats_blocks_rank_floor(const struct stats_block *blocks, size_t n)
{
	double log_ways = 0;

	for (size_t i = 0; i < n; i++)
		if (has_both(&blocks[i]))
			log_ways += gsl_sf_lnchoose(blocks[i].a.n + blocks[i].b.n, blocks[i].a.n);
	return fmin(1, 2 * exp(-log_ways));
}

double stats_rank_floor(size_t na, size_t nb)
{
	return fmin(1, 2 * exp(-gsl_sf_lnchoose(na + nb, na)));
}

unsigned int stats_rank_min_boots(double alpha)
{
	unsigned int n = 1;

	while (stats_rank_floor(n, n) > alpha && n < STATS_EXACT_BOOTS)
		n++;
	return n;
}
