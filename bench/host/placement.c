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
	snprintf(p->text, sizeof(p->text), "vCPUs not pinned: %s", why);
}

/* The @nth core of the host node @node (any core for NULL): OS index of its first usable CPU, or
 * -1. */
static int core_cpu(hwloc_topology_t t, hwloc_obj_t node, unsigned int nth)
{
	hwloc_const_cpuset_t set = node ? node->cpuset : hwloc_topology_get_topology_cpuset(t);
	hwloc_obj_t core = hwloc_get_obj_inside_cpuset_by_type(t, set, HWLOC_OBJ_CORE, nth);

	return core ? hwloc_bitmap_first(core->cpuset) : -1;
}

static unsigned int node_cores(hwloc_topology_t t, hwloc_obj_t node)
{
	int n = hwloc_get_nbobjs_inside_cpuset_by_type(t, node->cpuset, HWLOC_OBJ_CORE);

	return n > 0 ? n : 0;
}

/* Can guest node i live on host node i, with a core for each of its vCPUs? */
static bool nodes_fit(hwloc_topology_t t, unsigned int vcpus, unsigned int nodes)
{
	int host_nodes = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);

	if (nodes < 2 || host_nodes < (int)nodes)
		return false;
	for (unsigned int i = 0; i < nodes; i++)
		if (node_cores(t, hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i)) <
		    (vcpus + nodes - 1) / nodes)
			return false;
	return true;
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
	unsigned int per_node = nodes ? (vcpus + nodes - 1) / nodes : vcpus;
	bool by_node;

	placement_none(p, "");
	if (vcpus > VM_MAX_VCPUS || nodes > VM_MAX_NODES || cores < (int)vcpus) {
		snprintf(p->text, sizeof(p->text),
			 "vCPUs not pinned: %u vCPUs, the host has %d cores; memory not bound",
			 vcpus, cores < 0 ? 0 : cores);
		return;
	}
	by_node = nodes_fit(t, vcpus, nodes);
	for (unsigned int i = 0; by_node && i < nodes; i++)
		p->host_node[i] = hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i)->os_index;
	for (unsigned int i = 0; i < vcpus; i++) {
		hwloc_obj_t node =
			by_node ? hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i / per_node) : NULL;

		p->cpu[i] = core_cpu(t, node, by_node ? i % per_node : i);
	}
	snprintf(p->text, sizeof(p->text),
		 "vCPUs pinned to a core each, QEMU's other threads and hugebench %s; memory %s",
		 place_others(t, vcpus, p),
		 by_node ? "of guest node N bound to host node N"
			 : "not bound: the host has no NUMA node per guest node");
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
