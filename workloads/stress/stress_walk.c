// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The actor of the stress workload that looks at page tables without changing them, as tools and
 * get_user_pages() do: truncation by another task can take a shared table away meanwhile.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

#define SMALL_PAGE 4096

struct pagewalk {
	int mem, pagemap; /* of this process, in /proc */
};

static int proc_open(const char *path, int *fd, struct hb_error *e)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return hb_error_set(e, -errno, "%s (CONFIG_PROC_FS, CONFIG_PROC_PAGE_MONITOR): %m",
				    path);
	return 0;
}

static int pagewalk_init(struct stress_task *st, struct hb_error *e)
{
	struct pagewalk *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return hb_error_set(e, -ENOMEM, "no memory");
	st->priv = w;
	w->mem = w->pagemap = -1;
	err = proc_open("/proc/self/mem", &w->mem, e);
	return err ?: proc_open("/proc/self/pagemap", &w->pagemap, e);
}

static void pagewalk_exit(struct stress_task *st)
{
	struct pagewalk *w = st->priv;

	if (!w)
		return;
	if (w->mem >= 0)
		close(w->mem);
	if (w->pagemap >= 0)
		close(w->pagemap);
	free(w);
	st->priv = NULL;
}

/* A file of /proc that walks all page tables of this process when it is read. */
static int file_walk(const char *path, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	int err = hb_file_read(path, &text, NULL);

	if (err)
		return hb_error_set(e, err, "%s (CONFIG_PROC_PAGE_MONITOR, CONFIG_NUMA): %s", path,
				    strerror(-err));
	return 0;
}

/* A word of any task, read by get_user_pages(). Past i_size or lost, there is none. */
static void gup_check(struct stress_task *st, unsigned int index)
{
	const struct pagewalk *w = st->priv;
	unsigned int task = task_random(st->task) % st->stress->nactors;
	const uint8_t *p = st->map + index * STRESS_HUGE_PAGE + stress_word_offset(task);
	uint64_t v;

	if (pread(w->mem, &v, sizeof(v), (off_t)(uintptr_t)p) != sizeof(v))
		return;
	task_count(st->task, STRESS_GUP_READS, 1);
	if (!stress_word_belongs(v, STRESS_FILE_SHARED, task, index,
				 atomic_load(&st->stress->shared->clock)))
		stress_violation(st, "page %u by /proc/self/mem holds %#llx at task %u's place",
				 index, (unsigned long long)v, task);
}

/* One entry of pagemap, and mincore() of the whole file. */
static int entries_walk(struct stress_task *st, unsigned int index, struct hb_error *e)
{
	const struct pagewalk *w = st->priv;
	const uint8_t *page = st->map + index * STRESS_HUGE_PAGE;
	size_t used = st->stress->npages * STRESS_HUGE_PAGE;
	HB_FREE unsigned char *resident = malloc(used / SMALL_PAGE);
	uint64_t entry;

	if (!resident)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (pread(w->pagemap, &entry, sizeof(entry),
		  (off_t)((uintptr_t)page / SMALL_PAGE * sizeof(entry))) != sizeof(entry))
		return hb_error_set(e, -EIO, "/proc/self/pagemap: short read");
	if (mincore(st->map, used, resident) < 0)
		return hb_error_set(e, -errno, "mincore: %m");
	return 0;
}

static int pagewalk_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int index = stress_random_page(st);
	int err;

	/* Something must be mapped for the walks to meet it. */
	stress_touch(st, index);
	err = file_walk("/proc/self/smaps", e);
	err = err ?: file_walk("/proc/self/numa_maps", e);
	err = err ?: entries_walk(st, index, e);
	if (err)
		return err;
	gup_check(st, index);
	task_count(st->task, STRESS_PAGEWALKS, 1);
	return 0;
}

const struct stress_actor stress_walk_actors[] = {
	{.name = "pagewalk", .init = pagewalk_init, .step = pagewalk_step, .exit = pagewalk_exit},
	{.name = NULL},
};
