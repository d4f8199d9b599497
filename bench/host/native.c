// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/host/native.h"

int native_start(const char *agent, bool yes, struct native *n, struct hb_error *e)
{
	char fd_text[12];
	char *argv[] = {(char *)agent, "--native", fd_text, yes ? "--yes" : NULL, NULL};
	struct child c = {.group = true, .death = CHILD_LIVE};
	int pair[2];

	*n = (struct native){.fd = -1};
	if (access(agent, X_OK))
		return hb_error_set(e, -errno, "%s: %s", agent, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return hb_error_set(e, -errno, "socketpair: %s", strerror(errno));
	snprintf(fd_text, sizeof(fd_text), "%d", pair[1]);
	c.keep[0] = pair[1];
	n->pid = child_start(&c, argv, STDERR_FILENO);
	if (n->pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return hb_error_set(e, n->pid, "cannot start the agent: fork: %s",
				    strerror(-n->pid));
	}
	close(pair[1]);
	n->fd = pair[0];
	return 0;
}

int native_exited(struct native *n, int *status)
{
	if (!n->reaped && waitpid(n->pid, &n->status, WNOHANG) == n->pid)
		n->reaped = true;
	if (n->reaped)
		*status = n->status;
	return n->reaped;
}

void native_end(struct native *n, uint64_t grace_ns)
{
	uint64_t deadline = hb_now_ns() + grace_ns;
	int status;

	close(n->fd);
	while (!native_exited(n, &status) && hb_now_ns() < deadline)
		poll(NULL, 0, 5);
	/* Also when the agent is gone: it may have left tasks behind. */
	kill(-n->pid, SIGKILL);
	while (!n->reaped && waitpid(n->pid, &n->status, 0) < 0 && errno == EINTR)
		;
}
