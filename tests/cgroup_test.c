// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits of control groups, from trees that look like those of both versions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/base/util.h"
#include "bench/host/cgroup.h"
#include "tests/put.h"

#define MIB (1ULL << 20)

static char top[] = "/tmp/hugebench-cgroup-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(top);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(top);
}

static void put(const char *group, const char *file, const char *text)
{
	put_file(text, "%s/%s/%s", top, group, file);
}

static void begin(void)
{
	assert_int_equal(hb_remove_all(top), 0);
	assert_int_equal(hb_mkdir_all(top), 0);
}

/* The narrowest of a group and those above it; what holds caches is had too. */
static void test_version_2(void **state)
{
	struct cgroup c;

	(void)state;
	begin();
	put("a", "memory.max", "4294967296\n");
	put("a", "memory.current", "1073741824\n");
	put("a", "memory.stat", "anon 1\ninactive_file 536870912\nactive_file 7\n");
	put("a", "cpu.max", "max 100000\n");
	put("a/b", "memory.max", "max\n");
	put("a/b", "memory.current", "99\n");
	put("a/b", "cpu.max", "150000 100000\n");
	cgroup_read(top, "0::/a/b\n", &c);
	assert_int_equal(c.memory, 3584 * MIB);
	assert_true(c.cpus == 1.5);
	cgroup_read(top, "0::/a\n", &c);
	assert_true(isinf(c.cpus));
	/* inside a container the path is another one: the root is what there is */
	put(".", "memory.max", "1048576\n");
	put(".", "memory.current", "0\n");
	cgroup_read(top, "0::/somewhere/else\n", &c);
	assert_int_equal(c.memory, MIB);
}

static void test_version_1(void **state)
{
	struct cgroup c;

	(void)state;
	begin();
	put("memory/job", "memory.limit_in_bytes", "2147483648\n");
	put("memory/job", "memory.usage_in_bytes", "2147483648\n");
	put("memory/job", "memory.stat", "cache 5\ntotal_inactive_file 1048576\n");
	put("cpu,cpuacct/job", "cpu.cfs_quota_us", "-1\n");
	put("cpu/job", "cpu.cfs_quota_us", "300000\n");
	put("cpu/job", "cpu.cfs_period_us", "100000\n");
	cgroup_read(top, "9:memory:/job\n4:cpu,cpuacct:/job\n0::/\n", &c);
	assert_int_equal(c.memory, MIB);
	assert_true(c.cpus == 3);
}

static void test_none(void **state)
{
	struct cgroup c;

	(void)state;
	begin();
	put("memory", "memory.limit_in_bytes", "9223372036854771712\n");
	put("memory", "memory.usage_in_bytes", "4096\n");
	put("cpu", "cpu.cfs_quota_us", "-1\n");
	put("cpu", "cpu.cfs_period_us", "100000\n");
	cgroup_read(top, "9:memory:/\n4:cpu:/\nrubbish\n", &c);
	assert_true(c.memory > 1ULL << 60 && isinf(c.cpus));
	cgroup_read(top, "", &c);
	assert_true(c.memory == UINT64_MAX && isinf(c.cpus));
	assert_int_equal(cgroup_cpus(1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("cgroup", tests, setup, teardown);
}
