/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of a comparison between two arms whose unit of repetition is the boot.
 * Pure functions: no input, no output, no state; allocation failures are returned as -ENOMEM.
 *
 * A boot gives one figure per metric. That figure carries the noise within the boot as well, so
 * the variance of the boots' figures is the sum of both spreads (Kalibera and Jones, "Rigorous
 * Benchmarking in Reasonable Time", ISMM 2013, section 6); nothing is computed from the spread
 * within a boot alone.
 */
#ifndef HB_STATS_H
#define HB_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "bench/base/hist.h"
#include "bench/base/metric.h"

#define STATS_ALPHA  0.05
#define STATS_POWER  0.80
#define STATS_MARGIN 0.02 /* equivalence: a ratio within 1/1.02 .. 1.02 */

/* One arm's figure and what is known about its spread. */
struct stats_arm {
	size_t n;	 /* boots */
	double estimate; /* in the metric's unit */
	double log_se;	 /* standard error of log(estimate); NAN: not to be had (n < 2, zero,
			    negative) */
};

/*
 * Weighted mean of the boots' figures. For rates @w is the measured seconds of each boot: the
 * result is then total count / total time (rates are never averaged as they are; Fleming and
 * Wallace, "How not to lie with statistics", CACM 29(3), 1986). @w NULL: arithmetic mean, right
 * for counts, sizes and times. @deleted, when not NULL, receives the n leave-one-out means.
 * NAN for n == 0 or a total weight that is not positive.
 */
double stats_mean(const double *v, const double *w, size_t n, double *deleted);
/* Sample standard deviation over mean, as a fraction; NAN for n < 2 or mean 0. */
double stats_variation(const double *v, size_t n);
/* Middle value, of a copy; NAN for n == 0 or without memory. */
double stats_median(const double *v, size_t n);

/*
 * Quantiles of the merged histogram of @n boots, never a mean of percentiles. @q: ascending, @nq
 * of them. @estimate[nq]; @deleted[n * nq] (or NULL): the same with boot i left out, at
 * [i * nq + k]. Inside a bucket the quantile is interpolated linearly; it stays within the bucket,
 * whose width is at most 1/128 of the value (hist.h). NAN where no value is left.
 */
void stats_merged_quantiles(const struct hist *const *boots, size_t n, const double *q, size_t nq,
			    double *estimate, double *deleted);

/*
 * Delete-one-boot jackknife of log(estimate): Tukey 1958; Efron and Tibshirani, "An Introduction
 * to the Bootstrap", 1993, ch. 11. The quantile of merged histograms is a smooth function of the
 * mean of the boots' distributions, which is what the jackknife needs.
 */
void stats_arm_set(struct stats_arm *arm, double estimate, const double *deleted, size_t stride,
		   size_t n);

/* The typical boot: mean of the logarithms and its standard error; NAN where they are not to be
 * had. */
void stats_arm_typical(const double *v, size_t n, struct stats_arm *arm);

/* Change from arm a to arm b. Logarithms are natural. */
struct stats_change {
	double log_ratio; /* log(b / a); infinite: one arm is zero; NAN: an arm has no figure */
	double se, df;	  /* of log_ratio; Welch-Satterthwaite degrees of freedom */
	double log_low, log_high; /* interval at the asked confidence; NAN without se */
	double p;		  /* two-sided, of log_ratio == 0; NAN without se */
	double log_mde;		  /* minimum detectable effect, see stats_mde() */
};

/* How far the mean of an arm's logarithms may be off. */
struct stats_variance {
	double of_mean; /* NAN: not to be had */
	double df;
};
/*
 * A change of @log_ratio and all that follows from the variances of the arms, of which one may be
 * 0. The interval and the test are Welch's, the degrees of freedom Welch's and Satterthwaite's.
 */
void stats_change_set(struct stats_change *c, double log_ratio, const struct stats_variance *a,
		      const struct stats_variance *b, double alpha);

/*
 * p of "the arms differ by @margin or more": two one-sided tests (Schuirmann, J. Pharmacokin.
 * Biopharm. 15, 1987) on the log scale, so within 1 / (1 + margin) .. 1 + margin. NAN without se.
 */
double stats_same_p(const struct stats_change *c, double margin);
/*
 * The log ratio that a two-sided t test at @alpha finds with probability @power: the noncentrality
 * at which the noncentral t lies beyond the critical value, by the normal approximation of N. L.
 * Johnson and B. L. Welch (Biometrika 31, 1940; Abramowitz and Stegun 26.7.10), times @se.
 * check-stats prints how often such a change is found: 70 to 80 %, the rank test and the second
 * Welch test take their part.
 */
double stats_mde(double se, double df, double alpha, double power);
/*
 * How many boots per arm would find @effect (of the log ratio) with probability @power at @alpha,
 * when @boots per arm gave the standard error @se and the spread stays as it is. At least what the
 * rank test needs; 0: more than STATS_BOOTS_MOST.
 */
#define STATS_BOOTS_MOST 1000
unsigned int stats_boots_needed(double se, size_t boots, double effect, double alpha, double power);
/* Half the width of a t interval at 1 - alpha. */
double stats_half_width(double se, double df, double alpha);
/* 100 * (exp(log) - 1), NAN stays NAN. */
double stats_percent(double log_ratio);

/*
 * Wilcoxon-Mann-Whitney, two-sided, ties by midranks. Exact up to STATS_EXACT_BOOTS boots in all
 * by the shift algorithm (Streitberg and Roehmel, Statistical Software Newsletter 12, 1986);
 * above, normal with tie and continuity correction (Lehmann, "Nonparametrics", 1975, ch. 1).
 * 1.0 for an empty arm; NAN without memory.
 */
#define STATS_EXACT_BOOTS 60
double stats_rank_p(const double *a, size_t na, const double *b, size_t nb);
/*
 * Two-sided p without any model of the figures, for those that have no logarithm or no spread. The
 * ranks', but where every boot of one arm is zero and none of the other, or where each arm has one
 * value of its own, the probability of just that if the arms do not differ is at most
 * 2 x^na (1 - x)^nb with x = na / (na + nb), however often a boot gives one of the two (Barnard,
 * "A new test for 2 x 2 tables", Nature 156, 1945). With 5 + 5 boots: 0.002, the ranks' is 0.008.
 */
double stats_apart_p(const double *a, size_t na, const double *b, size_t nb);
/* What a comparison is judged by; NAN: not tested. */
struct stats_evidence {
	double differ; /* p of "nothing differs" */
	double same;   /* p of "the arms differ by the margin or more" */
	double rank;   /* of the rank test, by itself */
};

/* The smallest p that the rank test can give: 2 / C(na + nb, na), at most 1. */
double stats_rank_floor(size_t na, size_t nb);
/* Smallest number of boots per arm with which the rank test can reach @alpha. 0.05: 4. */
unsigned int stats_rank_min_boots(double alpha);

/*
 * Holm's step-down adjustment (Scand. J. Statist. 6, 1979): claims at an adjusted p of at most
 * alpha hold a single false one with probability alpha at most, whatever the dependence. At most
 * @true_most of the hypotheses can be true at the same time: what the step has to allow for never
 * is more (Shaffer, JASA 81, 1986). NAN entries stay out of the family. -ENOMEM.
 */
int stats_holm(const double *p, double *adjusted, size_t n, size_t true_most);
/*
 * Benjamini and Hochberg's step-up adjustment (JRSS B 57, 1995): among the findings at an adjusted
 * p of at most alpha the expected part of false ones is alpha at most, for independent and for
 * positively dependent figures (Benjamini and Yekutieli, Ann. Statist. 29, 2001). Weaker than
 * Holm's promise: good for pointing at what to look into. The rest as above.
 */
int stats_false_discovery(const double *p, double *adjusted, size_t n, size_t true_most);

enum stats_verdict {
	STATS_UNCLEAR, /* the data does not say */
	STATS_SAME,    /* shown to be within the margin */
	STATS_BETTER,
	STATS_WORSE,
};
const char *stats_verdict_name(enum stats_verdict v);

struct stats_rule {
	double alpha;  /* STATS_ALPHA, or the level of the look in a sequential run */
	double margin; /* STATS_MARGIN */
};

/*
 * @e is adjusted. Of its two hypotheses one at most is true of a figure, so of a family no more are
 * true than it has figures. same: the second is rejected at alpha. better, worse: not same, the
 * first is rejected at alpha AND the rank test rejects at STATS_ALPHA by itself, so that no
 * assumption about the shape of the data stands alone. Everything else: unclear.
 */
enum stats_verdict stats_judge(const struct stats_change *c, const struct stats_evidence *e,
			       const struct stats_rule *rule, enum metric_better better);

/*
 * Sequential stopping. A look is taken after every complete round of boots from min_boots to
 * max_boots per arm, both fixed before the first boot. The total error alpha is spent by the
 * O'Brien-Fleming-like function of Lan and DeMets (Biometrika 70, 1983) at the fraction
 * boots / max_boots; each look is tested at its own increment (Slud and Wei, JASA 77, 1982, with
 * the union bound over the looks), so that the sum of the errors is at most alpha whatever the
 * dependence between looks and for t tests too. Intervals at 1 - level are repeated confidence
 * intervals (Jennison and Turnbull, JRSS B 51, 1989): they hold at all looks at once.
 */
struct stats_sequential {
	unsigned int min_boots, max_boots; /* per arm; 2 <= min <= max */
	double alpha;
};
/* Cumulated error spent up to the look at @boots: 0 before min_boots, alpha at max_boots. */
double stats_sequential_spent(const struct stats_sequential *s, unsigned int boots);
/* The level of the look at @boots: 0: no look is planned there. */
double stats_sequential_level(const struct stats_sequential *s, unsigned int boots);

#endif
