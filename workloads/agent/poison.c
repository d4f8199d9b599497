// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kernel-page-flags.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "workloads/agent/poison.h"

#define POISON_NODES 64
#define POISON_BATCH 4096
/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_FRAME	((1ULL << 55) - 1)
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"

struct poison {
	uint64_t *known; /* page frame numbers, ascending, poisoned before */
	size_t nknown;
	uint64_t huge_page;
	uint64_t pool[POISON_NODES];
	uint64_t noted[POISON_NOTES]; /* by this process, not yet mended */
	unsigned int nnoted;
	int64_t mended; /* by the repair that is under way */
};

typedef int (*poisoned_visitor)(struct poison *p, uint64_t pfn, struct hb_error *e);

/* Visit every poisoned page frame in ascending order: KPF_HWPOISON in /proc/kpageflags. */
static int poisoned_walk(struct poison *p, poisoned_visitor visit, struct hb_error *e)
{
	HB_CLOSE int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	HB_FREE uint64_t *flags = malloc(POISON_BATCH * sizeof(*flags));
	uint64_t pfn = 0;
	ssize_t n;
	int err;

	if (fd < 0)
		return hb_error_set(e, -EOPNOTSUPP,
				    "/proc/kpageflags: %m (CONFIG_PROC_PAGE_MONITOR, as root)");
	if (!flags)
		return hb_error_set(e, -ENOMEM, "no memory");
	while ((n = pread(fd, flags, POISON_BATCH * sizeof(*flags), pfn * sizeof(*flags))) > 0) {
		for (size_t i = 0; i < n / sizeof(*flags); i++) {
			if (!(flags[i] >> KPF_HWPOISON & 1))
				continue;
			err = visit(p, pfn + i, e);
			if (err)
				return err;
		}
		pfn += n / sizeof(*flags);
	}
	return n < 0 ? hb_error_set(e, -errno, "/proc/kpageflags: %m") : 0;
}

static int remember(struct poison *p, uint64_t pfn, struct hb_error *e)
{
	uint64_t *known = realloc(p->known, (p->nknown + 1) * sizeof(*known));

	if (!known)
		return hb_error_set(e, -ENOMEM, "no memory");
	known[p->nknown++] = pfn;
	p->known = known;
	return 0;
}

static int pfn_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* KPF_HWPOISON of one page frame; one that cannot be asked for has it not. */
static bool is_poisoned(uint64_t pfn)
{
	HB_CLOSE int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t flags;

	return fd >= 0 && pread(fd, &flags, sizeof(flags), pfn * sizeof(flags)) == sizeof(flags) &&
	       flags >> KPF_HWPOISON & 1;
}

/* One that is in use stays as it is: the kernel says so in its log, and not in the answer. */
static int unpoison(struct poison *p, uint64_t pfn, struct hb_error *e)
{
	char text[32];
	int err;

	if (p->nknown && bsearch(&pfn, p->known, p->nknown, sizeof(pfn), pfn_compare))
		return 0;
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)pfn);
	err = hb_file_write(UNPOISON, text);
	if (err)
		return hb_error_set(e, err, UNPOISON ": page frame %s cannot be unpoisoned", text);
	p->mended += !is_poisoned(pfn);
	return 0;
}

/* The same of a note, whose page was perhaps not poisoned at all. */
static int unpoison_noted(struct poison *p, uint64_t pfn, struct hb_error *e)
{
	return is_poisoned(pfn) ? unpoison(p, pfn, e) : 0;
}

static void pool_path(char *path, size_t len, unsigned int node, uint64_t huge_page)
{
	snprintf(path, len,
		 "/sys/devices/system/node/node%u/hugepages/hugepages-%llukB/nr_hugepages", node,
		 (unsigned long long)huge_page / 1024);
}

/* Nodes without the file have no pool: size 0, which repair leaves alone. */
static void pools_read(const struct poison *p, uint64_t *pool)
{
	char path[160];

	for (unsigned int node = 0; node < POISON_NODES; node++) {
		pool_path(path, sizeof(path), node, p->huge_page);
		if (hb_file_read_u64(path, &pool[node]))
			pool[node] = 0;
	}
}

static uint64_t pools_total(const uint64_t *pool)
{
	uint64_t total = 0;

	for (unsigned int node = 0; node < POISON_NODES; node++)
		total += pool[node];
	return total;
}

/*
 * Put back what the pools have lost, on the nodes that have lost it. Migration to a node without a
 * free page moves one page of pool there, which is no loss.
 */
static int pools_repair(struct poison *p, struct hb_error *e)
{
	uint64_t now[POISON_NODES], before = pools_total(p->pool), lost;
	char path[160], text[32];
	int err;

	pools_read(p, now);
	lost = before - pools_total(now);
	if (lost > before)
		return 0; /* below zero: there is more than there was */
	for (unsigned int node = 0; lost && node < POISON_NODES; node++) {
		uint64_t add = now[node] < p->pool[node] ? p->pool[node] - now[node] : 0;

		if (!add)
			continue;
		if (add > lost)
			add = lost;
		lost -= add;
		pool_path(path, sizeof(path), node, p->huge_page);
		snprintf(text, sizeof(text), "%" PRIu64, now[node] + add);
		err = hb_file_write(path, text);
		if (err)
			return hb_error_set(e, err, "%s: cannot write %s", path, text);
	}
	return 0;
}

int poison_begin(const struct cell *cell, struct poison **p, struct hb_error *e)
{
	struct poison *new;
	int err;

	if (cell->native)
		return hb_error_set(e, -EOPNOTSUPP,
				    "takes memory out of service, which a kill would leave so: "
				    "only in a guest");
	if (access(UNPOISON, W_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(UNPOISON, W_OK))
		return hb_error_set(e, -EOPNOTSUPP, UNPOISON ": %m (CONFIG_HWPOISON_INJECT)");
	new = calloc(1, sizeof(*new));
	if (!new)
		return hb_error_set(e, -ENOMEM, "no memory");
	new->huge_page = cell->huge_page_bytes;
	pools_read(new, new->pool);
	err = poisoned_walk(new, remember, e);
	if (err) {
		poison_free(new);
		return err;
	}
	*p = new;
	return 0;
}

int64_t poison_repair(struct poison *p, struct hb_error *e)
{
	int err;

	p->mended = 0;
	p->nnoted = 0;
	err = poisoned_walk(p, unpoison, e);
	err = err ?: pools_repair(p, e);
	return err ? err : p->mended;
}

int poison_note(struct poison *p, const void *page)
{
	HB_CLOSE int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)page / getpagesize() * sizeof(uint64_t));
	uint64_t entry;

	if (p->nnoted == POISON_NOTES)
		return -ENOSPC;
	if (fd < 0 || pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
		return -EIO;
	if (!(entry & PAGEMAP_PRESENT))
		return -ENOENT;
	p->noted[p->nnoted++] = entry & PAGEMAP_FRAME;
	return 0;
}

void poison_forget(struct poison *p)
{
	if (p->nnoted)
		p->nnoted--;
}

int64_t poison_mend(struct poison *p, struct hb_error *e)
{
	int err = 0;

	p->mended = 0;
	for (unsigned int i = 0; !err && i < p->nnoted; i++)
		err = unpoison_noted(p, p->noted[i], e);
	p->nnoted = 0;
	err = err ?: pools_repair(p, e);
	return err ? err : p->mended;
}

void poison_free(struct poison *p)
{
	if (p)
		free(p->known);
	free(p);
}
