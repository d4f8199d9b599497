// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench/base/util.h"
#include "bench/guest/quiet.h"

/* Is the stopped thread in the system call that waits for events? Its lock is not held there. */
static bool is_waiting(pid_t tid)
{
	HB_FREE char *path = hb_strf("/proc/%d/syscall", tid), *text = NULL;
	long number;

	return path && !hb_file_read(path, &text, NULL) && sscanf(text, "%ld", &number) == 1 &&
	       (number == SYS_ppoll || number == SYS_poll);
}

void quiet_begin(struct quiet *q, pid_t tid)
{
	*q = (struct quiet){.tid = ptrace(PTRACE_SEIZE, tid, NULL, NULL) ? 0 : tid};
}

void quiet_wake(struct quiet *q)
{
	if (q->stopped)
		ptrace(PTRACE_CONT, q->tid, NULL, NULL);
	q->stopped = false;
}

void quiet_stop(struct quiet *q)
{
	int status;

	if (!q->tid || q->stopped || ptrace(PTRACE_INTERRUPT, q->tid, NULL, NULL))
		return;
	while (waitpid(q->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return;
	if (!WIFSTOPPED(status) || (status >> 16 != PTRACE_EVENT_STOP && quiet_went_on(q, status)))
		return;
	q->stopped = true;
	if (!is_waiting(q->tid))
		quiet_wake(q);
}

bool quiet_went_on(const struct quiet *q, int status)
{
	if (!q->tid || !WIFSTOPPED(status))
		return false;
	ptrace(PTRACE_CONT, q->tid, NULL, status >> 16 ? 0 : WSTOPSIG(status));
	return true;
}

void quiet_end(struct quiet *q)
{
	quiet_stop(q);
	/* Only a stopped thread can be let go; one that is not waiting is stopped again by then. */
	if (q->tid && !q->stopped && !ptrace(PTRACE_INTERRUPT, q->tid, NULL, NULL))
		waitpid(q->tid, NULL, __WALL);
	if (q->tid)
		ptrace(PTRACE_DETACH, q->tid, NULL, NULL);
	*q = (struct quiet){0};
}
