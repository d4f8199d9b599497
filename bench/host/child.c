// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/host/confine.h"

#define STACK_BYTES (8UL << 20)

/* A user's PATH does not have the directories where Debian keeps mke2fs. Owned by the caller. */
static char *path_with_sbin(void)
{
	const char *path = getenv("PATH");

	return hb_strf("%s:/usr/sbin:/sbin", path && *path ? path : "/usr/bin:/bin");
}

bool child_finds(const char *program)
{
	HB_FREE char *path = path_with_sbin();
	char *rest = path, *directory;

	while ((directory = strsep(&rest, ":"))) {
		HB_FREE char *file = hb_strf("%s/%s", directory, program);

		if (file && !access(file, X_OK))
			return true;
	}
	return false;
}

static void path_add_sbin(void)
{
	HB_FREE char *longer = path_with_sbin();

	if (longer)
		setenv("PATH", longer, 1);
}

/* A caller's small limits are not ours: as far as the system allows, and no core files. */
static void limits_set(const struct child *c)
{
	static const int all[] = {RLIMIT_AS,	  RLIMIT_CPU,	 RLIMIT_DATA, RLIMIT_FSIZE,
				  RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_NPROC};
	struct rlimit l;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!getrlimit(all[i], &l)) {
			l.rlim_cur = l.rlim_max;
			setrlimit(all[i], &l);
		}
	if (c->file_bytes) {
		l.rlim_cur = l.rlim_max = c->file_bytes;
		setrlimit(RLIMIT_FSIZE, &l);
	}
	/* A stack without limit changes where mmap(2) puts things. */
	if (!getrlimit(RLIMIT_STACK, &l)) {
		l.rlim_cur = l.rlim_max < STACK_BYTES ? l.rlim_max : STACK_BYTES;
		setrlimit(RLIMIT_STACK, &l);
	}
	if (!getrlimit(RLIMIT_CORE, &l)) {
		l.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &l);
	}
}

static void signals_set(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		if (s != SIGHUP) /* nohup has its way */
			signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void variables_set(const struct child *c)
{
	path_add_sbin();
	unsetenv("LANGUAGE");
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	for (const char *const *u = c->unset; u && *u; u++)
		unsetenv(*u);
	for (const char *const *v = c->env; v && *v; v++)
		putenv((char *)*v);
}

static void descriptors_set(const struct child *c)
{
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < CHILD_KEEPS && c->keep[i]; i++)
		fcntl(c->keep[i], F_SETFD, 0);
}

static int death_signal(const struct child *c)
{
	return c->death == CHILD_KILL ? SIGKILL : SIGTERM;
}

static void death_set(const struct child *c)
{
	if (c->death != CHILD_LIVE)
		prctl(PR_SET_PDEATHSIG, death_signal(c));
}

/* The kernel sends the signal when the other end is closed, with the rights that we have now. */
static int lifeline_set(const struct child *c)
{
	if (fcntl(c->lifeline, F_SETOWN, c->group ? -getpid() : getpid()) ||
	    fcntl(c->lifeline, F_SETSIG, death_signal(c)) || fcntl(c->lifeline, F_SETFL, O_ASYNC))
		return -errno;
	return fcntl(c->lifeline, F_SETFD, 0);
}

/* In the child; never returns. */
static void __attribute__((noreturn))
child_exec(const struct child *c, char *const argv[], int out, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	death_set(c);
	if (getppid() != parent)
		_exit(126);
	if (c->group)
		setpgid(0, 0);
	if (null < 0 || dup2(c->in ? c->in : null, STDIN_FILENO) < 0 ||
	    dup2(c->err ? c->err : out, STDERR_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	umask(CHILD_UMASK);
	limits_set(c);
	signals_set();
	variables_set(c);
	descriptors_set(c);
	if (c->lifeline && lifeline_set(c))
		_exit(126);
	if (c->directory && chdir(c->directory)) {
		dprintf(STDERR_FILENO, "%s: %s\n", c->directory, strerror(errno));
		_exit(126);
	}
	if (c->uid && (setgroups(0, NULL) || setgid(c->gid) || setuid(c->uid))) {
		dprintf(STDERR_FILENO, "cannot become user %u: %s\n", c->uid, strerror(errno));
		_exit(126);
	}
	/* A change of user clears it. */
	death_set(c);
	/* Of no use to the program, it would be an obstacle. */
	if (getenv("TMPDIR") && access(getenv("TMPDIR"), W_OK | X_OK))
		unsetenv("TMPDIR");
	if (c->writable)
		confine_writes(c->writable);
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

int child_wait(pid_t pid)
{
	int status;

	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

uint64_t child_waited_ns(pid_t pid)
{
	HB_FREE char *pattern = hb_strf("/proc/%d/task/*/schedstat", pid);
	uint64_t most = 0;
	glob_t g = {0};

	if (pattern && !glob(pattern, GLOB_NOSORT, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++) {
			HB_FREE char *text = NULL;
			uint64_t waited;

			if (!hb_file_read(g.gl_pathv[i], &text, NULL) &&
			    sscanf(text, "%*s %" SCNu64, &waited) == 1 && waited > most)
				most = waited;
		}
	globfree(&g);
	return most;
}

int child_do(char *const argv[], int out)
{
	struct child c = {.err = out < 0 ? STDERR_FILENO : 0};
	pid_t pid = child_start(&c, argv, out < 0 ? STDOUT_FILENO : out);

	return child_wait(pid);
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

int child_run_all(const struct child *c, char *const argv[], child_line line, void *arg)
{
	struct child group = *c;
	int lifeline[2], rc;

	if (pipe2(lifeline, O_CLOEXEC))
		return -errno;
	group.group = true;
	group.lifeline = lifeline[0];
	rc = child_run(&group, argv, line, arg);
	close(lifeline[0]);
	close(lifeline[1]);
	return rc;
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
