/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge page pool, counters, files on huge pages. Sizes in bytes, amounts in pages of the size
 * named. */
#ifndef HB_WORKLOADS_HUGETLB_H
#define HB_WORKLOADS_HUGETLB_H

#include <jansson.h>
#include <stdint.h>

#include "bench/base/util.h"

#define HUGETLB_NODES 64
#define HUGETLB_2M    (2ULL << 20)
#define HUGETLB_1G    (1ULL << 30)
/* Where tasks map by default: 1 GiB-aligned, away from what the loader and malloc() use. */
#define HUGETLB_BASE ((char *)0x100000000000ULL)

struct hugetlb_counters {
	uint64_t total, free, reserved, surplus;
};

/* reserved exists for the whole system only and is 0 in node[]. */
struct hugetlb_pool {
	uint64_t page; /* bytes */
	struct hugetlb_counters all;
	unsigned int nnodes; /* highest node number + 1 */
	struct hugetlb_counters node[HUGETLB_NODES];
};

/* Default huge page size of the kernel, bytes; 0 when it has no hugetlb. */
uint64_t hugetlb_default_page(void);
/* Huge page sizes the kernel supports: array of {"bytes": N}; new reference. */
json_t *hugetlb_sizes(void);
/* Read the counters; -ENOENT: the kernel has no pages of this size. */
int hugetlb_pool_read(uint64_t page, struct hugetlb_pool *p, struct hb_error *e);
/*
 * May @pages pages of size @page be taken of @available bytes? A host keeps half of what it has to
 * spare; a guest is there for nothing else, and keeps what its kernel cannot be without. -ENOMEM
 * with the figures.
 */
int hugetlb_may_take(uint64_t page, uint64_t pages, uint64_t available, bool native,
		     struct hb_error *e);
/*
 * Make @pages pages of size @page available, spread over the nodes that have memory, each gets the
 * same. A pool that is large enough is left alone. @note: NULL in a guest; else path of the restore
 * note (bench/base/restore.h), written before the first change. -ENOMEM names what was reached.
 */
int hugetlb_pool_grow(uint64_t page, uint64_t pages, const char *note, struct hb_error *e);
/* {"HugePages_Total": .., "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp", "node0": {..}}; new
 * reference. */
json_t *hugetlb_pool_json(const struct hugetlb_pool *p);
/*
 * 0: all counters of the system and the pages in use of every node are as before, and Rsvd is not
 * above Total; else -EUCLEAN with the first that differs. A node's total may differ: migration to a
 * node without a free page takes one from the buddy allocator and gives one back on the other node
 * (move_hugetlb_state()).
 */
int hugetlb_pool_conserved(const struct hugetlb_pool *before, const struct hugetlb_pool *after,
			   struct hb_error *e);

enum hugetlb_kind {
	HUGETLB_FILE,  /* unlinked file on hugetlbfs */
	HUGETLB_MEMFD, /* memfd_create(MFD_HUGETLB) */
	HUGETLB_SHM,   /* System V segment, SHM_HUGETLB */
};

/* Choices of an option that names the kind: "hugetlbfs", "memfd", "shm". */
extern const char *const hugetlb_kinds[];
/* What a workload on huge pages needs of the kernel. */
extern const char *const hugetlb_needs[];

struct hugetlb_file {
	enum hugetlb_kind kind;
	int fd;		/* -1 for HUGETLB_SHM */
	int shm;	/* identifier, already marked for removal; -1 else */
	void *hold;	/* the agent's attachment that keeps the segment alive */
	uint64_t bytes; /* size */
	uint64_t page;	/* bytes */
};

/* Make the file, of size @bytes (a multiple of @page). Nothing stays behind when the process dies.
 */
int hugetlb_file_make(struct hugetlb_file *f, enum hugetlb_kind kind, uint64_t bytes, uint64_t page,
		      struct hb_error *e);
void hugetlb_file_close(struct hugetlb_file *f);
/*
 * Map the whole file at exactly @addr (which must be free), read-write; @private: MAP_PRIVATE;
 * @sparse: MAP_NORESERVE, for a mapping that is larger than the pool.
 */
int hugetlb_file_map(const struct hugetlb_file *f, void *addr, int private, int sparse,
		     struct hb_error *e);
int hugetlb_file_unmap(const struct hugetlb_file *f, void *addr);
/* Have every page in the page cache (fallocate(), or by touching a mapping of our own for a
 * segment). */
int hugetlb_file_fill(const struct hugetlb_file *f, struct hb_error *e);

/* Mount hugetlbfs for every page size under /dev: guests only. */
int hugetlb_mount(struct hb_error *e);

/* Huge pages as two places in /proc see them. */
struct hugetlb_usage {
	uint64_t status_kb; /* HugetlbPages of /proc/PID/status: pages this mm mapped by its own
			       faults or copies */
	uint64_t smaps_kb;  /* Shared_Hugetlb + Private_Hugetlb of smaps within the range: present
			       entries */
};

/* @pid 0: the caller. Mappings that start within [addr, addr + bytes) are counted. */
int hugetlb_usage_read(pid_t pid, const void *addr, uint64_t bytes, struct hugetlb_usage *u,
		       struct hb_error *e);

#endif
