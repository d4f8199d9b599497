// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/base/exact.h"
#include "bench/base/util.h"

#define SHIFT_ONE 3  /* of one vCPU */
#define UNIT_NS	  32 /* see exact_shift() */
#define TICK_NS	  10 /* of QEMU's HPET */

unsigned int exact_shift(unsigned int vcpus)
{
	unsigned int shift = 0;

	if (vcpus == 1)
		return SHIFT_ONE;
	while (vcpus << (shift + 1) <= UNIT_NS)
		shift++;
	return shift;
}

json_t *exact_machine(unsigned int vcpus, uint64_t seed, unsigned int turn)
{
	/* A period is drawn from [low, high), in sixteenths of the shortest. */
	static const unsigned int low[EXACT_TIMERS] = {16, 21, 29},
				  high[EXACT_TIMERS] = {19, 27, 39};
	uint64_t shortest = ((uint64_t)turn * vcpus << exact_shift(vcpus)) / TICK_NS;
	json_t *periods = json_array();
	uint64_t state = seed;

	for (unsigned int i = 0; vcpus > 1 && i < EXACT_TIMERS; i++) {
		uint64_t from = shortest * low[i] / 16, span = shortest * (high[i] - low[i]) / 16;

		json_array_append_new(periods,
				      json_integer(from + hb_random(&state) % (span ? span : 1)));
	}
	return json_pack("{s:I, s:I, s:o}", "vcpus", (json_int_t)vcpus, "shift",
			 (json_int_t)exact_shift(vcpus), "periods", periods);
}
