// SPDX-License-Identifier: GPL-2.0-or-later
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/units.h"
#include "bench/size.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

#define SMALL_CPUS   8
#define SMALL_MEMORY (32 * GIB)
/* QEMU itself, page tables of the mapping, and the host's own life. */
#define HEADROOM GIB

/* "MemAvailable:   23117 kB" in /proc/meminfo: bytes, or a plain count. */
static int meminfo(const char *text, const char *key, uint64_t *value)
{
	HB_FREE char *line = hb_strf("\n%s:", key);
	const char *at = line ? strstr(text, line) : NULL;
	char *end;

	if (!at)
		return -ENOENT;
	at += strlen(line);
	*value = strtoull(at, &end, 10);
	if (!strncmp(end, " kB", 3))
		*value <<= 10;
	return end == at ? -EPROTO : 0;
}

int size_host(struct host_size *h, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	uint64_t pages = 0, page = 0;
	cpu_set_t cpus;
	int rc = hb_file_read("/proc/meminfo", &text, NULL);
	HB_FREE char *lines = rc ? NULL : hb_strf("\n%s", text);

	if (!rc && !lines)
		rc = -ENOMEM;
	if (!rc)
		rc = meminfo(lines, "MemTotal", &h->memory);
	if (!rc)
		rc = meminfo(lines, "MemAvailable", &h->available);
	if (rc)
		return hb_error_set(e, rc, "cannot read the memory sizes in /proc/meminfo: %s",
				    strerror(-rc));
	/* Absent without hugetlb in the host's kernel: no huge pages then. */
	if (meminfo(lines, "HugePages_Free", &pages) || meminfo(lines, "Hugepagesize", &page))
		pages = 0;
	h->huge_free = pages * page;
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return hb_error_set(e, -errno, "cannot read this process's CPUs: %s",
				    strerror(errno));
	h->cpus = CPU_COUNT(&cpus);
	return 0;
}

/*
 * Four vCPUs are enough to contend; an emulated guest gets them on fewer CPUs too, while kvm never
 * has more vCPUs than CPUs (a vCPU that waits for a CPU shows as lock latency). Larger hosts give
 * half.
 */
static unsigned int vcpus_choose(const char *mode, const struct host_size *h, unsigned int nodes)
{
	unsigned int vcpus = h->cpus > SMALL_CPUS ? h->cpus / 2 : 4;

	if (!strcmp(mode, "exact"))
		return 1;
	if (vcpus > 32)
		vcpus = 32;
	if (!strcmp(mode, "kvm") && vcpus > h->cpus)
		vcpus = h->cpus;
	if (vcpus < 2)
		vcpus = 2;
	return vcpus < nodes ? nodes : vcpus;
}

/* Half of what is free, at most 8 GiB on a small host and 64 GiB on a large one, whole GiB where it
 * can be. */
static uint64_t memory_choose(const struct host_size *h)
{
	uint64_t most = h->memory <= SMALL_MEMORY ? 8 * GIB : 64 * GIB;
	uint64_t memory = (h->available + h->huge_free) / 2;

	if (memory > most)
		memory = most;
	return memory >= GIB ? memory / GIB * GIB : memory / (256 * MIB) * (256 * MIB);
}

int size_guest(const struct spec_scenario *spec, const char *mode, const struct host_size *h,
	       struct guest_size *g, struct hb_error *e)
{
	uint64_t most =
		h->available + h->huge_free > HEADROOM ? h->available + h->huge_free - HEADROOM : 0;
	char wanted[32], allowed[32];

	g->nodes = strcmp(mode, "exact") ? spec->nodes : 1;
	g->vcpus = spec->vcpus ? spec->vcpus : vcpus_choose(mode, h, g->nodes);
	g->memory = spec->memory ? spec->memory : memory_choose(h);
	if (g->vcpus < g->nodes)
		return hb_error_set(e, -EINVAL, "%u vCPUs cannot fill %u nodes", g->vcpus,
				    g->nodes);
	if (g->memory > most || g->memory < 512 * MIB) {
		hb_format_size(wanted, sizeof(wanted), g->memory);
		hb_format_size(allowed, sizeof(allowed), most);
		return hb_error_set(
			e, -ENOMEM,
			"a guest of %s is more than the %s that this host has free for it "
			"(or less than 512 MiB); end other programs, or give -o memory=SIZE",
			wanted, allowed);
	}
	return 0;
}
