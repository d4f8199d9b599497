// SPDX-License-Identifier: GPL-2.0-or-later
/* A process that waits for its CLONE_VFORK child is in D state (TASK_KILLABLE in kernel/fork.c). */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "workloads/watchdog.h"

static void child_of_server_is_looked_at(void **state)
{
	uint64_t until = hb_now_ns() + 10 * NSEC_PER_SEC;
	bool blocked = false;
	int status;
	pid_t pid;

	(void)state;
	assert_false(watchdog_child_blocked(getpid()));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		pid_t self = getpid();

		/* The grandchild dies with us: killing the child ends both. */
		pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == self)
				pause();
			_exit(0);
		}
		_exit(pid < 0);
	}
	while (!blocked && hb_now_ns() < until)
		blocked = watchdog_child_blocked(getpid());
	/* It is nobody else's child. */
	assert_false(watchdog_child_blocked(pid));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(blocked);
	assert_false(watchdog_child_blocked(getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_of_server_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
