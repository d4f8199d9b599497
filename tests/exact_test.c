// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine of mode exact as the host describes it, and the kernel that it boots. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/base/exact.h"
#include "bench/base/util.h"

#define TURN	    200
#define TICK_NS	    10	 /* of the HPET */
#define CLAMP_NS    1000 /* its timers' shortest period */
#define MAX_ALL	    192
#define MODEL_INSNS 100000 /* of each CPU, in the mean */

static uint64_t timer(const json_t *machine, size_t i, size_t member)
{
	const json_t *list = json_object_get(machine, "timers");

	return json_integer_value(json_array_get(json_array_get(list, i), member));
}

static uint64_t period(const json_t *machine, size_t i)
{
	return timer(machine, i, 1);
}

/*
 * How QEMU shares out time (rr_cpu_thread_fn of accel/tcg/tcg-accel-ops-rr.c, hpet_timer of
 * hw/timer/hpet.c, 10.0).
 */
struct model {
	unsigned int vcpus, all, shift, ntimers;
	uint64_t now; /* ns */
	struct {
		uint64_t expiry, compare, period; /* ns */
	} timer[EXACT_TIMERS];
	bool kicked[MAX_ALL];
	uint64_t insns[MAX_ALL]; /* of each in the order in which they were made */
};

static uint64_t time_left(const struct model *m)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < m->ntimers; i++)
		next = m->timer[i].expiry < next ? m->timer[i].expiry : next;
	return next <= m->now ? 0 : (next - m->now + (1U << m->shift) - 1) >> m->shift;
}

/*
 * The comparator goes on by whole periods until it is no longer in the past, in ticks: at an expiry
 * that was in time it stays. Not before 1 us after the last expiry comes the next.
 */
static void timer_expire(struct model *m, unsigned int i)
{
	uint64_t last = m->timer[i].expiry;

	while (m->timer[i].compare / TICK_NS < m->now / TICK_NS)
		m->timer[i].compare += m->timer[i].period;
	m->timer[i].expiry = m->timer[i].compare;
	if (m->timer[i].expiry < last + CLAMP_NS)
		m->timer[i].expiry = last + CLAMP_NS;
}

static void expire(struct model *m)
{
	for (unsigned int i = 0; i < m->ntimers; i++)
		while (m->timer[i].expiry <= m->now)
			timer_expire(m, i);
	for (unsigned int i = 0; i < m->all; i++)
		m->kicked[i] = true;
}

/* The first was made first, the others last. */
static bool runs(const struct model *m, unsigned int cpu)
{
	return !cpu || cpu > m->all - m->vcpus;
}

static void turn(struct model *m, unsigned int cpu, uint64_t budget)
{
	uint64_t left = time_left(m), insns = left < budget ? left : budget;

	if (!insns)
		expire(m);
	if (runs(m, cpu)) {
		m->insns[cpu] += insns;
		m->now += insns << m->shift;
	}
	m->kicked[cpu] = false;
}

static void model_run(struct model *m)
{
	uint64_t until = (uint64_t)MODEL_INSNS * m->vcpus << m->shift;
	unsigned int cpu = 0;

	while (m->now < until) {
		uint64_t budget;

		if (!time_left(m))
			expire(m);
		budget = time_left(m) / m->all;
		budget = budget ? budget : time_left(m);
		cpu = cpu == m->all ? 0 : cpu;
		while (cpu < m->all && !m->kicked[cpu])
			turn(m, cpu++, budget);
		if (cpu < m->all)
			m->kicked[cpu] = false;
	}
}

/* How far the CPU that is farthest from its share is from it. */
static double unfairness(const json_t *machine, unsigned int vcpus)
{
	struct model m = {
		.vcpus = vcpus,
		.all = exact_all_vcpus(vcpus),
		.shift = exact_shift(vcpus),
		.ntimers = json_array_size(json_object_get(machine, "timers")),
	};
	double most = 0;

	for (unsigned int i = 0; i < m.ntimers; i++) {
		m.timer[i].compare = m.timer[i].expiry = timer(machine, i, 0) * TICK_NS;
		m.timer[i].period = timer(machine, i, 1) * TICK_NS;
	}
	model_run(&m);
	for (unsigned int i = 0; i < m.all; i++)
		if (runs(&m, i))
			most = fmax(most, fabs(m.insns[i] / (double)MODEL_INSNS - 1));
	return most;
}

static void cpus_are_equal(void **state)
{
	(void)state;
	for (unsigned int n = 2; n <= EXACT_VCPUS_MAX; n++)
		for (uint64_t seed = 1; seed <= 3; seed++) {
			json_t *m = exact_machine(n, seed, TURN);
			double off = unfairness(m, n);

			if (off > 0.05)
				fail_msg("%u CPUs, seed %u: one is %.1f %% from its share", n,
					 (unsigned int)seed, 100 * off);
			json_decref(m);
		}
}

/* An instruction of each CPU takes between 8 and 16 ns, with more CPUs as many as there are. */
static void units_are_alike(void **state)
{
	(void)state;
	assert_int_equal(exact_shift(1), 3);
	for (unsigned int n = 2; n <= EXACT_VCPUS_MAX; n++) {
		assert_true(n << exact_shift(n) > 8);
		assert_true(n << exact_shift(n) <= (n > 16 ? n : 16));
	}
}

static void one_cpu_has_no_turns(void **state)
{
	json_t *m = exact_machine(1, 5, TURN);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(m, "timers")), 0);
	json_decref(m);
}

/* Four CPUs: three bursts of four; the first of a period is the turn of 16 vCPUs or a bit more. */
static void periods_come_from_the_seed(void **state)
{
	json_t *first = exact_machine(4, 1, TURN);
	unsigned int other = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		json_t *m = exact_machine(4, seed, TURN);
		json_t *again = exact_machine(4, seed, TURN);

		assert_true(json_equal(m, again));
		assert_int_equal(json_array_size(json_object_get(m, "timers")), 12);
		assert_int_equal(timer(m, 0, 0), period(m, 0));
		assert_true(timer(m, 1, 0) > period(m, 1) && period(m, 1) == period(m, 0));
		assert_in_range(period(m, 0), TURN * 16 * 4 / 10, TURN * 16 * 4 / 10 * 19 / 16);
		assert_true(period(m, 0) < period(m, 4) && period(m, 4) < period(m, 8));
		other += !json_equal(m, first);
		json_decref(again);
		json_decref(m);
	}
	assert_true(other > 45);
	json_decref(first);
}

/* More than 8: each turn of a round is shorter than the vCPUs are many, and no CPU has the same. */
static void many_have_whole_turns(void **state)
{
	(void)state;
	for (unsigned int n = 9; n <= EXACT_VCPUS_MAX; n++) {
		json_t *m = exact_machine(n, n, TURN);
		size_t turns = json_array_size(json_object_get(m, "timers")) - 1;
		uint64_t ends = timer(m, 0, 0) + period(m, 0);

		assert_true(turns < EXACT_TIMERS && turns > EXACT_TIMERS - 4);
		for (size_t i = 0; i < turns; i++) {
			uint64_t next = i + 1 < turns ? timer(m, i + 1, 0) : ends;

			assert_int_equal(period(m, i), CLAMP_NS / TICK_NS);
			assert_in_range(next - timer(m, i, 0), 3, 6);
		}
		for (unsigned int k = 2; k <= turns; k++)
			assert_false(turns % k == 0 && n % k == 0);
		assert_true(exact_all_vcpus(n) > 60 && exact_all_vcpus(n) % n == 0);
		json_decref(m);
	}
}

static void doubt_is_of_many_and_of_other_qemus(void **state)
{
	HB_FREE char *old = exact_doubt(48, "8.2.2"), *later = exact_doubt(9, "10.1.0"),
		     *unknown = exact_doubt(12, NULL);

	(void)state;
	assert_non_null(strstr(old, "48 CPUs are NOT equal with QEMU 8.2.2"));
	assert_non_null(strstr(later, "9 CPUs are NOT KNOWN to be equal"));
	assert_non_null(strstr(unknown, "NOT KNOWN"));
	assert_null(exact_doubt(8, "8.2.2"));
	assert_null(exact_doubt(48, "9.2.0"));
	assert_null(exact_doubt(48, "10.0.2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_alike),
		cmocka_unit_test(one_cpu_has_no_turns),
		cmocka_unit_test(periods_come_from_the_seed),
		cmocka_unit_test(many_have_whole_turns),
		cmocka_unit_test(doubt_is_of_many_and_of_other_qemus),
		cmocka_unit_test(cpus_are_equal),
	};

	return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
