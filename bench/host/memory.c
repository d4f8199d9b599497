// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/host/cgroup.h"
#include "bench/host/memory.h"

#define HUGE_PAGE_BYTES (2ULL << 20)
/* Small enough for a Ctrl-C to be answered while memory is being filled. */
#define FILL_BYTES	   (32ULL << 20)
#define HOST_RESERVE_BYTES (1ULL << 30)
/* Locked while a run looks at what is free and takes it: every user may open it. */
#define MACHINE_MEMORY "/sys/kernel/mm"
#define LOCK_POLL_NS   (NSEC_PER_SEC / 20)
#define MiB(bytes)     ((unsigned long long)(bytes) >> 20)

/* A line of /proc/meminfo in bytes; 0 when it is not there. */
static uint64_t meminfo(const char *key)
{
	uint64_t kib;

	return hb_file_number("/proc/meminfo", key, &kib) ? 0 : kib << 10;
}

uint64_t memory_available(void)
{
	uint64_t available = meminfo("MemAvailable");
	struct cgroup c;

	cgroup_own(&c);
	return available < c.memory ? available : c.memory;
}

uint64_t memory_limit(void)
{
	uint64_t available = memory_available();
	uint64_t reserve = meminfo("MemTotal") / 10;

	if (reserve < HOST_RESERVE_BYTES)
		reserve = HOST_RESERVE_BYTES;
	return available > reserve ? available - reserve : 0;
}

/* A count of the host's pool of 2 MiB pages. */
static int pool_read(const char *root, const char *what, uint64_t *pages)
{
	HB_FREE char *path = hb_strf("%s/sys/kernel/mm/hugepages/hugepages-2048kB/%s", root, what);

	return path ? hb_file_read_u64(path, pages) : -ENOMEM;
}

int memory_huge_free(const char *root, uint64_t *bytes)
{
	uint64_t pages, reserved;
	int rc = pool_read(root, "free_hugepages", &pages)
			 ?: pool_read(root, "resv_hugepages", &reserved);

	*bytes = rc || reserved > pages ? 0 : (pages - reserved) * HUGE_PAGE_BYTES;
	return rc;
}

uint64_t memory_slowest_ns(uint64_t bytes)
{
	return (bytes >> 20) * 15 * NSEC_PER_SEC / 1024;
}

uint64_t memory_node_bytes(uint64_t bytes, unsigned int nodes)
{
	return bytes / nodes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
}

/* Prefer host node @node for what this thread allocates. */
static void prefer_node(unsigned int node)
{
	unsigned long mask = 0;

	if (node >= sizeof(mask) * 8)
		return;
	mask = 1UL << node;
	/* Only a preference: where it cannot be had, the memory is still good. */
	syscall(SYS_set_mempolicy, MPOL_PREFERRED, &mask, sizeof(mask) * 8 + 1);
}

/*
 * Where the part of guest node @node lies, asked every 2 MiB: move_pages(2) without nodes tells it.
 * @wanted: the host node it should be on, -1: none.
 */
static void look(struct memory *m, unsigned int node, char *part, uint64_t bytes, int wanted)
{
	int *lies_on = &m->lies_on[node];

	for (uint64_t at = 0; at < bytes; at += HUGE_PAGE_BYTES) {
		void *page = part + at;
		int status;

		if (syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0) || status < 0)
			continue;
		if (*lies_on == MEMORY_UNKNOWN)
			*lies_on = status;
		else if (*lies_on != status)
			*lies_on = MEMORY_SCATTERED;
		m->looked_at += wanted >= 0;
		m->elsewhere += wanted >= 0 && status != wanted;
	}
}

/*
 * Have every page of a part of the file in memory and cleared. fallocate() alone would not do:
 * tmpfs clears a page when it is first touched, and that is where a host without backing memory
 * stalls.
 */
static int fill_part(struct memory *m, unsigned int node, uint64_t at, uint64_t bytes,
		     int host_node)
{
	int fd = m->fd[node], rc = 0;
	void *part;

	/* First, for it says -ENOSPC where a touch would end in SIGBUS. */
	if (fallocate(fd, 0, at, bytes))
		return -errno;
	part = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	if (part == MAP_FAILED)
		return -errno;
	/* Heeded where the host's shmem_enabled says "advise" (transhuge.rst). */
	madvise(part, bytes, MADV_HUGEPAGE);
	/* Linux 5.14; older ones do not know it, and the pages are touched by hand. */
	if (madvise(part, bytes, MADV_POPULATE_WRITE)) {
		rc = errno == EINVAL ? 0 : -errno;
		for (uint64_t page = 0; !rc && page < bytes; page += 4096)
			((volatile char *)part)[page] = 0;
	}
	if (!rc)
		look(m, node, part, bytes, host_node);
	munmap(part, bytes);
	return rc;
}

static int fill(struct memory *m, unsigned int node, int host_node, const volatile int *interrupted)
{
	uint64_t bytes = m->node_bytes;
	int rc = ftruncate(m->fd[node], bytes) ? -errno : 0;

	for (uint64_t at = 0; at < bytes && !rc; at += FILL_BYTES)
		rc = interrupted && *interrupted
			     ? -EINTR
			     : fill_part(m, node, at,
					 bytes - at < FILL_BYTES ? bytes - at : FILL_BYTES,
					 host_node);
	return rc;
}

static int open_node(struct memory *m, unsigned int node, int host_node,
		     const volatile int *interrupted)
{
	int rc;

	m->fd[node] = memfd_create("hugebench-guest",
				   MFD_CLOEXEC | (m->huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	if (m->fd[node] < 0)
		return -errno;
	m->nodes = node + 1;
	m->lies_on[node] = MEMORY_UNKNOWN;
	/* Not bound to a node: the policy that the user has chosen, as by numactl, stays. */
	if (host_node >= 0)
		prefer_node(host_node);
	rc = fill(m, node, host_node, interrupted);
	if (host_node >= 0)
		syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	return rc;
}

static void describe(struct memory *m, uint64_t bytes)
{
	HB_FREE char *nodes =
		m->looked_at ? hb_strf("; %u of %u places looked at lie on the node asked for",
				       m->looked_at - m->elsewhere, m->looked_at)
			     : strdup("");

	snprintf(m->text, sizeof(m->text), "%llu MiB of host %s, kept between boots%s", MiB(bytes),
		 m->huge ? "2 MiB pages"
			 : "4 KiB pages, or transparent huge pages where the host gives such",
		 nodes ? nodes : "");
}

static int open_nodes(const struct placement *p, unsigned int nodes, uint64_t bytes, bool huge,
		      const volatile int *interrupted, struct memory *m)
{
	int rc = 0;

	*m = (struct memory){.huge = huge, .node_bytes = memory_node_bytes(bytes, nodes)};
	for (unsigned int n = 0; n < nodes && !rc; n++)
		rc = open_node(m, n, p->host_node[n], interrupted);
	if (rc)
		memory_close(m);
	else
		describe(m, bytes);
	return rc;
}

/*
 * One run at a time: two that look at the same free memory would take it twice. The descriptor of
 * the lock; -1 where there is none to be had, and the run goes on without; -EINTR.
 */
static int machine_lock(const volatile int *interrupted)
{
	int fd = open(MACHINE_MEMORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		if (interrupted && *interrupted) {
			close(fd);
			return -EINTR;
		}
		hb_sleep_until_ns(hb_now_ns() + LOCK_POLL_NS);
	}
	return fd;
}

static int open_alone(const struct placement *p, unsigned int nodes, uint64_t bytes,
		      const volatile int *interrupted, struct memory *m, struct hb_error *e)
{
	uint64_t limit, huge;
	int rc = -ENOSPC;

	if (!memory_huge_free("", &huge) && huge >= bytes)
		rc = open_nodes(p, nodes, bytes, true, interrupted, m);
	if (!rc)
		return 0;
	limit = memory_limit();
	if (bytes > limit)
		return hb_error_set(e, -ENOSPC,
				    "%llu MiB of guest memory is more than the host can spare; "
				    "%llu MiB would do",
				    MiB(bytes), MiB(limit));
	rc = open_nodes(p, nodes, bytes, false, interrupted, m);
	return rc ? hb_error_set(e, rc, "%llu MiB of guest memory: %s", MiB(bytes), strerror(-rc))
		  : 0;
}

int memory_open(const struct placement *p, unsigned int nodes, uint64_t bytes,
		const volatile int *interrupted, struct memory *m, struct hb_error *e)
{
	HB_CLOSE int lock = machine_lock(interrupted);

	*m = (struct memory){0};
	if (lock == -EINTR)
		return hb_error_set(e, -EINTR, "%llu MiB of guest memory: %s", MiB(bytes),
				    strerror(EINTR));
	return open_alone(p, nodes, bytes, interrupted, m, e);
}

void memory_close(struct memory *m)
{
	for (unsigned int n = 0; n < m->nodes; n++)
		close(m->fd[n]);
	*m = (struct memory){0};
}

uint64_t memory_page(const struct memory *m)
{
	return m->huge ? HUGE_PAGE_BYTES : (uint64_t)sysconf(_SC_PAGESIZE);
}
