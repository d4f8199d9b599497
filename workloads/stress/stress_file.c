// SPDX-License-Identifier: GPL-2.0-or-later
/* Actors of the stress workload that take pages out of the file or put them in: punch, truncate,
 * uffd. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/agent/userfault.h"
#include "workloads/stress/stress.h"

#define PUNCH_PAGES  8
#define EOF_CHECKS   4
#define FRESH_CHECKS 2

/* Huge pages in the file, by st_blocks; others fault at the same time, so differences are bounds.
 */
static int64_t file_pages(const struct stress *s)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return -errno;
	return (int64_t)st.st_blocks * 512 / (int64_t)STRESS_HUGE_PAGE;
}

static void count_gone(struct stress_task *st, enum stress_counter row, int64_t before)
{
	int64_t after = file_pages(st->stress);

	if (after >= 0 && before > after)
		task_count(st->task, row, before - after);
}

int stress_punch(struct stress_task *st, unsigned int first, unsigned int count, struct hb_error *e)
{
	const struct stress *s = st->stress;
	int64_t before = file_pages(s);

	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first * STRESS_HUGE_PAGE,
		      count * STRESS_HUGE_PAGE) < 0)
		return errno == EINTR ? 0 : hb_error_set(e, -errno, "fallocate: %m");
	task_count(st->task, STRESS_PUNCHES, 1);
	count_gone(st, STRESS_PUNCHED_PAGES, before);
	return 0;
}

static int punch_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int count = 1 + task_random(st->task) % PUNCH_PAGES;
	unsigned int first = task_random(st->task) % (st->stress->npages - count + 1);
	struct stress_moment before;
	int err;

	stress_moment_now(st->stress, &before);
	err = stress_punch(st, first, count, e);
	if (err)
		return err;
	for (unsigned int i = 0; i < FRESH_CHECKS; i++)
		stress_check_fresh(st, first + task_random(st->task) % count, &before);
	return 0;
}

/* While the file is short, reading and writing past its end must both end in SIGBUS. */
static void check_past_eof(struct stress_task *st, unsigned int keep)
{
	for (unsigned int i = 0; i < EOF_CHECKS; i++) {
		unsigned int index = keep + task_random(st->task) % (st->stress->npages - keep);
		uint8_t *p =
			st->map + index * STRESS_HUGE_PAGE + stress_word_offset(st->task->index);
		uint64_t v;

		if (stress_load(st, p, &v) == STRESS_OK)
			stress_violation(st, "page %u past i_size was read: %#llx", index,
					 (unsigned long long)v);
		if (stress_store(st, p, 0) == STRESS_OK)
			stress_violation(st, "page %u past i_size was written", index);
		task_count(st->task, STRESS_EOF_SIGBUS, 2);
	}
}

/* Shorten the file, look past its end, make it long again: what comes back is empty. */
static int truncate_step(struct stress_task *st, struct hb_error *e)
{
	const struct stress *s = st->stress;
	unsigned int keep = task_random(st->task) % s->npages;
	struct stress_moment before;
	int64_t pages = file_pages(s);

	stress_moment_now(s, &before);
	atomic_store(&s->shared->truncating, 1);
	if (ftruncate(s->fd, keep * STRESS_HUGE_PAGE) < 0)
		return hb_error_set(e, -errno, "ftruncate to %u pages: %m", keep);
	count_gone(st, STRESS_TRUNCATED_PAGES, pages);
	check_past_eof(st, keep);
	if (ftruncate(s->fd, s->options->size) < 0)
		return hb_error_set(e, -errno, "ftruncate back: %m");
	atomic_fetch_add(&s->shared->truncates, 1);
	atomic_store(&s->shared->truncating, 0);
	task_count(st->task, STRESS_TRUNCATES, 1);
	for (unsigned int i = 0; i < FRESH_CHECKS; i++)
		stress_check_fresh(st, keep + task_random(st->task) % (s->npages - keep), &before);
	return 0;
}

/* A uffd actor's mapping has every missing page filled by a thread of its own. */
struct uffd {
	struct stress_task *st;
	struct userfault fault;
	uint8_t *page;		 /* what is copied in: empty but for the task's word */
	_Atomic uint64_t copied; /* by the thread; the task takes it over into its counter */
};

static void uffd_fill(void *arg, uint64_t addr)
{
	struct uffd *u = arg;
	struct stress_task *st = u->st;
	struct stress_shared *sh = st->stress->shared;
	unsigned int me = st->task->index, index = (addr - (uintptr_t)st->map) / STRESS_HUGE_PAGE;
	struct stress_word w = {STRESS_FILE_SHARED, me, index, 0};
	uint64_t word;

	atomic_store(&sh->inflight[me], atomic_load(&sh->clock) + 1);
	w.generation = atomic_fetch_add(&sh->clock, 1) + 1;
	word = stress_word_pack(w);
	memcpy(u->page + stress_word_offset(me), &word, sizeof(word));
	if (userfault_copy(&u->fault, addr, u->page))
		atomic_fetch_add(&u->copied, 1);
}

static void uffd_exit(struct stress_task *st)
{
	struct uffd *u = st->priv;

	if (!u)
		return;
	userfault_end(&u->fault);
	free(u->page);
	free(u);
	st->priv = NULL;
}

static int uffd_init(struct stress_task *st, struct hb_error *e)
{
	struct uffd *u = calloc(1, sizeof(*u));

	if (!u)
		return hb_error_set(e, -ENOMEM, "no memory");
	st->priv = u;
	u->st = st;
	u->page = calloc(1, STRESS_HUGE_PAGE);
	if (!u->page)
		return hb_error_set(e, -ENOMEM, "no memory");
	u->fault.map = st->map;
	u->fault.bytes = st->stress->options->size;
	u->fault.page = STRESS_HUGE_PAGE;
	u->fault.fill = uffd_fill;
	u->fault.arg = u;
	return userfault_begin(&u->fault, e);
}

/*
 * Make a page missing and read it: the thread copies one in, unless another task faults first. Or
 * copy one in without a fault, which is also tried past the end of a file that is short just now.
 */
static int uffd_step(struct stress_task *st, struct hb_error *e)
{
	struct uffd *u = st->priv;
	unsigned int index = stress_random_page(st);
	struct stress_moment before;
	int err;

	stress_moment_now(st->stress, &before);
	err = stress_punch(st, index, 1, e);
	if (err)
		return err;
	if (task_random(st->task) % 2)
		uffd_fill(u, (uintptr_t)st->map + index * STRESS_HUGE_PAGE);
	stress_check_fresh(st, index, &before);
	atomic_store(&st->stress->shared->inflight[st->task->index], 0);
	task_count(st->task, STRESS_UFFD_COPIES, atomic_exchange(&u->copied, 0));
	return userfault_check(&u->fault, e);
}

const struct stress_actor stress_file_actors[] = {
	{.name = "punch", .destroys = true, .step = punch_step},
	{.name = "truncate", .destroys = true, .step = truncate_step},
	{.name = "uffd", .destroys = true, .init = uffd_init, .step = uffd_step, .exit = uffd_exit},
	{.name = NULL},
};
