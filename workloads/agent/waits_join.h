/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operations took, by what they waited for: a task's log joined with the kernel's trace. */
#ifndef HB_WORKLOADS_WAITS_JOIN_H
#define HB_WORKLOADS_WAITS_JOIN_H

#include <jansson.h>

#include "workloads/agent/waits_trace.h"
#include "workloads/workload.h"

/* Once, before waits_join(): by thread and time. */
void waits_sort(struct waits_trace *t);
/*
 * Of the @n operations, which are put in another order: {count, total, executed, waits: [{how,
 * kind, function, count, sum}], slow: {count, least, held: [{kind, function, count, sum}]}}; sums
 * in what latencies are in (task_latency_unit()), counts of operations. "slow" are those above
 * p99.9, at least one, "least" the shortest of them; each is held up by what took most of it: a
 * lock, kind "cpu" where others had the CPU, "own" where it executed itself. New reference; NULL:
 * there are no operations, or no memory.
 */
json_t *waits_join(const struct waits_trace *t, struct task_op *op, size_t n);

#endif
