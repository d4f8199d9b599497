// SPDX-License-Identifier: GPL-2.0-or-later
/* Actors of the stress workload that move pages or lose them: migration, soft offline, hard poison.
 */
#include <limits.h>
#include <numa.h>
#include <numaif.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

/* linux/mman.h of the kernel; glibc's sys/mman.h leaves it out. */
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* Pages whose node is looked at before and after a migrate_pages(). */
#define SAMPLE_PAGES   64
#define SAMPLE_TOUCHES 8
/* Attempts at a page that stays where it is, as its lock is taken, and the longest pause between.
 */
#define MOVE_TRIES    32
#define MOVE_PAUSE_NS (NSEC_PER_SEC / 500)
/* Pages that a task tries to poison before it unpoisons them. */
#define DAMAGE_MAX 8

/* On which node each of @page is: -errno where it is not mapped here. */
static int pages_locate(unsigned int n, void **page, int *node, struct hb_error *e)
{
	if (move_pages(0, n, page, NULL, node, 0) < 0)
		return hb_error_set(e, -errno, "move_pages (CONFIG_MIGRATION): %m");
	return 0;
}

static int nodes_init(struct stress_task *st, struct hb_error *e)
{
	if (st->stress->nnodes < 2)
		return hb_error_set(e, -EOPNOTSUPP,
				    "pages cannot be moved: the machine has one memory node; "
				    "use nodes = 2 or leave out movepages and migratepages");
	return 0;
}

/*
 * One attempt at @page, which is on node @from: 1 moved, 0 left where it was, -errno. Judged by
 * status[] and not by the return value. One page per call: when a single page of a batch fails,
 * 5.10 does not write the status of those that moved.
 */
static int page_move(void *page, int to, struct hb_error *e)
{
	int status = INT_MIN;

	if (move_pages(0, 1, &page, &to, &status, MPOL_MF_MOVE_ALL) < 0 && errno != ENOENT &&
	    errno != EAGAIN && errno != EBUSY && errno != ENOMEM)
		return hb_error_set(e, -errno, "move_pages: %m");
	return status == to;
}

/*
 * Move a page to the next node. While its lock or the file's is taken, which the kernel does not
 * wait for, try again; until another actor has moved it or taken it out of the file.
 */
static int movepages_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int index = stress_random_page(st);
	void *page = st->map + index * STRESS_HUGE_PAGE;
	int from, node, moved = 0, err;

	stress_touch(st, index);
	err = pages_locate(1, &page, &from, e);
	node = from;
	for (unsigned int i = 0; !err && node >= 0 && node == from && i < MOVE_TRIES; i++) {
		moved = page_move(page, (from + 1) % (int)st->stress->nnodes, e);
		if (moved < 0)
			return moved;
		task_count(st->task, moved ? STRESS_MOVED_PAGES : STRESS_BUSY_PAGES, 1);
		if (moved || !task_step(st->task))
			break;
		hb_sleep_until_ns(hb_now_ns() + task_random(st->task) % MOVE_PAUSE_NS);
		err = pages_locate(1, &page, &node, e);
	}
	return err;
}

/* A process of the cell; the caller itself when the list is empty. */
static pid_t any_pid(struct stress_task *st)
{
	struct target *target = st->stress->in->target;
	unsigned int n = target ? atomic_load(&target->npids) : 0;
	pid_t pid = 0;

	if (n && n <= TARGET_PIDS)
		pid = atomic_load(&target->pids[task_random(st->task) % n]);
	return pid > 0 ? pid : getpid();
}

/*
 * migrate_pages() says how many pages it left, not how many it moved: those are told by where the
 * pages are before and after. Others may move them as well.
 */
static int migratepages_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int from = task_random(st->task) % st->stress->nnodes;
	unsigned int to = (from + 1) % st->stress->nnodes, moved = 0;
	unsigned int n = st->stress->npages < SAMPLE_PAGES ? st->stress->npages : SAMPLE_PAGES;
	unsigned int first = task_random(st->task) % (st->stress->npages - n + 1);
	unsigned long from_mask = 1UL << from, to_mask = 1UL << to;
	int before[SAMPLE_PAGES], after[SAMPLE_PAGES], err;
	void *page[SAMPLE_PAGES];

	for (unsigned int i = 0; i < n; i++)
		page[i] = st->map + (first + i) * STRESS_HUGE_PAGE;
	/* Pages without content are not moved. */
	for (unsigned int i = 0; n && i < SAMPLE_TOUCHES; i++)
		stress_touch(st, first + task_random(st->task) % n);
	err = pages_locate(n, page, before, e);
	if (err)
		return err;
	if (migrate_pages(any_pid(st), sizeof(from_mask) * 8, &from_mask, &to_mask) < 0 &&
	    errno != ESRCH && errno != ENOMEM && errno != EBUSY)
		return hb_error_set(e, -errno, "migrate_pages: %m");
	err = pages_locate(n, page, after, e);
	for (unsigned int i = 0; !err && i < n; i++)
		moved += before[i] == (int)from && after[i] == (int)to;
	task_count(st->task, STRESS_MIGRATED_PAGES, moved);
	return err;
}

/* madvise() @advice on a page; every DAMAGE_MAX pages the repair. 1: the page was taken, 0: not. */
static int poison_page(struct stress_task *st, uint8_t *page, int advice, struct hb_error *e)
{
	struct stress_shared *sh = st->stress->shared;
	struct poison *poison = st->stress->poison;
	int taken = 0, err;

	pthread_mutex_lock(&sh->poison_lock);
	err = poison_note(poison, page);
	if (!err) {
		if (advice == MADV_HWPOISON)
			atomic_fetch_add(&sh->poisoned, 1);
		taken = madvise(page, STRESS_HUGE_PAGE, advice) == 0;
		st->damage++;
	}
	if (st->damage >= DAMAGE_MAX) {
		int64_t mended = poison_mend(poison, e);

		err = mended < 0 ? (int)mended : 0;
		st->damage = 0;
	}
	pthread_mutex_unlock(&sh->poison_lock);
	/* Not mapped any more: somebody took it out of the file. */
	return err && err != -ENOENT ? err : taken;
}

static int softoffline_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int index = stress_random_page(st);
	int taken;

	stress_touch(st, index);
	taken = poison_page(st, st->map + index * STRESS_HUGE_PAGE, MADV_SOFT_OFFLINE, e);
	if (taken < 0)
		return taken;
	task_count(st->task, STRESS_SOFT_OFFLINED, taken);
	/* The data moved to another page: the touch checks it. */
	stress_touch(st, index);
	return 0;
}

/*
 * The page is lost and accesses get SIGBUS until the hole is punched, which takes the poison
 * entries out of the page tables.
 */
static int hwpoison_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int index = stress_random_page(st);
	int taken;

	stress_touch(st, index);
	taken = poison_page(st, st->map + index * STRESS_HUGE_PAGE, MADV_HWPOISON, e);
	if (taken < 0)
		return taken;
	task_count(st->task, STRESS_POISONED, taken);
	stress_touch(st, index);
	return stress_punch(st, index, 1, e);
}

const struct stress_actor stress_move_actors[] = {
	{.name = "movepages", .migrates = true, .init = nodes_init, .step = movepages_step},
	{.name = "migratepages", .migrates = true, .init = nodes_init, .step = migratepages_step},
	{.name = "softoffline", .migrates = true, .poisons = true, .step = softoffline_step},
	{.name = "hwpoison", .poisons = true, .destroys = true, .step = hwpoison_step},
	{.name = NULL},
};
