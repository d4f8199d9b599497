// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/selfbench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/agent/clock.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/agent/touch.h"

/*
 * Rounds of both loops in turn, each less than a millisecond: most pairs fit between two
 * disturbances. The median of the pairs' ratios is told.
 */
#define ROUNDS	    501
#define SMALL_PAGE  4096
#define SMALL_PAGES 512
#define HUGE_PAGES  16
/* A pass of the workloads is 512 pages by default: these few pages so often side by side. */
#define HUGE_COPIES 32

enum {
	FAULTS,
	TOUCHES,
	FAULT_LATENCY,
	TOUCH_LATENCY,
	UNSETTLED,
	REPEATED,
	UNCLASSIFIED,
	SIGBUS_ROW
};

static const struct touch_rows rows = {
	.faults = FAULTS,
	.touches = TOUCHES,
	.fault_latency = FAULT_LATENCY,
	.touch_latency = TOUCH_LATENCY,
	.unsettled = UNSETTLED,
	.repeated = REPEATED,
	.unclassified = UNCLASSIFIED,
	.sigbus = SIGBUS_ROW,
};

/* A task as the gang makes it, without a gang. */
struct self {
	struct cell_shared phase;
	struct task_shared shared;
	struct cell cell;
	struct target target;
	struct instance in;
	struct task task;
	struct touch touch;
	struct hist fault, plain;
};

/* Memory that faults once per page: mapped anew for each pass. */
struct area {
	const char *name;
	const struct hugetlb_file *file; /* NULL: anonymous */
	uint64_t page, pages, copies;	 /* pages: of one copy */
};

static int self_init(struct self *s, struct hb_error *e)
{
	atomic_store(&s->phase.phase, PHASE_MEASURE);
	s->cell.shared = &s->phase;
	s->in = (struct instance){.cell = &s->cell, .target = &s->target};
	hist_reset(&s->fault);
	hist_reset(&s->plain);
	s->shared.hist[FAULT_LATENCY] = &s->fault;
	s->shared.hist[TOUCH_LATENCY] = &s->plain;
	s->task = (struct task){
		.in = &s->in, .shared = &s->shared, .live = &s->shared, .phase = PHASE_MEASURE};
	return touch_init(&s->touch, &s->task, &rows, e);
}

/* The file's copies, side by side. */
static char *area_map_file(const struct area *a)
{
	for (uint64_t i = 0; i < a->copies; i++)
		if (hugetlb_file_map(a->file, HUGETLB_BASE + i * a->file->bytes, 0, 0, NULL)) {
			if (i)
				munmap(HUGETLB_BASE, i * a->file->bytes);
			return MAP_FAILED;
		}
	return HUGETLB_BASE;
}

static char *area_map(const struct area *a)
{
	char *p;

	if (a->file)
		return area_map_file(a);
	p = mmap(NULL, a->page * a->pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	if (p != MAP_FAILED)
		madvise(p, a->page * a->pages, MADV_NOHUGEPAGE);
	return p;
}

static uint64_t area_pages(const struct area *a)
{
	return a->pages * a->copies;
}

/*
 * Nothing but the stores; in locals, as a store of a char may change anything else. The CPU tries
 * the stores behind a fault in vain, which the clock in the timed loop keeps it from: that loop can
 * come out ahead.
 */
static void bare(char *base, const struct area *a)
{
	uint64_t pages = area_pages(a), stride = a->page;

	for (uint64_t i = 0; i < pages; i++)
		((volatile char *)base)[i * stride] = (char)i;
}

/* Nanoseconds of the touches alone in one round; @touch NULL: the bare loop. */
static int round_ns(struct touch *touch, const struct area *a, double *ns, struct hb_error *e)
{
	char *base = area_map(a);
	uint64_t begin;
	int rc = 0;

	if (base == MAP_FAILED)
		return hb_error_set(e, -ENOMEM, "cannot map %s", a->name);
	begin = task_ticks();
	if (touch)
		rc = touch_pages(touch, base, a->page * area_pages(a), a->page, NULL, area_pages(a),
				 e);
	else
		bare(base, a);
	*ns = task_ticks_to_ns(task_ticks() - begin);
	munmap(base, a->page * area_pages(a));
	return rc;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare_doubles);
	return v[ROUNDS / 2];
}

static int measure(struct touch *touch, const struct area *a, struct hb_error *e)
{
	static double timed[ROUNDS], plain[ROUNDS], ratio[ROUNDS], shown[ROUNDS];
	struct hist *h = touch->task->shared->hist[FAULT_LATENCY];
	double faults = area_pages(a);

	for (int i = 0; i < ROUNDS; i++) {
		/* The order changes, so that neither loop always finds what the other left in the
		 * caches. */
		int rc;

		hist_reset(h);
		rc = round_ns(i % 2 ? touch : NULL, a, i % 2 ? &timed[i] : &plain[i], e);

		if (!rc)
			rc = round_ns(i % 2 ? NULL : touch, a, i % 2 ? &plain[i] : &timed[i], e);
		if (rc)
			return rc;
		ratio[i] = plain[i] / timed[i];
		shown[i] = hist_mean(h);
	}
	printf("%s: timed %.0f faults/s, bare %.0f faults/s, ratio %.3f; a fault shows %.0f ns and "
	       "takes %.0f ns bare (medians of %d rounds of %.0f faults)\n",
	       a->name, faults / median(timed) * 1e9, faults / median(plain) * 1e9, median(ratio),
	       median(shown), median(plain) / faults, ROUNDS, faults);
	return 0;
}

static int measure_huge(struct touch *touch, struct hb_error *e)
{
	uint64_t page = hugetlb_default_page();
	struct area a = {"huge pages in the page cache", NULL, page, HUGE_PAGES, HUGE_COPIES};
	struct hugetlb_file f;
	struct hugetlb_pool pool;
	int rc;

	if (!page || hugetlb_pool_read(page, &pool, NULL) ||
	    pool.all.free < pool.all.reserved + HUGE_PAGES) {
		printf("huge pages: not measured, %d free ones are needed (echo %d > "
		       "/proc/sys/vm/nr_hugepages)\n",
		       HUGE_PAGES, HUGE_PAGES);
		return 0;
	}
	rc = hugetlb_file_make(&f, HUGETLB_MEMFD, HUGE_PAGES * page, page, e);
	if (rc)
		return rc;
	a.file = &f;
	rc = hugetlb_file_fill(&f, e);
	if (!rc)
		rc = measure(touch, &a, e);
	hugetlb_file_close(&f);
	return rc;
}

int selfbench(struct hb_error *e)
{
	struct area small = {"anonymous pages of 4 KiB", NULL, SMALL_PAGE, SMALL_PAGES, 1};
	struct self *s =
		aligned_alloc(CACHE_LINE, (sizeof(*s) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	uint64_t plain, threshold;
	int rc;

	if (!s)
		return hb_error_set(e, -ENOMEM, "no memory");
	memset(s, 0, sizeof(*s));
	rc = self_init(s, e);
	threshold = touch_threshold(&plain);
	printf("clock: %s, %.3f ticks per ns, %.1f ns between two reads\n", clock_name(),
	       clock_rate(), clock_cost() / clock_rate());
	printf("touch: a plain one shows %" PRIu64 " ns, under %" PRIu64 " ns none is a fault\n",
	       task_ticks_to_ns(plain), task_ticks_to_ns(threshold));
	if (!rc)
		rc = measure(&s->touch, &small, e);
	if (!rc)
		rc = measure_huge(&s->touch, e);
	free(s);
	return rc;
}
