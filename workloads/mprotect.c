// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: changes the protection of its own mapping of the file to read-only and back. Pages in
 * shared PMD tables have to be unshared first, under the locks that faults of the workload want.
 */
#include <string.h>
#include <sys/mman.h>

#include "workloads/agent/antagonist.h"

struct mprotect_options {
	struct antagonist_options common;
	uint64_t length;
};

enum {
	CHANGES,
	TABLES,
	LATENCY,
};

static const struct option_row options[] = {
	ANTAGONIST_RATE(struct mprotect_options, "10"),
	ANTAGONIST_TARGET(struct mprotect_options),
	ANTAGONIST_SIZE(struct mprotect_options),
	{"length", OPTION_SIZE, offsetof(struct mprotect_options, length), "1G", "2M", "1T", NULL,
	 "bytes whose protection changes, from the start; more than the file has: all of it"},
	OPTION_END,
};

static const struct metric_row metrics[] = {
	[CHANGES] = {"changes", METRIC_RATE, "1/s", METRIC_NEITHER, 0,
		     "protection taken away and given back"},
	[TABLES] =
		{"tables", METRIC_COUNT, "1", METRIC_NEITHER, 0,
		 "page tables (one per GiB) that had an entry when the protection was taken away"},
	[LATENCY] = {"mprotect_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
		     "time of one mprotect()"},
	METRIC_END,
};

static int mprotect_setup(struct instance *in, struct hb_error *e)
{
	const struct mprotect_options *o = in->options;
	int err = antagonist_setup(in, e);
	const struct antagonist *a = in->priv;

	if (!err && o->length % a->page)
		err = hb_error_set(e, -EINVAL, "length %llu is no multiple of the page size %llu",
				   (unsigned long long)o->length, (unsigned long long)a->page);
	return err;
}

static int mprotect_task_init(struct task *t, struct hb_error *e)
{
	uint8_t *map;
	int err = antagonist_map(t->in->priv, &map, e);

	t->priv = map;
	return err;
}

static int timed_mprotect(struct task *t, uint64_t bytes, int prot, struct hb_error *e)
{
	uint64_t start = task_ticks();

	if (mprotect(t->priv, bytes, prot) < 0)
		return hb_error_set(e, -errno, "mprotect of %llu bytes: %m",
				    (unsigned long long)bytes);
	task_latency(t, LATENCY, task_ticks_to_ns(task_ticks() - start));
	return 0;
}

/*
 * One change there and back. A page of each GiB is touched first: without an entry of its own the
 * task has no page table, shared or not, whose protection could change.
 */
static int change_once(struct task *t, uint64_t bytes, uint64_t page, struct hb_error *e)
{
	const uint8_t *map = t->priv;
	unsigned int tables = 0;
	int err;

	for (uint64_t at = 0; at < bytes; at += HUGETLB_1G) {
		uint64_t span = bytes - at < HUGETLB_1G ? bytes - at : HUGETLB_1G;
		int mapped = antagonist_touch(map + at + task_random(t) % (span / page) * page);

		if (mapped < 0)
			return hb_error_set(e, mapped, "touch: %s", strerror(-mapped));
		tables += mapped;
	}
	err = timed_mprotect(t, bytes, PROT_READ, e);
	if (err)
		return err;
	task_count(t, CHANGES, 1);
	task_count(t, TABLES, tables);
	return timed_mprotect(t, bytes, PROT_READ | PROT_WRITE, e);
}

static int mprotect_run(struct task *t, struct hb_error *e)
{
	const struct mprotect_options *o = t->in->options;
	const struct antagonist *a = t->in->priv;
	uint64_t bytes = o->length < a->used ? o->length : a->used, next = 0;
	int err = 0;

	while (!err && task_continue(t)) {
		err = change_once(t, bytes, a->page, e);
		task_pace(t, &next, o->common.rate);
	}
	return err;
}

static const struct workload_ops mprotect_ops = {
	.abi = WORKLOAD_ABI,
	.name = "mprotect",
	.summary = "makes its own mapping of the file read-only and writable again",
	.role = ROLE_ANTAGONIST,
	.options = options,
	.options_size = sizeof(struct mprotect_options),
	.metrics = metrics,
	.huge_pages = antagonist_huge_pages,
	.setup = mprotect_setup,
	.task_init = mprotect_task_init,
	.run = mprotect_run,
	.teardown = antagonist_teardown,
};
WORKLOAD_REGISTER(mprotect_ops);
