/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says about the server's shared memory segment. */
#ifndef HB_WORKLOADS_PG_SEGMENT_H
#define HB_WORKLOADS_PG_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"

struct pg_segment {
	uint64_t start, end;   /* addresses */
	bool hugetlb;	       /* VmFlags has "ht" */
	uint64_t page_bytes;   /* KernelPageSize */
	uint64_t mapped_bytes; /* hugetlb: Shared_Hugetlb + Private_Hugetlb, else Rss */
};

/* The segment in the text of /proc/PID/smaps: the largest shared mapping. -ENOENT: there is none.
 */
int pg_segment_parse(const char *smaps, struct pg_segment *seg, struct hb_error *e);
int pg_segment_read(pid_t pid, struct pg_segment *seg, struct hb_error *e);
/*
 * Whole GiB, aligned to 1 GiB, inside the segment: a PMD table maps one, and only a table whose
 * whole range lies in the VMA can be shared (vma_shareable() in mm/hugetlb.c).
 */
uint64_t pg_segment_sharable(const struct pg_segment *seg);

#endif
