// SPDX-License-Identifier: GPL-2.0-or-later
/* The law is found again in data made from it, and not where there is none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/capacity.h"

#define near(a, b, by) assert_true(fabs((a) - (b)) <= (by))
#define BOOTS	       5

static double boots[8][BOOTS];
static struct capacity_point points[8];

/* @noise: relative, of fixed signs, so that the boots of a point differ and their mean does not. */
static void make(const struct capacity_usl *law, const double *n, size_t size, double noise)
{
	static const double sign[BOOTS] = {-1, -0.5, 0, 0.5, 1};

	for (size_t i = 0; i < size; i++) {
		for (int b = 0; b < BOOTS; b++)
			boots[i][b] = capacity_usl(law, n[i]) * (1 + noise * sign[b]);
		points[i] = (struct capacity_point){n[i], capacity_usl(law, n[i]), boots[i], BOOTS};
	}
}

/* Gunther 2007, ch. 4: the throughput peaks at sqrt((1 - sigma) / kappa). */
static void test_law(void **state)
{
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	double peak = capacity_peak(&law);

	(void)state;
	near(capacity_usl(&law, 1), 1000, 1e-9);
	near(peak, sqrt(0.98 / 0.0005), 1e-9);
	assert_true(capacity_usl(&law, peak) > capacity_usl(&law, peak - 1));
	assert_true(capacity_usl(&law, peak) > capacity_usl(&law, peak + 1));
	assert_true(isinf(capacity_peak(&(struct capacity_usl){1000, 0.02, 0})));
}

static void test_fit(void **state)
{
	static const double n[] = {1, 2, 4, 8, 16, 32, 64};
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	struct capacity_fit fit;

	(void)state;
	make(&law, n, 7, 0.02);
	assert_int_equal(capacity_fit(points, 7, &fit), 0);
	assert_true(fit.usable && !fit.peak_beyond);
	near(fit.usl.lambda, 1000, 1);
	near(fit.usl.sigma, 0.02, 1e-4);
	near(fit.usl.kappa, 0.0005, 1e-5);
	assert_true(fit.residual < 1e-4);
	assert_true(fit.lambda.low < 1000 && fit.lambda.high > 1000);
	assert_true(fit.kappa.low < 0.0005 && fit.kappa.high > 0.0005);
	assert_true(fit.peak.low < 44.27 && fit.peak.high > 44.27);
}

/* The peak at 44 must not be told from 8 tasks: 1.5 times the data is 12. */
static void test_reach(void **state)
{
	static const double n[] = {1, 2, 4, 8};
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	struct capacity_fit fit;

	(void)state;
	make(&law, n, 4, 0.02);
	assert_int_equal(capacity_fit(points, 4, &fit), 0);
	assert_true(fit.usable && fit.peak_beyond);
}

static void test_too_few(void **state)
{
	static const double n[] = {1, 2, 4, 4};
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	struct capacity_fit fit;

	(void)state;
	make(&law, n, 4, 0.02);
	assert_int_equal(capacity_fit(points, 4, &fit), 0);
	assert_false(fit.usable);
	assert_non_null(strstr(fit.why, "fewer than 4"));
}

/* Throughput that jumps up and down follows no law. */
static void test_no_law(void **state)
{
	static const double n[] = {1, 2, 4, 8, 16}, x[] = {1000, 300, 4000, 500, 9000};
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	struct capacity_fit fit;

	(void)state;
	make(&law, n, 5, 0.01);
	for (int i = 0; i < 5; i++)
		points[i].estimate = x[i];
	assert_int_equal(capacity_fit(points, 5, &fit), 0);
	assert_false(fit.usable);
	assert_non_null(strstr(fit.why, "misses the points"));
}

/* p99 of 1, 2, 4, 8 ms at 10, 20, 40, 80 connections: 3 ms at 30. */
static void test_limit(void **state)
{
	static double value[4][2] = {{1, 1.01}, {2, 2.02}, {4, 4.04}, {8, 8.08}};
	struct capacity_point p[4];
	struct capacity_limit limit;

	(void)state;
	for (int i = 0; i < 4; i++)
		p[i] = (struct capacity_point){10 << i, 1 << i, value[i], 2};
	assert_int_equal(capacity_limit(p, 4, 3, &limit), 0);
	near(limit.n, 30, 1e-9);
	assert_true(limit.interval.low > 29 && limit.interval.high <= 30 && !limit.above_all);
	assert_int_equal(capacity_limit(p, 4, 100, &limit), 0);
	assert_true(limit.above_all && limit.n == 80);
	assert_int_equal(capacity_limit(p, 4, 0.5, &limit), 0);
	assert_true(limit.below_all && limit.n == 0);
	assert_int_equal(capacity_limit(p, 1, 3, &limit), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_law),    cmocka_unit_test(test_fit),
		cmocka_unit_test(test_reach),  cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_no_law), cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
