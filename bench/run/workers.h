/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boots side by side: a process for each, which carries one cell out and ends. It dies with us
 * (PDEATHSIG), its guest with it, and is in a process group of its own, so that the terminal's
 * Ctrl-C reaches us alone.
 */
#ifndef HB_WORKERS_H
#define HB_WORKERS_H

#include "bench/host/memory.h"
#include "bench/run/progress.h"
#include "bench/run/run.h"

struct worker {
	struct memory memory; /* of its guests, for all of them in turn; unused in mode native */
	size_t at;	      /* index of the cell in the plan */
	json_t *planned;      /* that cell, plan_boot() */
	pid_t pid;	      /* 0: idle */
	int news;	      /* what the process tells */
	struct progress_cell cell;
};

struct workers {
	const struct run *run;
	struct progress *progress;
	struct worker *w;
	unsigned int n;
	bool interrupting; /* they were told to end */
	bool aside;	   /* this process keeps off the vCPUs' CPUs */
	cpu_set_t before;  /* where it might run until then */
};

/*
 * Handle SIGINT, SIGTERM and SIGHUP: the first sets workers_interrupted(), the second ends the
 * process at once.
 */
int workers_signals(struct hb_error *e);
bool workers_interrupted(void);
/* The flag itself, for session_config. */
const volatile int *workers_interrupt_flag(void);

/*
 * Make r->jobs workers with memory for a guest each. Where the vCPUs have CPUs of their own, this
 * process and the workers stay with QEMU's other threads until workers_close(). -ENOSPC, -EINTR:
 * see memory_open(). Release with workers_close(), in every case.
 */
int workers_open(const struct run *r, struct progress *p, struct workers *ws, struct hb_error *e);
void workers_close(struct workers *ws);
/* An idle worker, or NULL. */
struct worker *workers_idle(struct workers *ws);
/* Does any worker run a cell? */
bool workers_busy(const struct workers *ws);
/* Have the idle worker carry out cell @at of the plan. */
int workers_start(struct workers *ws, struct worker *w, size_t at, struct hb_error *e);
/*
 * Wait until a worker has finished its cell, and show progress meanwhile; an interrupt is passed on
 * to all. 0: the cell of *@done is in its place; -errno: it is not, with the reason. *@done is idle
 * again.
 */
int workers_wait(struct workers *ws, struct worker **done, struct hb_error *e);
/* Have all cells end as if interrupted; workers_wait() still wants to be called for each. */
void workers_interrupt(struct workers *ws);

#endif
