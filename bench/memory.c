// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <mntent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/memory.h"
#include "bench/placement.h"

#define SHM_DIRECTORY	"/dev/shm"
#define NAME_PREFIX	"hugebench-guest."
#define HUGE_PAGE_BYTES (2ULL << 20)
/* Small enough for a Ctrl-C to be answered while memory is being filled. */
#define FILL_BYTES	   (32ULL << 20)
#define HOST_RESERVE_BYTES (1ULL << 30)
#define MiB(bytes)	   ((unsigned long long)(bytes) >> 20)

/* A line of /proc/meminfo in bytes; 0 when it is not there. */
static uint64_t meminfo(const char *key)
{
	HB_FREE char *text = NULL;
	char *line;

	if (hb_file_read("/proc/meminfo", &text, NULL))
		return 0;
	line = strstr(text, key);
	return line ? strtoull(line + strlen(key), NULL, 10) << 10 : 0;
}

uint64_t memory_limit(void)
{
	uint64_t available = meminfo("MemAvailable:");
	uint64_t reserve = meminfo("MemTotal:") / 10;

	if (reserve < HOST_RESERVE_BYTES)
		reserve = HOST_RESERVE_BYTES;
	return available > reserve ? available - reserve : 0;
}

/*
 * Remove a file of ours whose run is gone: its lock went with it. With the lock held, so that
 * create_locked() of another run sees either no lock or no link.
 */
static bool remove_stale(int dir, const char *name)
{
	HB_CLOSE int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && !unlinkat(dir, name, 0);
}

int memory_sweep(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *entry;
	int removed = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d)))
		if (!strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) &&
		    remove_stale(dirfd(d), entry->d_name))
			removed++;
	closedir(d);
	return removed;
}

/*
 * Create and lock one file. A sweep of another run may catch it between the two and remove it:
 * then it has no link any more, and another is made. The name is ours alone: one that exists is
 * about to be removed.
 */
static int create_locked(const char *path)
{
	for (int attempt = 0; attempt < 10; attempt++) {
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		struct stat st;

		if (fd < 0 && errno != EEXIST)
			return -errno;
		if (fd < 0) {
			poll(NULL, 0, 1);
			continue;
		}
		if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st) && st.st_nlink)
			return fd;
		close(fd);
	}
	return -EAGAIN;
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
 * Have every page of a part of the file in memory and cleared. fallocate() alone would not do:
 * tmpfs clears a page when it is first touched, and that is where a host without backing memory
 * stalls.
 */
static int fill_part(int fd, uint64_t at, uint64_t bytes)
{
	void *part;
	int rc = 0;

	/* First, for it says -ENOSPC where a touch would end in SIGBUS. */
	if (fallocate(fd, 0, at, bytes))
		return -errno;
	part = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	if (part == MAP_FAILED)
		return -errno;
	/* Linux 5.14; older ones do not know it, and the pages are touched by hand. */
	if (madvise(part, bytes, MADV_POPULATE_WRITE)) {
		rc = errno == EINVAL ? 0 : -errno;
		for (uint64_t page = 0; !rc && page < bytes; page += 4096)
			((volatile char *)part)[page] = 0;
	}
	munmap(part, bytes);
	return rc;
}

static int fill(int fd, uint64_t bytes, const volatile int *interrupted)
{
	int rc = ftruncate(fd, bytes) ? -errno : 0;

	for (uint64_t at = 0; at < bytes && !rc; at += FILL_BYTES)
		rc = interrupted && *interrupted
			     ? -EINTR
			     : fill_part(fd, at, bytes - at < FILL_BYTES ? bytes - at : FILL_BYTES);
	return rc;
}

static int open_node(struct memory *m, unsigned int node, uint64_t bytes, int host_node,
		     const volatile int *interrupted)
{
	HB_FREE char *path = hb_strf("%s.%u", m->path, node);
	int rc;

	if (!path)
		return -ENOMEM;
	m->fd[node] = create_locked(path);
	if (m->fd[node] < 0)
		return m->fd[node];
	m->nodes = node + 1;
	/* Not bound to a node: the policy that the user has chosen, as by numactl, stays. */
	if (host_node >= 0)
		prefer_node(host_node);
	rc = fill(m->fd[node], bytes, interrupted);
	if (host_node >= 0)
		syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	return rc;
}

static void reset(struct memory *m)
{
	*m = (struct memory){0};
	for (unsigned int i = 0; i < VM_MAX_NODES; i++)
		m->fd[i] = -1;
}

int memory_open_at(const char *directory, const struct vm_config *c,
		   const volatile int *interrupted, struct memory *m, struct hb_error *e)
{
	static unsigned int serial;
	struct placement placement;
	int rc = 0;

	reset(m);
	memory_sweep(directory);
	placement_of_host(c->vcpus, c->nodes, &placement);
	m->path = hb_strf("%s/" NAME_PREFIX "%d.%u", directory, getpid(), serial++);
	if (!m->path)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (unsigned int n = 0; n < c->nodes && !rc; n++)
		rc = open_node(m, n, vm_node_bytes(c), placement.host_node[n], interrupted);
	if (rc) {
		memory_close(m);
		return hb_error_set(e, rc, "%llu MiB of guest memory in %s: %s", MiB(c->memory),
				    directory, strerror(-rc));
	}
	snprintf(m->text, sizeof(m->text), "%llu MiB in %s, kept between boots", MiB(c->memory),
		 directory);
	return 0;
}

/* Free 2 MiB pages of the host that nobody has reserved. */
static uint64_t free_huge_bytes(void)
{
	uint64_t available = 0, reserved = 0;

	if (hb_file_read_u64("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
			     &available) ||
	    hb_file_read_u64("/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", &reserved))
		return 0;
	return available > reserved ? (available - reserved) * HUGE_PAGE_BYTES : 0;
}

/* A hugetlbfs with 2 MiB pages that we may write to; owned by the caller, NULL: none. */
static char *hugetlbfs_directory(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	char *found = NULL;

	if (!mounts)
		return NULL;
	while (!found && (m = getmntent(mounts))) {
		struct statvfs st;

		if (!strcmp(m->mnt_type, "hugetlbfs") && !statvfs(m->mnt_dir, &st) &&
		    st.f_bsize == HUGE_PAGE_BYTES && !access(m->mnt_dir, W_OK))
			found = strdup(m->mnt_dir);
	}
	endmntent(mounts);
	return found;
}

static int open_huge(const struct vm_config *c, const volatile int *interrupted, struct memory *m)
{
	HB_FREE char *directory = NULL;
	int rc;

	if (free_huge_bytes() < c->memory)
		return -ENOSPC;
	directory = hugetlbfs_directory();
	if (!directory)
		return -ENOENT;
	rc = memory_open_at(directory, c, interrupted, m, NULL);
	m->huge = !rc;
	return rc;
}

int memory_open(const struct vm_config *c, const volatile int *interrupted, struct memory *m,
		struct hb_error *e)
{
	uint64_t limit;
	struct statvfs st;
	int rc;

	reset(m);
	rc = open_huge(c, interrupted, m);
	if (!rc || rc == -EINTR)
		return rc ? hb_error_set(e, rc, "interrupted") : 0;
	/* What a dead run left behind may be what is lacking. */
	memory_sweep(SHM_DIRECTORY);
	limit = memory_limit();
	if (c->memory > limit)
		return hb_error_set(e, -ENOSPC,
				    "%llu MiB of guest memory is more than the host can spare; "
				    "%llu MiB would do",
				    MiB(c->memory), MiB(limit));
	if (statvfs(SHM_DIRECTORY, &st) || (uint64_t)st.f_bavail * st.f_bsize < c->memory) {
		snprintf(m->text, sizeof(m->text),
			 "%llu MiB anonymous, filled at every boot: " SHM_DIRECTORY " is too small",
			 MiB(c->memory));
		return 0;
	}
	return memory_open_at(SHM_DIRECTORY, c, interrupted, m, e);
}

void memory_close(struct memory *m)
{
	for (unsigned int n = 0; n < m->nodes; n++) {
		HB_FREE char *path = hb_strf("%s.%u", m->path, n);

		if (path)
			unlink(path);
		if (m->fd[n] >= 0)
			close(m->fd[n]);
	}
	free(m->path);
	reset(m);
}
