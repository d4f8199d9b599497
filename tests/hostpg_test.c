// SPDX-License-Identifier: GPL-2.0-or-later
/* Which PostgreSQL is taken; another suite's is a tree whose dynamic linker is a script here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/build/hostpg.h"
#include "bench/build/suitepg.h"
#include "tests/put.h"

/* A version that a suite has and no test machine has installed. */
#define VERSION 13

#define OWN "usr/lib/postgresql/13"

static char dir[64];

static void put(const char *name, const char *text)
{
	HB_FREE char *path = hb_strf("%s/postgresql/13/tree/%s", dir, name);

	put_file(text, "%s", path);
	assert_int_equal(chmod(path, 0755), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hostpg_test.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	put(OWN "/bin/postgres", "server");
	put(OWN "/bin/initdb", "initdb");
	put(OWN "/bin/pgbench", "client");
	put(OWN "/lib/plpgsql.so", "module");
	put(OWN "/libraries/ld-linux-x86-64.so.2",
	    "#!/bin/sh\n[ \"$5\" = --version ] && echo 'postgres (PostgreSQL) 13.99 (another)'\n");
	put(OWN "/libraries/libc.so.6", "library");
	put("usr/share/postgresql/13/extension/plpgsql.control", "extension");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

static void find(struct hostpg *pg)
{
	struct hb_error e = {""};

	if (hostpg_find(dir, VERSION, pg, &e))
		fail_msg("%s", e.text);
}

static void another_version_is_whole(void **state)
{
	static const char *const wanted[] = {
		"/" OWN "/bin/postgres",
		"/" OWN "/bin/pgbench",
		"/" OWN "/lib/plpgsql.so",
		"/" OWN "/libraries/ld-linux-x86-64.so.2",
		"/" OWN "/libraries/libc.so.6",
		"/usr/share/postgresql/13/extension/plpgsql.control",
	};
	struct hostpg pg;

	(void)state;
	find(&pg);
	assert_string_equal(pg.version, "13.99");
	assert_string_equal(pg.identity, "postgres (PostgreSQL) 13.99 (another)");
	assert_int_equal(pg.suite, VERSION);
	/* A variable would reach the host's programs that these start. */
	assert_null(pg.libraries);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!json_object_get(pg.files, wanted[i]))
			fail_msg("%s is not for the guest", wanted[i]);
	/* The programs' own libraries do not hide those of the agent. */
	assert_null(json_object_get(pg.files, "/usr/lib/x86_64-linux-gnu/libc.so.6"));
	hostpg_free(&pg);
}

/* What the database and the image are kept by. */
static void key_has_program_and_library(void **state)
{
	struct hostpg before, after;

	(void)state;
	find(&before);
	find(&after);
	assert_string_equal(before.hash, after.hash);
	hostpg_free(&after);
	put(OWN "/libraries/libc.so.6", "another library");
	find(&after);
	assert_string_not_equal(before.hash, after.hash);
	hostpg_free(&before);
	before = after;
	put(OWN "/bin/pgbench", "another client");
	find(&after);
	assert_string_not_equal(before.hash, after.hash);
	hostpg_free(&before);
	hostpg_free(&after);
}

static void unknown_version_is_told(void **state)
{
	static const unsigned int unknown[] = {1, 12, 14, 16, 19, 99};
	struct hb_error e = {""};
	struct hostpg pg;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		if (!hostpg_check(unknown[i], NULL))
			continue;
		assert_int_equal(hostpg_find(dir, unknown[i], &pg, &e), -EINVAL);
		assert_int_equal(suitepg_check(unknown[i], &e), -EINVAL);
		if (!strstr(e.text, "13, 15, 17, 18"))
			fail_msg("no word on what there is: %s", e.text);
	}
	assert_int_equal(hostpg_check(VERSION, &e), 0);
}

/* Damaged: what the program said instead of its version. */
static void damaged_tree_is_told(void **state)
{
	struct hb_error e = {""};
	struct hostpg pg;

	(void)state;
	put(OWN "/libraries/ld-linux-x86-64.so.2", "#!/bin/sh\nexit 1\n");
	assert_int_equal(hostpg_find(dir, VERSION, &pg, &e), -ENODEV);
	assert_non_null(strstr(e.text, "postgres --version says"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_version_is_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(key_has_program_and_library, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_version_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_tree_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
