/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tasks of a cell: made, placed, released by one start gun, drained.
 *
 * The gun is a pipe that every task polls; one byte is written and nobody reads it, so that all are
 * woken by the same event and none depends on another.
 */
#ifndef HB_WORKLOADS_GANG_H
#define HB_WORKLOADS_GANG_H

#include <stdint.h>
#include <sys/types.h>

#include "workloads/workload.h"

struct gang_process {
	pid_t pid;
	struct instance *in;
	unsigned int first, count; /* its tasks: one, or all threads of the instance */
	int gone;		   /* reaped; status is valid */
	int status;		   /* of waitpid() */
};

struct gang {
	struct cell *cell;
	struct gang_process *process;
	unsigned int nprocesses;
	unsigned int ntasks;
	int gun[2];   /* read end polled by the tasks */
	int ready[2]; /* a byte per task that waits for the gun */
	void *shared; /* figures of all tasks */
	size_t shared_bytes;
	/* Placement: node numbers to use in turn; 0 nodes: wherever the scheduler likes. */
	unsigned int nnodes;
	int node[64];
};

/* Shared memory for the figures of every instance's tasks (instance.task is filled in). Before
 * setup(). */
int gang_prepare(struct gang *g, struct cell *cell, struct hb_error *e);
/*
 * Start every task, on @nodes: "spread" (task i on the i-th node in turn), "any", or a node's
 * number. Wait until all poll the gun, at most @timeout_ns. A task that fails in task_init() makes
 * this fail with its reason. Fills in target.pids of workloads.
 */
int gang_start(struct gang *g, const char *nodes, uint64_t timeout_ns, struct hb_error *e);
/* Fire: the phase is PHASE_WARMUP from now on. */
int gang_fire(struct gang *g);
void gang_phase(struct gang *g, enum cell_phase phase);
/* Reap who has ended, without waiting; the number of processes still there. */
unsigned int gang_reap(struct gang *g);
/* Wait for the end of every process until @deadline_ns (CLOCK_MONOTONIC; 0: no limit); number still
 * there. */
unsigned int gang_wait(struct gang *g, uint64_t deadline_ns);
/* SIGKILL for those that are left; they are reaped as far as they end within a second. Number still
 * there. */
unsigned int gang_kill(struct gang *g);
/* -EIO with the reason of the first task that failed or died. */
int gang_check(const struct gang *g, struct hb_error *e);
void gang_free(struct gang *g);

#endif
