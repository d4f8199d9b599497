/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of the processor (perf_event_open(2)) over the tasks of a cell. */
#ifndef HB_WORKLOADS_PMU_H
#define HB_WORKLOADS_PMU_H

#include "bench/base/util.h"

#define PMU_EVENTS 8

struct pmu_event {
	const char *name; /* NULL: the last */
	uint32_t type;	  /* PERF_TYPE_* */
	uint64_t config;
};

/* Cycles, instructions, misses of the last-level cache and of the data TLB, accesses to other
 * nodes; the first of them every processor's unit has. */
extern const struct pmu_event pmu_hardware[];

struct pmu {
	const struct pmu_event *events;
	int fd[PMU_EVENTS]; /* -1: not to be had; why[] says why */
	int why[PMU_EVENTS];
	int faults; /* page faults of the same tasks; -1: not counted */
};

/*
 * Count @events in this process and all that it starts from now on. -EOPNOTSUPP: not even the first
 * can be counted here; the message has the reason. Release with pmu_close() after 0.
 */
int pmu_open(struct pmu *p, const struct pmu_event *events, struct hb_error *e);
/* Counting begins; ends. */
void pmu_begin(struct pmu *p);
void pmu_end(struct pmu *p);
/* What event @i came to, in words, with the share of the time that it was counted for when it was
 * not all of it; owned by the caller; NULL without memory. */
char *pmu_text(const struct pmu *p, unsigned int i);
/* The words: @value was counted for @running of @enabled ns, beside @faults page faults. */
char *pmu_words(uint64_t value, uint64_t enabled, uint64_t running, uint64_t faults);
void pmu_close(struct pmu *p);

#endif
