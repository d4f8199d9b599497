// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways to disturb. */
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

static void inject_signal(struct fault *f)
{
	pid_t pid = f->kind->ground->start();

	moment(f);
	f->missed = !still_runs(pid);
	kill(pid, f->kind->number);
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
	f->missed = !child || kill(child, SIGKILL);
	finish(pid);
}

static void inject_errno(struct fault *f)
{
	HB_FREE char *path = hb_strf("%s/%s", site.top, f->kind->ground->below);

	set_number("FAULT_ERRNO", f->kind->number);
	set_number("FAULT_AT", 1 + below(f, CHANGES >> f->tries));
	setenv("FAULT_BELOW", path, 1);
	setenv("LD_PRELOAD", site.preload, 1);
	/* Made too few changes to come to the one that fails. */
	f->missed = !finish(f->kind->ground->start());
	unsetenv("LD_PRELOAD");
}

static void inject_clock(struct fault *f)
{
	set_number("FAULT_ERRNO", 0);
	set_number("FAULT_JUMP", f->kind->number);
	set_number("FAULT_AT", 1 + below(f, LOOKS));
	setenv("LD_PRELOAD", site.preload, 1);
	finish(f->kind->ground->start());
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_JUMP");
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
	HB_FREE char *file = hb_strf("%s/run.ini", site.top);
	pid_t first = f->kind->ground->start(), second;
	int status[2];

	usleep(below(f, 100000));
	second = start_hugebench(false, (const char *const[]){"run", "--results", site.results,
							      "-s", file, "--name", "y", NULL});
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
	f->missed = !still_runs(first);
	kill(first, SIGKILL);
	finish(first);
	status = finish(second);
	if (status)
		complain(f, "the other of two builders ended with %d", status);
}

static void inject_read_only(struct fault *f)
{
	HB_FREE char *cells = hb_strf("%s/x/cells", site.results);
	pid_t pid;

	obey_modes();
	pid = f->kind->ground->start();
	moment(f);
	chmod(cells, 0555);
	f->missed = !finish(pid);
	chmod(cells, 0777);
}

static void inject_head(struct fault *f)
{
	HB_FREE char *pipe = hb_strf("%s report %s/x 2>&1 | head -c %d >/dev/null", site.command,
				     site.results, (int)below(f, 4000));

	finish(f->kind->ground->start());
	if (!pipe || system(pipe))
		complain(f, "report | head fails");
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
	{"directory made read-only", &ground_run, inject_read_only, 0, NULL, 0},
	{"clock an hour ahead", &ground_run, inject_clock, 3600, NULL, 0},
	{"clock an hour back", &ground_run, inject_clock, -3600, NULL, 0},
	{"two hugebench on one run", &ground_run, inject_second, 0, NULL, 0},
	{"two runs with one cache", &ground_run, inject_other_run, 0, NULL, 0},
	{"build: hugebench killed", &ground_build, inject_signal, SIGKILL, NULL, 0},
	{"build: hugebench interrupted", &ground_build, inject_signal, SIGINT, NULL, 0},
	{"build: make killed", &ground_build, inject_child, 0, "make", 0},
	{"build: gcc killed", &ground_build, inject_child, 0, "gcc", 0},
	{"build: disk full", &ground_build, inject_errno, ENOSPC, NULL, 0},
	{"build: I/O error", &ground_build, inject_errno, EIO, NULL, 0},
	{"build: two of one kernel", &ground_build, inject_two_builds, 0, NULL, 0},
	{"build: one of two killed", &ground_build, inject_killed_builder, 0, NULL, 0},
	{"guest: QEMU killed", &ground_guest, inject_child, 0, "qemu-system", 1},
	{"guest: hugebench killed", &ground_guest, inject_signal, SIGKILL, NULL, 0},
	{"fetch: apt killed", &ground_fetch, inject_child, 0, "apt-get", 0},
	{"fetch: hugebench killed", &ground_fetch, inject_signal, SIGKILL, NULL, 0},
};
const size_t nkinds = ARRAY_SIZE(kinds);
