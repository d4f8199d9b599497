// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <glob.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/inject/faults.h"

/* Also of guests on a loaded machine. */
#define PATIENCE (600 * NSEC_PER_SEC)

static bool modes_bind;

void obey_modes(void)
{
	modes_bind = true;
}

pid_t start_hugebench(bool anew, const char *const args[])
{
	HB_FREE char *file = hb_strf("%s/output", site.top);
	char *argv[20] = {site.command};
	bool bound = modes_bind;
	size_t n = 1;
	pid_t pid;
	int fd;

	modes_bind = false;
	while (*args)
		argv[n++] = (char *)*args++;
	pid = fork();
	if (pid)
		return pid;
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | (anew ? O_TRUNC : 0), 0666);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(99);
	close(fd);
	if (bound && !geteuid() && prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE))
		_exit(97);
	execv(site.command, argv);
	_exit(98);
}

char *output(void)
{
	HB_FREE char *file = hb_strf("%s/output", site.top);
	char *text = NULL;

	return file && !hb_file_read(file, &text, NULL) ? text : strdup("");
}

int finish(pid_t pid)
{
	uint64_t until = hb_now_ns() + PATIENCE;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (hb_now_ns() >= until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(2000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int undisturbed(struct ground *g)
{
	uint64_t begin;

	g->reset(0);
	begin = hb_now_ns();
	if (finish(g->start()))
		return -1;
	g->length_ns = hb_now_ns() - begin;
	return 0;
}

bool still_runs(pid_t pid)
{
	siginfo_t info = {0};

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

/* 'T' of what is stopped, 'Z' of what has ended (proc(5)); 0: there is no such process. */
static char state_of(pid_t pid)
{
	HB_FREE char *path = hb_strf("/proc/%d/stat", pid), *text = NULL;
	const char *end;

	if (!path || hb_file_read(path, &text, NULL))
		return 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

bool stop(pid_t pid)
{
	uint64_t until = hb_now_ns() + NSEC_PER_SEC;
	char state = 0;

	if (kill(pid, SIGSTOP))
		return false;
	while (hb_now_ns() < until && (state = state_of(pid)) && !strchr("TtZX", state))
		usleep(500);
	return state == 'T' || state == 't';
}

static bool is_called(const char *pid, const char *name)
{
	HB_FREE char *path = hb_strf("/proc/%s/comm", pid);
	HB_FREE char *comm = NULL;

	return path && !hb_file_read(path, &comm, NULL) && !strncmp(comm, name, strlen(name));
}

pid_t descendant(pid_t pid, const char *name)
{
	HB_FREE char *pattern = hb_strf("/proc/%d/task/*/children", pid);
	pid_t found = 0;
	glob_t g = {0};

	if (!pattern || glob(pattern, 0, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		HB_FREE char *list = NULL;
		char *rest, *word;

		if (hb_file_read(g.gl_pathv[i], &list, NULL))
			continue;
		for (rest = list; !found && (word = strsep(&rest, " "));)
			if (*word)
				found = is_called(word, name) ? atoi(word)
							      : descendant(atoi(word), name);
	}
	globfree(&g);
	return found;
}
