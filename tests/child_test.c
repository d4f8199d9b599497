// SPDX-License-Identifier: GPL-2.0-or-later
/* What a program that we start finds, whoever called us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/host/child.h"

static char *out;

static int teardown(void **state)
{
	(void)state;
	free(out);
	out = NULL;
	return 0;
}

static void sh(const struct child *c, const char *script)
{
	char *argv[] = {"sh", "-c", (char *)script, NULL};

	free(out);
	assert_int_equal(child_capture(c, argv, &out), 0);
}

static void test_files_and_words(void **state)
{
	mode_t before = umask(077);

	(void)state;
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	setenv("LANGUAGE", "de", 1);
	setenv("TZ", "Asia/Tokyo", 1);
	setenv("TMPDIR", "/nonexistent", 1);
	sh(&(struct child){0}, "umask; echo $LC_ALL $LANGUAGE $TZ $TMPDIR.");
	assert_string_equal(out, "0022\nC.UTF-8 UTC .\n");
	assert_int_equal(umask(before), 077);
}

/* What the caller gives wins. */
static void test_variables(void **state)
{
	const char *env[] = {"TZ=Asia/Tokyo", "NEW=1", NULL}, *unset[] = {"GONE", NULL};

	(void)state;
	setenv("GONE", "1", 1);
	setenv("KCPPFLAGS", "-DX", 1);
	sh(&(struct child){.env = env, .unset = unset}, "echo $TZ $NEW $GONE $KCPPFLAGS");
	assert_string_equal(out, "Asia/Tokyo 1 -DX\n");
}

static void test_descriptors(void **state)
{
	int fds[] = {open("/dev/null", O_RDWR), open("/dev/null", O_RDWR | O_CLOEXEC)};
	HB_FREE char *script = hb_strf("for f in %d %d; do [ -e /proc/self/fd/$f ] && echo $f; "
				       "done; readlink /proc/self/fd/0",
				       fds[0], fds[1]);
	HB_FREE char *wanted = hb_strf("%d\n/dev/null\n", fds[1]);
	struct child c = {.keep = {fds[1]}};

	(void)state;
	sh(&c, script);
	assert_string_equal(out, wanted);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_signals(void **state)
{
	unsigned long long blocked, ignored;
	sigset_t all, before;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	signal(SIGHUP, SIG_DFL); /* nohup would be respected */
	signal(SIGINT, SIG_IGN);
	sh(&(struct child){0}, "grep -E 'Sig(Blk|Ign)' /proc/self/status");
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGINT, SIG_DFL);
	assert_int_equal(sscanf(out, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	/* 32 and 33 are the C library's own, and some callers' ignore them. */
	assert_int_equal(ignored & ~(3ULL << 31), 0);
}

static void test_limits(void **state)
{
	struct rlimit before, small;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	small = (struct rlimit){10, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	sh(&(struct child){0}, "ulimit -Sn; ulimit -Hn; ulimit -c");
	setrlimit(RLIMIT_NOFILE, &before);
	{
		HB_FREE char *wanted = hb_strf("%ju\n%ju\n0\n", (uintmax_t)before.rlim_max,
					       (uintmax_t)before.rlim_max);

		assert_string_equal(out, wanted);
	}
}

static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(child_do((char *[]){"sh", "-c", "exit 7", NULL}, -1), 7);
	assert_int_equal(child_do((char *[]){"sh", "-c", "kill -9 $$", NULL}, -1), 128 + SIGKILL);
	assert_int_equal(child_do((char *[]){"/nonexistent/program", NULL}, -1), 127);
}

/* Start a program that changes its user, as root alone can; tell its id to @out, and wait. */
static void __attribute__((noreturn)) start_and_wait(int out, bool lifeline)
{
	char *argv[] = {
		"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "100",
		NULL};
	struct child c = {.death = CHILD_KILL};
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		_exit(1);
	c.lifeline = lifeline ? fd[0] : 0;
	pid = child_start(&c, argv, STDOUT_FILENO);
	close(fd[0]);
	if (write(out, &pid, sizeof(pid)) == sizeof(pid))
		pause();
	_exit(1);
}

static bool is_nobody(pid_t pid)
{
	HB_FREE char *path = hb_strf("/proc/%d", pid);
	struct stat st;

	return !stat(path, &st) && st.st_uid == 65534;
}

/* Does a program that has become another user end when who started it is killed? */
static bool ends_with_us(bool lifeline)
{
	struct pollfd p = {.events = POLLIN};
	pid_t starter, program;
	bool ends;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	starter = fork();
	if (!starter)
		start_and_wait(fd[1], lifeline);
	close(fd[1]);
	assert_int_equal(read(fd[0], &program, sizeof(program)), sizeof(program));
	close(fd[0]);
	for (int i = 0; i < 1000 && !is_nobody(program); i++)
		usleep(10000);
	assert_true(is_nobody(program));
	p.fd = syscall(SYS_pidfd_open, program, 0);
	assert_true(p.fd >= 0);
	kill(starter, SIGKILL);
	assert_int_equal(waitpid(starter, NULL, 0), starter);
	ends = poll(&p, 1, lifeline ? 10000 : 300) == 1;
	kill(program, SIGKILL);
	close(p.fd);
	return ends;
}

static void test_lifeline(void **state)
{
	(void)state;
	if (geteuid() || !child_finds("setpriv"))
		skip();
	assert_true(ends_with_us(true));
	/* What it is there for. */
	assert_false(ends_with_us(false));
}

static void test_group(void **state)
{
	HB_FREE char *ours = hb_strf("%d\n", getpgrp());

	(void)state;
	sh(&(struct child){0}, "ps -o pgid= $$ | tr -d ' '");
	assert_string_equal(out, ours);
	sh(&(struct child){.group = true}, "ps -o pgid= $$ | tr -d ' '");
	assert_string_not_equal(out, ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_files_and_words, teardown),
		cmocka_unit_test_teardown(test_variables, teardown),
		cmocka_unit_test_teardown(test_descriptors, teardown),
		cmocka_unit_test_teardown(test_signals, teardown),
		cmocka_unit_test_teardown(test_limits, teardown),
		cmocka_unit_test_teardown(test_ends, teardown),
		cmocka_unit_test_teardown(test_group, teardown),
		cmocka_unit_test_teardown(test_lifeline, teardown),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
