/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells a hang. A thread of the agent looks at the tasks' progress once a second:
 *   - one task sleeps in D state since stall_ns without having run in between (its context switches
 * stand still): a long operation that blocks and goes on again and again is slow, no hang; or
 *   - no task made any progress for three times stall_ns, whatever state it is in; or
 *   - the agent itself did not come back from something by its deadline.
 * Then it has the kernel write the stacks of blocked tasks, sends them as WIRE_EVENT "stall" and
 * the result with the verdict HANG, waits for the host's word and ends the agent: nothing else may
 * block on the way.
 */
#ifndef HB_WORKLOADS_WATCHDOG_H
#define HB_WORKLOADS_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>

#include "workloads/agent/gang.h"
#include "workloads/agent/link.h"

struct watchdog {
	const struct gang *gang;
	struct link *link;
	uint64_t stall_ns;
	int kmsg;	    /* from kmsg_open(), or -1: no stacks */
	json_t *parameters; /* for the result; borrowed */
	__attribute__((noreturn)) void (*end)(void);

	pthread_t thread;
	int running;
	_Atomic int stop;
	_Atomic int watch_tasks;      /* progress is expected */
	_Atomic uint64_t deadline_ns; /* of the agent itself; 0: none */
	const char *_Atomic doing;    /* what it is at, for the reason */
	/* The verdict is HANG, and the link is the watchdog's: who sees it calls watchdog_stop().
	 */
	_Atomic int fired;
	struct watchdog_task *task; /* one per task of the gang */
};

/* Fill in gang, link, stall_ns, kmsg, parameters and end first; everything else zero. */
int watchdog_start(struct watchdog *w, struct hb_error *e);
/* The agent begins something that may block: it has to come back within @ns. NULL: it came back. */
void watchdog_agent(struct watchdog *w, const char *doing, uint64_t ns);
/* Ends the thread. When it has fired this does not return. */
void watchdog_stop(struct watchdog *w);

/* The first child of @parent, by number, that is in uninterruptible sleep; 0: none. */
pid_t watchdog_child_blocked(pid_t parent);

#endif
