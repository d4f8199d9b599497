// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exact: guest instructions per operation on huge pages, in mode exact only (QEMU -icount, one
 * vCPU).
 *
 * A round makes one of everything, in the same order; the work of the mode is the number of rounds.
 * Each figure is the least that the operation took in a run, and beside it the mean. What comes now
 * and then is in the mean alone: the timer interrupt, and the refill of a slab or of a list of free
 * pages, some 2,000 instructions of fork() in some rounds. When that comes depends on
 * everything that was allocated before, so a median moved with changes that have nothing to do with
 * the operation. Two reads of the counter cost instructions themselves; they are taken off.
 */
#include <inttypes.h>
#include <numa.h>
#include <numaif.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/clock.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

#define BASE HUGETLB_BASE
/* A second mapping of the same file, also 1 GiB-aligned: its first touch finds the table of the
 * first. */
#define SECOND	  (HUGETLB_BASE + 64 * HUGETLB_1G)
#define PRIVATE	  (HUGETLB_BASE + 128 * HUGETLB_1G)
#define PAGES_MAX 512

struct exact_options {
	uint64_t pages;
};

static const struct option_row exact_options_rows[] = {
	{"pages", OPTION_U64, offsetof(struct exact_options, pages), "32", "4", "512", NULL,
	 "huge pages per round; figures per page are divided by it"},
	OPTION_END,
};

/* What is counted, in rows of two: the least, then the mean. */
enum exact_op {
	OP_FIRST_FAULT,
	OP_CACHED_FAULT,
	OP_PRIVATE_FAULT,
	OP_ATTACH,
	OP_UNMAP,
	OP_SHARED_UNMAP,
	OP_FORK,
	OP_EXIT,
	OP_TRUNCATE,
	OP_MIGRATE,
	OPS
};

#define PAIR(op, name, help)                                                                       \
	[2 * (op)] = {name, METRIC_EXACT, "insn", METRIC_LOWER, 1, help},                          \
	     [2 * (op) + 1] = {name "_mean",                                                       \
			       METRIC_EXACT,                                                       \
			       "insn",                                                             \
			       METRIC_LOWER,                                                       \
			       0,                                                                  \
			       "mean of the same, with interrupts and refills of allocators"}

static const struct metric_row exact_metrics[] = {
	PAIR(OP_FIRST_FAULT, "first_fault",
	     "write fault on a page that is not in the cache: allocated and cleared"),
	PAIR(OP_CACHED_FAULT, "cached_fault", "write fault on a page that is in the cache"),
	PAIR(OP_PRIVATE_FAULT, "private_fault", "write fault on private anonymous huge pages"),
	PAIR(OP_ATTACH, "attach", "first touch of a mapping that finds a PMD table to share"),
	PAIR(OP_UNMAP, "unmap", "munmap() of populated mappings, per page"),
	PAIR(OP_SHARED_UNMAP, "shared_unmap",
	     "munmap() of a mapping that shares its PMD table, per call"),
	PAIR(OP_FORK, "fork", "fork() with the pages mapped, in the parent"),
	PAIR(OP_EXIT, "exit",
	     "from the return of fork() until the child, which exits at once, is reaped"),
	PAIR(OP_TRUNCATE, "truncate", "ftruncate() of mapped pages, per page"),
	PAIR(OP_MIGRATE, "migrate",
	     "move_pages() to the other NUMA node, per page that moved; timer ticks always fall "
	     "in"),
	METRIC_END,
};

struct exact_task {
	struct {
		uint64_t least, sum;
	} op[OPS];
	uint64_t clock_cost;
	int node[2];
	int nnodes;
};

static uint64_t exact_huge_pages(const void *options, unsigned int tasks)
{
	const struct exact_options *o = options;

	/* The file, the private pages after it, and room to migrate to. */
	return 4 * o->pages * tasks;
}

static int exact_setup(struct instance *in, struct hb_error *e)
{
	const struct exact_options *o = in->options;
	struct hugetlb_file *f;

	if (!in->cell->exact)
		return hb_error_set(e, -EOPNOTSUPP, "counts instructions: --mode exact only");
	if (in->ntasks != 1 || o->pages > PAGES_MAX)
		return hb_error_set(e, -EINVAL, "one task only, on the one vCPU");
	f = calloc(1, sizeof(*f));
	if (!f)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = f;
	return hugetlb_file_make(f, HUGETLB_MEMFD, HUGETLB_1G, HUGETLB_2M, e);
}

static int exact_task_init(struct task *t, struct hb_error *e)
{
	struct exact_task *x = calloc(1, sizeof(*x));

	if (!x)
		return hb_error_set(e, -ENOMEM, "no memory");
	t->priv = x;
	for (int n = 0; numa_available() >= 0 && n <= numa_max_node() && x->nnodes < 2; n++)
		if (numa_bitmask_isbitset(numa_all_nodes_ptr, n))
			x->node[x->nnodes++] = n;
	x->clock_cost = clock_cost();
	return 0;
}

/* One operation; what the warm-up does is not kept. */
static void sample(struct task *t, enum exact_op op, uint64_t begin, uint64_t end)
{
	struct exact_task *x = t->priv;
	uint64_t value = task_latency_unit(task_ticks_to_ns(end - begin - x->clock_cost));

	if (t->shared != t->live)
		return;
	if (!x->op[op].sum || value < x->op[op].least)
		x->op[op].least = value;
	x->op[op].sum += value;
}

static void touch_each(struct task *t, enum exact_op op, char *base, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		volatile char *p = base + i * HUGETLB_2M;
		uint64_t begin = task_ticks();

		*p = 1;
		sample(t, op, begin, task_ticks());
	}
}

static int unmap(struct task *t, enum exact_op op, char *base, uint64_t bytes, struct hb_error *e)
{
	uint64_t begin = task_ticks();
	int rc = munmap(base, bytes);

	sample(t, op, begin, task_ticks());
	return rc ? hb_error_set(e, -errno, "munmap: %s", strerror(errno)) : 0;
}

/* A page-table of 1 GiB is shared between two mappings of this process as between two processes. */
static int attach(struct task *t, struct hb_error *e)
{
	uint64_t begin;
	int rc = hugetlb_file_map(t->in->priv, SECOND, 0, 1, e);

	if (rc)
		return rc;
	begin = task_ticks();
	*(volatile char *)SECOND = 1;
	sample(t, OP_ATTACH, begin, task_ticks());
	return unmap(t, OP_SHARED_UNMAP, SECOND, HUGETLB_1G, e);
}

static int fork_exit(struct task *t, struct hb_error *e)
{
	uint64_t begin = task_ticks(), forked;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	forked = task_ticks();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return hb_error_set(e, -errno, "fork: %s", strerror(errno));
	sample(t, OP_EXIT, forked, task_ticks());
	sample(t, OP_FORK, begin, forked);
	return 0;
}

/* All pages to the node where the first is not. */
static int migrate(struct task *t, uint64_t pages, struct hb_error *e)
{
	const struct exact_task *x = t->priv;
	void *page[PAGES_MAX];
	int node[PAGES_MAX], status[PAGES_MAX];
	uint64_t begin, end;
	long rc;

	for (uint64_t i = 0; i < pages; i++)
		page[i] = BASE + i * HUGETLB_2M;
	if (move_pages(0, pages, page, NULL, status, 0) < 0)
		return hb_error_set(e, -errno, "move_pages: %s", strerror(errno));
	for (uint64_t i = 0; i < pages; i++)
		node[i] = status[0] == x->node[0] ? x->node[1] : x->node[0];
	begin = task_ticks();
	rc = move_pages(0, pages, page, node, status, MPOL_MF_MOVE);
	end = task_ticks();
	for (uint64_t i = 0; i < pages; i++)
		if (rc || status[i] != node[i])
			return hb_error_set(e, -EIO,
					    "page %" PRIu64
					    " stayed on its node (move_pages %ld, status %d)",
					    i, rc, status[i]);
	sample(t, OP_MIGRATE, begin, end);
	return 0;
}

static int truncate_mapped(struct task *t, struct hb_error *e)
{
	const struct hugetlb_file *f = t->in->priv;
	uint64_t begin = task_ticks();
	int rc = ftruncate(f->fd, 0);

	sample(t, OP_TRUNCATE, begin, task_ticks());
	if (rc || ftruncate(f->fd, f->bytes))
		return hb_error_set(e, -errno, "ftruncate: %s", strerror(errno));
	return 0;
}

static int private_faults(struct task *t, uint64_t pages, struct hb_error *e)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED;

	if (mmap(PRIVATE, pages * HUGETLB_2M, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap of private huge pages: %s", strerror(errno));
	touch_each(t, OP_PRIVATE_FAULT, PRIVATE, pages);
	if (munmap(PRIVATE, pages * HUGETLB_2M))
		return hb_error_set(e, -errno, "munmap: %s", strerror(errno));
	return 0;
}

static int round_once(struct task *t, struct hb_error *e)
{
	const struct exact_options *o = t->in->options;
	const struct exact_task *x = t->priv;
	int rc = hugetlb_file_map(t->in->priv, BASE, 0, 1, e);

	if (rc)
		return rc;
	touch_each(t, OP_FIRST_FAULT, BASE, o->pages);
	rc = unmap(t, OP_UNMAP, BASE, HUGETLB_1G, e);
	if (!rc)
		rc = hugetlb_file_map(t->in->priv, BASE, 0, 1, e);
	if (rc)
		return rc;
	touch_each(t, OP_CACHED_FAULT, BASE, o->pages);
	rc = attach(t, e);
	if (!rc)
		rc = fork_exit(t, e);
	if (!rc && x->nnodes == 2)
		rc = migrate(t, o->pages, e);
	if (!rc)
		rc = truncate_mapped(t, e);
	if (munmap(BASE, HUGETLB_1G) && !rc)
		rc = hb_error_set(e, -errno, "munmap: %s", strerror(errno));
	return rc ? rc : private_faults(t, o->pages, e);
}

static int exact_run(struct task *t, struct hb_error *e)
{
	int rc = 0;

	while (!rc && task_continue(t))
		rc = round_once(t, e);
	return rc;
}

/* Least and sum go to the agent through the counters of the two rows. */
static void exact_task_exit(struct task *t)
{
	struct exact_task *x = t->priv;

	for (int op = 0; op < OPS; op++) {
		atomic_store(&t->live->counter[2 * op], x->op[op].least);
		atomic_store(&t->live->counter[2 * op + 1], x->op[op].sum);
	}
	free(x);
}

static int exact_report(struct instance *in, struct hb_error *e)
{
	const struct exact_options *o = in->options;

	for (int op = 0; op < OPS; op++) {
		bool per_fault = op <= OP_PRIVATE_FAULT,
		     per_page = op == OP_UNMAP || op == OP_TRUNCATE || op == OP_MIGRATE;
		double least = atomic_load(&in->task[0]->counter[2 * op]);
		double sum = atomic_load(&in->task[0]->counter[2 * op + 1]);
		double samples = in->cell->work * (per_fault ? o->pages : 1),
		       parts = per_page ? o->pages : 1;

		if (op == OP_MIGRATE && !sum) {
			instance_note(in, "migrate", "not measured: one NUMA node only");
			continue;
		}
		if (!sum)
			return hb_error_set(e, -ENODATA, "nothing was counted for %s",
					    in->ops->metrics[2 * op].name);
		instance_note(in, "operation", "%s: %s", in->ops->metrics[2 * op].name,
			      in->ops->metrics[2 * op].help);
		instance_gauge(in, 2 * op, least / parts);
		instance_gauge(in, 2 * op + 1, sum / samples / parts);
	}
	instance_note(in, "work", "%" PRIu64 " rounds of %" PRIu64 " pages", in->cell->work,
		      o->pages);
	return 0;
}

static void exact_teardown(struct instance *in)
{
	if (in->priv)
		hugetlb_file_close(in->priv);
	free(in->priv);
	in->priv = NULL;
}

static const struct workload_ops exact_ops = {
	.abi = WORKLOAD_ABI,
	.name = "exact",
	.summary = "guest instructions per fault, fork, unmap, truncate and migration (mode exact)",
	.role = ROLE_WORKLOAD,
	.options = exact_options_rows,
	.options_size = sizeof(struct exact_options),
	.metrics = exact_metrics,
	.needs = hugetlb_needs,
	.huge_pages = exact_huge_pages,
	.setup = exact_setup,
	.task_init = exact_task_init,
	.run = exact_run,
	.task_exit = exact_task_exit,
	.report = exact_report,
	.teardown = exact_teardown,
};

WORKLOAD_REGISTER(exact_ops);
