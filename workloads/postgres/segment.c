// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/postgres/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB ((uint64_t)1 << 30)

/* One line of a mapping's details. */
static void detail(struct pg_segment *seg, const char *line, uint64_t *rss)
{
	uint64_t kib;

	if (sscanf(line, "KernelPageSize: %" SCNu64 " kB", &kib) == 1)
		seg->page_bytes = kib << 10;
	else if (sscanf(line, "Shared_Hugetlb: %" SCNu64 " kB", &kib) == 1 ||
		 sscanf(line, "Private_Hugetlb: %" SCNu64 " kB", &kib) == 1)
		seg->mapped_bytes += kib << 10;
	else if (sscanf(line, "Rss: %" SCNu64 " kB", &kib) == 1)
		*rss = kib << 10;
	else if (!strncmp(line, "VmFlags:", 8))
		seg->hugetlb = strstr(line, " ht") != NULL;
}

static void keep_larger(struct pg_segment *best, struct pg_segment *seg, uint64_t rss)
{
	if (!seg->hugetlb)
		seg->mapped_bytes = rss;
	if (seg->end - seg->start > best->end - best->start)
		*best = *seg;
}

int pg_segment_parse(const char *smaps, struct pg_segment *seg, struct hb_error *e)
{
	HB_FREE char *copy = strdup(smaps);
	struct pg_segment now = {0};
	uint64_t start, end, rss = 0;
	char *save, *line, mode[5];

	memset(seg, 0, sizeof(*seg));
	if (!copy)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, mode) != 3) {
			detail(&now, line, &rss);
			continue;
		}
		keep_larger(seg, &now, rss);
		now = (struct pg_segment){0};
		rss = 0;
		if (mode[3] == 's') {
			now.start = start;
			now.end = end;
		}
	}
	keep_larger(seg, &now, rss);
	if (!seg->end)
		return hb_error_set(e, -ENOENT, "the server has no shared mapping");
	return 0;
}

int pg_segment_read(pid_t pid, struct pg_segment *seg, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	err = hb_file_read(path, &text, NULL);
	if (err)
		return hb_error_set(e, err, "%s: %s", path, strerror(-err));
	return pg_segment_parse(text, seg, e);
}

uint64_t pg_segment_sharable(const struct pg_segment *seg)
{
	uint64_t first = (seg->start + GIB - 1) / GIB, last = seg->end / GIB;

	return last > first ? last - first : 0;
}
