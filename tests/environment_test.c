// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of this machine, and which of its members matter in which mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/host/environment.h"

static json_t *was, *now;

static int setup(void **state)
{
	(void)state;
	was = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:[i, i], s:{s:s, s:s}, s:{s:s}}",
			"format", ENVIRONMENT_FORMAT, "host_id", "one", "boot_id", "b1", "qemu",
			"7.2.22", "image", "feed", "host_kernel", "6.1", "agent", "a1", "vcpu_cpus",
			0, 1, "build_ids", "base", "1111", "ready", "2222", "compilers", "base",
			"gcc 12");
	now = json_deep_copy(was);
	return was && now ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(was);
	json_decref(now);
	return 0;
}

static void set(const char *key, json_t *value)
{
	json_object_set_new(now, key, value);
}

static void expect(const char *mode, enum environment_scope scope, const char *text)
{
	char *got;

	assert_int_equal(environment_difference(was, now, mode, scope, &got), 0);
	if (text)
		assert_string_equal(got, text);
	else
		assert_null(got);
	free(got);
}

static void test_alike(void **state)
{
	(void)state;
	expect("kvm", ENVIRONMENT_SITTINGS, NULL);
	set("memory_backing", json_string("a text is for readers"));
	expect("kvm", ENVIRONMENT_SITTINGS, NULL);
}

static void test_both_values_are_told(void **state)
{
	(void)state;
	set("qemu", json_string("10.0.2"));
	set("vcpu_cpus", json_pack("[i, i]", 2, 3));
	expect("emulated", ENVIRONMENT_RUNS,
	       "QEMU differs (7.2.22, 10.0.2); CPUs of the vCPUs differs ([0,1], [2,3])");
}

/* Its figures are the same on every machine. */
static void test_exact_has_no_machine(void **state)
{
	(void)state;
	set("host_id", json_string("two"));
	set("host_kernel", json_string("6.12"));
	set("boot_id", json_string("b2"));
	set("vcpu_cpus", json_pack("[i, i]", 2, 3));
	expect("exact", ENVIRONMENT_SITTINGS, NULL);
	set("image", json_string("beef"));
	expect("exact", ENVIRONMENT_SITTINGS, "guest image differs (feed, beef)");
}

/* The host's kernel is what mode native measures, and every kernel has a boot of its own. */
static void test_native_changes_kernels(void **state)
{
	(void)state;
	set("host_kernel", json_string("6.12"));
	set("boot_id", json_string("b2"));
	expect("native", ENVIRONMENT_SITTINGS, NULL);
	set("agent", json_string("a2"));
	expect("native", ENVIRONMENT_SITTINGS, "agent differs (a1, a2)");
	expect("kvm", ENVIRONMENT_RUNS, "host's kernel differs (6.1, 6.12)");
}

static void test_boot_of_the_host_is_of_a_run(void **state)
{
	(void)state;
	set("boot_id", json_string("b2"));
	expect("kvm", ENVIRONMENT_RUNS, NULL);
	expect("kvm", ENVIRONMENT_SITTINGS, "boot of the host differs (b1, b2)");
}

static void test_machines_share_a_run(void **state)
{
	(void)state;
	set("host_id", json_string("two"));
	set("boot_id", json_string("b2"));
	set("vcpu_cpus", json_pack("[i, i]", 2, 3));
	expect("kvm", ENVIRONMENT_MACHINES, NULL);
	expect("native", ENVIRONMENT_MACHINES, NULL);
	set("qemu", json_string("10.0.2"));
	expect("kvm", ENVIRONMENT_MACHINES, "QEMU differs (7.2.22, 10.0.2)");
}

/* On either side. */
static void test_absent_is_a_difference(void **state)
{
	(void)state;
	json_object_del(now, "qemu");
	set("clock", json_string("tsc"));
	expect("kvm", ENVIRONMENT_SITTINGS,
	       "host's clock differs (not known, tsc); QEMU differs (7.2.22, not known)");
	expect("exact", ENVIRONMENT_RUNS, "QEMU differs (7.2.22, not known)");
}

/* What an earlier version did not record is no difference, what it did is one. */
static void test_earlier_version(void **state)
{
	(void)state;
	json_object_del(was, "format");
	json_object_del(was, "qemu");
	json_object_del(was, "compilers");
	json_object_del(json_object_get(was, "build_ids"), "ready");
	expect("kvm", ENVIRONMENT_SITTINGS, NULL);
	set("image", json_string("beef"));
	expect("kvm", ENVIRONMENT_SITTINGS, "guest image differs (feed, beef)");
}

/* A run that no guest has run of yet, and one of blocks. */
static void test_place_is_settled_late(void **state)
{
	(void)state;
	json_object_del(now, "vcpu_cpus");
	expect("kvm", ENVIRONMENT_SITTINGS, NULL);
	expect("kvm", ENVIRONMENT_RUNS, NULL);
}

/* A run goes on with its own kernels alone; another run may be of others. */
static void test_kernels(void **state)
{
	(void)state;
	json_object_set_new(json_object_get(now, "build_ids"), "ready", json_string("3333"));
	json_object_set_new(json_object_get(now, "compilers"), "base", json_string("gcc 14"));
	json_object_set_new(json_object_get(now, "compilers"), "ready", json_string("gcc 14"));
	for (enum environment_scope s = 0; s <= ENVIRONMENT_MACHINES; s++)
		expect("exact", s,
		       s == ENVIRONMENT_RUNS
			       ? NULL
			       : "build-id of kernel ready differs (2222, 3333); compiler of "
				 "kernel base differs (gcc 12, gcc 14); compiler of kernel ready "
				 "differs (not known, gcc 14)");
}

static void test_kernels_are_added(void **state)
{
	json_t *o = environment_of_host(), *wanted = json_pack("{s:s, s:s}", "a", "1", "b", "2");

	(void)state;
	assert_int_equal(environment_add_kernel(o, "a", "1", "gcc"), 0);
	assert_int_equal(environment_add_kernel(o, "b", "2", NULL), 0);
	assert_true(json_equal(json_object_get(o, "build_ids"), wanted));
	assert_int_equal(json_object_size(json_object_get(o, "compilers")), 1);
	json_decref(wanted);
	json_decref(o);
}

static void test_news(void **state)
{
	json_t *news, *wanted;

	(void)state;
	set("qemu", json_string("10.0.2"));
	news = environment_news(was, now);
	wanted = json_pack("{s:s, s:s, s:s}", "host_id", "one", "boot_id", "b1", "qemu", "10.0.2");
	assert_true(json_equal(news, wanted));
	json_decref(wanted);
	json_decref(news);
}

static void test_this_host(void **state)
{
	static const char *const texts[] = {"cpu_model", "allowed_cpus", "host_kernel", "boot_id"};
	json_t *host = environment_of_host(), *again = environment_of_host();
	const char *id = json_string_value(json_object_get(host, "host_id"));

	(void)state;
	assert_non_null(id);
	assert_int_equal(strlen(id), 16);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_true(json_is_string(json_object_get(host, texts[i])));
	assert_true(json_integer_value(json_object_get(host, "cpus")) > 0);
	assert_true(json_integer_value(json_object_get(host, "host_memory")) > 0);
	assert_true(json_equal(host, again));
	json_decref(again);
	json_decref(host);
}

/* Where the guests' memory lies is found out, not claimed. */
static void test_guest(void **state)
{
	json_t *o = json_object(), *memory;
	struct placement p;
	struct memory m;

	(void)state;
	placement_none(&p, "for the test");
	assert_int_equal(memory_open(&p, 2, 8 << 20, NULL, &m, NULL), 0);
	assert_int_equal(environment_add_guest(o, &p, 2, &m), 0);
	assert_int_equal(json_array_size(json_object_get(o, "vcpu_cpus")), 0);
	memory = json_array_get(json_object_get(o, "guest_memory"), 1);
	assert_int_equal(json_integer_value(json_object_get(memory, "bytes")), 4 << 20);
	assert_int_equal(json_integer_value(json_object_get(memory, "page")),
			 m.huge ? 2 << 20 : 4096);
	assert_in_range(json_integer_value(json_object_get(memory, "node")) - MEMORY_SCATTERED, 0,
			64);
	p.cpu[0] = 5;
	p.cpu[1] = 6;
	assert_int_equal(environment_add_guest(o, &p, 2, &m), 0);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(o, "vcpu_cpus"), 1)), 6);
	memory_close(&m);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_alike, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_values_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exact_has_no_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(test_native_changes_kernels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boot_of_the_host_is_of_a_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_machines_share_a_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent_is_a_difference, setup, teardown),
		cmocka_unit_test_setup_teardown(test_earlier_version, setup, teardown),
		cmocka_unit_test_setup_teardown(test_place_is_settled_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernels, setup, teardown),
		cmocka_unit_test(test_kernels_are_added),
		cmocka_unit_test_setup_teardown(test_news, setup, teardown),
		cmocka_unit_test(test_this_host),
		cmocka_unit_test(test_guest),
	};

	return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
