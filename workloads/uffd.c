// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: userfaultfd. Its mapping of the file is registered for missing pages; it punches one
 * out, touches it, and a thread of its own fills it by UFFDIO_COPY.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workloads/agent/antagonist.h"

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
	int fd, stop;
	pthread_t thread;
	bool running;
	uint64_t page, size;
	uint8_t *map, *zero; /* the mapping, and a page's worth of zeroes */
	_Atomic uint64_t copies, races;
	_Atomic int error;
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

/* Keep errno for the task, which waits in a fault: without the registration that ends. */
static void give_up(struct filler *f)
{
	struct uffdio_range all = {(uintptr_t)f->map, f->size};

	atomic_store(&f->error, errno);
	ioctl(f->fd, UFFDIO_UNREGISTER, &all);
}

static void fill(struct filler *f, uint64_t addr)
{
	struct uffdio_copy copy = {
		.dst = addr & ~(f->page - 1),
		.src = (uintptr_t)f->zero,
		.len = f->page,
	};
	struct uffdio_range range = {copy.dst, f->page};

	if (ioctl(f->fd, UFFDIO_COPY, &copy) == 0) {
		atomic_fetch_add(&f->copies, 1);
		return;
	}
	if (errno != EEXIST && errno != EFAULT && errno != EAGAIN && errno != ENOENT) {
		give_up(f);
		return;
	}
	atomic_fetch_add(&f->races, 1);
	if (ioctl(f->fd, UFFDIO_WAKE, &range) < 0)
		give_up(f);
}

static void *filler_main(void *arg)
{
	struct filler *f = arg;
	struct pollfd fds[] = {{f->fd, POLLIN, 0}, {f->stop, POLLIN, 0}};
	struct uffd_msg msg;

	while (!fds[1].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR) {
			atomic_store(&f->error, errno);
			break;
		}
		if (fds[0].revents & POLLIN && read(f->fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			fill(f, msg.arg.pagefault.address);
	}
	return NULL;
}

static int filler_start(struct filler *f, const struct antagonist *a, struct hb_error *e)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int err = antagonist_map(a, &f->map, e);

	if (err)
		return err;
	f->page = a->page;
	f->size = a->size;
	f->zero = calloc(1, a->page);
	f->stop = eventfd(0, EFD_CLOEXEC);
	f->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	reg.range.start = (uintptr_t)f->map;
	reg.range.len = a->size;
	if (!f->zero || f->stop < 0 || f->fd < 0 || ioctl(f->fd, UFFDIO_API, &api) < 0 ||
	    ioctl(f->fd, UFFDIO_REGISTER, &reg) < 0)
		return hb_error_set(e, -errno, "userfaultfd on huge pages: %m");
	err = -pthread_create(&f->thread, NULL, filler_main, f);
	f->running = !err;
	return err ? hb_error_set(e, err, "thread: %s", strerror(-err)) : 0;
}

static void filler_free(struct filler *f)
{
	uint64_t one = 1;

	if (f->running && hb_write_all(f->stop, &one, sizeof(one)) == 0)
		pthread_join(f->thread, NULL);
	if (f->fd >= 0)
		close(f->fd);
	if (f->stop >= 0)
		close(f->stop);
	free(f->zero);
	free(f);
}

static int uffd_task_init(struct task *t, struct hb_error *e)
{
	struct filler *f = calloc(1, sizeof(*f));

	if (!f)
		return hb_error_set(e, -ENOMEM, "no memory");
	f->fd = f->stop = -1;
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
	if (atomic_load(&f->error))
		return hb_error_set(e, -atomic_load(&f->error), "UFFDIO_COPY: %s",
				    strerror(atomic_load(&f->error)));
	return 0;
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
