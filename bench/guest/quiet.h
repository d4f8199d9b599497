/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's main thread in mode exact. Every timer of the guest's wakes it, some ten thousand times a
 * second, to find nothing to do, and each time it takes QEMU's lock from the thread of the vCPUs:
 * seen to cost more than half of the host's CPU time. So it is kept stopped, by ptrace(2), where it
 * waits for events and holds no lock, and lives for a moment now and then, for what does need it.
 */
#ifndef HB_QUIET_H
#define HB_QUIET_H

#include <stdbool.h>
#include <sys/types.h>

struct quiet {
	pid_t tid;    /* of the thread; 0: it is not kept quiet */
	bool stopped; /* now */
};

/* Begin with thread @tid of a child process. Where that is not allowed nothing is done. */
void quiet_begin(struct quiet *q, pid_t tid);
/* Let it run. To be called before it is asked for anything. */
void quiet_wake(struct quiet *q);
/* Stop it, if it is waiting; else it runs on. All calls are to come from one thread. */
void quiet_stop(struct quiet *q);
/*
 * For who waits for the child's end: is @status, of waitpid(2), not an end but a signal that
 * stopped the thread? Then the signal is delivered and the thread goes on.
 */
bool quiet_went_on(const struct quiet *q, int status);
/* Let it go for good. */
void quiet_end(struct quiet *q);

#endif
