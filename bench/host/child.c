// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/host/child.h"

/* A user's PATH does not have the directories where Debian keeps mke2fs. */
static void path_add_sbin(void)
{
	const char *path = getenv("PATH");
	HB_FREE char *longer =
		hb_strf("%s:/usr/sbin:/sbin", path && *path ? path : "/usr/bin:/bin");

	if (longer)
		setenv("PATH", longer, 1);
}

/* In the child; never returns. */
static void __attribute__((noreturn))
child_exec(const struct child *c, char *const argv[], int out, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(126);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(c->err ? c->err : out, STDERR_FILENO) < 0)
		_exit(126);
	path_add_sbin();
	for (const char *const *u = c->unset; u && *u; u++)
		unsetenv(*u);
	for (const char *const *v = c->env; v && *v; v++)
		putenv((char *)*v);
	if (c->directory && chdir(c->directory)) {
		dprintf(STDERR_FILENO, "%s: %s\n", c->directory, strerror(errno));
		_exit(126);
	}
	if (c->uid && (setgroups(0, NULL) || setgid(c->gid) || setuid(c->uid))) {
		dprintf(STDERR_FILENO, "cannot become user %u: %s\n", c->uid, strerror(errno));
		_exit(126);
	}
	/* A change of user clears it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

pid_t child_start(const struct child *c, char *const argv[], int out)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		child_exec(c, argv, out, parent);
	return pid < 0 ? -errno : pid;
}

static int child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Hand the lines of @fd, which is closed, to @line. */
static int read_lines(int fd, child_line line, void *arg)
{
	HB_FCLOSE FILE *in = fdopen(fd, "r");
	HB_FREE char *text = NULL;
	size_t size = 0;
	ssize_t n;

	if (!in) {
		close(fd);
		return -ENOMEM;
	}
	while ((n = getline(&text, &size, in)) >= 0) {
		if (n && text[n - 1] == '\n')
			text[n - 1] = 0;
		if (line)
			line(arg, text);
	}
	return 0;
}

int child_run(const struct child *c, char *const argv[], child_line line, void *arg)
{
	int fd[2], rc, status;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	pid = child_start(c, argv, fd[1]);
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return pid;
	}
	rc = read_lines(fd[0], line, arg);
	status = child_wait(pid);
	return rc ? rc : status;
}

static void capture_line(void *arg, const char *line)
{
	fprintf(arg, "%s\n", line);
}

int child_capture(const struct child *c, char *const argv[], char **out)
{
	size_t size;
	FILE *f = open_memstream(out, &size);
	int rc;

	if (!f)
		return -ENOMEM;
	rc = child_run(c, argv, capture_line, f);
	if (fclose(f)) {
		free(*out);
		*out = NULL;
		return -ENOMEM;
	}
	return rc;
}
