// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/hugetlb.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "bench/base/restore.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
/* Size encoding of memfd_create(), mmap() and shmget(): log2 of the page size from bit 26. */
#define HUGE_SHIFT 26

#define SYS_POOLS  "/sys/kernel/mm/hugepages"
#define GROW_TRIES 3
/* Of a guest's available memory: without any, its kernel kills all there is and panics. */
#define GUEST_KEEPS ((uint64_t)64 << 20)

const char *const hugetlb_kinds[] = {
	[HUGETLB_FILE] = "hugetlbfs", [HUGETLB_MEMFD] = "memfd", [HUGETLB_SHM] = "shm", NULL};
const char *const hugetlb_needs[] = {"CONFIG_HUGETLBFS", NULL};

uint64_t hugetlb_default_page(void)
{
	uint64_t kb;

	return hb_file_number("/proc/meminfo", "Hugepagesize", &kb) ? 0 : kb << 10;
}

json_t *hugetlb_sizes(void)
{
	json_t *sizes = json_array();
	struct dirent *d;
	DIR *dir = opendir(SYS_POOLS);

	while (dir && (d = readdir(dir))) {
		json_int_t kb;

		if (sscanf(d->d_name, "hugepages-%lldkB", &kb) == 1)
			json_array_append_new(sizes, json_pack("{s:I}", "bytes", kb << 10));
	}
	if (dir)
		closedir(dir);
	return sizes;
}

/* One counter of the pool: of node @node, or of the whole system for -1. 0 when there is none. */
static uint64_t pool_value(uint64_t page, int node, const char *name)
{
	HB_FREE char *path = NULL;
	uint64_t v = 0;

	if (node < 0)
		path = hb_strf(SYS_POOLS "/hugepages-%" PRIu64 "kB/%s", page >> 10, name);
	else
		path = hb_strf("/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64
			       "kB/%s",
			       node, page >> 10, name);
	if (path)
		hb_file_read_u64(path, &v);
	return v;
}

static void counters_read(uint64_t page, int node, struct hugetlb_counters *c)
{
	c->total = pool_value(page, node, "nr_hugepages");
	c->free = pool_value(page, node, "free_hugepages");
	c->surplus = pool_value(page, node, "surplus_hugepages");
	c->reserved = node < 0 ? pool_value(page, node, "resv_hugepages") : 0;
}

int hugetlb_pool_read(uint64_t page, struct hugetlb_pool *p, struct hb_error *e)
{
	HB_FREE char *path = hb_strf(SYS_POOLS "/hugepages-%" PRIu64 "kB", page >> 10);
	int last = numa_available() < 0 ? -1 : numa_max_node();

	memset(p, 0, sizeof(*p));
	if (!path)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (!page || access(path, R_OK))
		return hb_error_set(e, -ENOENT,
				    "the kernel has no huge pages of %" PRIu64
				    " KiB (CONFIG_HUGETLBFS, or the CPU)",
				    page >> 10);
	p->page = page;
	counters_read(page, -1, &p->all);
	p->nnodes = last < HUGETLB_NODES ? last + 1 : HUGETLB_NODES;
	for (int n = 0; n <= last && n < HUGETLB_NODES; n++)
		counters_read(page, n, &p->node[n]);
	return 0;
}

static bool node_usable(int node)
{
	return numa_available() >= 0 && numa_bitmask_isbitset(numa_all_nodes_ptr, node);
}

static unsigned int nodes_usable(void)
{
	unsigned int n = 0;

	for (int i = 0; numa_available() >= 0 && i <= numa_max_node() && i < HUGETLB_NODES; i++)
		n += node_usable(i);
	return n;
}

/* Set one pool; what the kernel could not find is asked for again after it tidied its memory. */
static int pool_set(const char *path, uint64_t want, const char *note, struct hb_error *e)
{
	char value[32];
	uint64_t have;
	int rc;

	/* Before the note: what cannot be changed need not be put back. */
	if (access(path, W_OK))
		return hb_error_set(e, -errno, "%s cannot be changed: %s", path, strerror(errno));
	if (note && (rc = restore_note(note, path, e)))
		return rc;
	snprintf(value, sizeof(value), "%" PRIu64, want);
	for (int i = 0; i < GROW_TRIES; i++) {
		rc = hb_file_write(path, value);
		if (!rc)
			rc = hb_file_read_u64(path, &have);
		if (rc)
			return hb_error_set(e, rc, "%s: %s", path, strerror(-rc));
		if (have >= want)
			return 0;
		/* Best effort: either file may be missing. A host's caches are not ours to drop. */
		if (!note)
			hb_file_write("/proc/sys/vm/drop_caches", "1");
		hb_file_write("/proc/sys/vm/compact_memory", "1");
	}
	return hb_error_set(e, -ENOMEM,
			    "%s: wanted %" PRIu64 " huge pages, got %" PRIu64
			    "; give more memory or a smaller size",
			    path, want, have);
}

int hugetlb_may_take(uint64_t page, uint64_t pages, uint64_t available, bool native,
		     struct hb_error *e)
{
	uint64_t keeps = native ? available / 2 : GUEST_KEEPS;

	if (available > keeps && pages <= (available - keeps) / page)
		return 0;
	if (native)
		return hb_error_set(
			e, -ENOMEM,
			"%" PRIu64 " huge pages of %" PRIu64
			" KiB are more than half of this machine's available memory (%" PRIu64
			" MiB): give a smaller size, or enlarge the pool yourself",
			pages, page >> 10, available >> 20);
	return hb_error_set(e, -ENOMEM,
			    "%" PRIu64 " huge pages of %" PRIu64
			    " KiB are too many for the guest: %" PRIu64 " MiB of its memory are "
			    "available; give more memory or a smaller size",
			    pages, page >> 10, available >> 20);
}

static int check_spare(uint64_t page, uint64_t pages, bool native, struct hb_error *e)
{
	uint64_t kib;
	int rc = hb_file_number("/proc/meminfo", "MemAvailable", &kib);

	if (rc)
		return hb_error_set(e, rc, "/proc/meminfo: %s", strerror(-rc));
	return hugetlb_may_take(page, pages, kib << 10, native, e);
}

/* Pages that one pool lacks. Those that somebody else holds are not ours to use. */
static uint64_t lacks(const struct hugetlb_counters *c, uint64_t pages)
{
	uint64_t wanted = c->total - c->free + pages;

	return wanted > c->total ? wanted - c->total : 0;
}

/* Every node gets its share; nobody knows which node's pages the reserved ones will be. */
static int grow_nodes(const struct hugetlb_pool *p, uint64_t share, const char *note,
		      struct hb_error *e)
{
	uint64_t more = 0;
	int rc;

	for (unsigned int n = 0; n < p->nnodes; n++)
		more += node_usable(n) ? lacks(&p->node[n], share) : 0;
	rc = more ? check_spare(p->page, more, note, e) : 0;
	for (unsigned int n = 0; n < p->nnodes && !rc; n++) {
		HB_FREE char *path =
			hb_strf("/sys/devices/system/node/node%u/hugepages/hugepages-%" PRIu64
				"kB/nr_hugepages",
				n, p->page >> 10);

		if (!path)
			return hb_error_set(e, -ENOMEM, "no memory");
		more = node_usable(n) ? lacks(&p->node[n], share) : 0;
		if (more)
			rc = pool_set(path, p->node[n].total + more, note, e);
	}
	return rc;
}

int hugetlb_pool_grow(uint64_t page, uint64_t pages, const char *note, struct hb_error *e)
{
	HB_FREE char *path = hb_strf(SYS_POOLS "/hugepages-%" PRIu64 "kB/nr_hugepages", page >> 10);
	unsigned int nodes = nodes_usable();
	struct hugetlb_pool p = {0};
	uint64_t more;
	int rc = path ? hugetlb_pool_read(page, &p, e) : hb_error_set(e, -ENOMEM, "no memory");

	if (rc)
		return rc;
	pages += p.all.reserved;
	/* Few places are left for a page of 1 GiB in a guest that runs: the kernel finds them. */
	if (nodes > 1 && page < HUGETLB_1G)
		return grow_nodes(&p, (pages + nodes - 1) / nodes, note, e);
	more = lacks(&p.all, pages);
	rc = more ? check_spare(page, more, note, e) : 0;
	return more && !rc ? pool_set(path, p.all.total + more, note, e) : rc;
}

static json_t *counters_json(const struct hugetlb_counters *c)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "HugePages_Total", (json_int_t)c->total,
			 "HugePages_Free", (json_int_t)c->free, "HugePages_Rsvd",
			 (json_int_t)c->reserved, "HugePages_Surp", (json_int_t)c->surplus);
}

json_t *hugetlb_pool_json(const struct hugetlb_pool *p)
{
	json_t *j = counters_json(&p->all);

	for (unsigned int n = 0; n < p->nnodes; n++) {
		char name[16];

		snprintf(name, sizeof(name), "node%u", n);
		json_object_set_new(j, name, counters_json(&p->node[n]));
	}
	return j;
}

static int counters_same(const struct hugetlb_counters *a, const struct hugetlb_counters *b,
			 struct hb_error *e)
{
	const struct {
		const char *name;
		uint64_t before, after;
	} row[] = {
		{"HugePages_Total", a->total, b->total},
		{"HugePages_Free", a->free, b->free},
		{"HugePages_Rsvd", a->reserved, b->reserved},
		{"HugePages_Surp", a->surplus, b->surplus},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (row[i].before != row[i].after)
			return hb_error_set(e, -EUCLEAN,
					    "%s of the system was %" PRIu64
					    " before and is %" PRIu64 " after",
					    row[i].name, row[i].before, row[i].after);
	return 0;
}

int hugetlb_pool_conserved(const struct hugetlb_pool *before, const struct hugetlb_pool *after,
			   struct hb_error *e)
{
	int rc = counters_same(&before->all, &after->all, e);

	for (unsigned int n = 0; n < before->nnodes && !rc; n++) {
		uint64_t was = before->node[n].total - before->node[n].free,
			 is = after->node[n].total - after->node[n].free;

		if (was != is)
			rc = hb_error_set(e, -EUCLEAN,
					  "pages in use on node %u were %" PRIu64
					  " before and are %" PRIu64 " after",
					  n, was, is);
	}
	if (!rc && after->all.reserved > after->all.total)
		rc = hb_error_set(e, -EUCLEAN,
				  "HugePages_Rsvd %" PRIu64 " is above HugePages_Total %" PRIu64,
				  after->all.reserved, after->all.total);
	return rc;
}

static int page_flag(uint64_t page)
{
	return __builtin_ctzll(page) << HUGE_SHIFT;
}

/* A mounted hugetlbfs of this page size, owned by the caller, or NULL. */
static char *find_mount(uint64_t page)
{
	HB_FCLOSE FILE *f = fopen("/proc/mounts", "r");
	HB_FREE char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		char dir[4096], type[64];
		struct statfs fs;

		if (sscanf(line, "%*s %4095s %63s", dir, type) == 2 && !strcmp(type, "hugetlbfs") &&
		    !statfs(dir, &fs) && fs.f_type == HUGETLBFS_MAGIC &&
		    (uint64_t)fs.f_bsize == page)
			return strdup(dir);
	}
	return NULL;
}

/* The name lives for a moment only: nothing is left over after a kill. */
static int open_unlinked(uint64_t page, struct hb_error *e)
{
	HB_FREE char *dir = find_mount(page), *path = NULL;
	int fd;

	if (!dir)
		return hb_error_set(e, -ENOENT,
				    "no hugetlbfs with pages of %" PRIu64
				    " KiB is mounted; use file = memfd, or mount one",
				    page >> 10);
	path = hb_strf("%s/hugebench-XXXXXX", dir);
	if (!path)
		return hb_error_set(e, -ENOMEM, "no memory");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return hb_error_set(e, -errno, "cannot create a file in %s: %s", dir,
				    strerror(errno));
	if (unlink(path)) {
		int rc = hb_error_set(e, -errno, "cannot remove %s: %s", path, strerror(errno));

		close(fd);
		return rc;
	}
	return fd;
}

/* The segment is marked for removal at once; our attachment keeps it, and it stays attachable by
 * its number. */
static int make_shm(struct hugetlb_file *f, struct hb_error *e)
{
	f->shm = shmget(IPC_PRIVATE, f->bytes, IPC_CREAT | SHM_HUGETLB | page_flag(f->page) | 0600);
	if (f->shm < 0)
		return hb_error_set(e, -errno, "shmget(SHM_HUGETLB, %" PRIu64 " bytes): %s",
				    f->bytes, strerror(errno));
	f->hold = shmat(f->shm, NULL, 0);
	if (f->hold == (void *)-1) {
		int rc = hb_error_set(e, -errno, "shmat: %s", strerror(errno));

		f->hold = NULL;
		shmctl(f->shm, IPC_RMID, NULL);
		return rc;
	}
	shmctl(f->shm, IPC_RMID, NULL);
	return 0;
}

int hugetlb_file_make(struct hugetlb_file *f, enum hugetlb_kind kind, uint64_t bytes, uint64_t page,
		      struct hb_error *e)
{
	int rc;

	*f = (struct hugetlb_file){.kind = kind, .fd = -1, .shm = -1, .bytes = bytes, .page = page};
	if (!page || bytes % page || !bytes)
		return hb_error_set(e, -EINVAL,
				    "size %" PRIu64 " is not a multiple of the page size %" PRIu64,
				    bytes, page);
	if (kind == HUGETLB_SHM)
		return make_shm(f, e);
	if (kind == HUGETLB_MEMFD) {
		f->fd = memfd_create("hugebench", MFD_CLOEXEC | MFD_HUGETLB | page_flag(page));
		if (f->fd < 0)
			return hb_error_set(e, -errno, "memfd_create(MFD_HUGETLB): %s",
					    strerror(errno));
	} else {
		f->fd = open_unlinked(page, e);
		if (f->fd < 0)
			return f->fd;
	}
	if (ftruncate(f->fd, bytes)) {
		rc = hb_error_set(e, -errno, "ftruncate to %" PRIu64 " bytes: %s", bytes,
				  strerror(errno));
		hugetlb_file_close(f);
		return rc;
	}
	return 0;
}

void hugetlb_file_close(struct hugetlb_file *f)
{
	if (f->hold)
		shmdt(f->hold);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct hugetlb_file){.fd = -1, .shm = -1};
}

int hugetlb_file_map(const struct hugetlb_file *f, void *addr, int private, int sparse,
		     struct hb_error *e)
{
	int flags = (private ? MAP_PRIVATE : MAP_SHARED) | (sparse ? MAP_NORESERVE : 0) |
		    MAP_FIXED_NOREPLACE;
	void *p;

	if (f->kind == HUGETLB_SHM)
		p = shmat(f->shm, addr, 0);
	else
		p = mmap(addr, f->bytes, PROT_READ | PROT_WRITE, flags, f->fd, 0);
	if (p == MAP_FAILED)
		return hb_error_set(e, -errno, "cannot map %" PRIu64 " bytes at %p: %s", f->bytes,
				    addr, strerror(errno));
	if (p == addr)
		return 0;
	/* A kernel before 4.17 takes MAP_FIXED_NOREPLACE for a hint. */
	munmap(p, f->bytes);
	return hb_error_set(e, -EEXIST, "mapped at %p, wanted %p", p, addr);
}

int hugetlb_file_unmap(const struct hugetlb_file *f, void *addr)
{
	int rc = f->kind == HUGETLB_SHM ? shmdt(addr) : munmap(addr, f->bytes);

	return rc ? -errno : 0;
}

int hugetlb_file_fill(const struct hugetlb_file *f, struct hb_error *e)
{
	if (f->kind != HUGETLB_SHM) {
		if (fallocate(f->fd, 0, 0, f->bytes))
			return hb_error_set(e, -errno, "fallocate of %" PRIu64 " bytes: %s",
					    f->bytes, strerror(errno));
		return 0;
	}
	for (uint64_t at = 0; at < f->bytes; at += f->page)
		((volatile char *)f->hold)[at] = 0;
	return 0;
}

int hugetlb_mount(struct hb_error *e)
{
	json_t *sizes = hugetlb_sizes(), *s;
	size_t i;
	int rc = 0;

	json_array_foreach (sizes, i, s) {
		uint64_t page = json_integer_value(json_object_get(s, "bytes"));
		HB_FREE char *dir = hb_strf("/dev/hugepages-%" PRIu64 "M", page >> 20);
		HB_FREE char *opt = hb_strf("pagesize=%" PRIu64 "K", page >> 10);

		if (!dir || !opt)
			rc = hb_error_set(e, -ENOMEM, "no memory");
		else if ((mkdir(dir, 0755) && errno != EEXIST) ||
			 mount("hugetlbfs", dir, "hugetlbfs", 0, opt))
			rc = hb_error_set(e, -errno, "cannot mount hugetlbfs at %s: %s", dir,
					  strerror(errno));
	}
	json_decref(sizes);
	return rc;
}

static int status_read(const char *proc, struct hugetlb_usage *u, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/status", proc);
	int rc = path ? hb_file_number(path, "HugetlbPages", &u->status_kb) : -ENOMEM;

	return rc ? hb_error_set(e, rc, "HugetlbPages of %s/status: %s", proc, strerror(-rc)) : 0;
}

int hugetlb_usage_read(pid_t pid, const void *addr, uint64_t bytes, struct hugetlb_usage *u,
		       struct hb_error *e)
{
	HB_FREE char *proc = pid ? hb_strf("/proc/%d", (int)pid) : strdup("/proc/self");
	HB_FREE char *path = proc ? hb_strf("%s/smaps", proc) : NULL;
	HB_FCLOSE FILE *f = path ? fopen(path, "r") : NULL;
	HB_FREE char *line = NULL;
	uint64_t low = (uintptr_t)addr;
	bool inside = false;
	size_t size = 0;

	*u = (struct hugetlb_usage){0};
	if (!f)
		return hb_error_set(e, -errno, "cannot open smaps of process %d: %s", (int)pid,
				    strerror(errno));
	while (getline(&line, &size, f) > 0) {
		uint64_t start, end, kb;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = start >= low && start < low + bytes;
		else if (inside && (!hb_text_number(line, "Shared_Hugetlb", &kb) ||
				    !hb_text_number(line, "Private_Hugetlb", &kb)))
			u->smaps_kb += kb;
	}
	if (ferror(f))
		return hb_error_set(e, -EIO, "cannot read smaps of process %d", (int)pid);
	return status_read(proc, u, e);
}
