// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <stdlib.h>

#include "bench/base/util.h"
#include "bench/result/stats_blocks.h"

static double weight(const struct stats_block *b)
{
	double na = b->a.n, nb = b->b.n;

	return na && nb ? na * nb / (na + nb) : 0;
}

double stats_block_ratio(const struct stats_block *b)
{
	if (!b->a.n || !b->b.n || !(b->a.estimate >= 0) || !(b->b.estimate >= 0))
		return NAN;
	return b->a.estimate == b->b.estimate ? 0 : log(b->b.estimate / b->a.estimate);
}

/* Sums over the machines that have both arms. */
struct sums {
	double weight, ratio; /* of the weights; weighted, of the log ratios */
	double squares; /* weighted by the squared weights, of the ratios' distances from @mean */
	size_t n;
};

static void add_up(const struct stats_block *blocks, size_t n, double mean, struct sums *s)
{
	*s = (struct sums){0};
	for (size_t i = 0; i < n; i++) {
		double w = weight(&blocks[i]), ratio = stats_block_ratio(&blocks[i]);

		if (!w)
			continue;
		s->weight += w;
		s->ratio += w * ratio;
		s->squares += w * w * (ratio - mean) * (ratio - mean);
		s->n++;
	}
}

/* The variance that one arm gives to the mean: that of a boot, pooled, over the boots. */
static struct stats_variance arm_variance(const struct stats_block *blocks, size_t n, bool b,
					  double weights)
{
	struct stats_variance v = {0, 0};
	double boot = 0, share = 0;

	for (size_t i = 0; i < n; i++) {
		const struct stats_arm *arm = b ? &blocks[i].b : &blocks[i].a;
		double w = weight(&blocks[i]);
		/* Zero in every boot is no spread: where the other arm is not, the ratio is
		 * infinite. */
		double log_se = arm->estimate == 0 ? 0 : arm->log_se;

		if (!w)
			continue;
		share += w * w / arm->n;
		if (arm->n < 2)
			continue;
		boot += (arm->n - 1) * arm->n * log_se * log_se;
		v.df += arm->n - 1;
	}
	v.of_mean = v.df > 0 ? boot / v.df * share / (weights * weights) : NAN;
	return v;
}

void stats_blocks_compare(const struct stats_block *blocks, size_t n, double alpha,
			  struct stats_change *c)
{
	struct stats_variance a, b, none = {0, 1};
	struct sums s;
	double mean;

	add_up(blocks, n, 0, &s);
	mean = s.weight > 0 ? s.ratio / s.weight : NAN;
	a = arm_variance(blocks, n, false, s.weight);
	b = arm_variance(blocks, n, true, s.weight);
	if (s.n > 1 && (!a.df || !b.df)) {
		add_up(blocks, n, mean, &s);
		a = (struct stats_variance){s.squares / (s.weight * s.weight) * s.n / (s.n - 1),
					    s.n - 1};
		b = none;
	}
	stats_change_set(c, mean, &a, &b, alpha);
}

void stats_blocks_compare_typical(const struct stats_block *blocks, size_t n,
				  struct stats_change *c)
{
	HB_FREE struct stats_block *typical = calloc(n + 1, sizeof(*typical));

	for (size_t i = 0; i < n && typical; i++) {
		typical[i] = blocks[i];
		stats_arm_typical(blocks[i].a_boots, blocks[i].a.n, &typical[i].a);
		stats_arm_typical(blocks[i].b_boots, blocks[i].b.n, &typical[i].b);
	}
	stats_blocks_compare(typical, typical ? n : 0, STATS_ALPHA, c);
}

/* Without a model of the figures. */
static double apart(const struct stats_block *blocks, size_t n)
{
	if (n == 1)
		return stats_apart_p(blocks->a_boots, blocks->a.n, blocks->b_boots, blocks->b.n);
	return stats_blocks_rank_p(blocks, n);
}

void stats_blocks_test(const struct stats_change *total, const struct stats_block *blocks, size_t n,
		       double margin, struct stats_evidence *e)
{
	struct stats_change typical;

	stats_blocks_compare_typical(blocks, n, &typical);
	e->same = stats_same_p(total, margin);
	if (total->se > 0) {
		e->differ = fmax(total->p,
				 isnan(typical.se) ? stats_blocks_rank_p(blocks, n) : typical.p);
		e->same = fmax(e->same, stats_same_p(&typical, margin));
	} else {
		e->differ = apart(blocks, n);
	}
	if (stats_blocks_rank_floor(blocks, n) > STATS_ALPHA)
		e->same = NAN;
}

double stats_blocks_spread(const struct stats_block *blocks, size_t n)
{
	double mean = 0, squares = 0;
	size_t used = 0;

	for (int pass = 0; pass < 2; pass++) {
		used = 0;
		for (size_t i = 0; i < n; i++) {
			double ratio = stats_block_ratio(&blocks[i]);

			if (isnan(ratio))
				continue;
			used++;
			if (pass)
				squares += (ratio - mean) * (ratio - mean);
			else
				mean += ratio;
		}
		mean = pass ? mean : mean / used;
	}
	return used > 1 ? sqrt(squares / (used - 1)) : NAN;
}

/* One machine. */
void stats_compare(const struct stats_arm *a, const struct stats_arm *b, double alpha,
		   struct stats_change *c)
{
	const struct stats_block block = {*a, *b, NULL, NULL};

	stats_blocks_compare(&block, 1, alpha, c);
}
