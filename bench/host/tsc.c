// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <time.h>
#include <x86intrin.h>

#include "bench/base/util.h"
#include "bench/host/tsc.h"

#define SPAN_NS 10000000
#define TRIES	16

struct stamp {
	uint64_t tsc;
	double ns;
};

/* Counter and clock at one time: of some tries the one during which the least time passed. */
static struct stamp stamp_now(void)
{
	uint64_t narrowest = UINT64_MAX;
	struct stamp best = {0};

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), width;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
		width = __rdtsc() - before;
		if (width >= narrowest)
			continue;
		narrowest = width;
		best.tsc = before + width / 2;
		best.ns = ts.tv_sec * 1e9 + ts.tv_nsec;
	}
	return best;
}

static double measure_khz(void)
{
	struct stamp from = stamp_now(), to;

	hb_sleep_until_ns(hb_now_ns() + SPAN_NS);
	to = stamp_now();
	return (double)(to.tsc - from.tsc) / (to.ns - from.ns) * 1e6;
}

unsigned int tsc_khz(void)
{
	double first = measure_khz(), second = measure_khz();

	if (fabs(first - second) > 0.005 * second)
		return 0;
	return lround(second / 1000) * 1000;
}
