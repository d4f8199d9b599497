/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Native mode: the agent as a child on the running kernel, over a socketpair instead of a virtio
 * port. */
#ifndef HB_NATIVE_H
#define HB_NATIVE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"

struct native {
	pid_t pid;
	int fd; /* connected to the agent */
	bool reaped;
	int status;
};

/*
 * Start `@agent --native FD` in a process group of its own. End of file on FD tells it that we are
 * gone, however we went; then it gives back the huge pages it took and exits. It is not killed
 * with us, for then nobody would. @yes: it may change the machine (its huge page pool). On success
 * to be ended with native_end().
 */
int native_start(const char *agent, bool yes, struct native *n, struct hb_error *e);
/* 1: the agent is gone (reaped, *@status as of waitpid), 0: alive. */
int native_exited(struct native *n, int *status);
/* Close the socket, wait up to @grace_ns for the agent to clean up, then kill its process group. */
void native_end(struct native *n, uint64_t grace_ns);

#endif
