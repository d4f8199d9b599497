/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparison of two arms; and of arms whose boots come from several machines of one kind: the
 * machine is a block (R. A. Fisher, "The Design of Experiments", 1935, ch. 4). Differences are
 * taken within machines, so what one machine differs by from the next touches none of them; what is
 * said holds for these machines.
 */
#ifndef HB_STATS_BLOCKS_H
#define HB_STATS_BLOCKS_H

#include "bench/result/stats.h"

/*
 * Welch's t interval and test of the log ratio ("The generalization of Student's problem",
 * Biometrika 34, 1947), standard errors from the jackknife. @alpha: 1 - confidence.
 * With 4 boots and spreads that differ fivefold the degrees of freedom are too many far out in the
 * tail, where a correction over many comparisons looks (check-stats prints it as "unequal").
 * Without any spread in both arms, zeros among them, se is 0, the interval is the point and p is
 * NAN. Where zeros leave no standard error all but log_ratio is NAN. stats_apart_p() judges both.
 */
void stats_compare(const struct stats_arm *a, const struct stats_arm *b, double alpha,
		   struct stats_change *c);

/* What one machine gave of one figure: its boots of both arms, and what stands for all of them. */
struct stats_block {
	struct stats_arm a, b;		 /* n 0: no boot of that arm */
	const double *a_boots, *b_boots; /* borrowed; a.n and b.n of them */
};

/*
 * The mean over the machines of the log ratio within each, weighted by boots: na nb / (na + nb), as
 * least squares does it in the model of a machine's and an arm's part. The variance of an arm's
 * boots is pooled over the machines, that of the two arms is not, and the degrees of freedom are
 * Welch and Satterthwaite's. Where no machine has two boots of an arm, the spread of the machines'
 * ratios is all that there is: Student's test of pairs. Machines with one arm alone do not count.
 */
void stats_blocks_compare(const struct stats_block *blocks, size_t n, double alpha,
			  struct stats_change *c);
/*
 * The change of the typical boot, from the logarithms of the boots' figures, where
 * stats_blocks_compare() looks at the total. A claim must hold for both (the larger p of two tests
 * is a p of "either holds": Berger, Technometrics 24, 1982), so that a skewed tail cannot make one.
 * All NAN: fewer than two boots in an arm, or a figure that is not positive.
 */
void stats_blocks_compare_typical(const struct stats_block *blocks, size_t n,
				  struct stats_change *c);
/*
 * The rank test with ranks within each machine and their sums added up (van Elteren, Bulletin of
 * the International Statistical Institute 37, 1960, without his weights, which do not matter to the
 * exactness): exact and two-sided, for at most STATS_EXACT_BOOTS boots of all machines; above by
 * the normal approximation. 1.0 where no machine has both arms; NAN without memory.
 */
double stats_blocks_rank_p(const struct stats_block *blocks, size_t n);
/* The smallest p that it can give. */
double stats_blocks_rank_floor(const struct stats_block *blocks, size_t n);
/*
 * Both p, not yet adjusted; @e->rank is stats_blocks_rank_p(), which is the dearest by far, and the
 * caller's. @total: of stats_blocks_compare(). The larger p of the total and of the typical boot,
 * for which the ranks stand in where a boot is zero; without any spread or standard error
 * stats_apart_p(). same is NAN with too few boots for the rank test: equal digits of two promise
 * nothing of a third.
 */
void stats_blocks_test(const struct stats_change *total, const struct stats_block *blocks, size_t n,
		       double margin, struct stats_evidence *e);

/* Sample standard deviation of the machines' log ratios; NAN for fewer than two of them. */
double stats_blocks_spread(const struct stats_block *blocks, size_t n);
/* log(b / a) of one machine; NAN: it has not both. */
double stats_block_ratio(const struct stats_block *block);

#endif
