// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: soft offline. Pages that the workload uses are moved to other memory and taken out of
 * service, as the kernel does when a memory module reports corrected errors. Each takes a huge page
 * from the pool; they are unpoisoned and the pool is brought back after every few, and at the end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/agent/antagonist.h"
#include "workloads/agent/poison.h"

/* linux/mman.h of the kernel; glibc's sys/mman.h leaves it out. */
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

struct offline_options {
	struct antagonist_options common;
	uint64_t batch;
};

enum {
	OFFLINED,
	BUSY,
	REPAIRED,
	LATENCY,
};

static const struct option_row options[] = {
	ANTAGONIST_RATE(struct offline_options, "5"),
	ANTAGONIST_TARGET(struct offline_options),
	ANTAGONIST_SIZE(struct offline_options),
	{"batch", OPTION_U64, offsetof(struct offline_options, batch), "16", "1", "1024", NULL,
	 "pages that may be out of service at a time"},
	OPTION_END,
};

static const struct metric_row metrics[] = {
	[OFFLINED] = {"offlined", METRIC_RATE, "pages/s", METRIC_NEITHER, 0,
		      "huge pages moved and taken out of service"},
	[BUSY] = {"busy", METRIC_COUNT, "pages", METRIC_NEITHER, 0,
		  "pages that the kernel could not take: in use or locked just then"},
	[REPAIRED] = {"repaired", METRIC_COUNT, "pages", METRIC_NEITHER, 0,
		      "pages put back into service"},
	[LATENCY] = {"offline_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
		     "time of one madvise(MADV_SOFT_OFFLINE) that took the page"},
	METRIC_END,
};

/* Beside the file: what is out of service, and a place for the page that is moved. */
static uint64_t offline_huge_pages(const void *options, unsigned int tasks)
{
	const struct offline_options *o = options;

	return antagonist_huge_pages(options, tasks) + o->batch + 8;
}

static int offline_setup(struct instance *in, struct hb_error *e)
{
	struct poison *poison;
	int err;

	/* The repair must not meet a page that is being poisoned. */
	if (in->ntasks > 1)
		return hb_error_set(e, -EINVAL, "offline.tasks = %u: one at most", in->ntasks);
	err = antagonist_setup(in, e);
	err = err ?: poison_begin(in->cell, &poison, e);
	if (!err)
		((struct antagonist *)in->priv)->own = poison;
	return err;
}

static int offline_task_init(struct task *t, struct hb_error *e)
{
	uint8_t *map;
	int err = antagonist_map(t->in->priv, &map, e);

	t->priv = map;
	return err;
}

/* 1: the page was taken, 0: it could not be, -errno. */
static int offline_once(struct task *t, struct hb_error *e)
{
	const struct antagonist *a = t->in->priv;
	uint8_t *p = (uint8_t *)t->priv + task_random(t) % (a->used / a->page) * a->page;
	int mapped = antagonist_touch(p), err;
	uint64_t start;

	if (mapped <= 0)
		return mapped ? hb_error_set(e, mapped, "touch: %s", strerror(-mapped)) : 0;
	err = poison_note(a->own, p);
	if (err)
		return err == -ENOENT ? 0 : hb_error_set(e, err, "pagemap: %s", strerror(-err));
	start = task_ticks();
	if (madvise(p, a->page, MADV_SOFT_OFFLINE) == 0) {
		task_latency(t, LATENCY, task_ticks_to_ns(task_ticks() - start));
		task_count(t, OFFLINED, 1);
		return 1;
	}
	poison_forget(a->own);
	if (errno == EINVAL || errno == EPERM)
		return hb_error_set(e, -errno,
				    "madvise(MADV_SOFT_OFFLINE): %m (CONFIG_MEMORY_FAILURE, root)");
	task_count(t, BUSY, 1);
	return 0;
}

/*
 * Of the pages that this task noted. Looking for others takes as many instructions as several
 * measured phases of mode exact have, in which a task that makes no progress hangs.
 */
static int repair(struct task *t, struct hb_error *e)
{
	const struct antagonist *a = t->in->priv;
	int64_t n = poison_mend(a->own, e);

	if (n > 0)
		task_count(t, REPAIRED, n);
	return n < 0 ? (int)n : 0;
}

static int offline_run(struct task *t, struct hb_error *e)
{
	const struct offline_options *o = t->in->options;
	uint64_t next = 0, out = 0;
	int taken = 0;

	while (taken >= 0 && task_continue(t)) {
		taken = offline_once(t, e);
		out += taken > 0;
		if (out >= o->batch) {
			taken = repair(t, e);
			out = 0;
		}
		task_pace(t, &next, o->common.rate);
	}
	return taken < 0 ? taken : repair(t, e);
}

static void offline_teardown(struct instance *in)
{
	struct antagonist *a = in->priv;

	if (a && a->own) {
		/* Also after a task that died; an error shows in the comparison of the pools. */
		poison_repair(a->own, NULL);
		poison_free(a->own);
	}
	antagonist_teardown(in);
}

static const char *const needs[] = {"CONFIG_MEMORY_FAILURE", "CONFIG_HWPOISON_INJECT",
				    "CONFIG_PROC_PAGE_MONITOR", NULL};

static const struct workload_ops offline_ops = {
	.abi = WORKLOAD_ABI,
	.name = "offline",
	.summary = "takes huge pages in use out of service (soft offline) and repairs them",
	.role = ROLE_ANTAGONIST,
	.options = options,
	.options_size = sizeof(struct offline_options),
	.metrics = metrics,
	.needs = needs,
	.huge_pages = offline_huge_pages,
	.setup = offline_setup,
	.task_init = offline_task_init,
	.run = offline_run,
	.teardown = offline_teardown,
};
WORKLOAD_REGISTER(offline_ops);
