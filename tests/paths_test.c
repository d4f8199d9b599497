// SPDX-License-Identifier: GPL-2.0-or-later
/* Directories that are made where the caller wants them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(temporary_is_where_it_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
