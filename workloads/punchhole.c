// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: punches holes into the file while others fault its pages. One operation is one
 * fallocate(FALLOC_FL_PUNCH_HOLE) of `length` at a random place. The stock 5.10.262 hangs under it:
 * remove_inode_hugepages() waits for i_mmap_rwsem with the page locked, hugetlb_fault() for the
 * page with i_mmap_rwsem held.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "workloads/agent/antagonist.h"

struct punchhole_options {
	struct antagonist_options common;
	uint64_t length;
};

enum {
	PUNCHES,
	PAGES,
	PUNCH_LATENCY,
};

static const struct option_row options[] = {
	ANTAGONIST_RATE(struct punchhole_options, "10"),
	ANTAGONIST_TARGET(struct punchhole_options),
	ANTAGONIST_SIZE(struct punchhole_options),
	{"length", OPTION_SIZE, offsetof(struct punchhole_options, length), "8M", "2M", "64G", NULL,
	 "bytes per hole, a multiple of the huge page size; at most the file"},
	OPTION_END,
};

static const struct metric_row metrics[] = {
	[PUNCHES] = {"punches", METRIC_RATE, "1/s", METRIC_NEITHER, 0, "holes punched"},
	[PAGES] = {"pages_freed", METRIC_COUNT, "pages", METRIC_NEITHER, 0,
		   "huge pages that left the file, by st_blocks: at least that many; of several "
		   "tasks each counts what went while it punched"},
	[PUNCH_LATENCY] = {"punch_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			   "time of one fallocate(PUNCH_HOLE)"},
	METRIC_END,
};

static uint64_t punchhole_huge_pages(const void *options, unsigned int tasks)
{
	return tasks * ANTAGONIST_SPARE_PAGES + antagonist_huge_pages(options, tasks);
}

static int punchhole_setup(struct instance *in, struct hb_error *e)
{
	const struct punchhole_options *o = in->options;
	int err = antagonist_setup(in, e);
	const struct antagonist *a = in->priv;

	if (err)
		return err;
	if (o->length % a->page || o->length > a->used)
		return hb_error_set(e, -EINVAL,
				    "length %llu: wanted is a multiple of %llu up to %llu, what is "
				    "used of the file",
				    (unsigned long long)o->length, (unsigned long long)a->page,
				    (unsigned long long)a->used);
	return 0;
}

static int punch_once(struct task *t, const struct antagonist *a, uint64_t length)
{
	uint64_t places = (a->used - length) / a->page + 1;
	uint64_t offset = task_random(t) % places * a->page;
	int64_t before = antagonist_pages(a), after;
	uint64_t start = task_ticks();

	if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0)
		return -errno;
	task_latency(t, PUNCH_LATENCY, task_ticks_to_ns(task_ticks() - start));
	after = antagonist_pages(a);
	task_count(t, PUNCHES, 1);
	if (before > after && after >= 0)
		task_count(t, PAGES, before - after);
	/* Nobody faults the sibling's pages in again. */
	if (a->sibling.fd >= 0 && fallocate(a->fd, 0, offset, length) < 0)
		return -errno;
	return 0;
}

static int punchhole_run(struct task *t, struct hb_error *e)
{
	const struct punchhole_options *o = t->in->options;
	uint64_t next = 0;
	int err;

	while (task_continue(t)) {
		err = punch_once(t, t->in->priv, o->length);
		if (err && err != -EINTR)
			return hb_error_set(e, err, "fallocate: %s", strerror(-err));
		task_pace(t, &next, o->common.rate);
	}
	return 0;
}

static const struct workload_ops punchhole_ops = {
	.abi = WORKLOAD_ABI,
	.name = "punchhole",
	.summary = "punches holes into the file at random places",
	.role = ROLE_ANTAGONIST,
	.options = options,
	.options_size = sizeof(struct punchhole_options),
	.metrics = metrics,
	.huge_pages = punchhole_huge_pages,
	.setup = punchhole_setup,
	.run = punchhole_run,
	.teardown = antagonist_teardown,
};
WORKLOAD_REGISTER(punchhole_ops);
