// SPDX-License-Identifier: GPL-2.0-or-later
/* The actor of the stress workload that splits the shared GiB, in every way that there is. */
#include <numaif.h>
#include <sys/mman.h>

#include "workloads/stress/stress.h"

/* Each: split or replace @page, in the middle of the shared GiB, or what is before or behind it; -1
 * with errno. */

static int split_unmap(struct stress_task *st, uint8_t *page)
{
	(void)st;
	return munmap(page, STRESS_HUGE_PAGE);
}

static int split_unmap_head(struct stress_task *st, uint8_t *page)
{
	return munmap(st->map, page + STRESS_HUGE_PAGE - st->map);
}

static int split_unmap_tail(struct stress_task *st, uint8_t *page)
{
	return munmap(page, st->map + st->stress->options->size - page);
}

static int split_read_only(struct stress_task *st, uint8_t *page)
{
	uint64_t v;

	if (mprotect(page, STRESS_HUGE_PAGE, PROT_READ) < 0)
		return -1;
	stress_load(st, page, &v);
	return mprotect(page, STRESS_HUGE_PAGE, PROT_READ | PROT_WRITE);
}

static int split_no_access(struct stress_task *st, uint8_t *page)
{
	(void)st;
	return mprotect(page, STRESS_HUGE_PAGE, PROT_NONE);
}

static int split_replace(uint8_t *page, int fd, int flags)
{
	return mmap(page, STRESS_HUGE_PAGE, PROT_READ, MAP_FIXED | MAP_NORESERVE | flags, fd, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static int split_small_pages(struct stress_task *st, uint8_t *page)
{
	(void)st;
	return split_replace(page, -1, MAP_PRIVATE | MAP_ANONYMOUS);
}

static int split_other_page(struct stress_task *st, uint8_t *page)
{
	return split_replace(page, st->stress->fd, MAP_SHARED);
}

static int split_private(struct stress_task *st, uint8_t *page)
{
	return split_replace(page, st->stress->fd, MAP_PRIVATE);
}

static int split_not_forked(struct stress_task *st, uint8_t *page)
{
	(void)st;
	return madvise(page, STRESS_HUGE_PAGE, MADV_DONTFORK);
}

static int split_bind(struct stress_task *st, uint8_t *page)
{
	const unsigned long node = 1;

	(void)st;
	return mbind(page, STRESS_HUGE_PAGE, MPOL_PREFERRED, &node, sizeof(node) * 8, 0) < 0 &&
			       errno != ENOSYS
		       ? -1
		       : 0;
}

static int split_shrink(struct stress_task *st, uint8_t *page)
{
	return mremap(st->map, st->stress->options->size, page - st->map + STRESS_HUGE_PAGE, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

/*
 * The VMA is split, or a part gives way to another one, and what it shared has to be unshared. A
 * VMA of hugetlb never merges again, so the whole is mapped anew first, and again at the end, for
 * what was split off must not have taken anything from the file.
 */
static int split_step(struct stress_task *st, struct hb_error *e)
{
	static int (*const ways[])(struct stress_task * st, uint8_t * page) = {
		split_unmap,	  split_unmap_head,  split_unmap_tail, split_read_only,
		split_no_access,  split_small_pages, split_other_page, split_private,
		split_not_forked, split_bind,	     split_shrink};
	unsigned int way = task_random(st->task) % ARRAY_SIZE(ways);
	unsigned int index = stress_random_page(st);
	int err = stress_map_all(st, e);

	if (err)
		return err;
	stress_touch(st, index);
	if (ways[way](st, st->map + index * STRESS_HUGE_PAGE) < 0)
		return hb_error_set(e, -errno, "way %u of splitting: %m", way);
	if (ways[way] != split_unmap_head && ways[way] != split_unmap_tail &&
	    ways[way] != split_shrink)
		stress_touch(st, (index + 1) % st->stress->npages);
	err = stress_map_all(st, e);
	if (err)
		return err;
	stress_touch(st, index);
	task_count(st->task, STRESS_SPLITS, 1);
	return 0;
}

const struct stress_actor stress_split_actors[] = {
	{.name = "split", .step = split_step},
	{.name = NULL},
};
