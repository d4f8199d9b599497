// SPDX-License-Identifier: GPL-2.0-or-later
/* Directories that are made where the caller wants them. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/paths.h"

static void temporary_is_where_it_is_wanted(void **state)
{
	char top[] = "/tmp/hugebench-paths-XXXXXX";
	HB_FREE char *made = NULL, *usual = NULL, *none = NULL;
	struct hb_error e = {""};
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(setenv("TMPDIR", top, 1), 0);
	made = paths_temporary("boot", &e);
	assert_non_null(made);
	assert_int_equal(strncmp(made, top, strlen(top)), 0);
	assert_non_null(strstr(made, "/hugebench-boot-"));
	assert_int_equal(stat(made, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(hb_remove_all(top), 0);
	none = paths_temporary("boot", &e);
	assert_null(none);
	assert_non_null(strstr(e.text, top));
	assert_int_equal(unsetenv("TMPDIR"), 0);
	usual = paths_temporary("boot", &e);
	assert_non_null(usual);
	assert_int_equal(strncmp(usual, "/tmp/hugebench-boot-", 20), 0);
	assert_int_equal(hb_remove_all(usual), 0);
	assert_non_null(paths_scratch());
}

static bool is_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* In mounts of its own: the number of the first step that went wrong, 0: none, 77: no such mounts.
 */
static int scratch_without_exec(void)
{
	const unsigned long flags = MS_NOEXEC | MS_NOSUID;

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/var/tmp", "tmpfs", 0, NULL) || mount("none", "/tmp", "tmpfs", 0, NULL))
		return 77;
	if (!is_text(paths_scratch(), "/var/tmp"))
		return 1;
	if (mount("none", "/var/tmp", NULL, MS_REMOUNT | flags, NULL))
		return 77;
	if (!is_text(paths_scratch(), "/tmp"))
		return 2;
	if (mount("none", "/tmp", NULL, MS_REMOUNT | flags, NULL))
		return 77;
	return is_text(paths_scratch(), NULL) ? 0 : 3;
}

/* Programs are started where they can be: many systems mount /var/tmp noexec, some /tmp too. */
static void scratch_is_where_programs_start(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid)
		_exit(scratch_without_exec());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(temporary_is_where_it_is_wanted),
		cmocka_unit_test(scratch_is_where_programs_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
