// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/host/cgroup.h"
#include "bench/host/memory.h"
#include "bench/host/placement.h"
#include "bench/run/guest_size.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

#define SMALL_CPUS   8
#define LARGE_CORES  8
#define SMALL_MEMORY (32 * GIB)

#define EXACT_VCPUS  4
#define EXACT_MEMORY (4 * GIB)

int guest_size_host(struct host_size *h, struct hb_error *e)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
	struct placement_host cpus = placement_host();
	uint64_t huge;

	if (pages < 0 || page < 0)
		return hb_error_set(e, -ENODEV, "cannot read the host's memory size");
	h->memory = (uint64_t)pages * page;
	h->limit = memory_limit();
	/* Free huge pages are not part of it, and back a guest as well (memory.h). */
	if (!memory_huge_free("", &huge) && huge > h->limit)
		h->limit = huge;
	if (!cpus.cpus)
		return hb_error_set(e, -ENODEV, "cannot read the host's CPUs");
	h->cores = cgroup_cpus(cpus.cores);
	h->cpus = cgroup_cpus(cpus.cpus);
	return 0;
}

/*
 * With kvm a vCPU has a core to itself, for one that waits for a CPU, or shares a core with
 * another, shows as lock latency. A large host keeps a core per guest node for QEMU's other
 * threads.
 */
static unsigned int kvm_vcpus(const struct host_size *h, unsigned int nodes)
{
	unsigned int cores = h->cores > 1 ? h->cores : h->cpus;

	if (cores > LARGE_CORES)
		cores -= nodes;
	return cores < VM_MAX_VCPUS ? cores : VM_MAX_VCPUS;
}

/* Four vCPUs are enough to contend, also on fewer CPUs; larger hosts give half. */
static unsigned int emulated_vcpus(const struct host_size *h)
{
	unsigned int vcpus = h->cpus > SMALL_CPUS ? h->cpus / 2 : 4;

	return vcpus < 32 ? vcpus : 32;
}

/* Every node gets as many as the others. */
static unsigned int vcpus_choose(const char *mode, const struct host_size *h, unsigned int nodes)
{
	unsigned int vcpus = !strcmp(mode, "kvm") ? kvm_vcpus(h, nodes) : emulated_vcpus(h);
	return vcpus < nodes ? nodes : vcpus - vcpus % nodes;
}

/* Three quarters of what can be had, at most 8 GiB on a small host and 64 GiB on a large one, whole
 * GiB where it can be. */
static uint64_t memory_choose(const struct host_size *h)
{
	uint64_t most = h->memory <= SMALL_MEMORY ? 8 * GIB : 64 * GIB;
	uint64_t memory = h->limit / 4 * 3;

	if (memory > most)
		memory = most;
	return memory >= GIB ? memory / GIB * GIB : memory / (256 * MIB) * (256 * MIB);
}

/* Mode exact gives the same figures everywhere, so the host has no say. */
static void exact_choose(const struct spec *spec, struct guest_size *g)
{
	unsigned int vcpus = spec_is_work(spec) ? 1 : EXACT_VCPUS;

	g->vcpus = spec->scenario.vcpus ? spec->scenario.vcpus : vcpus;
	g->memory = spec->scenario.memory ? spec->scenario.memory : EXACT_MEMORY;
}

static void host_choose(const struct spec_scenario *spec, const char *mode,
			const struct host_size *h, struct guest_size *g)
{
	g->vcpus = spec->vcpus ? spec->vcpus : vcpus_choose(mode, h, g->nodes);
	g->memory = spec->memory ? spec->memory : memory_choose(h);
}

int guest_size_choose(const struct spec *spec, const char *mode, const struct host_size *h,
		      struct guest_size *g, struct hb_error *e)
{
	char wanted[32], allowed[32];

	g->nodes = spec->scenario.nodes;
	if (!strcmp(mode, "exact"))
		exact_choose(spec, g);
	else
		host_choose(&spec->scenario, mode, h, g);
	/* One vCPU of mode exact has another node: memory to migrate to. */
	if (g->vcpus % g->nodes && strcmp(mode, "exact"))
		return hb_error_set(e, -EINVAL,
				    "%u vCPUs cannot be shared out evenly to %u nodes; give "
				    "-o vcpus=N, a multiple of the nodes",
				    g->vcpus, g->nodes);
	if (g->memory > h->limit || g->memory < 512 * MIB) {
		hb_format_size(wanted, sizeof(wanted), g->memory);
		hb_format_size(allowed, sizeof(allowed), h->limit);
		return hb_error_set(
			e, -ENOMEM,
			"a guest of %s is more than the %s that this host has free for it "
			"(or less than 512 MiB); end other programs, or give -o memory=SIZE",
			wanted, allowed);
	}
	return 0;
}
