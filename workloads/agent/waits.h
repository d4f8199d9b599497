/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the time goes (observe = waits): the kernel traces when the cell's tasks leave their CPUs,
 * where they sleep, and when they are in the slow path of a lock; afterwards this is joined with
 * the operations that they have kept (workload.h, struct task_log). A trace of its own, a tracefs
 * instance, so nobody else's is disturbed.
 */
#ifndef HB_WORKLOADS_WAITS_H
#define HB_WORKLOADS_WAITS_H

#include <jansson.h>

#include "bench/base/util.h"
#include "workloads/workload.h"

/*
 * Before the tasks are forked, which inherit being traced. A function that this kernel has inlined
 * is not probed, a note says so. -EOPNOTSUPP with the kernel's missing symbol: it cannot trace.
 */
int waits_open(json_t *notes, struct hb_error *e);
/* Around the measured phase. */
void waits_begin(void);
void waits_end(void);
/*
 * After the tasks are gone: [{source, name, ...waits_join()}], a member per row of operations; new
 * reference. -ENOSPC: the trace had no room, so no operation can be taken apart; -ENOMEM.
 */
int waits_report(const struct cell *cell, json_t **rows, struct hb_error *e);
/* Take probes and instance away; also after an error of waits_open(). */
void waits_close(void);

#endif
