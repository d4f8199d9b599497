/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cell costs on this host beyond its warm-up and measured phase: boot, set-up, collection,
 * power-off. Remembered from finished cells, so that the planner knows how many boots a budget
 * holds.
 */
#ifndef HB_CELL_COSTS_H
#define HB_CELL_COSTS_H

#include <jansson.h>

#include "bench/base/util.h"

/*
 * {MODE: {"KERNEL/WORKLOADS": seconds}} from the cache directory; an empty object when there is
 * none or it cannot be used (it is only a memory). New reference; NULL without memory.
 */
json_t *costs_load(void);
/* Keep it; an error is worth a note, no more. */
int costs_save(const json_t *costs, struct hb_error *e);
/* Remember a finished cell: @planned is its entry of plan.json, @cell its cell.json. */
void costs_learn(json_t *costs, const json_t *planned, const json_t *cell);
/*
 * Seconds that cell @planned will take in all, its phases included; *@measured is set to 1 when a
 * cell of the same kernel and workloads was measured here before, else to 0.
 */
double costs_estimate(const json_t *costs, const json_t *planned, int *measured);

#endif
