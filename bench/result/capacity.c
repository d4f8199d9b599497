// SPDX-License-Identifier: GPL-2.0-or-later
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/capacity.h"

#define RESAMPLES 400
#define MAX_MISS  0.10
/* Throughput of one that is not known within a factor of two either way makes no law. */
#define MAX_SPREAD 4.0

static const struct capacity_interval unknown = {NAN, NAN};

double capacity_usl(const struct capacity_usl *usl, double n)
{
	return usl->lambda * n / (1 + usl->sigma * (n - 1) + usl->kappa * n * (n - 1));
}

double capacity_peak(const struct capacity_usl *usl)
{
	if (!(usl->kappa > 0))
		return INFINITY;
	return sqrt(fmax(0, 1 - usl->sigma) / usl->kappa);
}

/* What the solver sees: parameters log(lambda), sqrt(sigma), sqrt(kappa), so that none goes
 * negative. */
struct problem {
	const double *n, *x; /* number, throughput */
	size_t size;
};

static struct capacity_usl from_parameters(const gsl_vector *p)
{
	double s = gsl_vector_get(p, 1), k = gsl_vector_get(p, 2);

	return (struct capacity_usl){exp(gsl_vector_get(p, 0)), s * s, k * k};
}

/* Relative residuals: a throughput's spread grows with it. */
static int residuals(const gsl_vector *p, void *arg, gsl_vector *f)
{
	const struct problem *problem = arg;
	struct capacity_usl usl = from_parameters(p);

	for (size_t i = 0; i < problem->size; i++)
		gsl_vector_set(f, i, capacity_usl(&usl, problem->n[i]) / problem->x[i] - 1);
	return GSL_SUCCESS;
}

static double miss(const struct problem *p, const struct capacity_usl *usl)
{
	double ss = 0;

	for (size_t i = 0; i < p->size; i++) {
		double r = capacity_usl(usl, p->n[i]) / p->x[i] - 1;

		ss += r * r;
	}
	return sqrt(ss / p->size);
}

/* 0, or -EDOM when the solver does not converge. */
static int solve(struct problem *problem, gsl_multifit_nlinear_workspace *w,
		 struct capacity_usl *usl)
{
	gsl_multifit_nlinear_fdf fdf = {
		.f = residuals, .n = problem->size, .p = 3, .params = problem};
	double start[3] = {log(problem->x[0] / problem->n[0]), 0.2, 0.03};
	gsl_vector_view x = gsl_vector_view_array(start, 3);
	int info, err;

	err = gsl_multifit_nlinear_init(&x.vector, &fdf, w);
	err = err ?: gsl_multifit_nlinear_driver(200, 1e-10, 1e-10, 0, NULL, NULL, &info, w);
	*usl = from_parameters(gsl_multifit_nlinear_position(w));
	/* No further progress is what a perfect fit reports. */
	if (err && err != GSL_ENOPROG)
		return -EDOM;
	return isfinite(usl->lambda) && isfinite(usl->sigma) && isfinite(usl->kappa) ? 0 : -EDOM;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The middle 95 % of @v, which is sorted. */
static struct capacity_interval middle(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_double);
	return (struct capacity_interval){v[(size_t)(0.025 * (n - 1))],
					  v[(size_t)ceil(0.975 * (n - 1))]};
}

/* What other boots might have given: the logarithm follows t with one less than the boots. */
static double draw(gsl_rng *rng, const struct capacity_point *p)
{
	return p->estimate * exp(p->log_se * gsl_ran_tdist(rng, p->boots - 1));
}

/* One boot tells nothing of the next. */
static bool spread_known(const struct capacity_point *points, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(points[i].log_se >= 0))
			return false;
	return true;
}

static int bootstrap(const struct capacity_point *points, struct problem *problem, double *x,
		     gsl_multifit_nlinear_workspace *w, gsl_rng *rng, struct capacity_fit *fit)
{
	HB_FREE double *draws = malloc(4 * RESAMPLES * sizeof(*draws));
	size_t good = 0;

	if (!draws)
		return -ENOMEM;
	for (unsigned int r = 0; r < RESAMPLES; r++) {
		struct capacity_usl usl;

		for (size_t i = 0; i < problem->size; i++)
			x[i] = draw(rng, &points[i]);
		if (solve(problem, w, &usl))
			continue;
		draws[good] = usl.lambda;
		draws[RESAMPLES + good] = usl.sigma;
		draws[2 * RESAMPLES + good] = usl.kappa;
		draws[3 * RESAMPLES + good++] = capacity_peak(&usl);
	}
	if (good)
		fit->lambda = middle(draws, good);
	if (good < RESAMPLES * 9 / 10 || fit->lambda.high > MAX_SPREAD * fit->lambda.low) {
		fit->usable = false;
		fit->why = "the boots differ too much for a fit";
		return 0;
	}
	fit->sigma = middle(draws + RESAMPLES, good);
	fit->kappa = middle(draws + 2 * RESAMPLES, good);
	fit->peak = middle(draws + 3 * RESAMPLES, good);
	return 0;
}

static int fit_points(const struct capacity_point *points, size_t n, struct capacity_fit *fit,
		      gsl_multifit_nlinear_workspace *w, gsl_rng *rng)
{
	HB_FREE double *at = malloc(n * sizeof(*at));
	HB_FREE double *x = malloc(n * sizeof(*x));
	struct problem problem = {at, x, n};

	if (!at || !x)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		at[i] = points[i].n;
		x[i] = points[i].estimate;
		fit->largest = fmax(fit->largest, at[i]);
		if (!(x[i] > 0)) {
			fit->why = "a throughput is zero";
			return 0;
		}
	}
	if (solve(&problem, w, &fit->usl)) {
		fit->why = "the fit does not converge";
		return 0;
	}
	fit->residual = miss(&problem, &fit->usl);
	if (fit->residual > MAX_MISS) {
		fit->why = "the law misses the points by more than 10 %";
		return 0;
	}
	fit->usable = true;
	fit->peak_beyond = !(capacity_peak(&fit->usl) <= CAPACITY_REACH * fit->largest);
	fit->lambda = fit->sigma = fit->kappa = fit->peak = unknown;
	return spread_known(points, n) ? bootstrap(points, &problem, x, w, rng, fit) : 0;
}

static size_t different(const struct capacity_point *points, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen = seen || points[k].n == points[i].n;
		count += !seen;
	}
	return count;
}

int capacity_fit(const struct capacity_point *points, size_t n, struct capacity_fit *fit)
{
	gsl_multifit_nlinear_parameters parameters = gsl_multifit_nlinear_default_parameters();
	gsl_multifit_nlinear_workspace *w;
	gsl_error_handler_t *handler;
	gsl_rng *rng;
	int err = -ENOMEM;

	*fit = (struct capacity_fit){.why = NULL};
	if (different(points, n) < CAPACITY_MIN_POINTS) {
		fit->why = "fewer than 4 different numbers were measured";
		return 0;
	}
	/* GSL would abort on a singular step; here it is a fit that cannot be used. */
	handler = gsl_set_error_handler_off();
	w = gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &parameters, n, 3);
	rng = gsl_rng_alloc(gsl_rng_mt19937);
	if (w && rng)
		err = fit_points(points, n, fit, w, rng);
	if (w)
		gsl_multifit_nlinear_free(w);
	if (rng)
		gsl_rng_free(rng);
	gsl_set_error_handler(handler);
	return err;
}

/* Log-log interpolation; 0: above the limit everywhere, INFINITY: below it everywhere. */
static double crossing(const struct capacity_point *points, const double *y, size_t n, double limit)
{
	if (y[0] > limit)
		return 0;
	for (size_t i = 1; i < n; i++) {
		double part;

		if (y[i] <= limit)
			continue;
		part = log(limit / y[i - 1]) / log(y[i] / y[i - 1]);
		return exp(log(points[i - 1].n) + part * log(points[i].n / points[i - 1].n));
	}
	return INFINITY;
}

int capacity_limit(const struct capacity_point *points, size_t n, double limit,
		   struct capacity_limit *out)
{
	HB_FREE double *y = malloc((n + 1) * sizeof(*y));
	HB_FREE double *draws = malloc(RESAMPLES * sizeof(*draws));
	gsl_rng *rng;

	*out = (struct capacity_limit){.interval = unknown};
	if (n < 2)
		return -EINVAL;
	rng = gsl_rng_alloc(gsl_rng_mt19937);
	if (!y || !draws || !rng) {
		if (rng)
			gsl_rng_free(rng);
		return -ENOMEM;
	}
	out->largest = points[n - 1].n;
	for (size_t i = 0; i < n; i++)
		y[i] = points[i].estimate;
	out->n = fmin(crossing(points, y, n, limit), out->largest);
	for (unsigned int r = 0; r < RESAMPLES; r++) {
		for (size_t i = 0; i < n; i++)
			y[i] = draw(rng, &points[i]);
		draws[r] = fmin(crossing(points, y, n, limit), out->largest);
	}
	gsl_rng_free(rng);
	if (spread_known(points, n))
		out->interval = middle(draws, RESAMPLES);
	return 0;
}

/* Points of one arm, ascending; the caller frees. Returns how many. */
static ssize_t collect(const struct compare_model *m, unsigned int first, unsigned int end,
		       unsigned int metric, unsigned int arm, struct capacity_point **out)
{
	const struct compare_metric *like = &m->groups[first].metrics[metric];
	struct capacity_point *points = calloc(end - first, sizeof(*points));
	const char *across;
	size_t n = 0;

	if (!points)
		return -ENOMEM;
	for (unsigned int g = first; g < end; g++) {
		const struct compare_group *group = &m->groups[g];
		unsigned int k = compare_find_metric(group, like->source, like->label);
		const struct compare_figure *f;
		struct capacity_point p;
		size_t at;

		if (k == group->nmetrics)
			continue;
		f = &group->figures[k * m->narms + arm];
		if (!f->arm.n || f->sparse)
			continue;
		p = (struct capacity_point){compare_scale(group, &across), f->arm.estimate,
					    f->arm.log_se, f->arm.n};
		for (at = n++; at > 0 && points[at - 1].n > p.n; at--)
			points[at] = points[at - 1];
		points[at] = p;
	}
	*out = points;
	return n;
}

int capacity_of_section(const struct compare_model *m, unsigned int first, unsigned int end,
			unsigned int metric, unsigned int arm, struct capacity_fit *fit)
{
	struct capacity_point *points;
	ssize_t n = collect(m, first, end, metric, arm, &points);
	int err;

	if (n < 0)
		return n;
	err = capacity_fit(points, n, fit);
	free(points);
	return err;
}

int capacity_limit_of_section(const struct compare_model *m, unsigned int first, unsigned int end,
			      unsigned int metric, unsigned int arm, double limit,
			      struct capacity_limit *out)
{
	struct capacity_point *points;
	ssize_t n = collect(m, first, end, metric, arm, &points);
	int err;

	if (n < 0)
		return n;
	err = capacity_limit(points, n, limit, out);
	free(points);
	return err;
}
