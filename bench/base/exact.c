// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/base/exact.h"
#include "bench/base/util.h"

#define SHIFT_ONE   3				   /* of one vCPU */
#define UNIT_NS	    16				   /* see exact_shift() */
#define TICK_NS	    10				   /* of QEMU's HPET */
#define FEW	    (EXACT_TIMERS / EXACT_PERIODS) /* vCPUs for which the timers make bursts */
#define FEW_TIMES   4				   /* Q / vcpus of few */
#define MANY_VCPUS  128				   /* Q of many, at least */
#define DRAWS	    100
#define MANY_LENGTH 100 /* shortest period of many, instructions; what is drawn stays below Q */

unsigned int exact_shift(unsigned int vcpus)
{
	unsigned int shift = 0;

	if (vcpus == 1)
		return SHIFT_ONE;
	while (vcpus << (shift + 1) <= UNIT_NS)
		shift++;
	return shift;
}

unsigned int exact_all_vcpus(unsigned int vcpus)
{
	if (vcpus == 1)
		return 1;
	return vcpus <= FEW ? FEW_TIMES * vcpus : (MANY_VCPUS + vcpus - 1) / vcpus * vcpus;
}

static uint64_t common_measure(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* @insns of all CPUs together, in ticks. */
static uint64_t ticks(uint64_t insns, unsigned int vcpus)
{
	return (insns << exact_shift(vcpus)) / TICK_NS;
}

/*
 * Expiries until the three begin anew together: were it a multiple of the number of CPUs, each
 * would have the same turns for ever. Without a common measure two of them meet as often as the
 * third is long.
 */
static uint64_t expiries(const uint64_t p[EXACT_PERIODS])
{
	return p[0] * p[1] + p[0] * p[2] + p[1] * p[2] - (p[0] + p[1] + p[2]) + 1;
}

static bool common(const uint64_t p[EXACT_PERIODS], unsigned int vcpus)
{
	return common_measure(p[0], p[1]) > 1 || common_measure(p[0], p[2]) > 1 ||
	       common_measure(p[1], p[2]) > 1 || common_measure(expiries(p), vcpus) > 1;
}

/*
 * Each is drawn from [low, high) sixteenths of the shortest, again where they have a common
 * measure. A few ticks may leave no choice; then what was drawn last is taken.
 */
static void draw_periods(uint64_t shortest, unsigned int vcpus, uint64_t seed,
			 uint64_t periods[EXACT_PERIODS])
{
	static const unsigned int low[EXACT_PERIODS] = {16, 21, 29},
				  high[EXACT_PERIODS] = {19, 27, 39};
	uint64_t state = seed;

	for (unsigned int draw = 0; draw < DRAWS && (!draw || common(periods, vcpus)); draw++)
		for (unsigned int i = 0; i < EXACT_PERIODS; i++) {
			uint64_t from = shortest * low[i] / 16;
			uint64_t span = (shortest * (high[i] - low[i]) + 15) / 16;

			periods[i] = from + hb_random(&state) % span;
		}
}

static json_t *timers(unsigned int vcpus, uint64_t seed, unsigned int turn)
{
	unsigned int all = exact_all_vcpus(vcpus), burst = 1;
	uint64_t insns = turn < MANY_LENGTH ? turn : MANY_LENGTH, apart = ticks(all * 7 / 8, vcpus);
	uint64_t periods[EXACT_PERIODS];
	json_t *list = json_array();

	if (vcpus == 1)
		return list;
	if (vcpus <= FEW) {
		burst = vcpus;
		insns = (uint64_t)turn * all;
	}
	draw_periods(ticks(insns, vcpus), vcpus, seed, periods);
	for (unsigned int i = 0; i < EXACT_PERIODS; i++)
		for (unsigned int k = 0; k < burst; k++) {
			json_int_t period = periods[i], first = period + k * apart;

			json_array_append_new(list, json_pack("[II]", first, period));
		}
	return list;
}

json_t *exact_machine(unsigned int vcpus, uint64_t seed, unsigned int turn)
{
	return json_pack("{s:I, s:I, s:o}", "vcpus", (json_int_t)vcpus, "shift",
			 (json_int_t)exact_shift(vcpus), "timers", timers(vcpus, seed, turn));
}
