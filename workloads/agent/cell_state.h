/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cell that is being run: what cell.c and its helpers have in common. */
#ifndef HB_WORKLOADS_CELL_STATE_H
#define HB_WORKLOADS_CELL_STATE_H

#include "workloads/agent/cell.h"
#include "workloads/agent/gang.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/agent/observe.h"
#include "workloads/agent/watchdog.h"

struct run {
	const struct cell_config *c;
	struct cell cell;
	struct gang gang;
	struct watchdog dog;
	struct observe observe;
	uint64_t warmup_ns, measure_ns, interval_ns, stall_ns;
	const char *nodes;
	json_t *machine; /* mode exact, borrowed */
	const char *verdict;
	char reason[1024];
	json_t *evidence, *notes, *parameters, *metrics, *conservation;
	uint32_t set_up; /* bit i: setup() of instance i was called */
	int quit;
	struct hugetlb_pool before;
	char *restore; /* path of the restore note, native with --yes only */
};

/*
 * The specification of c->spec into cell, lengths, nodes, machine and parameters. An error's reason
 * is for the cell's verdict.
 */
int cell_spec_parse(struct run *r, struct hb_error *e);

#endif
