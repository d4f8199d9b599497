/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host core a vCPU runs on and which host NUMA node backs a guest's. Pinning needs a core
 * (not merely a hardware thread) for every vCPU: with fewer, vCPUs would only hinder each other,
 * and the scheduler does better.
 */
#ifndef HB_PLACEMENT_H
#define HB_PLACEMENT_H

#include <hwloc.h>
#include <sched.h>
#include <sys/types.h>

#include "bench/base/util.h"

#define VM_MAX_NODES 8
#define VM_MAX_VCPUS 254 /* QEMU's pc machine takes 255 */

struct placement {
	int cpu[VM_MAX_VCPUS];	     /* host CPU (OS index) of each vCPU; -1: not pinned */
	int host_node[VM_MAX_NODES]; /* host NUMA node (OS index) of each guest node; -1: not bound
				      */
	cpu_set_t others; /* host CPUs of QEMU's other threads and hugebench; empty: any */
	bool unbound;	  /* the host has several nodes, and guest memory lies on any of them */
	char text[256];	  /* for the record: what was done, or why not */
};

struct placement_host {
	unsigned int cores, cpus; /* that this process may use */
};

/*
 * Plan for @vcpus and @nodes on @topology. vCPUs of one guest node go to cores of one host node,
 * and where these have too few of several that no other guest node has, its memory then unbound.
 * Never fails: what is not possible is left out and said in text.
 */
void placement_plan(hwloc_topology_t topology, unsigned int vcpus, unsigned int nodes,
		    struct placement *p);
/* Cores and CPUs of this machine, as placement_of_host() would use them; zeros when unreadable. */
struct placement_host placement_host(void);
/* placement_plan() on the topology of this machine, restricted to the CPUs this process may use. */
void placement_of_host(unsigned int vcpus, unsigned int nodes, struct placement *p);
/* No vCPU pinned, no memory bound, for the reason @why. */
void placement_none(struct placement *p, const char *why);
/* Bind host thread @tid to host CPU @cpu. */
int placement_pin(pid_t tid, int cpu);

#endif
