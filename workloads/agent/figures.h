/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tasks' counters and histograms as metrics (results/FORMAT.md). */
#ifndef HB_WORKLOADS_FIGURES_H
#define HB_WORKLOADS_FIGURES_H

#include "workloads/agent/link.h"
#include "workloads/workload.h"

/* Counters of the whole cell at one time: a row per instance, TASK_COUNTERS wide. Release with
 * free(). */
uint64_t *figures_snapshot(const struct cell *cell);
/* {"pmdshare.faults": n, ...} of what came between two snapshots; new reference. */
json_t *figures_interval(const struct cell *cell, const uint64_t *before, const uint64_t *after);
/*
 * All metrics after the tasks are gone, as an array (new reference) in *@metrics; histograms go out
 * as frames of their own. -ENODATA with the reason: a task of a workload never was in the measured
 * phase, or an antagonist achieved nothing; *@metrics is whole none the less.
 */
int figures_metrics(struct cell *cell, struct link *link, json_t **metrics, struct hb_error *e);

#endif
