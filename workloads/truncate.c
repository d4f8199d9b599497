// SPDX-License-Identifier: GPL-2.0-or-later
/* truncate: shrinks a file on huge pages and lets it grow again; mapped pages past the new end go,
 * with SIGBUS behind. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/agent/antagonist.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

#define BLOCK 512 /* of st_blocks */

enum truncate_target { TARGET_SAME, TARGET_SIBLING };
static const char *const target_names[] = {"same", "sibling", NULL};

struct truncate_options {
	double rate;
	int target;
	uint64_t amount, size;
};

#define OPT(field) offsetof(struct truncate_options, field)
static const struct option_row truncate_options_rows[] = {
	{"rate", OPTION_DOUBLE, OPT(rate), "0", "0", "1000000", NULL,
	 "truncations per second and task; 0: as fast as they go"},
	{"target", OPTION_ENUM, OPT(target), "same", NULL, NULL, target_names,
	 "same: the workload's file; sibling: a file of its own on the same pool"},
	{"amount", OPTION_SIZE, OPT(amount), "64M", "2M", "16T", NULL,
	 "bytes cut off the part that is in use"},
	{"size", OPTION_SIZE, OPT(size), "64M", "2M", "16T", NULL, "of the sibling file"},
	OPTION_END,
};

enum truncate_row { ROW_TRUNCATES, ROW_PAGES, ROW_SHRINK, ROW_GROW };

static const struct metric_row truncate_metrics[] = {
	[ROW_TRUNCATES] = {"truncates", METRIC_RATE, "1/s", METRIC_HIGHER, 1,
			   "shrink and grow, once each"},
	[ROW_PAGES] = {"pages", METRIC_RATE, "pages/s", METRIC_HIGHER, 1,
		       "huge pages that went with it, by st_blocks"},
	[ROW_SHRINK] = {"shrink_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
			"of ftruncate() to the smaller size"},
	[ROW_GROW] = {"grow_latency", METRIC_HIST, "ns", METRIC_LOWER, 0, "of ftruncate() back"},
	METRIC_END,
};

struct truncate_state {
	struct hugetlb_file sibling;
	int fd; /* the file that is truncated; borrowed from sibling or target */
	uint64_t small, large;
};

/*
 * Same file: a mapping made while the pages go reserves them anew, beside those that faults without
 * a reservation have taken meanwhile. Without room for both, mmap() fails with ENOMEM.
 */
static uint64_t truncate_huge_pages(const void *options, unsigned int tasks)
{
	const struct truncate_options *o = options;

	return tasks * ANTAGONIST_SPARE_PAGES +
	       (o->target == TARGET_SIBLING ? o->size : o->amount) / HUGETLB_2M;
}

static int setup_same(struct instance *in, struct truncate_state *s, struct hb_error *e)
{
	const struct truncate_options *o = in->options;
	struct instance *of = cell_target(in->cell);
	struct target *target = of ? of->target : NULL;

	if (!target || target->fd < 0)
		return hb_error_set(
			e, -EINVAL,
			"no workload of the cell has a file that can be truncated (System V "
			"segments cannot); say target = sibling");
	if (o->amount > target->used || o->amount % target->page)
		return hb_error_set(e, -ERANGE,
				    "amount = %" PRIu64
				    " is not a multiple of the page size up to %" PRIu64,
				    o->amount, target->used);
	s->fd = target->fd;
	s->large = target->bytes;
	s->small = target->used - o->amount;
	if (atomic_load(&target->floor) > s->small)
		atomic_store(&target->floor, s->small);
	return 0;
}

static int setup_sibling(struct instance *in, struct truncate_state *s, struct hb_error *e)
{
	const struct truncate_options *o = in->options;
	int rc;

	if (o->amount > o->size || o->amount % HUGETLB_2M || o->size % HUGETLB_2M)
		return hb_error_set(
			e, -ERANGE,
			"size and amount must be multiples of 2 MiB, amount up to size");
	rc = hugetlb_file_make(&s->sibling, HUGETLB_MEMFD, o->size, HUGETLB_2M, e);
	s->fd = s->sibling.fd;
	s->large = o->size;
	s->small = o->size - o->amount;
	return rc;
}

static int truncate_setup(struct instance *in, struct hb_error *e)
{
	const struct truncate_options *o = in->options;
	struct truncate_state *s = calloc(1, sizeof(*s));

	if (!s)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = s;
	s->sibling.fd = s->sibling.shm = -1;
	return o->target == TARGET_SAME ? setup_same(in, s, e) : setup_sibling(in, s, e);
}

static uint64_t pages_held(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (uint64_t)st.st_blocks * BLOCK / HUGETLB_2M;
}

static int truncate_once(struct task *t, struct hb_error *e)
{
	const struct truncate_state *s = t->in->priv;
	uint64_t before = pages_held(s->fd), after, begin = task_ticks();

	if (ftruncate(s->fd, s->small))
		return hb_error_set(e, -errno, "ftruncate to %" PRIu64 ": %s", s->small,
				    strerror(errno));
	task_latency(t, ROW_SHRINK, task_ticks_to_ns(task_ticks() - begin));
	after = pages_held(s->fd);
	begin = task_ticks();
	if (ftruncate(s->fd, s->large))
		return hb_error_set(e, -errno, "ftruncate to %" PRIu64 ": %s", s->large,
				    strerror(errno));
	task_latency(t, ROW_GROW, task_ticks_to_ns(task_ticks() - begin));
	task_count(t, ROW_TRUNCATES, 1);
	/* Faults go on meanwhile: what they bring back at once is not counted as gone. */
	if (before > after)
		task_count(t, ROW_PAGES, before - after);
	return 0;
}

static int truncate_run(struct task *t, struct hb_error *e)
{
	const struct truncate_options *o = t->in->options;
	const struct truncate_state *s = t->in->priv;
	uint64_t next = 0;
	int rc = 0;

	while (!rc && task_continue(t)) {
		if (o->target == TARGET_SIBLING)
			rc = hugetlb_file_fill(&s->sibling, e);
		if (!rc)
			rc = truncate_once(t, e);
		task_pace(t, &next, o->rate);
	}
	return rc;
}

static void truncate_teardown(struct instance *in)
{
	struct truncate_state *s = in->priv;

	if (s)
		hugetlb_file_close(&s->sibling);
	free(s);
	in->priv = NULL;
}

static const struct workload_ops truncate_ops = {
	.abi = WORKLOAD_ABI,
	.name = "truncate",
	.summary = "shrink and grow the workload's file, or a sibling",
	.role = ROLE_ANTAGONIST,
	.options = truncate_options_rows,
	.options_size = sizeof(struct truncate_options),
	.metrics = truncate_metrics,
	.huge_pages = truncate_huge_pages,
	.setup = truncate_setup,
	.run = truncate_run,
	.teardown = truncate_teardown,
};

WORKLOAD_REGISTER(truncate_ops);
