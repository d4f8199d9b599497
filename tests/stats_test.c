// SPDX-License-Identifier: GPL-2.0-or-later
/* Known answers for the statistics; each source is named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/result/stats_blocks.h"

#define near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

/* Student, "The probable error of a mean", Biometrika 6, 1908: additional hours of sleep. */
static const double sleep_1[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
static const double sleep_2[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

static void exponents(const double *v, double *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = exp(v[i]);
}

/* R's manual of t.test(extra ~ group, data = sleep): p = 0.07939, df = 17.776. */
static void test_median(void **state)
{
	static const double odd[] = {9, 1, 4}, even[] = {8, 1, 2, 5};

	(void)state;
	assert_true(stats_median(odd, 3) == 4);
	assert_true(stats_median(even, 4) == 3.5);
	assert_true(stats_median(odd, 1) == 9);
	assert_true(isnan(stats_median(odd, 0)));
}

static void test_welch_sleep(void **state)
{
	double a[10], b[10];
	const struct stats_block block = {{10, NAN, NAN}, {10, NAN, NAN}, a, b};
	struct stats_change c;

	(void)state;
	exponents(sleep_1, a, 10);
	exponents(sleep_2, b, 10);
	stats_blocks_compare_typical(&block, 1, &c);
	near(c.p, 0.07939, 5e-6);
	near(c.df, 17.776, 1e-3);
}

/* The same through stats_compare(): interval -3.3654832 .. 0.2054832 of mean 1 less mean 2. */
static void test_welch_interval(void **state)
{
	struct stats_arm a = {10, exp(0.75), 1.789010 / sqrt(10)};
	struct stats_arm b = {10, exp(2.33), 2.002249 / sqrt(10)};
	struct stats_change c;

	(void)state;
	stats_compare(&b, &a, 0.05, &c);
	near(c.log_ratio, -1.58, 1e-9);
	near(c.df, 17.776, 1e-3);
	near(c.log_low, -3.3654832, 2e-5);
	near(c.log_high, 0.2054832, 2e-5);
}

/* Hollander and Wolfe, "Nonparametric Statistical Methods", 1973, p. 69: W = 35, one-sided p =
 * 0.1272. */
static void test_rank_hollander(void **state)
{
	static const double x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
	static const double y[] = {1.15, 0.88, 0.90, 0.74, 1.21};

	(void)state;
	near(stats_rank_p(x, 10, y, 5), 2 * 0.1272, 1e-4);
}

/* Share of the choices of @na among all n values whose midrank sum lies as far out: by counting. */
static double rank_p_by_counting(const double *all, unsigned int n, unsigned int na)
{
	double rank[16], mean = na * (n + 1) / 2.0, observed = 0;
	unsigned int extreme = 0, total = 0;

	for (unsigned int i = 0; i < n; i++) {
		rank[i] = 0.5;
		for (unsigned int k = 0; k < n; k++)
			rank[i] += all[k] < all[i] ? 1 : all[k] == all[i] ? 0.5 : 0;
		observed += i < na ? rank[i] : 0;
	}
	for (unsigned int set = 0; set < 1u << n; set++) {
		double sum = 0;

		if (__builtin_popcount(set) != (int)na)
			continue;
		for (unsigned int i = 0; i < n; i++)
			sum += set >> i & 1 ? rank[i] : 0;
		total++;
		extreme += fabs(sum - mean) >= fabs(observed - mean) - 1e-9;
	}
	return (double)extreme / total;
}

static void test_rank_ties(void **state)
{
	static const double all[] = {1, 2, 2, 3, 5, 2, 3, 3, 4, 6, 6};

	(void)state;
	for (unsigned int na = 2; na < 9; na++)
		near(stats_rank_p(all, na, all + na, 11 - na), rank_p_by_counting(all, 11, na),
		     1e-12);
}

static void test_rank_large(void **state)
{
	double a[40], b[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		a[i] = i;
		b[i] = i + 8.5;
	}
	/* Lehmann 1975, ch. 1: U = 40 * 40 / 2 shifted; z = (|U - 800| - 0.5) / sqrt(40 * 40 * 81 /
	 * 12). */
	near(stats_rank_p(a, 40, b, 40), 2 * 0.5 * erfc((304 - 0.5) / sqrt(10800) / sqrt(2)), 1e-6);
	assert_true(stats_rank_p(a, 40, a, 40) > 0.99);
}

static void test_rank_smallest(void **state)
{
	static const double low[] = {1, 2, 3, 4}, high[] = {5, 6, 7, 8};

	(void)state;
	/* 2 / C(8, 4) = 2 / 70; with three boots 2 / 20 can never reach 5 %. */
	near(stats_rank_p(low, 4, high, 4), 2.0 / 70, 1e-12);
	near(stats_rank_floor(4, 4), 2.0 / 70, 1e-9);
	near(stats_rank_p(low, 3, high, 3), 0.1, 1e-12);
	assert_int_equal(stats_rank_min_boots(0.05), 4);
	assert_int_equal(stats_rank_min_boots(0.01), 5);
	assert_true(stats_rank_p(low, 0, high, 4) == 1);
}

/* Holm's procedure by hand: 0.005 * 4, 0.01 * 3, 0.03 * 2, then never below the one before. */
static void test_holm(void **state)
{
	static const double p[] = {0.01, 0.04, NAN, 0.03, 0.005};
	double adjusted[5];

	(void)state;
	assert_int_equal(stats_holm(p, adjusted, 5, 5), 0);
	near(adjusted[0], 0.03, 1e-12);
	near(adjusted[1], 0.06, 1e-12);
	assert_true(isnan(adjusted[2]));
	near(adjusted[3], 0.06, 1e-12);
	near(adjusted[4], 0.02, 1e-12);
	/* of these four no more than two can be true at once: 2, 2, 2, 1 */
	assert_int_equal(stats_holm(p, adjusted, 5, 2), 0);
	near(adjusted[4], 0.01, 1e-12);
	near(adjusted[0], 0.02, 1e-12);
	near(adjusted[3], 0.06, 1e-12);
	near(adjusted[1], 0.06, 1e-12);
}

/* The 15 p-values of Benjamini and Hochberg 1995, section 4: 4 of them are found at 5 %. */
static void test_false_discovery(void **state)
{
	static const double p[] = {0.0201, 0.0004, 0.3240, 0.0019, NAN,	   0.0095, 0.0278, 0.0298,
				   0.0344, 0.0001, 0.0459, 0.4262, 0.5719, 0.6528, 0.7590, 1};
	double adjusted[16];
	unsigned int found = 0;

	(void)state;
	assert_int_equal(stats_false_discovery(p, adjusted, 16, 16), 0);
	for (int i = 0; i < 16; i++)
		found += adjusted[i] <= 0.05;
	assert_int_equal(found, 4);
	near(adjusted[5], 0.0095 * 15 / 4, 1e-12);
	near(adjusted[0], 0.0201 * 15 / 5, 1e-12);
	/* 6th of 15, but the 7th gives less */
	near(adjusted[6], 0.0298 * 15 / 7, 1e-12);
	assert_true(isnan(adjusted[4]));
	near(adjusted[15], 1, 1e-12);
	assert_int_equal(stats_false_discovery(p, adjusted, 16, 5), 0);
	near(adjusted[5], 0.0095 * 5 / 4, 1e-12);
}

/*
 * 2.80 standard errors for 80 % power at 5 % two-sided, many degrees of freedom (Bloom 1995, table
 * 1); and the sizes of two samples of Cohen, "Statistical Power Analysis", 1988, table 2.4.1.
 */
static void test_mde(void **state)
{
	(void)state;
	near(stats_mde(1, 1e6, 0.05, 0.80), 2.80, 0.005);
	assert_int_equal(stats_boots_needed(sqrt(2), 1, 0.5, 0.05, 0.80), 64);
	assert_int_equal(stats_boots_needed(sqrt(2), 1, 0.8, 0.05, 0.80), 26);
	assert_int_equal(stats_boots_needed(sqrt(2), 1, 1.0, 0.05, 0.80), 17);
	/* 5 boots of a spread that one boot would have 5 times the variance of */
	assert_int_equal(stats_boots_needed(sqrt(2.0 / 5), 5, 0.8, 0.05, 0.80), 26);
	/* the rank test wants 4 however clear it is; and there is an end */
	assert_int_equal(stats_boots_needed(1e-9, 5, 0.1, 0.05, 0.80), 4);
	assert_int_equal(stats_boots_needed(10, 5, 0.01, 0.05, 0.80), 0);
}

/* The jackknife of a mean has the standard error s / sqrt(n) (Efron and Tibshirani 1993, eq. 11.6).
 */
static void test_jackknife(void **state)
{
	static const double v[] = {1000.1, 1000.4, 999.8, 1000.0, 999.7};
	double deleted[5], mean = stats_mean(v, NULL, 5, deleted);
	struct stats_arm arm;

	(void)state;
	stats_arm_set(&arm, mean, deleted, 1, 5);
	near(arm.log_se, stats_variation(v, 5) / sqrt(5), 1e-7);
	stats_arm_set(&arm, v[0], v, 1, 1);
	assert_true(isnan(arm.log_se));
}

/* Total count over total time: 100 in 1 s and 100 in 3 s are 50 per second, not 66.7. */
static void test_mean_of_rates(void **state)
{
	static const double rate[] = {100, 100.0 / 3}, seconds[] = {1, 3};
	double deleted[2];

	(void)state;
	near(stats_mean(rate, seconds, 2, deleted), 50, 1e-12);
	near(deleted[0], 100.0 / 3, 1e-12);
	near(deleted[1], 100, 1e-12);
	assert_true(isnan(stats_mean(rate, NULL, 0, NULL)));
}

/* The median of two merged boots is not the mean of their medians. */
static void test_merged_quantiles(void **state)
{
	static const double q[] = {0.25, 0.5, 1};
	static struct hist h[2];
	const struct hist *boots[] = {&h[0], &h[1]};
	double estimate[3], deleted[6];

	(void)state;
	hist_reset(&h[0]);
	hist_reset(&h[1]);
	for (int i = 0; i < 1000; i++)
		hist_record(&h[0], 100);
	for (int i = 0; i < 10; i++)
		hist_record(&h[1], 1000000);
	stats_merged_quantiles(boots, 2, q, 3, estimate, deleted);
	near(estimate[1], 100, 1);
	near(estimate[2], 1000000, 0);
	near(deleted[1], 1000000, 1000000 / 128.0);
	near(deleted[3 + 2], 100, 0);
}

static struct stats_change change(double log_ratio, double se, double df)
{
	struct stats_arm a = {(size_t)df / 2 + 1, 100, se / sqrt(2)};
	struct stats_arm b = {(size_t)df / 2 + 1, 100 * exp(log_ratio), se / sqrt(2)};
	struct stats_change c;

	stats_compare(&a, &b, STATS_ALPHA, &c);
	return c;
}

static enum stats_verdict judged(const struct stats_change *c, double differ, double rank,
				 enum metric_better better)
{
	const struct stats_rule rule = {STATS_ALPHA, STATS_MARGIN};
	const struct stats_evidence e = {differ, stats_same_p(c, rule.margin), rank};

	return stats_judge(c, &e, &rule, better);
}

static void test_verdicts(void **state)
{
	struct stats_change big = change(0.3, 0.01, 8), none = change(0.001, 0.002, 8);
	struct stats_change high = change(0.015, 0.005, 8), low = change(-0.015, 0.005, 8);
	struct stats_change wide = change(0.1, 0.2, 8), lone = change(0.3, NAN, 8);

	(void)state;
	assert_int_equal(judged(&big, 0.001, 0.01, METRIC_HIGHER), STATS_BETTER);
	assert_int_equal(judged(&big, 0.001, 0.01, METRIC_LOWER), STATS_WORSE);
	/* three boots: the rank test has nothing to say, so neither has the verdict */
	assert_int_equal(judged(&big, 0.001, 0.1, METRIC_LOWER), STATS_UNCLEAR);
	assert_int_equal(judged(&big, 0.2, 0.01, METRIC_LOWER), STATS_UNCLEAR);
	assert_int_equal(judged(&big, 0.001, 0.01, METRIC_NEITHER), STATS_UNCLEAR);
	assert_int_equal(judged(&none, 0.001, 0.01, METRIC_LOWER), STATS_SAME);
	/* 1.5 % is inside the margin, its interval is not: on neither side */
	assert_int_equal(judged(&high, 1, 1, METRIC_LOWER), STATS_UNCLEAR);
	assert_int_equal(judged(&low, 1, 1, METRIC_LOWER), STATS_UNCLEAR);
	assert_int_equal(judged(&wide, wide.p, 0.01, METRIC_LOWER), STATS_UNCLEAR);
	assert_int_equal(judged(&lone, NAN, 1, METRIC_LOWER), STATS_UNCLEAR);
}

/* One half of t = 1.8595 with 8 degrees of freedom lies at 0.05 (any table of Student's t). */
static void test_same(void **state)
{
	struct stats_change edge = change(log1p(0.02) - 1.8595 * 0.004, 0.004, 8);
	struct stats_change below = change(-edge.log_ratio, 0.004, 8);
	struct stats_change at = change(log1p(0.02), 0.004, 8), beyond = change(0.3, 0.004, 8);

	(void)state;
	near(stats_same_p(&edge, 0.02), 0.05, 1e-5);
	near(stats_same_p(&below, 0.02), 0.05, 1e-5);
	near(stats_same_p(&at, 0.02), 0.5, 1e-12);
	assert_true(stats_same_p(&beyond, 0.02) > 0.999999);
}

/* Zeros have a direction, and nothing else. */
static void test_zero_arms(void **state)
{
	struct stats_arm zero = {5, 0, NAN}, some = {5, 10, 0.1}, none = {0, NAN, NAN};
	struct stats_change c;

	(void)state;
	stats_compare(&zero, &some, STATS_ALPHA, &c);
	assert_true(c.log_ratio == INFINITY && isnan(c.p) && isnan(c.se) && isnan(c.log_low));
	assert_int_equal(judged(&c, 0.01, 0.01, METRIC_HIGHER), STATS_BETTER);
	stats_compare(&some, &zero, STATS_ALPHA, &c);
	assert_true(c.log_ratio == -INFINITY && stats_percent(c.log_ratio) == -100);
	assert_int_equal(judged(&c, 0.01, 0.01, METRIC_HIGHER), STATS_WORSE);
	assert_int_equal(judged(&c, 0.06, 0.01, METRIC_HIGHER), STATS_UNCLEAR);
	stats_compare(&zero, &zero, STATS_ALPHA, &c);
	assert_true(c.log_ratio == 0 && c.se == 0);
	assert_int_equal(judged(&c, 1, 1, METRIC_HIGHER), STATS_SAME);
	stats_compare(&zero, &none, STATS_ALPHA, &c);
	assert_true(isnan(c.log_ratio));
}

/* Barnard 1945: 5 of 5 against 0 of 5 has 2 / 2^10, where Fisher's exact test has 2 / 252. */
static void test_apart(void **state)
{
	static const double zero[5], some[] = {20000, 20100, 19800, 20500, 20050};
	static const double few[] = {0, 20100, 19800, 20500, 20050}, seven[] = {7, 7, 7, 7, 7};
	static const double eight[] = {8, 8, 8, 8, 8}, mixed[] = {7, 7, 7, 7, 6};

	(void)state;
	near(stats_apart_p(zero, 5, some, 5), 2.0 / 1024, 1e-15);
	near(stats_apart_p(some, 5, zero, 5), 2.0 / 1024, 1e-15);
	near(stats_apart_p(zero, 5, seven, 5), 2.0 / 1024, 1e-15);
	near(stats_apart_p(seven, 5, eight, 5), 2.0 / 1024, 1e-15);
	near(stats_apart_p(zero, 2, some, 3), 2 * 0.4 * 0.4 * 0.6 * 0.6 * 0.6, 1e-15);
	/* a boot of the other kind: the ranks */
	near(stats_apart_p(zero, 5, few, 5), stats_rank_p(zero, 5, few, 5), 1e-15);
	near(stats_apart_p(mixed, 5, eight, 5), 2.0 / 252, 1e-12);
	near(stats_apart_p(seven, 5, seven, 5), 1, 1e-12);
	assert_true(stats_apart_p(zero, 0, some, 5) == 1);
}

/* One boot of each arm on every machine, of one figure. */
static void set_pairs(struct stats_block *blocks, const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		blocks[i] = (struct stats_block){{1, a[i], NAN}, {1, b[i], NAN}, &a[i], &b[i]};
}

/*
 * Pairs: R's t.test(sleep, paired): t = 4.0621, 9 degrees of freedom, p = 0.002833, interval
 * 0.7001142 .. 2.4598858. One pair is tied, nine go one way: the sign test's 2 / 2^9.
 */
static void test_blocks_of_pairs(void **state)
{
	struct stats_block blocks[10];
	struct stats_change c;
	double a[10], b[10];

	(void)state;
	exponents(sleep_1, a, 10);
	exponents(sleep_2, b, 10);
	set_pairs(blocks, a, b, 10);
	stats_blocks_compare(blocks, 10, 0.05, &c);
	near(c.log_ratio, 1.58, 1e-9);
	near(c.p, 0.002833, 1e-6);
	near(c.df, 9, 1e-9);
	near(c.log_low, 0.7001142, 1e-6);
	near(c.log_high, 2.4598858, 1e-6);
	near(stats_blocks_rank_p(blocks, 10), 2.0 / 512, 1e-12);
	near(stats_blocks_rank_floor(blocks, 10), 2.0 / 1024, 1e-12);
	near(stats_blocks_spread(blocks, 10), 1.229995, 1e-6); /* sd of the differences */
	near(stats_block_ratio(&blocks[0]), 1.2, 1e-9);
}

/*
 * Two machines of which one is ten times as fast: what they differ by touches nothing. Least
 * squares by hand: d = 1/2 (log 1.1 + log 1.2), weights 2 * 2 / 4 = 1 each; the arms' pooled
 * variances are 0.02^2 / 2 with 2 degrees of freedom each, of which a quarter and a quarter of a
 * half remain.
 */
static void test_blocks_of_machines(void **state)
{
	const double slow_a[] = {100 * exp(-0.01), 100 * exp(0.01)};
	const double slow_b[] = {110 * exp(-0.01), 110 * exp(0.01)};
	const double fast_a[] = {1000 * exp(-0.01), 1000 * exp(0.01)};
	const double fast_b[] = {1200 * exp(-0.01), 1200 * exp(0.01)};
	const struct stats_block blocks[] = {
		{{2, NAN, NAN}, {2, NAN, NAN}, slow_a, slow_b},
		{{0, NAN, NAN}, {2, NAN, NAN}, NULL, slow_b}, /* one arm alone: no part in it */
		{{2, NAN, NAN}, {2, NAN, NAN}, fast_a, fast_b},
	};
	struct stats_change c;

	(void)state;
	stats_blocks_compare_typical(blocks, 3, &c);
	near(c.log_ratio, (log(1.1) + log(1.2)) / 2, 1e-12);
	near(c.se, sqrt(2 * 0.0002 * (1 / 2. + 1 / 2.) / 4), 1e-12);
	near(c.df, 4, 1e-9);
	/* in each of C(4, 2) choices per machine one is this extreme, to either side */
	near(stats_blocks_rank_p(blocks, 3), 2.0 / 36, 1e-12);
	near(stats_blocks_rank_floor(blocks, 3), 2.0 / 36, 1e-12);
}

/* More boots weigh more: na nb / (na + nb) is 1 with two of each and 2 with four. */
static void test_blocks_are_weighted(void **state)
{
	struct stats_block blocks[] = {
		{{2, 100, 0.01}, {2, 110, 0.01}, NULL, NULL},
		{{4, 100, 0.01}, {4, 140, 0.01}, NULL, NULL},
	};
	struct stats_change c, one;

	(void)state;
	stats_blocks_compare(blocks, 2, 0.05, &c);
	near(c.log_ratio, (log(1.1) + 2 * log(1.4)) / 3, 1e-12);
	/* one machine is no block */
	stats_blocks_compare(&blocks[1], 1, 0.05, &c);
	stats_compare(&blocks[1].a, &blocks[1].b, 0.05, &one);
	assert_memory_equal(&c, &one, sizeof(c));
	near(c.df, 6, 1e-9);
	/* a machine on which one arm is zero has no finite ratio: nothing has one */
	blocks[0].a = (struct stats_arm){2, 0, NAN};
	stats_blocks_compare(blocks, 2, 0.05, &c);
	assert_true(c.log_ratio == INFINITY && isnan(c.se));
}

/* The normal approximation for very many boots is near the count of 30 + 30. */
static void test_blocks_of_many(void **state)
{
	double a[32], b[32];
	struct stats_block blocks[16];
	double exact, normal;

	(void)state;
	for (int i = 0; i < 32; i++) {
		a[i] = i * 37 % 32;
		b[i] = i * 37 % 32 + (i % 4 ? 3.5 : -7.5);
	}
	for (int i = 0; i < 16; i++)
		blocks[i] =
			(struct stats_block){{2, NAN, NAN}, {2, NAN, NAN}, &a[2 * i], &b[2 * i]};
	exact = stats_blocks_rank_p(blocks, 15);
	normal = stats_blocks_rank_p(blocks, 16);
	assert_true(exact > 0 && exact < 1 && normal < 2 * exact && normal > exact / 8);
}

/*
 * Lan and DeMets 1983: 2 (1 - Phi(z / sqrt(t))), 0.05 two-sided; at half the information
 * 2 (1 - Phi(1.95996 / 0.70711)) = 0.005575.
 */
static void test_spending(void **state)
{
	const struct stats_sequential s = {4, 10, 0.05};
	double sum = 0;

	(void)state;
	near(stats_sequential_spent(&s, 5), 0.005575, 1e-6);
	assert_true(stats_sequential_spent(&s, 3) == 0);
	assert_true(stats_sequential_level(&s, 3) == 0);
	assert_true(stats_sequential_level(&s, 11) == 0);
	for (unsigned int n = 0; n <= 12; n++)
		sum += stats_sequential_level(&s, n);
	near(sum, 0.05, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_welch_sleep),
		cmocka_unit_test(test_welch_interval),
		cmocka_unit_test(test_rank_hollander),
		cmocka_unit_test(test_rank_ties),
		cmocka_unit_test(test_rank_large),
		cmocka_unit_test(test_rank_smallest),
		cmocka_unit_test(test_holm),
		cmocka_unit_test(test_false_discovery),
		cmocka_unit_test(test_mde),
		cmocka_unit_test(test_jackknife),
		cmocka_unit_test(test_mean_of_rates),
		cmocka_unit_test(test_merged_quantiles),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_blocks_of_pairs),
		cmocka_unit_test(test_blocks_of_machines),
		cmocka_unit_test(test_blocks_are_weighted),
		cmocka_unit_test(test_blocks_of_many),
		cmocka_unit_test(test_zero_arms),
		cmocka_unit_test(test_spending),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
