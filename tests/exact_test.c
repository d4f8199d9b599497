// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine of mode exact as the host describes it, and the kernel that it boots. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/base/exact.h"

#define TURN	    100
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

/* How QEMU shares out time (rr_cpu_thread_fn of accel/tcg/tcg-accel-ops-rr.c). */
struct model {
	unsigned int vcpus, all, shift, ntimers;
	uint64_t now, expiry[EXACT_TIMERS], period[EXACT_TIMERS]; /* ns */
	bool kicked[MAX_ALL];
	uint64_t insns[MAX_ALL]; /* of each in the order in which they were made */
};

static uint64_t time_left(const struct model *m)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < m->ntimers; i++)
		next = m->expiry[i] < next ? m->expiry[i] : next;
	return next <= m->now ? 0 : (next - m->now + (1U << m->shift) - 1) >> m->shift;
}

static void expire(struct model *m)
{
	for (unsigned int i = 0; i < m->ntimers; i++)
		while (m->expiry[i] <= m->now)
			m->expiry[i] += m->period[i];
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
		m.expiry[i] = timer(machine, i, 0) * 10;
		m.period[i] = timer(machine, i, 1) * 10;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_alike),
		cmocka_unit_test(one_cpu_has_no_turns),
		cmocka_unit_test(periods_come_from_the_seed),
		cmocka_unit_test(cpus_are_equal),
	};

	return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
