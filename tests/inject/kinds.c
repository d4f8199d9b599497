// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways to disturb. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/inject/faults.h"

#define CHILD_PATIENCE (20 * NSEC_PER_SEC)
/* An undisturbed attempt makes about as many changes to files, and looks at the clock. */
#define CHANGES 40
#define LOOKS	20

static void set_number(const char *name, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

/* What is stopped has not ended, and a signal that is sent then arrives. */
static void inject_signal(struct fault *f)
{
	pid_t pid = f->kind->ground->start();

	moment(f);
	f->missed = !stop(pid);
	kill(pid, f->kind->number);
	kill(pid, SIGCONT);
	finish(pid);
}

/* Kill the first program of the name that is there at the moment, or later. */
static void inject_child(struct fault *f)
{
	pid_t pid = f->kind->ground->start(), child = 0;
	uint64_t until = hb_now_ns() + f->kind->ground->length_ns + CHILD_PATIENCE;

	moment(f);
	while (!child && hb_now_ns() < until && still_runs(pid)) {
		child = descendant(pid, f->kind->text);
		usleep(500);
	}
	f->missed = !child || !stop(child);
	if (child)
		kill(child, SIGKILL);
	finish(pid);
}

/* An attempt that preload.c disturbs as it is told by the environment, if it gets so far. */
static void preloaded(struct fault *f)
{
	HB_FREE char *struck = hb_strf("%s/struck", site.top);

	setenv("FAULT_STRUCK", struck, 1);
	setenv("LD_PRELOAD", site.preload, 1);
	finish(f->kind->ground->start());
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_ERRNO");
	unsetenv("FAULT_JUMP");
	f->missed = unlink(struck);
}

static void inject_errno(struct fault *f)
{
	HB_FREE char *path = hb_strf("%s/%s", site.top, f->kind->ground->below);

	set_number("FAULT_ERRNO", f->kind->number);
	set_number("FAULT_AT", 1 + below(f, CHANGES >> f->tries));
	setenv("FAULT_BELOW", path, 1);
	preloaded(f);
}

static void inject_clock(struct fault *f)
{
	set_number("FAULT_JUMP", f->kind->number);
	set_number("FAULT_AT", 1 + below(f, LOOKS >> f->tries));
	preloaded(f);
}

static void inject_agent(struct fault *f)
{
	int status;

	setenv("fake", f->kind->text, 1);
	status = finish(f->kind->ground->start());
	if (status != 1)
		complain(f, "an agent that is \"%s\" gives exit status %d, not 1", f->kind->text,
			 status);
}

/* A second hugebench takes the same run up, while the first works on it. */
static void inject_second(struct fault *f)
{
	HB_FREE char *plan = hb_strf("%s/x/plan.json", site.results);
	HB_FREE char *text = NULL;
	pid_t pid = f->kind->ground->start();
	int status;

	while (access(plan, F_OK) && still_runs(pid))
		usleep(1000);
	usleep(below(f, 200000));
	status = f->kind->ground->again();
	f->missed = !still_runs(pid);
	text = output();
	if (!f->missed && !strstr(text, "in use by another hugebench"))
		complain(f, "two work on one run, the second ends with %d", status);
	status = finish(pid);
	if (status)
		complain(f, "the first of two ended with %d", status);
}

static void inject_other_run(struct fault *f)
{
	HB_FREE char *other = hb_strf("%s/y", site.results);
	HB_FREE char *plan = hb_strf("%s/y/plan.json", site.results);
	HB_FREE char *file = hb_strf("%s/run.ini", site.top);
	pid_t first = f->kind->ground->start(), second;
	int status[2];

	usleep(below(f, 100000));
	second = start_hugebench(false, (const char *const[]){"run", "--results", site.results,
							      "-s", file, "--name", "y", NULL});
	while (access(plan, F_OK) && still_runs(second))
		usleep(1000);
	f->missed = !still_runs(first);
	status[0] = finish(first);
	status[1] = finish(second);
	hb_remove_all(other);
	if (status[0] || status[1])
		complain(f, "two runs with one cache end with %d and %d", status[0], status[1]);
}

static unsigned int count(const char *text, const char *words)
{
	unsigned int n = 0;

	for (; (text = strstr(text, words)); text += strlen(words))
		n++;
	return n;
}

/* Both have the kernel, one of them built it. */
static void inject_two_builds(struct fault *f)
{
	pid_t first = f->kind->ground->start(), second;
	HB_FREE char *text = NULL;
	int status[2];

	usleep(below(f, 100000));
	second = f->kind->ground->start();
	status[0] = finish(first);
	status[1] = finish(second);
	text = output();
	f->missed = !strstr(text, "waiting for another hugebench");
	if (status[0] || status[1])
		complain(f, "two builds of one kernel end with %d and %d", status[0], status[1]);
	if (count(text, "built in") != 1)
		complain(f, "two builds of one kernel: %.400s", text);
}

/* The second of two builders goes on when the first, which has the lock, is killed. */
static void inject_killed_builder(struct fault *f)
{
	pid_t first = f->kind->ground->start(), second = f->kind->ground->start();
	int status;

	moment(f);
	f->missed = !stop(first) || !still_runs(second);
	kill(first, SIGKILL);
	finish(first);
	status = finish(second);
	if (status)
		complain(f, "the other of two builders ended with %d", status);
}

/* The directory that kind->text names. */
static void inject_read_only(struct fault *f)
{
	HB_FREE char *directory = hb_strf("%s/%s", site.top, f->kind->text);
	pid_t pid;

	obey_modes();
	pid = f->kind->ground->start();
	moment(f);
	f->missed = chmod(directory, 0555);
	/* It may have ended well by then, or needed no more of it. */
	f->missed |= !finish(pid);
	chmod(directory, 0777);
}

static pid_t start_report(int out)
{
	HB_FREE char *run = hb_strf("%s/x", site.results);
	pid_t pid = fork();

	if (pid)
		return pid;
	if (dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
		execl(site.command, site.command, "report", "--format", "html", run, NULL);
	_exit(98);
}

/* Take so many bytes of what @fd has to give. */
static void take_bytes(int fd, size_t n)
{
	char byte;

	while (n-- && read(fd, &byte, 1) == 1)
		;
}

/* The pipe holds less than the report has. */
static void inject_head(struct fault *f)
{
	int fd[2], status;
	pid_t pid;

	finish(f->kind->ground->start());
	if (pipe2(fd, O_CLOEXEC) || fcntl(fd[1], F_SETPIPE_SZ, 4096) < 0) {
		complain(f, "no small pipe: %s", strerror(errno));
		return;
	}
	pid = start_report(fd[1]);
	close(fd[1]);
	take_bytes(fd[0], below(f, 4000));
	close(fd[0]);
	status = finish(pid);
	f->missed = !status;
	if (status && status != 1000 + SIGPIPE)
		complain(f, "report | head ends with %d", status);
}

/* The runs have two or three cells. */
const struct kind kinds[] = {
	{"hugebench killed", &ground_run, inject_signal, SIGKILL, NULL, 0},
	{"hugebench interrupted", &ground_run, inject_signal, SIGINT, NULL, 0},
	{"hugebench terminated", &ground_run, inject_signal, SIGTERM, NULL, 0},
	{"hugebench hung up", &ground_run, inject_signal, SIGHUP, NULL, 0},
	{"broken pipe", &ground_run, inject_signal, SIGPIPE, NULL, 0},
	{"report | head", &ground_run, inject_head, 0, NULL, 0},
	{"agent killed", &ground_run, inject_child, 0, "hugebench-agent", 1},
	{"agent stops in mid-frame", &ground_run, inject_agent, 0, "half", 3},
	{"agent sends garbage", &ground_run, inject_agent, 0, "garbage", 3},
	{"agent sends the largest frame", &ground_run, inject_agent, 0, "largest", 3},
	{"agent never stops sending", &ground_run, inject_agent, 0, "flood", 3},
	{"agent dies", &ground_run, inject_agent, 0, "die", 3},
	{"gnuplot killed", &ground_run, inject_child, 0, "gnuplot", 0},
	{"disk full", &ground_run, inject_errno, ENOSPC, NULL, 0},
	{"I/O error", &ground_run, inject_errno, EIO, NULL, 0},
	{"quota exceeded", &ground_run, inject_errno, EDQUOT, NULL, 0},
	{"directory made read-only", &ground_run, inject_read_only, 0, "results/x/cells", 0},
	{"clock an hour ahead", &ground_run, inject_clock, 3600, NULL, 0},
	{"clock an hour back", &ground_run, inject_clock, -3600, NULL, 0},
	{"two hugebench on one run", &ground_run, inject_second, 0, NULL, 0},
	{"two runs with one cache", &ground_run, inject_other_run, 0, NULL, 0},
	{"build: hugebench killed", &ground_build, inject_signal, SIGKILL, NULL, 0},
	{"build: hugebench interrupted", &ground_build, inject_signal, SIGINT, NULL, 0},
	{"build: hugebench terminated", &ground_build, inject_signal, SIGTERM, NULL, 0},
	{"build: hugebench hung up", &ground_build, inject_signal, SIGHUP, NULL, 0},
	{"build: make killed", &ground_build, inject_child, 0, "make", 0},
	{"build: gcc killed", &ground_build, inject_child, 0, "gcc", 0},
	{"build: disk full", &ground_build, inject_errno, ENOSPC, NULL, 0},
	{"build: I/O error", &ground_build, inject_errno, EIO, NULL, 0},
	{"build: quota exceeded", &ground_build, inject_errno, EDQUOT, NULL, 0},
	{"build: cache made read-only", &ground_build, inject_read_only, 0,
	 "cache/hugebench/kernels", 0},
	{"build: two of one kernel", &ground_build, inject_two_builds, 0, NULL, 0},
	{"build: one of two killed", &ground_build, inject_killed_builder, 0, NULL, 0},
	{"guest: QEMU killed", &ground_guest, inject_child, 0, "qemu-system", 1},
	{"guest: hugebench killed", &ground_guest, inject_signal, SIGKILL, NULL, 0},
	{"guest: hugebench interrupted", &ground_guest, inject_signal, SIGINT, NULL, 0},
	{"guest: disk full", &ground_guest, inject_errno, ENOSPC, NULL, 0},
	{"fetch: apt killed", &ground_fetch, inject_child, 0, "apt-get", 0},
	{"fetch: hugebench killed", &ground_fetch, inject_signal, SIGKILL, NULL, 0},
	{"fetch: disk full", &ground_fetch, inject_errno, ENOSPC, NULL, 0},
};
const size_t nkinds = ARRAY_SIZE(kinds);
