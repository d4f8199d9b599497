// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a report costs: 1,000 cells with 100,000 intervals must take less than 2 s of processor
 * time and 64 MiB. A part of `make bench-self`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/base/util.h"
#include "tests/cost.h"
#include "tests/synthetic.h"

#define MAX_SECONDS 2.0
#define MAX_KIB	    (64 * 1024)

static char *run;

/* 20 cells, 2 arms, 25 boots of 100 intervals: 1,000 boots. */
static struct synthetic large(const char *dir)
{
	struct synthetic s = synthetic_default(dir);

	for (unsigned int i = 0; i < 20; i++)
		s.tasks[i] = i + 1;
	s.boots = 25;
	s.intervals = 100;
	return s;
}

static int report(void)
{
	size_t cells, comparisons;
	int err = cost_report(run, &cells, &comparisons);

	if (!err)
		printf("report of %zu cells, %zu comparisons", cells, comparisons);
	return err;
}

static int measure(void)
{
	struct cost c;

	if (cost_measure(report, &c))
		return 1;
	printf(": %.2f s of processor time (%.2f s by the clock, at most %.0f s), %ld KiB (at most "
	       "%d)\n",
	       c.processor, c.wall, MAX_SECONDS, c.kib, MAX_KIB);
	return c.processor > MAX_SECONDS || c.kib > MAX_KIB;
}

int main(void)
{
	char dir[] = "/tmp/hugebench-bench-XXXXXX";
	struct synthetic s;
	int failed = 1;

	if (!mkdtemp(dir))
		return 1;
	run = hb_strf("%s/run", dir);
	if (run) {
		s = large(run);
		failed = synthetic_write(&s) || measure();
	}
	hb_remove_all(dir);
	free(run);
	if (failed)
		printf("report_bench: over the limit, or failed\n");
	return failed;
}
