// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/agent/antagonist.h"

/* st_blocks is in units of this, whatever the file system (stat(3type)). */
#define STAT_BLOCK 512

const char *const antagonist_targets[] = {"same", "sibling", NULL};

uint64_t antagonist_huge_pages(const void *options, unsigned int tasks)
{
	const struct antagonist_options *o = options;
	uint64_t page = hugetlb_default_page();

	(void)tasks;
	return o->target == ANTAGONIST_SIBLING && page ? (o->bytes + page - 1) / page : 0;
}

static int take_sibling(struct antagonist *a, const struct antagonist_options *o, uint64_t page,
			struct hb_error *e)
{
	int err;

	if (!page || o->bytes % page)
		return hb_error_set(e, -EINVAL, "size %llu is no multiple of the page size %llu",
				    (unsigned long long)o->bytes, (unsigned long long)page);
	err = hugetlb_file_make(&a->sibling, HUGETLB_MEMFD, o->bytes, page, e);
	if (err)
		return err;
	a->fd = a->sibling.fd;
	a->used = a->size = o->bytes;
	a->page = page;
	return hugetlb_file_fill(&a->sibling, e);
}

static int take_same(struct antagonist *a, struct cell *cell, struct hb_error *e)
{
	struct instance *victim = cell_target(cell);

	if (!victim || victim->target->fd < 0)
		return hb_error_set(e, -EINVAL,
				    "no workload of the cell has a file on huge pages; "
				    "say target = sibling");
	a->fd = victim->target->fd;
	a->size = victim->target->bytes;
	a->used = victim->target->used;
	a->page = victim->target->page;
	a->addr = victim->target->addr;
	return 0;
}

int antagonist_setup(struct instance *in, struct hb_error *e)
{
	const struct antagonist_options *o = in->options;
	struct antagonist *a = calloc(1, sizeof(*a));

	if (!a)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = a;
	a->fd = a->sibling.fd = a->sibling.shm = -1;
	return o->target == ANTAGONIST_SAME ? take_same(a, in->cell, e)
					    : take_sibling(a, o, in->cell->huge_page_bytes, e);
}

void antagonist_teardown(struct instance *in)
{
	struct antagonist *a = in->priv;

	if (a)
		hugetlb_file_close(&a->sibling);
	free(a);
	in->priv = NULL;
}

int antagonist_map(const struct antagonist *a, uint8_t **map, struct hb_error *e)
{
	/* MAP_FIXED: what is inherited from the agent at that place is to be replaced. */
	void *p = mmap(a->addr, a->size, PROT_READ,
		       MAP_SHARED | MAP_NORESERVE | (a->addr ? MAP_FIXED : 0), a->fd, 0);

	if (p == MAP_FAILED || mprotect(p, a->size, PROT_READ | PROT_WRITE) < 0)
		return hb_error_set(e, -errno, "mmap of %llu bytes: %m",
				    (unsigned long long)a->size);
	*map = p;
	return 0;
}

/* The kernel reads the byte for us and tells EFAULT where a touch of our own would be a signal. */
int antagonist_touch(const uint8_t *p)
{
	int fds[2], mapped;

	if (pipe(fds) < 0)
		return -errno;
	mapped = write(fds[1], p, 1) == 1;
	if (!mapped && errno != EFAULT)
		mapped = -errno;
	close(fds[0]);
	close(fds[1]);
	return mapped;
}

int64_t antagonist_pages(const struct antagonist *a)
{
	struct stat st;

	if (fstat(a->fd, &st) < 0)
		return -errno;
	return (int64_t)st.st_blocks * STAT_BLOCK / (int64_t)a->page;
}
