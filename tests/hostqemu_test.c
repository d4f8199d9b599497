// SPDX-License-Identifier: GPL-2.0-or-later
/* Which QEMU is taken; the ones here are scripts that say a version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/build/hostqemu.h"
#include "tests/put.h"

static char dir[64];
static char *old_path;

/* The script DIR/@name, which prints @text. */
static void put(const char *name, const char *text)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);
	HB_FREE char *script = hb_strf("#!/bin/sh\necho '%s'\n", text);

	put_file(script, "%s", path);
	assert_int_equal(chmod(path, 0755), 0);
}

static int setup(void **state)
{
	HB_FREE char *env = NULL, *path = NULL;

	(void)state;
	strcpy(dir, "/tmp/hostqemu_test.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	/* With env, which starts what is unpacked, and without a QEMU of this machine. */
	put("bin/unused", "");
	env = hb_strf("%s/bin/env", dir);
	path = hb_strf("%s/bin", dir);
	if (symlink("/usr/bin/env", env))
		return -1;
	old_path = strdup(getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("XDG_CACHE_HOME", dir, 1);
	unsetenv("QEMU");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	setenv("PATH", old_path, 1);
	free(old_path);
	return hb_remove_all(dir);
}

#define HOST	 "bin/qemu-system-x86_64"
#define UNPACKED "hugebench/qemu/root/usr/bin/qemu-system-x86_64"

/* The one that is found now has @version, and the reason says @why. */
static void expect(const char *version, const char *why)
{
	struct hb_error e = {""};
	struct hostqemu q;

	if (hostqemu_look(&q, &e))
		fail_msg("%s", e.text);
	assert_string_equal(q.version, version);
	if (!strstr(q.reason, why))
		fail_msg("\"%s\" is not in the reason: %s", why, q.reason);
	hostqemu_free(&q);
}

static void expect_none(const char *why)
{
	struct hb_error e = {""};
	struct hostqemu q;

	assert_int_equal(hostqemu_look(&q, &e), -ENODEV);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" is not in the message: %s", why, e.text);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(qemu_number("7.2.22"), QEMU_NUMBER(7, 2));
	assert_true(qemu_number("10.0.2") > qemu_number("9.2"));
	assert_int_equal(qemu_number("unknown"), 0);
	assert_int_equal(qemu_number(NULL), 0);
}

static void test_doubt(void **state)
{
	HB_FREE char *old = qemu_doubt("7.2.22");

	(void)state;
	assert_non_null(strstr(old, "QEMU 7.2.22"));
	assert_null(qemu_doubt("8.2.0"));
	assert_null(qemu_doubt("unknown"));
}

static void test_the_hosts_is_taken_when_late(void **state)
{
	(void)state;
	put(HOST, "QEMU emulator version 8.2.2 (Debian 1:8.2.2)");
	put(UNPACKED, "QEMU emulator version 10.0.2 (Debian 1:10.0.2)");
	expect("8.2.2", "the host's");
}

static void test_an_old_one_gives_way(void **state)
{
	struct hostqemu q;
	HB_FREE char *program = hb_strf("%s/" UNPACKED, dir);

	(void)state;
	put(HOST, "QEMU emulator version 7.2.22 (Debian 1:7.2)");
	put(UNPACKED, "QEMU emulator version 10.0.2 (Debian 1:10.0.2)");
	expect("10.0.2", "the host's 7.2.22");
	assert_int_equal(hostqemu_look(&q, NULL), 0);
	assert_string_equal(q.words[0], "env");
	assert_string_equal(q.words[2], program);
	assert_int_equal(q.number, QEMU_NUMBER(10, 0));
	hostqemu_free(&q);
}

static void test_an_old_one_is_better_than_none(void **state)
{
	(void)state;
	put(HOST, "QEMU emulator version 7.2.22");
	expect("7.2.22", "not fetched yet");
	/* Libraries of it are gone, say. */
	put(UNPACKED, "cannot open shared object file");
	expect("7.2.22", "not fetched yet");
}

static void test_none_at_all(void **state)
{
	(void)state;
	expect_none("apt-get install qemu-system-x86");
}

static void test_named_by_the_environment(void **state)
{
	HB_FREE char *mine = hb_strf("%s/mine", dir);

	(void)state;
	put(HOST, "QEMU emulator version 9.0.0");
	put("mine", "QEMU emulator version 7.2.0");
	setenv("QEMU", mine, 1);
	expect("7.2.0", "QEMU= names it");
	put("mine", "something else 1.0");
	expect_none("something else");
	setenv("QEMU", "/nowhere/qemu", 1);
	expect_none("QEMU=/nowhere/qemu");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_numbers),
		T(test_doubt),
		T(test_the_hosts_is_taken_when_late),
		T(test_an_old_one_gives_way),
		T(test_an_old_one_is_better_than_none),
		T(test_none_at_all),
		T(test_named_by_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
