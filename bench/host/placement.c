// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs to cores, guest nodes to host nodes, by hwloc's view of the machine. */
#include <hwloc/glibc-sched.h>
#include <string.h>

#include "bench/host/placement.h"

void placement_none(struct placement *p, const char *why)
{
	for (unsigned int i = 0; i < VM_MAX_VCPUS; i++)
		p->cpu[i] = -1;
	for (unsigned int i = 0; i < VM_MAX_NODES; i++)
		p->host_node[i] = -1;
	CPU_ZERO(&p->others);
	p->unbound = false;
	snprintf(p->text, sizeof(p->text), "vCPUs not pinned: %s", why);
}

/* The CPUs of the host nodes @first to @first + @n - 1, owned by the caller; @n = 0: of all. */
static hwloc_bitmap_t cpus_of(hwloc_topology_t t, unsigned int first, unsigned int n)
{
	hwloc_bitmap_t cpus =
		n ? hwloc_bitmap_alloc() : hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(t));

	for (unsigned int i = 0; cpus && i < n; i++)
		hwloc_bitmap_or(cpus, cpus,
				hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, first + i)->cpuset);
	return cpus;
}

/* The @nth core in @cpus: OS index of its first usable CPU, or -1. */
static int core_cpu(hwloc_topology_t t, hwloc_const_cpuset_t cpus, unsigned int nth)
{
	hwloc_obj_t core = hwloc_get_obj_inside_cpuset_by_type(t, cpus, HWLOC_OBJ_CORE, nth);

	return core ? hwloc_bitmap_first(core->cpuset) : -1;
}

/* Have every @wide host nodes, as many times as there are guest @nodes, @wanted cores? */
static bool nodes_fit(hwloc_topology_t t, unsigned int wanted, unsigned int nodes,
		      unsigned int wide)
{
	bool fit = true;

	for (unsigned int i = 0; i < nodes && fit; i++) {
		hwloc_bitmap_t cpus = cpus_of(t, i * wide, wide);

		fit = cpus && hwloc_get_nbobjs_inside_cpuset_by_type(t, cpus, HWLOC_OBJ_CORE) >=
				      (int)wanted;
		hwloc_bitmap_free(cpus);
	}
	return fit;
}

/* Of how many host nodes a guest node has its cores; 0: of any. */
static unsigned int node_width(hwloc_topology_t t, unsigned int wanted, unsigned int nodes)
{
	int all = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);
	unsigned int wide = nodes ? all / nodes : 0;

	if (nodes < 2 || all < (int)nodes)
		return 0;
	if (nodes_fit(t, wanted, nodes, 1))
		return 1;
	return nodes_fit(t, wanted, nodes, wide) ? wide : 0;
}

/* What is done with guest memory, @wide as by node_width(). */
static void memory_words(hwloc_topology_t t, unsigned int wide, char *out, size_t size)
{
	int all = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);

	if (wide == 1)
		snprintf(out, size, "memory of guest node N bound to host node N");
	else if (wide)
		snprintf(out, size,
			 "memory NOT BOUND: a guest node is on %u nodes of the host; -o nodes=%d "
			 "binds it",
			 wide, all);
	else
		snprintf(out, size, "memory not bound: %s",
			 all > 1 ? "guest nodes do not fit the host's"
				 : "the host has no NUMA node per guest node");
}

/*
 * Where QEMU's other threads run: on cores without a vCPU, else on the second threads of the vCPUs'
 * cores, else anywhere. What it is, for the record.
 */
static const char *place_others(hwloc_topology_t t, unsigned int vcpus, struct placement *p)
{
	hwloc_bitmap_t idle = hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(t));
	hwloc_bitmap_t second = hwloc_bitmap_dup(idle);
	const char *where = "anywhere";

	for (unsigned int i = 0; idle && second && i < vcpus; i++) {
		hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(t, p->cpu[i]);
		hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, pu);

		hwloc_bitmap_clr(second, p->cpu[i]);
		hwloc_bitmap_andnot(idle, idle, core ? core->cpuset : pu->cpuset);
	}
	if (idle && second && !hwloc_bitmap_iszero(second)) {
		bool cores = !hwloc_bitmap_iszero(idle);

		where = cores ? "on other cores" : "on the cores' second threads";
		hwloc_cpuset_to_glibc_sched_affinity(t, cores ? idle : second, &p->others,
						     sizeof(p->others));
	}
	hwloc_bitmap_free(idle);
	hwloc_bitmap_free(second);
	return where;
}

void placement_plan(hwloc_topology_t t, unsigned int vcpus, unsigned int nodes, struct placement *p)
{
	int cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);
	int host_nodes = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);
	unsigned int per_node = nodes ? (vcpus + nodes - 1) / nodes : vcpus, wide;
	char memory[128];

	placement_none(p, "");
	p->unbound = host_nodes > 1;
	if (vcpus > VM_MAX_VCPUS || nodes > VM_MAX_NODES || cores < (int)vcpus) {
		snprintf(p->text, sizeof(p->text),
			 "vCPUs not pinned: %u vCPUs, the host has %d core%s; memory not bound",
			 vcpus, cores < 0 ? 0 : cores, cores == 1 ? "" : "s");
		return;
	}
	wide = node_width(t, per_node, nodes);
	p->unbound = host_nodes > 1 && wide != 1;
	for (unsigned int i = 0; wide == 1 && i < nodes; i++)
		p->host_node[i] = hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i)->os_index;
	for (unsigned int i = 0; i < vcpus; i++) {
		hwloc_bitmap_t cpus = cpus_of(t, i / per_node * wide, wide);

		p->cpu[i] = cpus ? core_cpu(t, cpus, wide ? i % per_node : i) : -1;
		hwloc_bitmap_free(cpus);
	}
	memory_words(t, wide, memory, sizeof(memory));
	snprintf(p->text, sizeof(p->text),
		 "vCPUs pinned to a core each, QEMU's other threads and hugebench %s; %s",
		 place_others(t, vcpus, p), memory);
}

/* The machine as far as this process may use it (a cpuset or taskset around us); NULL: unreadable.
 */
static hwloc_topology_t load_host(void)
{
	hwloc_topology_t t;
	hwloc_bitmap_t allowed;

	if (hwloc_topology_init(&t))
		return NULL;
	if (hwloc_topology_load(t)) {
		hwloc_topology_destroy(t);
		return NULL;
	}
	allowed = hwloc_bitmap_alloc();
	if (allowed && !hwloc_get_cpubind(t, allowed, HWLOC_CPUBIND_PROCESS))
		hwloc_topology_restrict(t, allowed, 0);
	hwloc_bitmap_free(allowed);
	return t;
}

struct placement_host placement_host(void)
{
	struct placement_host h = {0};
	hwloc_topology_t t = load_host();

	if (!t)
		return h;
	h.cores = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE);
	h.cpus = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);
	hwloc_topology_destroy(t);
	return h;
}

void placement_of_host(unsigned int vcpus, unsigned int nodes, struct placement *p)
{
	hwloc_topology_t t = load_host();

	placement_none(p, "the topology cannot be read");
	if (!t)
		return;
	placement_plan(t, vcpus, nodes, p);
	hwloc_topology_destroy(t);
}

int placement_pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -EINVAL;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}
