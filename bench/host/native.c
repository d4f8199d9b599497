// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/host/native.h"

static void child_exec(const char *agent, bool yes, int fd, char *fd_text)
{
	char *argv[] = {(char *)agent, "--native", fd_text, yes ? "--yes" : NULL, NULL};
	int copy;

	setpgid(0, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	/* A duplicate does not inherit close-on-exec. */
	copy = dup(fd);
	if (copy < 0)
		_exit(126);
	snprintf(fd_text, 12, "%d", copy);
	execv(agent, argv);
	_exit(127);
}

int native_start(const char *agent, bool yes, struct native *n, struct hb_error *e)
{
	char fd_text[12];
	int pair[2];

	*n = (struct native){.fd = -1};
	if (access(agent, X_OK))
		return hb_error_set(e, -errno, "%s: %s", agent, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return hb_error_set(e, -errno, "socketpair: %s", strerror(errno));
	n->pid = fork();
	if (n->pid < 0) {
		int rc = -errno;

		close(pair[0]);
		close(pair[1]);
		return hb_error_set(e, rc, "cannot start the agent: fork: %s", strerror(-rc));
	}
	if (!n->pid)
		child_exec(agent, yes, pair[1], fd_text);
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
