// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pmdshare: tasks that map one file on huge pages so that they share PMD page tables, or
 * deliberately not.
 *
 * What sharing takes (arch/x86, mm/hugetlb.c, page_table_shareable() and vma_shareable()): 2 MiB
 * pages, a shared mapping that holds a whole aligned GiB, the same file page at the same offset in
 * the GiB, equal VMA flags. So with aligned = yes all tasks map at one fixed 1 GiB-aligned address,
 * and with aligned = no task i maps i + 1 huge pages behind such an address: the offsets in the GiB
 * differ, and no two mappings match.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/pmdshare/pmdshare.h"

#define STEADY_TOUCHES 256

static const char *const shape_names[] = {"remap", "attach", "steady", NULL};
static const char *const order_names[] = {"seq", "random", NULL};
static const char *const page_names[] = {"2M", "1G", NULL};

#define OPT(field) offsetof(struct pmdshare_options, field)
static const struct option_row pmdshare_options_rows[] = {
	{"size", OPTION_SIZE, OPT(size), "1G", "2M", "16T", NULL,
	 "of the file and of every mapping of it"},
	{"touched", OPTION_SIZE, OPT(touched), "0", "0", "16T", NULL,
	 "touch only so much of it, from its start; 0: all. The pool then needs no more than this"},
	{"file", OPTION_ENUM, OPT(file), "hugetlbfs", NULL, NULL, hugetlb_kinds,
	 "hugetlbfs: unlinked file; memfd: memfd_create(MFD_HUGETLB); shm: System V segment"},
	{"aligned", OPTION_BOOL, OPT(aligned), "yes", NULL, NULL, NULL,
	 "yes: mapped so that PMD tables are shared, which is proved; no: so that none can be"},
	{"shape", OPTION_ENUM, OPT(shape), "remap", NULL, NULL, shape_names,
	 "remap: map, write a byte per page, unmap; attach: a new process maps and touches; "
	 "steady: touches only"},
	{"order", OPTION_ENUM, OPT(order), "seq", NULL, NULL, order_names,
	 "of the pages within a pass"},
	{"page_size", OPTION_ENUM, OPT(page_size), "2M", NULL, NULL, page_names,
	 "1G: no PMD tables, so aligned = no; a guest needs about 8 GiB to have room for one"},
	{"prealloc", OPTION_BOOL, OPT(prealloc), "yes", NULL, NULL, NULL,
	 "yes: all pages are in the page cache at the start; no: the first fault allocates and "
	 "clears"},
	{"threads", OPTION_BOOL, OPT(threads), "no", NULL, NULL, NULL,
	 "tasks are threads of one process, each with a mapping of its own"},
	{"private", OPTION_BOOL, OPT(private), "no", NULL, NULL, NULL,
	 "MAP_PRIVATE: each write fault makes a copy"},
	{"attach_pages", OPTION_U64, OPT(attach_pages), "16", "1", "512", NULL,
	 "shape attach: pages, at random places, that the new process touches"},
	{"rest", OPTION_U64, OPT(rest), "0", "0", "1000", NULL,
	 "shape remap: after a pass rest for a random time of up to so many percent of what it "
	 "took, so that equal tasks do not map and unmap in step"},
	OPTION_END,
};

static const struct metric_row pmdshare_metrics[] = {
	[ROW_TOUCHES] = {"touches", METRIC_RATE, "1/s", METRIC_HIGHER, 1,
			 "pages written to, with or without a fault"},
	[ROW_FAULTS] = {"faults", METRIC_RATE, "1/s", METRIC_NEITHER, 1,
			"page faults as the kernel counted them; where PMD tables are shared one "
			"serves all tasks, and more of them are no gain"},
	[ROW_PASSES] = {"passes", METRIC_RATE, "1/s", METRIC_HIGHER, 0,
			"remap: map-touch-unmap rounds; attach: processes"},
	[ROW_FAULT_LATENCY] = {"fault_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
			       "of one touch that faulted"},
	[ROW_TOUCH_LATENCY] = {"touch_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			       "of one touch that did not; memory is not waited for"},
	[ROW_MMAP_LATENCY] = {"mmap_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			      "of mapping the whole file"},
	[ROW_MUNMAP_LATENCY] = {"munmap_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
				"of unmapping it again"},
	[ROW_ATTACH_LATENCY] = {"attach_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
				"attach: from mapping to the last touch, in the new process"},
	[ROW_LIFE_LATENCY] =
		{"life_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
		 "attach: from asking for the process to its end, as its task sees it"},
	[ROW_UNSETTLED] = {"unsettled", METRIC_COUNT, "touches", METRIC_NEITHER, 0,
			   "touches in runs of faults and others"},
	[ROW_REPEATED] = {"repeated", METRIC_COUNT, "faults", METRIC_NEITHER, 0,
			  "further faults of one touch"},
	[ROW_UNCLASSIFIED] = {"unclassified", METRIC_COUNT, "faults", METRIC_NEITHER, 0,
			      "faults without a latency"},
	[ROW_SIGBUS] = {"sigbus", METRIC_COUNT, "touches", METRIC_NEITHER, 0,
			"touches past the end, after a truncation"},
	[ROW_SHARED] = {"shared", METRIC_GAUGE, "MiB", METRIC_NEITHER, 0,
			"entries a process found in its page table that others had made"},
	METRIC_END,
};

static const struct touch_rows pmdshare_touch_rows = {
	.faults = ROW_FAULTS,
	.touches = ROW_TOUCHES,
	.fault_latency = ROW_FAULT_LATENCY,
	.touch_latency = ROW_TOUCH_LATENCY,
	.unsettled = ROW_UNSETTLED,
	.repeated = ROW_REPEATED,
	.unclassified = ROW_UNCLASSIFIED,
	.sigbus = ROW_SIGBUS,
};

/* Pages in use at once: the file's, and with MAP_PRIVATE a copy of each per task. */
static uint64_t pages_wanted(const struct pmdshare_options *o, unsigned int tasks)
{
	uint64_t copies = o->private ? tasks * pmdshare_touched_pages(o) : 0;

	return pmdshare_touched_pages(o) + copies;
}

static uint64_t pmdshare_huge_pages(const void *options, unsigned int tasks)
{
	const struct pmdshare_options *o = options;

	return o->page_size ? 0 : pages_wanted(o, tasks);
}

static int check_options(const struct pmdshare_options *o, struct hb_error *e)
{
	uint64_t page = pmdshare_page_bytes(o);

	if (o->size % page || pmdshare_touched_bytes(o) % page ||
	    pmdshare_touched_bytes(o) > o->size)
		return hb_error_set(e, -EINVAL,
				    "size and touched must be multiples of the page size, touched "
				    "at most size");
	if (o->aligned && o->private)
		return hb_error_set(e, -EINVAL,
				    "private = yes shares no page tables; say aligned = no");
	if (o->aligned && o->page_size)
		return hb_error_set(e, -EINVAL,
				    "page_size = 1G has no PMD tables to share; say aligned = no");
	if (o->aligned && o->size < HUGETLB_1G)
		return hb_error_set(e, -EINVAL,
				    "sharing takes a whole GiB: size = 1G or more, or aligned = no "
				    "(touched = 64M keeps the pool small)");
	if (o->file == HUGETLB_SHM && o->private)
		return hb_error_set(e, -EINVAL, "a System V segment cannot be mapped private");
	if (o->file == HUGETLB_SHM && o->touched)
		return hb_error_set(
			e, -EINVAL,
			"a System V segment reserves all of its pages: leave touched = 0");
	if (o->shape == SHAPE_ATTACH && o->threads)
		return hb_error_set(e, -EINVAL,
				    "shape = attach makes processes; leave threads = no");
	return 0;
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* Address of task @index; see the top of the file. Threads have a mapping each in one address
 * space. */
static char *task_addr(const struct instance *in, unsigned int index)
{
	const struct target *target = in->target;

	return (char *)target->addr + index * target->step;
}

static void publish(struct instance *in, const struct pmdshare_options *o,
		    const struct hugetlb_file *f)
{
	struct target *target = in->target;

	target->fd = f->fd;
	target->bytes = o->size;
	target->page = f->page;
	target->used = pmdshare_touched_bytes(o);
	target->addr = HUGETLB_BASE + (o->aligned ? 0 : f->page);
	target->step = o->aligned ? 0 : f->page;
	if (o->threads)
		target->step += round_up(o->size, HUGETLB_1G) + HUGETLB_1G;
}

/* With touched < size only that part is in the cache, and nothing else is reserved. */
static int fill(const struct pmdshare_options *o, const struct hugetlb_file *f, struct hb_error *e)
{
	struct hugetlb_file part = *f;

	part.bytes = pmdshare_touched_bytes(o);
	return o->prealloc ? hugetlb_file_fill(&part, e) : 0;
}

/*
 * The cell sizes the pool of the default page size only. A guest grows that of 1 GiB here, which is
 * SKIP where its memory has no such place left; a host's has to be large enough.
 */
static int gigantic_pool(const struct instance *in, uint64_t pages, struct hb_error *e)
{
	struct hugetlb_pool p;
	int rc;

	if (!in->cell->native)
		return hugetlb_pool_grow(HUGETLB_1G, pages, NULL, e) ? -EOPNOTSUPP : 0;
	rc = hugetlb_pool_read(HUGETLB_1G, &p, e);
	if (rc)
		return -EOPNOTSUPP;
	if (p.all.free >= p.all.reserved + pages)
		return 0;
	return hb_error_set(e, -EOPNOTSUPP,
			    "%" PRIu64 " free huge pages of 1 GiB are needed, there are %" PRIu64
			    "; boot with hugepagesz=1G hugepages=%" PRIu64,
			    pages, p.all.free - p.all.reserved, pages);
}

static int pmdshare_setup(struct instance *in, struct hb_error *e)
{
	const struct pmdshare_options *o = in->options;
	struct hugetlb_file *f;
	int rc = check_options(o, e);

	if (rc)
		return rc;
	if (o->page_size)
		rc = gigantic_pool(in, pages_wanted(o, in->ntasks), e);
	if (rc)
		return rc;
	f = calloc(1, sizeof(*f));
	if (!f)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = f;
	in->threads = o->threads;
	rc = hugetlb_file_make(f, o->file, o->size, pmdshare_page_bytes(o), e);
	if (!rc)
		rc = fill(o, f, e);
	if (!rc)
		publish(in, o, f);
	return rc;
}

/* Fisher-Yates from the task's own stream: the same order in both arms. */
static uint32_t *shuffled(struct task *t, uint64_t n)
{
	uint32_t *order = calloc(n, sizeof(*order));

	for (uint64_t i = 0; order && i < n; i++) {
		uint64_t j = task_random(t) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

static int pmdshare_task_init(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	struct pmdshare_task *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return hb_error_set(e, -ENOMEM, "no memory");
	t->priv = p;
	p->addr = task_addr(t->in, t->index);
	if (o->order == ORDER_RANDOM) {
		p->order = shuffled(t, pmdshare_touched_pages(o));
		if (!p->order)
			return hb_error_set(e, -ENOMEM, "no memory");
	}
	rc = touch_init(&p->touch, t, &pmdshare_touch_rows, e);
	if (rc || o->shape == SHAPE_REMAP)
		return rc;
	/* steady and attach hold a populated mapping all the time; attached processes share with
	 * it. */
	rc = o->shape == SHAPE_ATTACH ? pmdshare_server_start(t, e) : 0;
	rc = rc ? rc : pmdshare_map(t->in, p->addr, e);
	if (rc)
		return rc;
	p->mapped = 1;
	return touch_pages(&p->touch, p->addr, o->size, pmdshare_page_bytes(o), p->order,
			   pmdshare_touched_pages(o), e);
}

/* After a pass that began at @start (task_ticks()). */
static void rest(struct task *t, uint64_t start)
{
	const struct pmdshare_options *o = t->in->options;
	uint64_t most = task_ticks_to_ns(task_ticks() - start) * o->rest / 100;

	if (most)
		hb_sleep_until_ns(hb_now_ns() + task_random(t) % most);
}

static int remap_pass(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	struct pmdshare_task *p = t->priv;
	uint64_t start = task_ticks(), begin = start;
	int rc = pmdshare_map(t->in, p->addr, e);

	if (rc)
		return rc;
	task_latency(t, ROW_MMAP_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	rc = touch_pages(&p->touch, p->addr, o->size, pmdshare_page_bytes(o), p->order,
			 pmdshare_touched_pages(o), e);
	begin = task_ticks();
	if (hugetlb_file_unmap(t->in->priv, p->addr))
		return hb_error_set(e, -errno, "munmap: %s", strerror(errno));
	task_latency(t, ROW_MUNMAP_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	task_count(t, ROW_PASSES, 1);
	if (o->rest)
		rest(t, start);
	return rc;
}

static int steady_pass(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	struct pmdshare_task *p = t->priv;
	uint64_t n = pmdshare_touched_pages(o);
	uint32_t order[STEADY_TOUCHES];

	for (unsigned int i = 0; i < STEADY_TOUCHES; i++)
		order[i] = task_random(t) % n;
	return touch_pages(&p->touch, p->addr, o->size, pmdshare_page_bytes(o), order,
			   STEADY_TOUCHES, e);
}

static int pmdshare_run(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	int (*const pass[])(struct task *, struct hb_error *) = {
		[SHAPE_REMAP] = remap_pass,
		[SHAPE_ATTACH] = pmdshare_attach_pass,
		[SHAPE_STEADY] = steady_pass,
	};
	int rc = 0;

	while (!rc && task_continue(t))
		rc = pass[o->shape](t, e);
	return rc;
}

static void pmdshare_task_exit(struct task *t)
{
	struct pmdshare_task *p = t->priv;

	if (p->server)
		pmdshare_server_stop(p);
	if (p->mapped)
		hugetlb_file_unmap(t->in->priv, p->addr);
	free(p->order);
	free(p);
}

static int pmdshare_report(struct instance *in, struct hb_error *e)
{
	return touch_report(in, &pmdshare_touch_rows, e);
}

static void pmdshare_teardown(struct instance *in)
{
	if (in->priv)
		hugetlb_file_close(in->priv);
	free(in->priv);
	in->priv = NULL;
}

static const struct workload_ops pmdshare_ops = {
	.abi = WORKLOAD_ABI,
	.name = "pmdshare",
	.summary = "tasks that fault in a file on huge pages through shared PMD tables",
	.role = ROLE_WORKLOAD,
	.options = pmdshare_options_rows,
	.options_size = sizeof(struct pmdshare_options),
	.metrics = pmdshare_metrics,
	.needs = hugetlb_needs,
	.huge_pages = pmdshare_huge_pages,
	.setup = pmdshare_setup,
	.task_init = pmdshare_task_init,
	.run = pmdshare_run,
	.task_exit = pmdshare_task_exit,
	.prove = pmdshare_prove,
	.report = pmdshare_report,
	.teardown = pmdshare_teardown,
	.exec = pmdshare_server_main,
};

WORKLOAD_REGISTER(pmdshare_ops);
