/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells a hang. A thread of the agent looks at the tasks' progress once a second:
 *   - one task made none for stall_ns and is in D state in two looks in a row, or a child of the
 *     server that works for it is (instance.server), or
 *   - no task made any for stall_ns, or
 *   - the agent itself did not come back from something by its deadline.
 * Then it has the kernel write the stacks of blocked tasks, sends them as WIRE_EVENT "stall" and
 * the result with the verdict HANG, waits for the host's word and ends the agent: nothing else may
 * block on the way.
 */
#ifndef HB_WORKLOADS_WATCHDOG_H
#define HB_WORKLOADS_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>

#include "workloads/gang.h"
#include "workloads/link.h"

struct watchdog {
	const struct gang *gang;
	struct link *link;
	uint64_t stall_ns;
	int kmsg;
	json_t *parameters; /* for the result; borrowed */
	void (*end)(void) __attribute__((noreturn));

	pthread_t thread;
	int running;
	_Atomic int stop;
	_Atomic int watch_tasks;      /* progress is expected */
	_Atomic uint64_t deadline_ns; /* of the agent itself; 0: none */
	const char *_Atomic doing;    /* what it is at, for the reason */
	_Atomic int fired;	      /* the verdict is HANG: whoever sees it stays away */
	struct watchdog_task *task;   /* one per task of the gang */
};

/* Is a child of @parent in uninterruptible sleep? */
bool watchdog_child_blocked(pid_t parent);

/* Fill in gang, link, stall_ns, kmsg, parameters and end first; everything else zero. */
int watchdog_start(struct watchdog *w, struct hb_error *e);
/* The agent begins something that may block: it has to come back within @ns. NULL: it came back. */
void watchdog_agent(struct watchdog *w, const char *doing, uint64_t ns);
/* Ends the thread. When it has fired this does not return. */
void watchdog_stop(struct watchdog *w);

#endif
