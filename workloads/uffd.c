// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: userfaultfd. Its mapping of the file is registered for missing pages; it punches one
 * out, touches it, and a thread of its own fills it by UFFDIO_COPY.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workloads/agent/antagonist.h"
#include "workloads/agent/userfault.h"

struct uffd_options {
	struct antagonist_options common;
};

enum {
	COPIES,
	RACES,
	FILL_LATENCY,
};

static const struct option_row options[] = {
	ANTAGONIST_RATE(struct uffd_options, "10"),
	ANTAGONIST_TARGET(struct uffd_options),
	ANTAGONIST_SIZE(struct uffd_options),
	OPTION_END,
};

static const struct metric_row metrics[] = {
	[COPIES] = {"copies", METRIC_RATE, "1/s", METRIC_NEITHER, 0,
		    "missing pages filled by UFFDIO_COPY"},
	[RACES] =
		{"races", METRIC_COUNT, "1", METRIC_NEITHER, 0,
		 "pages that somebody else had put in before the copy, or that were past the end"},
	[FILL_LATENCY] = {"fill_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			  "from the touch to its end, of the pages that were filled"},
	METRIC_END,
};

/* Of one task; the thread writes the counters, the task reads them after a touch. */
struct filler {
	struct userfault fault;
	uint8_t *map, *zero; /* the mapping, and a page's worth of zeroes */
	_Atomic uint64_t copies, races;
};

/*
 * A page more per task: a copy whose source has to be faulted in keeps its page while it gives up
 * the locks, and another process puts one into the same place.
 */
static uint64_t uffd_huge_pages(const void *options, unsigned int tasks)
{
	return antagonist_huge_pages(options, tasks) + tasks;
}

static int uffd_setup(struct instance *in, struct hb_error *e)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return hb_error_set(e, errno == ENOSYS ? -EOPNOTSUPP : -errno,
				    "userfaultfd: %m (CONFIG_USERFAULTFD, root)");
	close(fd);
	return antagonist_setup(in, e);
}

static void fill(void *arg, uint64_t address)
{
	struct filler *f = arg;

	atomic_fetch_add(userfault_copy(&f->fault, address, f->zero) ? &f->copies : &f->races, 1);
}

static int filler_start(struct filler *f, const struct antagonist *a, struct hb_error *e)
{
	int err = antagonist_map(a, &f->map, e);

	if (err)
		return err;
	f->zero = calloc(1, a->page);
	if (!f->zero)
		return hb_error_set(e, -ENOMEM, "no memory");
	f->fault.map = f->map;
	f->fault.bytes = a->size;
	f->fault.page = a->page;
	f->fault.fill = fill;
	f->fault.arg = f;
	return userfault_begin(&f->fault, e);
}

static void filler_free(struct filler *f)
{
	userfault_end(&f->fault);
	free(f->zero);
	free(f);
}

static int uffd_task_init(struct task *t, struct hb_error *e)
{
	struct filler *f = calloc(1, sizeof(*f));

	if (!f)
		return hb_error_set(e, -ENOMEM, "no memory");
	t->priv = f;
	return filler_start(f, t->in->priv, e);
}

static int uffd_once(struct task *t, struct hb_error *e)
{
	const struct antagonist *a = t->in->priv;
	struct filler *f = t->priv;
	uint64_t offset = task_random(t) % (a->used / a->page) * a->page, copies, start;
	int mapped;

	if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, a->page) < 0)
		return errno == EINTR ? 0 : hb_error_set(e, -errno, "fallocate: %m");
	start = task_ticks();
	mapped = antagonist_touch(f->map + offset);
	if (mapped < 0)
		return hb_error_set(e, mapped, "touch: %s", strerror(-mapped));
	copies = atomic_exchange(&f->copies, 0);
	if (copies)
		task_latency(t, FILL_LATENCY, task_ticks_to_ns(task_ticks() - start));
	task_count(t, COPIES, copies);
	task_count(t, RACES, atomic_exchange(&f->races, 0));
	return userfault_check(&f->fault, e);
}

static int uffd_run(struct task *t, struct hb_error *e)
{
	const struct uffd_options *o = t->in->options;
	uint64_t next = 0;
	int err = 0;

	while (!err && task_continue(t)) {
		err = uffd_once(t, e);
		task_pace(t, &next, o->common.rate);
	}
	return err;
}

static void uffd_task_exit(struct task *t)
{
	if (t->priv)
		filler_free(t->priv);
	t->priv = NULL;
}

static const char *const needs[] = {"CONFIG_USERFAULTFD", NULL};

static const struct workload_ops uffd_ops = {
	.abi = WORKLOAD_ABI,
	.name = "uffd",
	.summary = "punches pages out and fills them through userfaultfd",
	.role = ROLE_ANTAGONIST,
	.options = options,
	.options_size = sizeof(struct uffd_options),
	.metrics = metrics,
	.needs = needs,
	.huge_pages = uffd_huge_pages,
	.setup = uffd_setup,
	.task_init = uffd_task_init,
	.run = uffd_run,
	.task_exit = uffd_task_exit,
	.teardown = antagonist_teardown,
};
WORKLOAD_REGISTER(uffd_ops);
