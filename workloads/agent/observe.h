/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What explains a difference: read around the measured phase, put into the cell's notes, never part
 *of a figure. The scenario's "observe" names what is wanted:
 *	vmstat	counters of /proc/vmstat that changed
 *	status	of the tasks at the end: HugetlbPages, VmPTE, context switches
 *	kprobes	time in hugetlb_fault() and the like, as a histogram of powers of two of a
 *microsecond
 *	locks	/proc/lock_stat, contended locks (a kernel with CONFIG_LOCK_STAT; distorts: a run of
 *its own)
 *	waits	what operations waited for, as a table of its own (waits.h; distorts, too)
 *	pmu	cycles, instructions, misses, per page fault (pmu.h); a machine without such
 *counters SKIPs What else the kernel does not have is noted as missing and does not fail the cell.
 */
#ifndef HB_WORKLOADS_OBSERVE_H
#define HB_WORKLOADS_OBSERVE_H

#include <jansson.h>

#include "workloads/agent/pmu.h"
#include "workloads/workload.h"

struct observe {
	unsigned int wanted; /* bits by name */
	unsigned int probes; /* bits: functions whose probes are in place */
	char *vmstat;	     /* at the start of the measured phase */
	struct pmu pmu;
	json_t *notes; /* borrowed: the cell's */
};

/*
 * Before the tasks start. @change: tracing and lock statistics may be switched on (a guest, or a
 * user who said so). -EINVAL: a name that is none of the above; -EOPNOTSUPP: there are no counters
 * for pmu, or no trace for waits.
 */
int observe_open(struct observe *o, const json_t *names, int change, json_t *notes,
		 struct hb_error *e);
/* Around the measured phase. */
void observe_begin(struct observe *o);
void observe_end(struct observe *o, const struct cell *cell);
/* After the tasks are gone: waits_report()'s rows, new reference; NULL: not asked for. */
json_t *observe_report(struct observe *o, const struct cell *cell);
/* Takes the probes away again. */
void observe_close(struct observe *o);
/* "~ 2^3 : 12" lines of a hist trigger's output as "<16 us: 12, ..."; owned by the caller, NULL: no
 * entries. */
char *observe_hist_text(const char *hist);
/* A line of /proc/lock_stat in words; owned by the caller, NULL: no lock, or none that was waited
 * for. */
char *observe_lock_text(const char *line);

#endif
