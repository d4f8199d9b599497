// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/base/exact.h"
#include "bench/base/qemu.h"
#include "bench/base/util.h"

#define SHIFT_ONE 3				 /* of one vCPU */
#define UNIT_NS	  16				 /* see exact_shift() */
#define TICK_NS	  10				 /* of QEMU's HPET */
#define FEW	  (EXACT_TIMERS / EXACT_PERIODS) /* vCPUs for which the timers make bursts */
#define FEW_TIMES 4				 /* Q / vcpus of few */
#define DRAWS	  100

/* Ticks. A timer of QEMU's HPET expires once in this at most (QEMU 9.2 and later). */
#define ROUND	      100
#define SHORTEST_TURN 3
#define LONGEST_TURN  6
/* Ticks of the timer that goes along with the round, from and below. */
#define SLOW_FROM 3000
#define SLOW_TO	  5000
/* Many were counted with 10.0; their pattern rests on what the HPET does since 9.2. */
#define COUNTED_FROM QEMU_NUMBER(9, 2)
#define COUNTED_TO   QEMU_NUMBER(10, 0)

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
	unsigned int many = (LONGEST_TURN * TICK_NS >> exact_shift(vcpus)) + 1;

	if (vcpus == 1)
		return 1;
	return vcpus <= FEW ? FEW_TIMES * vcpus : (many + vcpus - 1) / vcpus * vcpus;
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

static void add_timer(json_t *list, json_int_t first, json_int_t period)
{
	json_array_append_new(list, json_pack("[II]", first, period));
}

static void few_timers(json_t *list, unsigned int vcpus, uint64_t seed, unsigned int turn)
{
	unsigned int all = exact_all_vcpus(vcpus);
	uint64_t periods[EXACT_PERIODS], apart = ticks(all * 7 / 8, vcpus);

	draw_periods(ticks((uint64_t)turn * all, vcpus), vcpus, seed, periods);
	for (unsigned int i = 0; i < EXACT_PERIODS; i++)
		for (unsigned int k = 0; k < vcpus; k++)
			add_timer(list, periods[i] + k * apart, periods[i]);
}

/* As many turns in a round as there are timers, but for the slow one, such that each CPU has all.
 */
static unsigned int turns_of_round(unsigned int vcpus)
{
	unsigned int turns = EXACT_TIMERS - 1;

	while (common_measure(turns, vcpus) > 1)
		turns--;
	return turns;
}

/* Turns as equal as ticks allow; then one gives a tick to another, again and again. */
static void draw_turns(unsigned int turns, uint64_t *state, unsigned int length[EXACT_TIMERS])
{
	for (unsigned int i = 0; i < turns; i++)
		length[i] = ROUND * (i + 1) / turns - ROUND * i / turns;
	for (unsigned int draw = 0; draw < DRAWS; draw++) {
		unsigned int from = hb_random(state) % turns, to = hb_random(state) % turns;

		if (from == to || length[from] == SHORTEST_TURN || length[to] == LONGEST_TURN)
			continue;
		length[from]--;
		length[to]++;
	}
}

/*
 * It expires twice in a period, and falls together with each of the others' expiries twice until
 * all begin anew; what is left of expiries must not be a multiple of what the CPUs are.
 */
static json_int_t draw_slow(unsigned int vcpus, unsigned int turns, uint64_t *state)
{
	for (;;) {
		uint64_t period = SLOW_FROM + hb_random(state) % (SLOW_TO - SLOW_FROM);
		uint64_t together = turns * period + 2 * ROUND - 2 * turns;

		if (common_measure(period, ROUND) == 1 && common_measure(together, vcpus) == 1)
			return period;
	}
}

static void many_timers(json_t *list, unsigned int vcpus, uint64_t seed)
{
	unsigned int turns = turns_of_round(vcpus), length[EXACT_TIMERS];
	json_int_t first = ROUND, slow;
	uint64_t state = seed;

	draw_turns(turns, &state, length);
	for (unsigned int i = 0; i < turns; i++) {
		add_timer(list, first, ROUND);
		first += length[i];
	}
	slow = draw_slow(vcpus, turns, &state);
	add_timer(list, slow, slow);
}

static json_t *timers(unsigned int vcpus, uint64_t seed, unsigned int turn)
{
	json_t *list = json_array();

	if (vcpus > FEW)
		many_timers(list, vcpus, seed);
	else if (vcpus > 1)
		few_timers(list, vcpus, seed, turn);
	return list;
}

json_t *exact_machine(unsigned int vcpus, uint64_t seed, unsigned int turn)
{
	return json_pack("{s:I, s:I, s:o}", "vcpus", (json_int_t)vcpus, "shift",
			 (json_int_t)exact_shift(vcpus), "timers", timers(vcpus, seed, turn));
}

char *exact_doubt(unsigned int vcpus, const char *version)
{
	unsigned int number = qemu_number(version);

	if (vcpus <= FEW || (number >= COUNTED_FROM && number <= COUNTED_TO))
		return NULL;
	return hb_strf("%u CPUs are %s equal with QEMU %s: more than %u were counted with 10.0, "
		       "and before 9.2 its HPET makes other turns. What each CPU gets is counted "
		       "by make bench SCENARIO=count, with -o vcpus=%u",
		       vcpus, number && number < COUNTED_FROM ? "NOT" : "NOT KNOWN to be",
		       version ? version : "of an unknown version", FEW, vcpus);
}
