/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a figure is: its unit, which way is better, and how it may be averaged. */
#ifndef HB_BASE_METRIC_H
#define HB_BASE_METRIC_H

#include <jansson.h>

enum metric_kind {
	METRIC_RATE,  /* count / seconds: totals are added, then divided */
	METRIC_COUNT, /* a total over the measured phase */
	METRIC_GAUGE, /* a value as measured, e.g. KiB of page tables per connection */
	METRIC_HIST,  /* a distribution: compared by percentiles of the merged histogram */
	METRIC_EXACT, /* guest instructions per operation; must agree to the digit (mode exact) */
};

enum metric_better {
	METRIC_LOWER,
	METRIC_HIGHER,
	METRIC_NEITHER, /* informative: shown, never judged */
};

struct metric_row {
	const char *name; /* snake_case without the unit: "faults", "fault_latency" */
	enum metric_kind kind;
	const char *unit; /* of the reported value: "1/s", "ns", "pages", "KiB", "insn" */
	enum metric_better better;
	/* 1: in every table; of a workload the first of a unit, and p99 of a distribution, carry
	 * the verdicts of a run; 0: detail */
	int primary;
	const char *help;
};

#define METRIC_END                                                                                 \
	{                                                                                          \
		.name = NULL                                                                       \
	}

const char *metric_kind_name(enum metric_kind kind);
const char *metric_better_name(enum metric_better better);
/* [{name,kind,unit,better,primary,help}]; new reference. */
json_t *metric_describe(const struct metric_row *rows);

#endif
