/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several antagonists have in common: the file they hit and their own mapping of it. */
#ifndef HB_WORKLOADS_ANTAGONIST_H
#define HB_WORKLOADS_ANTAGONIST_H

#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

enum antagonist_target {
	ANTAGONIST_SAME,    /* the file of the cell's workload */
	ANTAGONIST_SIBLING, /* a file of its own on the same pool */
};

extern const char *const antagonist_targets[];

/* The first member, `common`, of an antagonist's options structure. */
struct antagonist_options {
	double rate;	/* operations per second and task, 0: as fast as it can */
	int target;	/* enum antagonist_target */
	uint64_t bytes; /* size of the sibling file */
};

/* Rows of these options; @type: the whole structure, @per_second: default of rate. */
#define ANTAGONIST_RATE(type, per_second)                                                          \
	{                                                                                          \
		"rate", OPTION_DOUBLE, offsetof(type, common.rate), per_second, "0", "1000000",    \
			NULL, "operations per second and task; 0: as fast as they go"              \
	}
#define ANTAGONIST_TARGET(type)                                                                    \
	{                                                                                          \
		"target", OPTION_ENUM, offsetof(type, common.target), "same", NULL, NULL,          \
			antagonist_targets,                                                        \
			"same: the workload's file; sibling: a file of its own on the same pool"   \
	}
#define ANTAGONIST_SIZE(type)                                                                      \
	{                                                                                          \
		"size", OPTION_SIZE, offsetof(type, common.bytes), "64M", "2M", "16T", NULL,       \
			"of the sibling file"                                                      \
	}

struct antagonist {
	int fd;
	uint64_t used; /* bytes from the start of the file that are hit */
	uint64_t page; /* bytes of its pages */
	uint64_t size;
	void *addr; /* where the first task of the workload maps it, NULL: no known place */
	struct hugetlb_file sibling;
	void *own; /* of the particular antagonist, who releases it before antagonist_teardown() */
};

/* workload_ops.huge_pages for an antagonist that needs no more than its sibling. */
uint64_t antagonist_huge_pages(const void *options, unsigned int tasks);
/*
 * workload_ops.setup for an antagonist whose in->priv is a struct antagonist: finds the workload's
 * file or makes and fills the sibling. -EINVAL when no workload of the cell has a file.
 */
int antagonist_setup(struct instance *in, struct hb_error *e);
/* workload_ops.teardown for the same. */
void antagonist_teardown(struct instance *in);
/*
 * Map the file shared and without reservation where the workload has it, so that page tables are
 * shared with it; the mapping lasts until the task ends. Mapped for reading at first and then made
 * writable, because a writable mmap() of a hugetlbfs file undoes a truncation.
 */
int antagonist_map(const struct antagonist *a, uint8_t **map, struct hb_error *e);
/*
 * Have a page of a mapping of ours mapped in, without the SIGBUS that a touch past the end of the
 * file means: 1 mapped, 0 not there, -errno.
 */
int antagonist_touch(const uint8_t *p);
/* Huge pages allocated to the file, by st_blocks; -errno. Others fault them in and out all the
 * time. */
int64_t antagonist_pages(const struct antagonist *a);

/*
 * Huge pages that the pool must have beyond a file that shrinks or is punched, for each task that
 * does so. Removal works on batches of 15 pages (PAGEVEC_SIZE of mm/, 5.10), which are out of the
 * file while the batch still refers to them, and a fault that waits for the lock of a removed page
 * holds it too: none of these is free for the fault that comes next, which without spare pages gets
 * SIGBUS inside of the file. The rest is for the faulting tasks.
 */
#define ANTAGONIST_SPARE_PAGES 64

#endif
