// SPDX-License-Identifier: GPL-2.0-or-later
/* What a confined process can still do. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/base/util.h"
#include "bench/host/confine.h"
#include "tests/put.h"

static char dir[] = "/tmp/hugebench-confine-XXXXXX";

/* The number of the first step that goes another way than it should, 0: none, 77: no Landlock. */
static int confined(const char *inside, const char *outside)
{
	HB_FREE char *mine = hb_strf("%s/x", inside);
	HB_FREE char *others = hb_strf("%s/x", outside);
	HB_FREE char *fresh = hb_strf("%s/y", outside);
	const char *const writable[] = {inside, "/nonexistent", NULL};
	HB_FREE char *text = NULL;
	int rc = confine_writes(writable);

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 6;
	if (rc == -ENOSYS || rc == -EOPNOTSUPP)
		return 77;
	if (rc)
		return 1;
	if (hb_file_write(mine, "1") || rename(mine, mine) || unlink(mine))
		return 2;
	if (!hb_file_write(others, "2") || !hb_file_write(fresh, "2"))
		return 3;
	if (!unlink(others) || !truncate(others, 0) || !rename(others, mine) || !rmdir(outside))
		return 4;
	if (hb_file_read(others, &text, NULL))
		return 5;
	return 0;
}

static void writes_stay_inside(void **state)
{
	HB_FREE char *inside = NULL, *outside = NULL, *others = NULL, *text = NULL;
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	inside = hb_strf("%s/inside", dir);
	outside = hb_strf("%s/outside", dir);
	others = hb_strf("%s/x", outside);
	assert_int_equal(hb_mkdir_all(inside), 0);
	put_file("as before", "%s", others);
	pid = fork();
	if (!pid)
		_exit(confined(inside, outside));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(hb_file_read(others, &text, NULL), 0);
	assert_string_equal(text, "as before");
	assert_int_equal(hb_remove_all(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_stay_inside),
	};

	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
