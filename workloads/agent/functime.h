/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time that tasks spend in one function of the kernel, from entry to return, sleeping included:
 * a kprobe, a kretprobe and histogram triggers (Documentation/trace/histogram.rst). The kernel adds
 * up; nothing is read while it does. Wants CONFIG_KPROBE_EVENTS and CONFIG_HIST_TRIGGERS, tracefs
 * at its usual place, and the right to change it.
 */
#ifndef HB_WORKLOADS_FUNCTIME_H
#define HB_WORKLOADS_FUNCTIME_H

#include "bench/base/hist.h"
#include "bench/base/util.h"

struct functime {
	const char *function;
	const char *name; /* of the events; no two probes may have the same */
	const char *comm; /* tasks of this name alone (/proc/PID/comm); NULL: all tasks */
	/* Keep powers of two of a microsecond: little memory in the kernel, no matter what comes.
	 */
	bool coarse;
};

/* Starts to measure. -ENOENT, -EINVAL, ...: the kernel cannot do it, or has inlined the function.
 */
int functime_open(const struct functime *f);
/* Forget what was measured so far. */
int functime_clear(const struct functime *f);
/*
 * Stop measuring, and the histogram as the kernel prints it; owned by the caller. -ENOSPC: there
 * were too many tasks.
 */
int functime_read(const struct functime *f, char **text);
/* Take the probes away; also after an error of functime_open(). */
void functime_close(const struct functime *f);

/*
 * What functime_read() gave of a probe that is not coarse, in ns, added to @h. -EBADMSG: not such
 * a text; -ENOSPC: the kernel ran out of entries and dropped some, @h is not changed.
 */
int functime_hist(const char *text, struct hist *h, struct hb_error *e);

#endif
