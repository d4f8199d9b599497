/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much a kernel carries: throughput by number of tasks or connections as a law, and the number
 * of connections up to which a latency stays below a limit. Pure functions but for the last ones,
 * which take their data out of a comparison model.
 */
#ifndef HB_CAPACITY_H
#define HB_CAPACITY_H

#include "bench/result/compare.h"

/* Extrapolation ends at this multiple of the largest number measured. */
#define CAPACITY_REACH	    1.5
#define CAPACITY_MIN_POINTS 4

/* The figure at one number of tasks or connections. */
struct capacity_point {
	double n;
	double estimate; /* of all boots */
	double log_se;	 /* standard error of its logarithm; NAN: not known, one boot */
	size_t boots;
};

/*
 * Universal Scalability Law: X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)) (Gunther,
 * "Guerrilla Capacity Planning", 2007, ch. 4). lambda: throughput of one; sigma: contention;
 * kappa: coherency.
 */
struct capacity_usl {
	double lambda, sigma, kappa;
};
double capacity_usl(const struct capacity_usl *usl, double n);
/* Where the throughput peaks: sqrt((1 - sigma) / kappa); INFINITY for kappa 0. */
double capacity_peak(const struct capacity_usl *usl);

struct capacity_interval {
	double low, high;
};

struct capacity_fit {
	struct capacity_usl usl;
	struct capacity_interval lambda, sigma, kappa, peak; /* 95 %; NAN: one boot only */
	double residual; /* root mean square of the relative residuals */
	double largest;	 /* number measured */
	bool usable;
	bool peak_beyond; /* the peak lies outside what may be said: CAPACITY_REACH * largest */
	const char *why;  /* not usable: the reason */
};

/*
 * Fit by Levenberg-Marquardt (gsl_multifit_nlinear) on relative residuals, sigma and kappa kept
 * from going negative. Intervals: parametric bootstrap (Efron and Tibshirani 1993, ch. 6 and 13),
 * each point drawn anew by the t distribution of its boots: resampling two or four boots themselves
 * would give intervals that are far too short. Usable: at least CAPACITY_MIN_POINTS different
 * numbers, the fit converged, the law misses the points by at most 10 % on average (root mean
 * square), and the interval of lambda spans less than a factor of four. -ENOMEM; everything else is
 * a fit that is not usable.
 */
int capacity_fit(const struct capacity_point *points, size_t n, struct capacity_fit *fit);

struct capacity_limit {
	double n;			   /* number at which the figure reaches the limit */
	struct capacity_interval interval; /* 95 %, as in capacity_fit(); NAN: one boot only */
	double largest;			   /* number measured: what reaches it is "at least" */
};

/*
 * The largest number at which a figure that grows with it (p99) is still below @limit, by linear
 * interpolation of log figure over log number between the points; nothing is said beyond them: 0
 * when the smallest is above it already, the largest when all are below.
 * @points by ascending n. -EINVAL for fewer than two points.
 */
int capacity_limit(const struct capacity_point *points, size_t n, double limit,
		   struct capacity_limit *out);

/* The fit of one arm over the groups first..end-1; @metric is an index of group first. */
int capacity_of_section(const struct compare_model *m, unsigned int first, unsigned int end,
			unsigned int metric, unsigned int arm, struct capacity_fit *fit);
/* The limit of one arm over the groups; -EINVAL: fewer than two numbers have the figure. */
int capacity_limit_of_section(const struct compare_model *m, unsigned int first, unsigned int end,
			      unsigned int metric, unsigned int arm, double limit,
			      struct capacity_limit *out);

#endif
