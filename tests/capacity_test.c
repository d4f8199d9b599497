// SPDX-License-Identifier: GPL-2.0-or-later
/* The law is found again in data made from it, and not where there is none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/result/capacity.h"

#define near(a, b, by) assert_true(fabs((a) - (b)) <= (by))
#define BOOTS	       5

static struct capacity_point points[8];

/* @noise: standard error, relative. */
static void make(const struct capacity_usl *law, const double *n, size_t size, double noise)
{
	for (size_t i = 0; i < size; i++)
		points[i] = (struct capacity_point){n[i], capacity_usl(law, n[i]), noise, BOOTS};
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

/* Two boots that differ by half tell nothing of a law, however well it meets their middle. */
static void test_spread(void **state)
{
	static const double n[] = {1, 2, 4, 8};
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	struct capacity_fit fit;

	(void)state;
	make(&law, n, 4, 0.3);
	for (size_t i = 0; i < 4; i++)
		points[i].boots = 2;
	assert_int_equal(capacity_fit(points, 4, &fit), 0);
	assert_false(fit.usable);
	assert_string_equal(fit.why, "the boots differ too much for a fit");
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
static struct capacity_limit limit_of(double at, double log_se, size_t boots)
{
	struct capacity_limit limit;
	struct capacity_point p[4];

	for (int i = 0; i < 4; i++)
		p[i] = (struct capacity_point){10 << i, 1 << i, log_se, boots};
	assert_int_equal(capacity_limit(p, 1, at, &limit), -EINVAL);
	assert_int_equal(capacity_limit(p, 4, at, &limit), 0);
	assert_true(limit.largest == 80);
	return limit;
}

static void test_limit(void **state)
{
	struct capacity_limit limit = limit_of(3, 0.01, 5);

	(void)state;
	near(limit.n, 30, 1e-9);
	/* 1 % at either end of the line from 20 to 40; t of 4 degrees of freedom is 2.78. */
	assert_true(limit.interval.low > 28.5 && limit.interval.low < 29.7);
	assert_true(limit.interval.high > 30.3 && limit.interval.high < 31.5);
	assert_true(limit_of(100, 0.01, 5).n == 80);
	assert_true(limit_of(100, 0.01, 5).interval.low == 80);
	assert_true(limit_of(0.5, 0.01, 5).n == 0);
	assert_true(limit_of(0.5, 0.01, 5).interval.high == 0);
}

/* Two boots say much less than five with the same spread; one says nothing. */
static void test_few_boots(void **state)
{
	static const double n[] = {1, 2, 4, 8};
	const struct capacity_usl law = {1000, 0.02, 0.0005};
	struct capacity_limit two = limit_of(3, 0.05, 2), five = limit_of(3, 0.05, 5);
	struct capacity_limit one = limit_of(3, NAN, 1);
	struct capacity_fit fit;

	(void)state;
	assert_true(two.interval.high - two.interval.low >
		    2 * (five.interval.high - five.interval.low));
	near(one.n, 30, 1e-9);
	assert_true(isnan(one.interval.low) && isnan(one.interval.high));
	make(&law, n, 4, NAN);
	assert_int_equal(capacity_fit(points, 4, &fit), 0);
	assert_true(fit.usable && isnan(fit.sigma.low) && isnan(fit.peak.high));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_law),	cmocka_unit_test(test_fit),
		cmocka_unit_test(test_spread),	cmocka_unit_test(test_reach),
		cmocka_unit_test(test_too_few), cmocka_unit_test(test_no_law),
		cmocka_unit_test(test_limit),	cmocka_unit_test(test_few_boots),
	};

	return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
