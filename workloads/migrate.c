// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * migrate: moves the workload's huge pages between NUMA nodes.
 *
 * Only pages that were seen on another node before and are reported on the wanted one afterwards
 * count as moved: move_pages() returns 0 also when nothing moved, so status[] is read page by page.
 * MPOL_MF_MOVE_ALL, since a page that several processes map stays where it is without it; that
 * takes CAP_SYS_NICE.
 *
 * move_pages() finds pages through page tables. Those of tasks that map and unmap all the time are
 * mostly empty, so where the workload has a file, each task maps it for itself, apart from the
 * others' shared page tables, and faults in what it is about to move. Else the workload's processes
 * are asked. The same holds for migrate_pages(), which with CAP_SYS_NICE moves shared pages, too
 * (do_migrate_pages()), and the process's small pages besides.
 */
#include <inttypes.h>
#include <numa.h>
#include <numaif.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

#define BATCH_MAX 512
/* No errno and no node. */
#define STATUS_UNSET (-10000)

enum method { METHOD_MOVE_PAGES, METHOD_MIGRATE_PAGES };
static const char *const method_names[] = {"move_pages", "migrate_pages", NULL};

struct migrate_options {
	double rate;
	int method;
	uint64_t batch, reserve;
};

#define OPT(field) offsetof(struct migrate_options, field)
static const struct option_row migrate_options_rows[] = {
	{"rate", OPTION_DOUBLE, OPT(rate), "0", "0", "1000000", NULL,
	 "calls per second and task; 0: as fast as they go"},
	{"method", OPTION_ENUM, OPT(method), "move_pages", NULL, NULL, method_names,
	 "move_pages: chosen pages; migrate_pages: all pages that the antagonist's process has on "
	 "a "
	 "node, some hundred small ones besides, which takes seconds where emulated"},
	{"batch", OPTION_U64, OPT(batch), "16", "1", "512", NULL, "pages per call of move_pages"},
	{"reserve", OPTION_U64, OPT(reserve), "32", "0", "1048576", NULL,
	 "huge pages that the pool has beyond the workload's, to move to"},
	OPTION_END,
};

enum migrate_row { ROW_PAGES, ROW_CALLS, ROW_ABSENT, ROW_BUSY, ROW_FAILED, ROW_LATENCY };

static const struct metric_row migrate_metrics[] = {
	[ROW_PAGES] = {"pages", METRIC_RATE, "pages/s", METRIC_HIGHER, 1,
		       "huge pages moved to another node, by status[]"},
	[ROW_CALLS] = {"calls", METRIC_RATE, "1/s", METRIC_HIGHER, 0,
		       "system calls that asked for a move"},
	[ROW_ABSENT] = {"absent", METRIC_COUNT, "pages", METRIC_NEITHER, 0,
			"pages that the process had not mapped just then"},
	[ROW_BUSY] = {"busy", METRIC_COUNT, "pages", METRIC_LOWER, 0,
		      "pages that stayed (-EBUSY, -EAGAIN)"},
	[ROW_FAILED] = {"failed", METRIC_COUNT, "pages", METRIC_LOWER, 0,
			"pages that stayed for another reason"},
	[ROW_LATENCY] = {"migrate_latency", METRIC_HIST, "ns", METRIC_LOWER, 1, "of one such call"},
	METRIC_END,
};

struct migrate_state {
	const struct target *target;
	int node[2]; /* the pages go to and fro between two nodes */
	int sink;    /* a byte of each page is written here, to fault it in */
};

static uint64_t migrate_huge_pages(const void *options, unsigned int tasks)
{
	const struct migrate_options *o = options;

	(void)tasks;
	return o->reserve;
}

static int migrate_setup(struct instance *in, struct hb_error *e)
{
	struct instance *of = cell_target(in->cell);
	struct migrate_state *s;
	int found = 0;

	if (!of || (!of->target->addr && of->target->fd < 0))
		return hb_error_set(e, -EINVAL,
				    "no workload of the cell maps pages at a known address");
	s = calloc(1, sizeof(*s));
	if (!s)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = s;
	s->target = of->target;
	s->sink = memfd_create("sink", MFD_CLOEXEC);
	if (s->sink < 0)
		return hb_error_set(e, -errno, "memfd_create: %s", strerror(errno));
	/* Node masks below are one word. */
	for (int n = 0; numa_available() >= 0 && n <= numa_max_node() && n < 64 && found < 2; n++)
		if (numa_bitmask_isbitset(numa_all_nodes_ptr, n))
			s->node[found++] = n;
	if (found < 2)
		return hb_error_set(e, -EOPNOTSUPP,
				    "one NUMA node only (or a kernel without CONFIG_NUMA): nowhere "
				    "to migrate to");
	return 0;
}

/* A mapping of the task's own, 2 MiB past a 1 GiB boundary: nobody shares a page table with it. */
static int migrate_task_init(struct task *t, struct hb_error *e)
{
	const struct target *target = ((struct migrate_state *)t->in->priv)->target;
	char *room, *at;

	if (target->fd < 0)
		return 0;
	room = mmap(NULL, target->bytes + 2 * HUGETLB_1G, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return hb_error_set(e, -errno, "no room to map the file: %s", strerror(errno));
	at = room + (HUGETLB_1G - (uintptr_t)room % HUGETLB_1G) + HUGETLB_2M;
	/* Read only: a writable mapping would let a file grow that is being truncated
	 * (hugetlbfs_file_mmap()). */
	if (mmap(at, target->bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, target->fd,
		 0) == MAP_FAILED)
		return hb_error_set(e, -errno, "cannot map the workload's file: %s",
				    strerror(errno));
	t->priv = at;
	return 0;
}

/* A chunk of one process's mapping. */
struct chunk {
	pid_t pid;
	unsigned long n;
	void *page[BATCH_MAX];
	int node[BATCH_MAX], status[BATCH_MAX];
};

static void chunk_pages(struct task *t, struct chunk *c, uint64_t batch)
{
	const struct migrate_state *s = t->in->priv;
	const struct target *target = s->target;
	unsigned int npids = t->priv ? 0 : atomic_load(&target->npids),
		     k = npids ? task_random(t) % npids : 0;
	uint64_t pages = target->used / target->page, first;
	char *base = t->priv ? t->priv : (char *)target->addr + k * target->step;

	c->pid = npids ? atomic_load(&target->pids[k]) : 0;
	c->n = batch < pages ? batch : pages;
	first = task_random(t) % (pages - c->n + 1);
	for (unsigned long i = 0; i < c->n; i++)
		c->page[i] = base + (first + i) * target->page;
}

/*
 * Fault in without a signal for what is past the end of the file: write() answers EFAULT instead,
 * and such pages stay absent.
 */
static void chunk_fault_in(const struct chunk *c, int sink)
{
	for (unsigned long i = 0; i < c->n; i++)
		if (pwrite(sink, c->page[i], 1, 0) < 0)
			continue;
}

/* Ask where the pages are and keep those that are mapped, with the other node as the place to go.
 */
static int chunk_plan(struct task *t, struct chunk *c, struct hb_error *e)
{
	const struct migrate_state *s = t->in->priv;
	unsigned long kept = 0;

	if (move_pages(c->pid, c->n, c->page, NULL, c->status, 0) < 0)
		return errno == ESRCH
			       ? 0
			       : hb_error_set(e, -errno, "move_pages (query): %s", strerror(errno));
	for (unsigned long i = 0; i < c->n; i++) {
		if (c->status[i] < 0)
			continue;
		c->page[kept] = c->page[i];
		c->node[kept++] = c->status[i] == s->node[0] ? s->node[1] : s->node[0];
	}
	task_count(t, ROW_ABSENT, c->n - kept);
	c->n = kept;
	return 0;
}

/*
 * When some page of a batch stays, the kernel returns without having stored the status of that
 * batch (5.10, do_move_pages_to_node() > 0): ask where such pages are now.
 */
static void chunk_requery(struct chunk *c)
{
	for (unsigned long i = 0; i < c->n; i++)
		if (c->status[i] == STATUS_UNSET &&
		    move_pages(c->pid, 1, &c->page[i], NULL, &c->status[i], 0) < 0)
			c->status[i] = -EAGAIN;
}

static void chunk_judge(struct task *t, const struct chunk *c)
{
	for (unsigned long i = 0; i < c->n; i++) {
		int st = c->status[i];

		if (st == c->node[i])
			task_count(t, ROW_PAGES, 1);
		else if (st == -ENOENT || st == -EFAULT)
			task_count(t, ROW_ABSENT, 1);
		else if (st == -EBUSY || st == -EAGAIN || st >= 0)
			task_count(t, ROW_BUSY, 1);
		else
			task_count(t, ROW_FAILED, 1);
	}
}

static int move_once(struct task *t, struct hb_error *e)
{
	const struct migrate_options *o = t->in->options;
	struct chunk c;
	uint64_t begin;
	long rc;

	chunk_pages(t, &c, o->batch);
	if (t->priv)
		chunk_fault_in(&c, ((struct migrate_state *)t->in->priv)->sink);
	rc = chunk_plan(t, &c, e);
	if (rc || !c.n)
		return rc;
	for (unsigned long i = 0; i < c.n; i++)
		c.status[i] = STATUS_UNSET;
	begin = task_ticks();
	rc = move_pages(c.pid, c.n, c.page, c.node, c.status, MPOL_MF_MOVE_ALL);
	task_latency(t, ROW_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	task_count(t, ROW_CALLS, 1);
	if (rc < 0 && errno == EPERM)
		return hb_error_set(e, -EPERM, "move_pages(MPOL_MF_MOVE_ALL) takes CAP_SYS_NICE");
	/* Others: the process is gone, or no page was free there; status[] tells which pages moved
	 * all the same. */
	chunk_requery(&c);
	chunk_judge(t, &c);
	return 0;
}

/*
 * Node of every page of the range that process @pid maps at @base, or a negative errno. The pages
 * of a mapping of our own (@pid 0) are faulted in through @sink first; -1: they are not.
 */
static void where(const struct target *target, pid_t pid, char *base, int sink, int *node)
{
	uint64_t pages = target->used / target->page;
	struct chunk c;

	for (uint64_t at = 0; at < pages; at += c.n) {
		c.n = pages - at < BATCH_MAX ? pages - at : BATCH_MAX;
		for (unsigned long i = 0; i < c.n; i++) {
			c.page[i] = base + (at + i) * target->page;
			node[at + i] = -ENOENT;
		}
		if (sink >= 0)
			chunk_fault_in(&c, sink);
		/* The process may be gone by now: its pages stay absent. */
		move_pages(pid, c.n, c.page, NULL, node + at, 0);
	}
}

/* What became of the pages that were to go from node @from to node @to. */
static void judge_nodes(struct task *t, const int *before, const int *after, uint64_t pages,
			int from, int to)
{
	for (uint64_t i = 0; i < pages; i++) {
		if (before[i] < 0)
			task_count(t, ROW_ABSENT, 1);
		else if (before[i] == from && after[i] == to)
			task_count(t, ROW_PAGES, 1);
		else if (before[i] == from && after[i] == from)
			task_count(t, ROW_BUSY, 1);
	}
}

/*
 * All pages of a process, to and fro, one direction per call: of our own, which has the file mapped
 * all the time, else of one of the workload's. The return value counts what stayed, small pages
 * too, so the huge pages are looked at instead.
 */
static int migrate_once(struct task *t, unsigned int turn, struct hb_error *e)
{
	const struct migrate_state *s = t->in->priv;
	const struct target *target = s->target;
	uint64_t pages = target->used / target->page, begin;
	unsigned int npids = t->priv ? 0 : atomic_load(&target->npids),
		     k = npids ? task_random(t) % npids : 0;
	HB_FREE int *before = calloc(pages, sizeof(int)), *after = calloc(pages, sizeof(int));
	int from = s->node[turn % 2], to = s->node[(turn + 1) % 2];
	unsigned long from_mask = 1UL << from, to_mask = 1UL << to;
	char *base = t->priv ? t->priv : (char *)target->addr + k * target->step;
	pid_t pid = npids ? atomic_load(&target->pids[k]) : 0;
	long rc;

	if (!before || !after)
		return hb_error_set(e, -ENOMEM, "no memory");
	where(target, pid, base, t->priv ? s->sink : -1, before);
	begin = task_ticks();
	rc = migrate_pages(pid, sizeof(from_mask) * 8 + 1, &from_mask, &to_mask);
	rc = rc < 0 ? -errno : rc;
	task_latency(t, ROW_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	where(target, pid, base, -1, after);
	task_count(t, ROW_CALLS, 1);
	judge_nodes(t, before, after, pages, from, to);
	if (rc < 0 && rc != -ESRCH && rc != -ENOMEM && rc != -EBUSY)
		return hb_error_set(e, rc, "migrate_pages: %s", strerror(-rc));
	return 0;
}

static int migrate_run(struct task *t, struct hb_error *e)
{
	const struct migrate_options *o = t->in->options;
	unsigned int turn = t->index;
	uint64_t next = 0;
	int rc = 0;

	while (!rc && task_continue(t)) {
		rc = o->method == METHOD_MOVE_PAGES ? move_once(t, e) : migrate_once(t, turn++, e);
		task_pace(t, &next, o->rate);
	}
	return rc;
}

static void migrate_teardown(struct instance *in)
{
	struct migrate_state *s = in->priv;

	if (s && s->sink >= 0)
		close(s->sink);
	free(s);
	in->priv = NULL;
}

static const char *const migrate_needs[] = {"CONFIG_NUMA", "CONFIG_MIGRATION", NULL};

static const struct workload_ops migrate_ops = {
	.abi = WORKLOAD_ABI,
	.name = "migrate",
	.summary = "move the workload's huge pages between NUMA nodes",
	.role = ROLE_ANTAGONIST,
	.options = migrate_options_rows,
	.options_size = sizeof(struct migrate_options),
	.metrics = migrate_metrics,
	.needs = migrate_needs,
	.huge_pages = migrate_huge_pages,
	.setup = migrate_setup,
	.task_init = migrate_task_init,
	.run = migrate_run,
	.teardown = migrate_teardown,
};

WORKLOAD_REGISTER(migrate_ops);
