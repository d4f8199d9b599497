/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cell that is being run: what cell.c and its helpers have in common. */
#ifndef HB_WORKLOADS_CELL_STATE_H
#define HB_WORKLOADS_CELL_STATE_H

#include "workloads/agent/cell.h"
#include "workloads/agent/gang.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/agent/observe.h"
#include "workloads/agent/watchdog.h"

/* What a busy machine may take to end killed tasks, beyond gang_kill()'s own second. */
#define CELL_KILL_WAIT_NS (10 * NSEC_PER_SEC)

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
	json_t *waits;	 /* NULL: not observed */
	uint32_t set_up; /* bit i: setup() of instance i was called */
	int quit;
	struct hugetlb_pool before;
	char *restore; /* path of the restore note, native with --yes only */
};

/* The first bad verdict stays: what follows it is its consequence. */
void cell_verdict(struct run *r, const char *verdict, const char *reason);
/* The verdict of a step that ended with @rc, SKIP for -EOPNOTSUPP, else INVALID. */
void cell_failed(struct run *r, int rc, const struct hb_error *e);
/* A fact for the cell's record. */
void cell_note(struct run *r, const char *key, const char *text);
/*
 * The specification of c->spec into cell, lengths, nodes, machine and parameters. An error's reason
 * is for the cell's verdict.
 */
int cell_spec_parse(struct run *r, struct hb_error *e);
/* Warm-up, measured phase, proof and drain of tasks that wait for the gun; the watchdog runs. */
void cell_phases_timed(struct run *r);
/* Fixed work on one CPU: nothing ticks beside the tasks, and nothing is sent. */
void cell_phases_work(struct run *r);

#endif
