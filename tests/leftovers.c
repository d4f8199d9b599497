// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "tests/leftovers.h"

#define PAUSE_NS (NSEC_PER_SEC / 100)

int leftovers_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Reap until there is no child any more (true) or @until has passed. */
static bool reap(uint64_t until)
{
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (pid)
			continue;
		if (hb_now_ns() >= until)
			return false;
		hb_sleep_until_ns(hb_now_ns() + PAUSE_NS);
	}
}

/* Kill @pid, wait for its end, and say what it was. */
static bool end(pid_t pid)
{
	HB_FREE char *path = hb_strf("/proc/%d/comm", pid);
	HB_FREE char *name = NULL;
	int status;

	if (path)
		hb_file_read(path, &name, NULL);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return false;
	fprintf(stderr, "# left running: %s", name ? name : "?\n");
	return true;
}

/* End the children there are now; how many. */
static unsigned int end_children(void)
{
	HB_FREE char *path = hb_strf("/proc/self/task/%d/children", getpid());
	HB_FREE char *text = NULL;
	unsigned int n = 0;

	if (!path || hb_file_read(path, &text, NULL))
		return 0;
	for (char *at = text, *next;; at = next) {
		pid_t pid = strtol(at, &next, 10);

		if (next == at)
			return n;
		n += end(pid);
	}
}

unsigned int leftovers_end(uint64_t grace_ns)
{
	unsigned int n = 0;

	/* The children of those that were ended come to us, and their turn with the next round. */
	for (; !reap(hb_now_ns() + grace_ns); grace_ns = 10 * PAUSE_NS)
		n += end_children();
	return n;
}

int leftovers_setup(void **state)
{
	(void)state;
	return leftovers_adopt();
}

int leftovers_teardown(void **state)
{
	unsigned int killed = leftovers_end(LEFTOVERS_GRACE_NS);

	(void)state;
	if (killed)
		fprintf(stderr, "# %u processes were left running, and are killed now\n", killed);
	return killed ? -1 : 0;
}
