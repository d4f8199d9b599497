// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: punches holes into the file while others fault its pages. One operation is one
 * fallocate(FALLOC_FL_PUNCH_HOLE) of `length` at a random place. The stock 5.10.262 hangs under it:
 * remove_inode_hugepages() waits for i_mmap_rwsem with the page locked, hugetlb_fault() for the
 * page with i_mmap_rwsem held.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/antagonist.h"

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
	ANTAGONIST_OPTIONS(struct punchhole_options, "10"),
	{"length", OPTION_SIZE, offsetof(struct punchhole_options, length), "8M", "4K", "64G", NULL,
	 "bytes per hole, a multiple of the huge page size; at most the file"},
	OPTION_END,
};

static const struct metric_row metrics[] = {
	[PUNCHES] = {"punches", METRIC_RATE, "1/s", METRIC_NEITHER, 0, "holes punched"},
	[PAGES] = {"pages_freed", METRIC_COUNT, "pages", METRIC_NEITHER, 0,
		   "huge pages that left the file, by st_blocks: at least that many"},
	[PUNCH_LATENCY] = {"punch_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			   "time of one fallocate(PUNCH_HOLE)"},
	METRIC_END,
};

static uint64_t punchhole_huge_pages(const void *options, unsigned int tasks)
{
	(void)tasks;
	return antagonist_huge_pages(&((const struct punchhole_options *)options)->common);
}

static int punchhole_setup(struct instance *in, struct hb_error *e)
{
	const struct punchhole_options *o = in->options;
	struct antagonist_file *f = malloc(sizeof(*f));
	int err;

	if (!f)
		return hb_error_set(e, -ENOMEM, "no memory");
	err = antagonist_open(in, &o->common, f, e);
	if (err) {
		free(f);
		return err;
	}
	in->priv = f;
	if (o->length % f->page_bytes || o->length > f->bytes)
		return hb_error_set(e, -EINVAL,
				    "punchhole.length %llu: wanted is a multiple of %llu, at most "
				    "the file's %llu",
				    (unsigned long long)o->length,
				    (unsigned long long)f->page_bytes,
				    (unsigned long long)f->bytes);
	return 0;
}

static int punch_once(struct task *t, const struct antagonist_file *f, uint64_t length)
{
	uint64_t slots = (f->bytes - length) / f->page_bytes + 1;
	uint64_t offset = task_random(t) % slots * f->page_bytes;
	int64_t before = antagonist_pages(f), after;
	uint64_t start = task_ticks();

	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0)
		return -errno;
	task_latency(t, PUNCH_LATENCY, task_ticks_to_ns(task_ticks() - start));
	after = antagonist_pages(f);
	task_count(t, PUNCHES, 1);
	if (before > after && after >= 0)
		task_count(t, PAGES, before - after);
	/* Nobody faults the sibling's pages in again. */
	if (f->own && fallocate(f->fd, 0, offset, length) < 0)
		return -errno;
	return 0;
}

static int punchhole_run(struct task *t, struct hb_error *e)
{
	const struct punchhole_options *o = t->in->options;
	struct antagonist_pace pace;
	int err;

	antagonist_pace_start(&pace, o->common.rate);
	while (task_continue(t)) {
		if (!antagonist_pace_wait(&pace, t))
			continue;
		err = punch_once(t, t->in->priv, o->length);
		if (err && err != -EINTR)
			return hb_error_set(e, err, "fallocate: %s", strerror(-err));
	}
	return 0;
}

static void punchhole_teardown(struct instance *in)
{
	if (in->priv)
		antagonist_close(in->priv);
	free(in->priv);
	in->priv = NULL;
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
	.teardown = punchhole_teardown,
};
WORKLOAD_REGISTER(punchhole_ops);
