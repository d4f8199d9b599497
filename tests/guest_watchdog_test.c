// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who hangs and who is only slow. A process that waits for its CLONE_VFORK child is in D state
 * (TASK_KILLABLE in kernel/fork.c).
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "workloads/agent/watchdog.h"

#define STALL_NS (NSEC_PER_SEC / 10)
/* Looks are a second apart: the third tells of a hang of this length. */
#define QUIET_NS (3 * NSEC_PER_SEC)
#define TASKS	 2

/* End with the parent @parent, also with one that has ended already. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

/* Never returns: its child, which dies with it, keeps it in D state. */
static void sleep_in_d_state(void)
{
	pid_t self = getpid();
	pid_t pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid) {
		die_with(self);
		pause();
	}
	_exit(pid < 0);
}

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
	if (!pid)
		sleep_in_d_state();
	while (!blocked && hb_now_ns() < until)
		blocked = watchdog_child_blocked(getpid());
	/* It is nobody else's child. */
	assert_false(watchdog_child_blocked(pid));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(blocked);
	assert_false(watchdog_child_blocked(getpid()));
}

enum manner { RUNS, SLEEPS, BLOCKED };

static const struct workload_ops ops = {.name = "test"};

/* A gang of two tasks of one instance, and the host's end of the watchdog's link. */
struct fixture {
	struct task_shared *task[TASKS];
	struct instance in;
	struct gang_process process[TASKS];
	struct gang gang;
	int fd[2];
	pid_t agent;
};

static void behave(struct task_shared *s, enum manner manner, pid_t agent)
{
	die_with(agent);
	if (manner == BLOCKED)
		sleep_in_d_state();
	for (;;) {
		if (manner == RUNS)
			atomic_fetch_add(&s->progress, 1);
		usleep(1000);
	}
}

static void end(void) __attribute__((noreturn));
static void end(void)
{
	_exit(9);
}

/* What the agent's process is to do. */
struct script {
	enum manner manner[TASKS];
	const char *doing; /* something for which it has doing_ns; NULL: the tasks are watched */
	uint64_t doing_ns;
	bool leaves; /* after QUIET_NS, with status 0; else the watchdog has to end it */
};

static void agent_main(struct fixture *f, const struct script *script)
{
	struct watchdog w = {.gang = &f->gang,
			     .stall_ns = STALL_NS,
			     .kmsg = -1,
			     .end = end,
			     .watch_tasks = !script->doing};
	pid_t self = getpid();
	struct link link;

	for (int i = 0; i < TASKS; i++) {
		struct gang_process *p = &f->process[i];

		*p = (struct gang_process){.in = &f->in, .first = i, .count = 1, .pid = fork()};
		if (!p->pid)
			behave(f->task[i], script->manner[i], self);
		atomic_store(&f->task[i]->tid, p->pid);
	}
	link_init(&link, f->fd[1]);
	w.link = &link;
	w.parameters = json_object();
	if (watchdog_start(&w, NULL))
		_exit(1);
	if (script->doing)
		watchdog_agent(&w, script->doing, script->doing_ns);
	while (!script->leaves)
		pause();
	hb_sleep_until_ns(hb_now_ns() + QUIET_NS);
	watchdog_stop(&w);
	_exit(0);
}

/* Start it; then assert_hang() or finish(). */
static void start(struct fixture *f, const struct script *script)
{
	*f = (struct fixture){.in = {.ops = &ops, .task = f->task}};
	f->gang = (struct gang){.process = f->process, .nprocesses = TASKS, .ntasks = TASKS};
	for (int i = 0; i < TASKS; i++) {
		f->task[i] = mmap(NULL, sizeof(*f->task[i]), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		assert_true(f->task[i] != MAP_FAILED);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->fd), 0);
	f->agent = fork();
	assert_true(f->agent >= 0);
	if (!f->agent)
		agent_main(f, script);
	close(f->fd[1]);
}

static int finish(struct fixture *f)
{
	int status;

	close(f->fd[0]);
	assert_int_equal(waitpid(f->agent, &status, 0), f->agent);
	assert_true(WIFEXITED(status));
	for (int i = 0; i < TASKS; i++)
		munmap(f->task[i], sizeof(*f->task[i]));
	return WEXITSTATUS(status);
}

static void assert_hang(struct fixture *f, const char *reason)
{
	struct wire_reader reader = {0};
	enum wire_type type = 0;
	json_t *frame = NULL;

	while (type != WIRE_RESULT) {
		json_decref(frame);
		while (wire_next(&reader, &type, &frame, NULL) == 0)
			assert_int_equal(wire_fill(&reader, f->fd[0]), 0);
	}
	assert_string_equal(json_string_value(json_object_get(frame, "verdict")), "HANG");
	assert_non_null(strstr(json_string_value(json_object_get(frame, "reason")), reason));
	json_decref(frame);
	wire_reader_free(&reader);
	/* It waits for the host's word, and ends the agent itself. */
	assert_int_equal(wire_send(f->fd[0], WIRE_QUIT, NULL, NULL), 0);
	assert_int_equal(finish(f), 9);
}

static void blocked_task_hangs(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct script){.manner = {RUNS, BLOCKED}});
	assert_hang(&f, "test task 1 (pid ");
}

static void all_without_progress_hang(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct script){.manner = {SLEEPS, SLEEPS}});
	assert_hang(&f, "no task made progress for ");
}

static void late_agent_hangs(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct script){.doing = "the proof", .doing_ns = STALL_NS});
	assert_hang(&f, "the agent did not come back from: the proof");
}

static void slow_or_stopped_does_not_hang(void **state)
{
	struct fixture slow, stopped;

	(void)state;
	start(&slow, &(struct script){.manner = {RUNS, SLEEPS}, .leaves = true});
	/* Its deadline passes while the whole process stands still, which is not its fault. */
	start(&stopped, &(struct script){.doing = "the proof",
					 .doing_ns = NSEC_PER_SEC * 3 / 2,
					 .leaves = true});
	hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 4);
	kill(stopped.agent, SIGSTOP);
	hb_sleep_until_ns(hb_now_ns() + QUIET_NS);
	kill(stopped.agent, SIGCONT);
	assert_int_equal(finish(&stopped), 0);
	assert_int_equal(finish(&slow), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_of_server_is_looked_at),
		cmocka_unit_test(blocked_task_hangs),
		cmocka_unit_test(all_without_progress_hang),
		cmocka_unit_test(late_agent_hangs),
		cmocka_unit_test(slow_or_stopped_does_not_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
