// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "tests/leftovers.h"

#define GRACE_NS (2 * NSEC_PER_SEC)
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

/* Kill the children there are now; how many. */
static unsigned int kill_children(void)
{
	HB_FREE char *path = hb_strf("/proc/self/task/%d/children", getpid());
	HB_FREE char *text = NULL;
	unsigned int n = 0;

	if (!path || hb_file_read(path, &text, NULL))
		return 0;
	for (char *at = text, *end;; at = end) {
		pid_t pid = strtol(at, &end, 10);

		if (end == at)
			return n;
		n += !kill(pid, SIGKILL);
	}
}

unsigned int leftovers_end(void)
{
	unsigned int killed = 0;

	/* The children of those that were killed come to us, and their turn with the next round. */
	for (uint64_t grace = GRACE_NS; !reap(hb_now_ns() + grace); grace = 10 * PAUSE_NS)
		killed += kill_children();
	return killed;
}

int leftovers_setup(void **state)
{
	(void)state;
	return leftovers_adopt();
}

int leftovers_teardown(void **state)
{
	unsigned int killed = leftovers_end();

	(void)state;
	if (killed)
		fprintf(stderr, "# %u processes were left running, and are killed now\n", killed);
	return killed ? -1 : 0;
}
