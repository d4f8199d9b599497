/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What antagonists have in common: the file they hit, where they map it, and how often they act. */
#ifndef HB_WORKLOADS_ANTAGONIST_H
#define HB_WORKLOADS_ANTAGONIST_H

#include "workloads/workload.h"

enum antagonist_target {
	ANTAGONIST_SAME,    /* the file of the cell's workload */
	ANTAGONIST_SIBLING, /* a file of its own on the same pool */
};

extern const char *const antagonist_targets[];

/* The options that every antagonist has; the first member of its options structure. */
struct antagonist_options {
	double rate;		/* operations per second and task, 0: as fast as it can */
	int target;		/* enum antagonist_target */
	uint64_t sibling_bytes; /* size of the sibling file */
};

/* Rows for the above; @type: the structure whose member `common` it is, @rate: default rate. */
#define ANTAGONIST_OPTIONS(type, rate_default)                                                     \
	{"rate",                                                                                   \
	 OPTION_DOUBLE,                                                                            \
	 offsetof(type, common.rate),                                                              \
	 rate_default,                                                                             \
	 "0",                                                                                      \
	 "1000000",                                                                                \
	 NULL,                                                                                     \
	 "operations per second and task; 0: as fast as it can"},                                  \
		{"target",                                                                         \
		 OPTION_ENUM,                                                                      \
		 offsetof(type, common.target),                                                    \
		 "same",                                                                           \
		 NULL,                                                                             \
		 NULL,                                                                             \
		 antagonist_targets,                                                               \
		 "file to hit: same (the workload's) or sibling (one of its own)"},                \
	{                                                                                          \
		"sibling_size", OPTION_SIZE, offsetof(type, common.sibling_bytes), "64M", "2M",    \
			"64G", NULL, "bytes of the sibling file, a multiple of the huge page size" \
	}

struct antagonist_file {
	int fd;
	uint64_t bytes, page_bytes;
	void *addr; /* where the workload's tasks map it, NULL: no fixed place */
	bool own;   /* a sibling: to be closed */
};

/* Huge pages that the sibling needs, for workload_ops.huge_pages; 0 with target same. */
uint64_t antagonist_huge_pages(const struct antagonist_options *o);
/*
 * For setup(): find the workload's file, or make the sibling and fill it. -EINVAL when no workload
 * of the cell has a file or the sibling's size is not a multiple of the page size. Errors of
 * memfd_create() and fallocate() as they come. On success close with antagonist_close().
 */
int antagonist_open(struct instance *in, const struct antagonist_options *o,
		    struct antagonist_file *f, struct hb_error *e);
void antagonist_close(struct antagonist_file *f);
/*
 * For task_init(): map the whole file shared and without reservation, at the place where the
 * workload has it, so that page tables can be shared with it. Until the task ends.
 */
int antagonist_map(const struct antagonist_file *f, void **addr, struct hb_error *e);
/*
 * For METRIC_COUNT of pages that went: huge pages allocated to the file, by st_blocks; -errno.
 * Others change it at the same time, so a difference is a lower bound of what was freed.
 */
int64_t antagonist_pages(const struct antagonist_file *f);

/* The times at which a task acts: 1/rate apart, no catching up after a late one. */
struct antagonist_pace {
	uint64_t period_ns, next_ns;
};

void antagonist_pace_start(struct antagonist_pace *p, double rate);
/*
 * Sleep until the next operation is due; the task's progress goes on while it sleeps. False: the
 * phase changed meanwhile, go back to task_continue() without an operation.
 */
bool antagonist_pace_wait(struct antagonist_pace *p, struct task *t);

#endif
