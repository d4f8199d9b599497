/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timed touches, faults told from plain ones.
 *
 * Each touch is timed by the CPU's counter. One that is quicker than the threshold, half of the
 * fastest page fault this kernel and CPU can do, is plain. The others are candidates: the kernel's
 * own count (getrusage, read outside the timed section) says how many of a run of candidates were
 * faults. Runs end with the next plain touch, so that the count is exact for nearly all of them:
 * all or none. In a mixed run (an interrupt hit a plain touch next to faults) the slowest are taken
 * for the faults; how many touches that concerned is counted. A touch can fault again and again (it
 * waited for a migration and looks again): as many faults as its time allows at the fastest rate
 * are explained so; more means that the threshold is wrong and the cell INVALID.
 */
#ifndef HB_WORKLOADS_TOUCH_H
#define HB_WORKLOADS_TOUCH_H

#include <setjmp.h>

#include "workloads/workload.h"

/* One look at the counter, a system call, for as many. */
#define TOUCH_RUN 128

/* Rows of the workload's metrics that touches go to. */
struct touch_rows {
	unsigned int faults;	    /* METRIC_RATE: as the kernel counted them */
	unsigned int touches;	    /* METRIC_RATE */
	unsigned int fault_latency; /* METRIC_HIST */
	unsigned int touch_latency; /* METRIC_HIST: plain touches */
	unsigned int unsettled;	    /* METRIC_COUNT: touches in mixed runs */
	unsigned int repeated; /* METRIC_COUNT: further faults of a touch that had one, e.g. after a
				  migration */
	unsigned int unclassified; /* METRIC_COUNT: faults that no candidate explains */
	unsigned int sigbus; /* METRIC_COUNT: touches past the end of the file, as they must be */
};

struct touch {
	struct task *task;
	const struct touch_rows *rows;
	uint64_t threshold;   /* ticks */
	uint64_t faults;      /* of this thread, when last read */
	unsigned int n;	      /* candidates pending */
	unsigned int nsigbus; /* touches since the last settling that ended in SIGBUS, perhaps after
				 faults */
	struct touch_time {
		uint64_t ticks, end;
	} pending[TOUCH_RUN];
	const char *base; /* of the mapping that is touched, for SIGBUS */
	uint64_t bytes;
	uint64_t at;	  /* the touch of the pass that is under way */
	uint64_t counted; /* touches of the pass that are in the figures, or ended in SIGBUS */
	sigjmp_buf sigbus;
	volatile uint64_t fault_at; /* offset of the SIGBUS */
};

/* Half of the fastest fault, in ticks; measured once, about 1 ms. @plain: the median of a plain
 * touch, may be NULL. */
uint64_t touch_threshold(uint64_t *plain);
/* In task_init(): handler for SIGBUS, threshold. */
int touch_init(struct touch *t, struct task *task, const struct touch_rows *rows,
	       struct hb_error *e);
/* Faults of this thread so far (minor and major). */
uint64_t touch_fault_count(void);
/* Settle the pending candidates. */
void touch_settle(struct touch *t);

/*
 * Write every @stride-th byte of [base, base + bytes) in the order of @order (page numbers; NULL:
 * ascending). Pages past the end that an antagonist set give SIGBUS, which is counted; one below
 * the target's floor is -EFAULT with the offset.
 */
int touch_pages(struct touch *t, char *base, uint64_t bytes, uint64_t stride, const uint32_t *order,
		uint64_t npages, struct hb_error *e);

/* For report(): INVALID when faults were missed by the classification. Adds a note with the
 * threshold. */
int touch_report(struct instance *in, const struct touch_rows *rows, struct hb_error *e);

#endif
