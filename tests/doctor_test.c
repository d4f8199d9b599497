// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings in a tree of our own, and placement on machines that hwloc makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/run/doctor.h"
#include "bench/host/placement.h"
#include "tests/put.h"

static char root[32];
static json_t *rows;

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/doctor_test.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(rows);
	rows = NULL;
	return hb_remove_all(root);
}

static void put(const char *file, const char *text)
{
	put_file(text, "%s%s", root, file);
}

static void check(void)
{
	json_decref(rows);
	rows = doctor_check_settings(root);
	assert_non_null(rows);
}

/* The row of @name, or NULL. */
static json_t *row(const char *name)
{
	size_t i;
	json_t *r;

	json_array_foreach (rows, i, r)
		if (!strcmp(json_string_value(json_object_get(r, "check")), name))
			return r;
	return NULL;
}

static void expect(const char *name, const char *state, const char *mend)
{
	json_t *r = row(name);

	if (!r)
		fail_msg("no row \"%s\"", name);
	assert_string_equal(json_string_value(json_object_get(r, "state")), state);
	assert_non_null(strstr(json_string_value(json_object_get(r, "mend")), mend));
}

static void test_what_is_not_there_has_no_row(void **state)
{
	(void)state;
	check();
	assert_int_equal(json_array_size(rows), 0);
}

static void test_noisy_host(void **state)
{
	(void)state;
	put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
	put("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
	put("/sys/devices/system/cpu/smt/active", "1\n");
	put("/proc/sys/kernel/numa_balancing", "1\n");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
	put("/sys/kernel/mm/ksm/run", "1\n");
	put("/proc/loadavg", "9999.00 1.00 1.00 1/100 1\n");
	put("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
	put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "3\n");
	check();
	expect("cpu governor", "warn", "scaling_governor");
	expect("turbo", "warn", "no_turbo");
	expect("SMT", "note", "smt/control");
	expect("NUMA balancing", "warn", "kernel.numa_balancing=0");
	expect("transparent huge pages", "note", "madvise");
	expect("KSM", "warn", "ksm/run");
	expect("load", "warn", "ps ");
	expect("swap", "note", "swapoff");
	expect("clocksource", "warn", "");
	expect("host huge pages", "note", "nr_hugepages");
}

static void test_quiet_host(void **state)
{
	size_t i;
	json_t *r;

	(void)state;
	put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
	put("/sys/devices/system/cpu/cpufreq/boost", "0\n");
	put("/sys/devices/system/cpu/smt/active", "0\n");
	put("/proc/sys/kernel/numa_balancing", "0\n");
	put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
	put("/sys/kernel/mm/ksm/run", "0\n");
	put("/proc/loadavg", "0.05 0.05 0.05 1/100 1\n");
	put("/proc/swaps", "Filename Type Size Used Priority\n");
	put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "511\n");
	check();
	assert_int_equal(json_array_size(rows), 10);
	json_array_foreach (rows, i, r) {
		assert_string_equal(json_string_value(json_object_get(r, "state")), "ok");
		assert_string_equal(json_string_value(json_object_get(r, "mend")), "");
	}
}

static void test_boost_of_other_drivers(void **state)
{
	(void)state;
	put("/sys/devices/system/cpu/cpufreq/boost", "1\n");
	check();
	expect("turbo", "warn", "cpufreq/boost");
}

/* The real host: what run.json gets. */
static void test_host(void **state)
{
	char *xml = hb_strf("%s/topology.xml", root), *text = NULL;
	json_t *host = doctor_host(xml);

	(void)state;
	assert_non_null(host);
	assert_true(json_array_size(json_object_get(host, "doctor")) > 0);
	assert_string_equal(json_string_value(json_object_get(host, "topology_file")),
			    "topology.xml");
	assert_int_equal(hb_file_read(xml, &text, NULL), 0);
	assert_non_null(strstr(text, "<topology"));
	free(text);
	free(xml);
	json_decref(host);
}

static struct placement plan_on(const char *machine, unsigned int vcpus, unsigned int nodes)
{
	hwloc_topology_t t;
	struct placement p;

	assert_int_equal(hwloc_topology_init(&t), 0);
	assert_int_equal(hwloc_topology_set_synthetic(t, machine), 0);
	assert_int_equal(hwloc_topology_load(t), 0);
	placement_plan(t, vcpus, nodes, &p);
	hwloc_topology_destroy(t);
	return p;
}

static void test_two_host_nodes(void **state)
{
	/* 2 nodes of 4 cores with 2 threads: CPUs 0-7 and 8-15 */
	struct placement p = plan_on("node:2 core:4 pu:2", 4, 2);

	(void)state;
	assert_int_equal(p.cpu[0], 0);
	assert_int_equal(p.cpu[1], 2);
	assert_int_equal(p.cpu[2], 8);
	assert_int_equal(p.cpu[3], 10);
	assert_int_equal(p.host_node[0], 0);
	assert_int_equal(p.host_node[1], 1);
	assert_non_null(strstr(p.text, "bound to host node"));
}

static void test_one_host_node(void **state)
{
	struct placement p = plan_on("node:1 core:4 pu:2", 4, 2);

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(p.cpu[i], 2 * i);
	assert_int_equal(p.host_node[0], -1);
	assert_non_null(strstr(p.text, "not bound"));
}

/* Hardware threads do not count: two vCPUs on one core slow each other down. */
static void test_too_few_cores(void **state)
{
	struct placement p = plan_on("node:1 core:2 pu:2", 4, 2);

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(p.cpu[i], -1);
	assert_non_null(strstr(p.text, "4 vCPUs, the host has 2 cores"));
}

static void test_nodes_too_small(void **state)
{
	/* Six vCPUs of a guest node do not fit into four cores, but into those of two nodes. */
	struct placement p = plan_on("node:4 core:4 pu:1", 12, 2);

	(void)state;
	assert_int_equal(p.host_node[0], -1);
	assert_true(p.unbound);
	assert_int_equal(p.cpu[5], 5);
	assert_int_equal(p.cpu[6], 8);
	assert_int_equal(p.cpu[11], 13);
}

/* What a guest of the size chosen by default gets on machines of many kinds. */
static void test_machines(void **state)
{
	static const struct {
		const char *machine; /* as hwloc's synthetic topologies are written */
		unsigned int vcpus, nodes;
		int last_cpu, node1, others;
		const char *text;
	} rows[] = {
		/* two sockets of 32 cores, two threads each: a core per node is left over */
		{"node:2 core:32 pu:2", 62, 2, 124, 1, 4, "on other cores; memory of"},
		/* eight nodes (NPS4, sub-NUMA clusters) of eight cores: a guest node has four of
		 * them, which are of one socket */
		{"pack:2 node:4 core:8 pu:2", 62, 2, 124, -1, 4, "NOT BOUND"},
		/* the same with a guest node per host node */
		{"pack:2 node:4 core:8 pu:2", 56, 8, 124, 1, 16, "on other cores; memory of"},
		/* 128 cores, 256 CPUs: more than an APIC id of 8 bits counts */
		{"node:2 core:64 pu:2", 126, 2, 252, 1, 4, "on other cores; memory of"},
		/* two cores with two threads: the second threads are QEMU's */
		{"node:1 core:2 pu:2", 2, 2, 2, -1, 2, "second threads"},
		/* a laptop */
		{"node:1 core:8 pu:2", 8, 2, 14, -1, 8, "second threads"},
		/* a cloud machine that shows four CPUs as cores */
		{"node:1 core:4 pu:1", 4, 2, 3, -1, 0, "anywhere"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct placement p = plan_on(rows[i].machine, rows[i].vcpus, rows[i].nodes);

		if (p.cpu[rows[i].vcpus - 1] != rows[i].last_cpu ||
		    p.host_node[1] != rows[i].node1 || CPU_COUNT(&p.others) != rows[i].others ||
		    !strstr(p.text, rows[i].text))
			fail_msg("%s: last vCPU on %d, node 1 on %d, %d other CPUs; %s",
				 rows[i].machine, p.cpu[rows[i].vcpus - 1], p.host_node[1],
				 CPU_COUNT(&p.others), p.text);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_what_is_not_there_has_no_row),
		T(test_noisy_host),
		T(test_quiet_host),
		T(test_boost_of_other_drivers),
		T(test_host),
		T(test_two_host_nodes),
		T(test_one_host_node),
		T(test_too_few_cores),
		T(test_nodes_too_small),
		T(test_machines),
	};

	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
