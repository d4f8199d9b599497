// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What mode kvm makes of machines that are not here: the guest's size, where it is put, QEMU's
 * command line, how many tasks the scenarios have in it. tests/golden/topologies.txt has it;
 * HUGEBENCH_GOLDEN=1 makes it anew. Runs from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hwloc.h>

#include "bench/base/json.h"
#include "bench/build/hostqemu.h"
#include "bench/guest/vm_argv.h"
#include "bench/host/placement.h"
#include "bench/run/guest_size.h"
#include "bench/scenario/describe.h"

#define GOLDEN "tests/golden/topologies.txt"
#define GIB    (1ULL << 30)

static json_t *workloads; /* as the agent describes them */

static const struct {
	const char *what, *synthetic;
	uint64_t gib;
	unsigned int nodes; /* of the guest */
	const char *why;
} machines[] = {
	{"2 sockets, 32 cores each, SMT", "package:2 [numa] core:32 pu:2", 512, 2,
	 "each guest node is on a socket; a core per node is left to QEMU and hugebench, second "
	 "threads stay idle, for two vCPUs on a core would slow each other's critical sections"},
	{"2 sockets of 4 NUMA nodes (NPS4), 64 cores", "package:2 group:4 [numa] core:8 pu:1", 256,
	 2,
	 "a guest node is wider than one of the host: it has the cores of four, which are of one "
	 "socket; its memory is not bound, which is said before the first boot and in the report; "
	 "-o nodes=8 binds it, as below"},
	{"8 NUMA nodes of 16 cores, a guest with 8", "group:8 [numa] core:16 pu:1", 1024, 8,
	 "as many nodes as the machine has, -o nodes=8: every guest node on one of them"},
	{"128 cores, SMT, one node", "[numa] core:128 pu:2", 512, 2,
	 "two guest nodes on one of the host: nothing to bind the memory to, which is said"},
	{"192 cores, more CPUs than xAPIC has", "package:2 [numa] core:192 pu:1", 1024, 2,
	 "254 vCPUs at most: QEMU's pc machine; what is left of the cores is QEMU's and idle"},
	{"a laptop: 2 cores, 4 threads", "[numa] core:2 pu:2", 16, 2,
	 "a vCPU per core, for cores are few; so QEMU has the second threads, not a core"},
	{"a cloud machine: 4 CPUs without SMT", "[numa] core:4 pu:1", 16, 2,
	 "all CPUs have a vCPU, for one less would leave too little contention; QEMU's threads run "
	 "anywhere"},
	{"1 CPU", "[numa] core:1 pu:1", 4, 2,
	 "two vCPUs, one per guest node, on one CPU: not pinned, the scheduler does better"},
};

static void list_others(FILE *out, const struct placement *p)
{
	int n = CPU_COUNT(&p->others);

	fprintf(out, "  QEMU's other threads and hugebench:");
	for (int i = 0, seen = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &p->others) && (++seen <= 4 || seen == n))
			fprintf(out, "%s %d", seen == n && n > 4 ? " ..." : "", i);
	fprintf(out, "%s (%d CPUs)\n", n ? "" : " any", n);
}

/* A line for each option that size and place decide. */
static void list_options(FILE *out, char **argv)
{
	static const char *const shown[] = {"-accel", "-cpu", "-smp", "-m", "-numa"};

	for (; argv[0] && argv[1]; argv++) {
		bool memory = !strcmp(argv[0], "-object") && strstr(argv[1], "memory");

		for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
			if (memory || !strcmp(argv[0], shown[i])) {
				fprintf(out, "  %s %s\n", argv[0], argv[1]);
				break;
			}
	}
}

static void command_line(FILE *out, const struct guest_size *g, const struct placement *p)
{
	static const struct hostqemu qemu = {.words = {"qemu"}};
	static const int memory[VM_MAX_NODES] = {10, 11, 12, 13, 14, 15, 16, 17};
	struct vm_config c = {.mode = VM_KVM,
			      .bzimage = "/k",
			      .initramfs = "/i",
			      .console_path = "/c",
			      .vcpus = g->vcpus,
			      .nodes = g->nodes,
			      .memory = g->memory,
			      .memory_fd = memory,
			      .placement = p};
	struct vm_wiring w = {.data_fd = 7, .qmp_fd = 8, .console_fd = 9};
	struct hb_error e = {""};
	char **argv;

	memcpy(w.host_node, p->host_node, sizeof(w.host_node));
	if (vm_argv(&qemu, &c, &w, &argv, &e)) {
		fprintf(out, "  refused: %s\n", e.text);
		return;
	}
	list_options(out, argv);
	vm_argv_free(argv);
}

/* The numbers of tasks and of clients in the cells of scenario @name, each once. */
static void list_loads(FILE *out, const char *name, unsigned int vcpus)
{
	HB_FREE char *path = hb_strf("workloads/scenarios/%s.ini", name);
	json_t *seen = json_object(), *instance, *options;
	struct hb_error e = {""};
	const char *number;
	struct spec spec;
	size_t k;

	if (spec_load(path, workloads, NULL, vcpus, &spec, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < spec.ncells; i++)
		json_array_foreach (spec.cells[i].instances, k, instance) {
			json_int_t tasks = json_integer_value(json_object_get(instance, "tasks"));
			HB_FREE char *text = hb_strf("%lld", (long long)tasks);

			options = json_object_get(instance, "options");
			number = json_text(options, "clients");
			if (strcmp(json_text(instance, "role"), "antagonist"))
				json_object_set_new(seen, *number ? number : text, json_true());
		}
	fprintf(out, "  %s, tasks or clients:", name);
	json_object_foreach (seen, number, options)
		fprintf(out, " %s", number);
	fputc('\n', out);
	json_decref(seen);
	spec_free(&spec);
}

static void machine(FILE *out, size_t i)
{
	static const char *const scenarios[] = {"bench", "faults-forks", "postgres", "capacity"};

	struct spec spec = {.scenario = {.nodes = machines[i].nodes}};
	struct host_size h = {.memory = machines[i].gib * GIB, .limit = machines[i].gib * GIB};
	struct guest_size g;
	struct placement p;
	struct hb_error e = {""};
	hwloc_topology_t t;

	assert_int_equal(hwloc_topology_init(&t), 0);
	if (hwloc_topology_set_synthetic(t, machines[i].synthetic) || hwloc_topology_load(t))
		fail_msg("no topology: %s", machines[i].synthetic);
	h.cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);
	h.cpus = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
	fprintf(out, "%s, %llu GiB: %s\n", machines[i].what, (unsigned long long)machines[i].gib,
		machines[i].why);
	if (guest_size_choose(&spec, "kvm", &h, &g, &e))
		fail_msg("%s: %s", machines[i].what, e.text);
	placement_plan(t, g.vcpus, g.nodes, &p);
	fprintf(out, "  %s\n  vCPUs 0, 1, %u: CPUs %d, %d, %d\n", p.text, g.vcpus - 1, p.cpu[0],
		p.cpu[1], p.cpu[g.vcpus - 1]);
	list_others(out, &p);
	command_line(out, &g, &p);
	for (size_t k = 0; k < ARRAY_SIZE(scenarios); k++)
		list_loads(out, scenarios[k], g.vcpus);
	fputc('\n', out);
	hwloc_topology_destroy(t);
}

static void machines_that_are_not_here(void **state)
{
	HB_FREE char *want = NULL;
	char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	(void)state;
	assert_non_null(out);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		machine(out, i);
	assert_int_equal(fclose(out), 0);
	if (getenv("HUGEBENCH_GOLDEN"))
		assert_int_equal(hb_file_write_atomic(GOLDEN, got, size), 0);
	assert_int_equal(hb_file_read(GOLDEN, &want, NULL), 0);
	assert_string_equal(got, want);
	free(got);
}

static int setup(void **state)
{
	struct hb_error e = {""};

	(void)state;
	workloads = describe_agent("build/hugebench-agent", &e);
	if (!workloads)
		fail_msg("%s", e.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(workloads);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines_that_are_not_here),
	};

	return cmocka_run_group_tests_name("topology", tests, setup, teardown);
}
