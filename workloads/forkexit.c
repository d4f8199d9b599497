// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * forkexit: each task maps a file on huge pages, write-faults a few pages, then forks a child that
 * exits at once, in a loop. The second of the published recipes; together with pmdshare (shape
 * remap) the third.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

/* Away from pmdshare's mappings, on a 1 GiB boundary as well. */
#define FORKEXIT_BASE ((char *)0x200000000000ULL)

struct forkexit_options {
	uint64_t size, pages;
	int file, same, aligned;
};

#define OPT(field) offsetof(struct forkexit_options, field)
static const struct option_row forkexit_options_rows[] = {
	{"size", OPTION_SIZE, OPT(size), "1G", "2M", "16T", NULL,
	 "of the file and of every mapping of it"},
	{"pages", OPTION_U64, OPT(pages), "4", "0", "1048576", NULL,
	 "huge pages that each task writes to before it forks"},
	{"file", OPTION_ENUM, OPT(file), "hugetlbfs", NULL, NULL, hugetlb_kinds,
	 "as for pmdshare; shm reserves all of size"},
	{"same", OPTION_BOOL, OPT(same), "yes", NULL, NULL, NULL,
	 "yes: map the file of the cell's other workload, as the published test; alone: a file of "
	 "its own"},
	{"aligned", OPTION_BOOL, OPT(aligned), "no", NULL, NULL, NULL,
	 "yes: share PMD tables among the tasks and with the other workload, which then finds "
	 "pages that these keep mapped"},
	OPTION_END,
};

enum forkexit_row { ROW_FORKS, ROW_FORK, ROW_EXIT };

static const struct metric_row forkexit_metrics[] = {
	[ROW_FORKS] = {"forks", METRIC_RATE, "1/s", METRIC_HIGHER, 1,
		       "children forked, ended and reaped"},
	[ROW_FORK] = {"fork_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
		      "of fork(), in the parent"},
	[ROW_EXIT] = {"exit_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
		      "from the return of fork() in the parent until the child is reaped"},
	METRIC_END,
};

struct forkexit_state {
	struct hugetlb_file own;
	struct hugetlb_file *file; /* own, or a view of the other workload's */
	struct hugetlb_file view;
};

static uint64_t forkexit_huge_pages(const void *options, unsigned int tasks)
{
	const struct forkexit_options *o = options;

	(void)tasks;
	return o->file == HUGETLB_SHM ? o->size / HUGETLB_2M : o->pages;
}

/* The file that another workload published, if there is one that can be mapped by its descriptor.
 */
static bool view_target(struct instance *in, struct forkexit_state *s)
{
	const struct forkexit_options *o = in->options;
	const struct instance *of = o->same ? cell_target(in->cell) : NULL;

	if (!of || of == in || of->target->fd < 0)
		return false;
	s->view = (struct hugetlb_file){.kind = HUGETLB_FILE,
					.fd = of->target->fd,
					.shm = -1,
					.bytes = of->target->bytes,
					.page = of->target->page};
	s->file = &s->view;
	return true;
}

static int forkexit_setup(struct instance *in, struct hb_error *e)
{
	const struct forkexit_options *o = in->options;
	struct forkexit_state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = s;
	s->own.fd = s->own.shm = -1;
	if (!view_target(in, s)) {
		rc = hugetlb_file_make(&s->own, o->file, o->size, HUGETLB_2M, e);
		if (rc)
			return rc;
		s->file = &s->own;
	}
	if (o->pages > s->file->bytes / s->file->page)
		return hb_error_set(e, -ERANGE, "pages = %" PRIu64 ", but the file has %" PRIu64,
				    o->pages, s->file->bytes / s->file->page);
	instance_note(in, "file", "%s, %" PRIu64 " bytes",
		      s->file == &s->own ? "its own" : "the other workload's", s->file->bytes);
	return 0;
}

static int forkexit_task_init(struct task *t, struct hb_error *e)
{
	const struct forkexit_options *o = t->in->options;
	const struct forkexit_state *s = t->in->priv;
	/* From the end of the GiB downwards: pmdshare's tasks with aligned = no go upwards. */
	uint64_t shift =
		o->aligned ? 0 : (HUGETLB_1G / HUGETLB_2M - 1 - t->index % 256) * HUGETLB_2M;
	char *addr = FORKEXIT_BASE + shift;
	int rc = hugetlb_file_map(s->file, addr, 0, s->file->kind != HUGETLB_SHM, e);

	for (uint64_t i = 0; i < o->pages && !rc; i++)
		((volatile char *)addr)[i * s->file->page] = 1;
	return rc;
}

static int fork_once(struct task *t, struct hb_error *e)
{
	uint64_t begin = task_ticks(), forked;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	forked = task_ticks();
	if (pid < 0)
		return hb_error_set(e, -errno, "fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return hb_error_set(e, -errno, "waitpid: %s", strerror(errno));
	task_latency(t, ROW_EXIT, task_ticks_to_ns(task_ticks() - forked));
	task_latency_of(t, ROW_FORK, task_ticks_to_ns(forked - begin), forked, 0);
	if (status)
		return hb_error_set(e, -EIO, "a child ended with wait status %#x", status);
	task_count(t, ROW_FORKS, 1);
	return 0;
}

static int forkexit_run(struct task *t, struct hb_error *e)
{
	int rc = 0;

	while (!rc && task_continue(t))
		rc = fork_once(t, e);
	return rc;
}

static void forkexit_teardown(struct instance *in)
{
	struct forkexit_state *s = in->priv;

	if (s)
		hugetlb_file_close(&s->own);
	free(s);
	in->priv = NULL;
}

static const struct workload_ops forkexit_ops = {
	.abi = WORKLOAD_ABI,
	.name = "forkexit",
	.summary = "map a file on huge pages, fault a few in, fork and exit in a loop",
	.role = ROLE_WORKLOAD,
	.options = forkexit_options_rows,
	.options_size = sizeof(struct forkexit_options),
	.metrics = forkexit_metrics,
	.needs = hugetlb_needs,
	.huge_pages = forkexit_huge_pages,
	.setup = forkexit_setup,
	.task_init = forkexit_task_init,
	.run = forkexit_run,
	.teardown = forkexit_teardown,
};

WORKLOAD_REGISTER(forkexit_ops);
