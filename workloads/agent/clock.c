// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/clock.h"

#include <math.h>
#include <sched.h>
#include <time.h>

#include "workloads/workload.h"

#define WINDOW_NS	    5000000ULL
#define WINDOWS		    3
#define RATE_TOLERANCE	    0.005
#define OFFSET_TOLERANCE_NS 20000.0
#define BRACKETS	    16
#define COST_READS	    256

struct task_clock task_clock = {.ns_mult = 1ULL << 32, .insn_ns = 1};

static double ticks_per_ns = 1;

uint64_t clock_raw_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static uint64_t tsc_read(void)
{
	_mm_lfence();
	return __rdtsc();
}

void clock_choose(int tsc)
{
	task_clock.tsc = tsc;
}

const char *clock_name(void)
{
	return task_clock.tsc ? "tsc" : "clock_gettime";
}

double clock_rate(void)
{
	return ticks_per_ns;
}

uint64_t clock_cost(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < COST_READS; i++) {
		uint64_t t0 = task_ticks(), d = task_ticks() - t0;

		if (d && d < best)
			best = d;
	}
	return best == UINT64_MAX ? 1 : best;
}

/* A pair of both clocks: the closest of some tries, so that a preempted try does not count. */
static void read_pair(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	*tsc = *ns = 0;
	for (int i = 0; i < BRACKETS; i++) {
		uint64_t before = clock_raw_ns(), t = tsc_read(), after = clock_raw_ns();

		if (after - before < best) {
			best = after - before;
			*tsc = t;
			*ns = before + best / 2;
		}
	}
}

/* Ticks per ns over WINDOWS windows; NAN when they do not agree. */
static double measure_rate(void)
{
	double low = INFINITY, high = 0;
	uint64_t t0, n0, t1, n1, first_t, first_n;

	read_pair(&t0, &n0);
	first_t = t0;
	first_n = n0;
	for (int i = 0; i < WINDOWS; i++) {
		double rate;

		do
			read_pair(&t1, &n1);
		while (n1 - n0 < WINDOW_NS);
		rate = (double)(t1 - t0) / (n1 - n0);
		low = fmin(low, rate);
		high = fmax(high, rate);
		t0 = t1;
		n0 = n1;
	}
	if (!(low > 0) || (high - low) / high > RATE_TOLERANCE)
		return NAN;
	return (double)(t1 - first_t) / (n1 - first_n);
}

/* Do the counters of all CPUs that we may run on show the same time? */
static bool cpus_agree(double rate)
{
	double low = INFINITY, high = -INFINITY;
	uint64_t base_t, base_n, t, n;
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all))
		return false;
	read_pair(&base_t, &base_n);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		double offset;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			continue;
		read_pair(&t, &n);
		offset = (double)(int64_t)(t - base_t) / rate - (double)(int64_t)(n - base_n);
		low = fmin(low, offset);
		high = fmax(high, offset);
	}
	sched_setaffinity(0, sizeof(all), &all);
	return high - low <= OFFSET_TOLERANCE_NS;
}

void clock_setup_exact(unsigned int insn_ns)
{
	task_clock.tsc = 1;
	task_clock.insn_ns = insn_ns;
}

void clock_setup(void)
{
	double rate = measure_rate();

	if (!isfinite(rate) || !cpus_agree(rate))
		return;
	task_clock.tsc = 1;
	ticks_per_ns = rate;
	task_clock.ns_mult = (uint64_t)(4294967296.0 / rate + 0.5);
}
