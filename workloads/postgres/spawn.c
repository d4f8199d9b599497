// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/postgres/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Only async-signal-safe calls from here on: the caller may have threads. */
static void child_fail(const char *what)
{
	const char *reason = strerrordesc_np(errno);

	if (write(STDERR_FILENO, what, strlen(what)) < 0 || write(STDERR_FILENO, ": ", 2) < 0 ||
	    (reason && write(STDERR_FILENO, reason, strlen(reason)) < 0) ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(126);
	_exit(127);
}

static void child_identity(const struct pg_spawn *s)
{
	if (geteuid() == s->uid)
		return;
	if (setgroups(0, NULL) || setgid(s->gid) || setuid(s->uid))
		child_fail("cannot become the owner of the data directory");
}

static void child_run(const struct pg_spawn *s, pid_t parent)
{
	cpu_set_t all;
	sigset_t none;
	char byte;
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(s->out, STDOUT_FILENO) < 0 ||
	    dup2(s->err, STDERR_FILENO) < 0)
		_exit(126);
	if (s->gate >= 0 && read(s->gate, &byte, 1) != 1)
		_exit(126);
	if (close_range(STDERR_FILENO + 1, ~0u, 0))
		child_fail("close_range");
	/* The kernel drops the CPUs that do not exist. */
	memset(&all, 0xff, sizeof(all));
	if (sched_setaffinity(0, sizeof(all), &all))
		child_fail("sched_setaffinity");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	child_identity(s);
	/* After setuid(), which clears it; the parent may have died before. */
	if (prctl(PR_SET_PDEATHSIG, s->death) || getppid() != parent)
		child_fail("the parent is gone");
	execve(s->argv[0], (char *const *)s->argv, (char *const *)s->envp);
	child_fail(s->argv[0]);
}

pid_t pg_spawn(const struct pg_spawn *s, struct hb_error *e)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return hb_error_set(e, -errno, "cannot fork for %s: %m", s->argv[0]);
	if (!pid)
		child_run(s, parent);
	return pid;
}

const char *pg_last_lines(const char *said, size_t max)
{
	size_t len = strlen(said);
	const char *from, *newline;

	if (len <= max)
		return said;
	from = said + len - max;
	newline = strchr(from, '\n');
	return newline && newline[1] ? newline + 1 : from;
}
