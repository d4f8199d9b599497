// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/antagonist.h"

/* A sleep is cut into pieces so that the watchdog sees progress and a new phase is seen soon. */
#define PACE_SLICE_NS (50 * 1000000ULL)

const char *const antagonist_targets[] = {"same", "sibling", NULL};

/* The default huge page size, as the pool is counted in it; 0 when /proc/meminfo does not tell. */
static uint64_t default_huge_page_bytes(void)
{
	HB_FREE char *text = NULL;
	const char *line;
	unsigned long kib;

	if (hb_file_read("/proc/meminfo", &text, NULL) < 0)
		return 0;
	line = strstr(text, "Hugepagesize:");
	if (!line || sscanf(line, "Hugepagesize: %lu kB", &kib) != 1)
		return 0;
	return kib * 1024ULL;
}

uint64_t antagonist_huge_pages(const struct antagonist_options *o)
{
	uint64_t page = default_huge_page_bytes();

	if (o->target != ANTAGONIST_SIBLING || !page)
		return 0;
	return (o->sibling_bytes + page - 1) / page;
}

static int sibling_open(struct antagonist_file *f, uint64_t bytes, struct hb_error *e)
{
	int err;

	if (!f->page_bytes || bytes % f->page_bytes)
		return hb_error_set(
			e, -EINVAL,
			"sibling_size %llu is not a multiple of the huge page size %llu",
			(unsigned long long)bytes, (unsigned long long)f->page_bytes);
	f->fd = memfd_create("sibling", MFD_CLOEXEC | MFD_HUGETLB);
	if (f->fd < 0)
		return hb_error_set(e, -errno, "sibling file: memfd_create: %m");
	f->own = true;
	f->bytes = bytes;
	if (ftruncate(f->fd, bytes) < 0 || fallocate(f->fd, 0, 0, bytes) < 0) {
		err = -errno;
		hb_error_set(e, err, "sibling file of %llu bytes: %m", (unsigned long long)bytes);
		antagonist_close(f);
		return err;
	}
	return 0;
}

int antagonist_open(struct instance *in, const struct antagonist_options *o,
		    struct antagonist_file *f, struct hb_error *e)
{
	struct instance *victim;

	*f = (struct antagonist_file){.fd = -1, .page_bytes = in->cell->huge_page_bytes};
	if (o->target == ANTAGONIST_SIBLING)
		return sibling_open(f, o->sibling_bytes, e);
	victim = cell_target(in->cell);
	if (!victim || victim->target->fd < 0)
		return hb_error_set(
			e, -EINVAL,
			"%s.target=same: no workload of this cell has a huge page file; "
			"use target=sibling",
			in->ops->name);
	f->fd = victim->target->fd;
	f->bytes = victim->target->bytes;
	f->addr = victim->target->addr;
	return 0;
}

void antagonist_close(struct antagonist_file *f)
{
	if (f->own && f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->own = false;
}

int antagonist_map(const struct antagonist_file *f, void **addr, struct hb_error *e)
{
	/* MAP_FIXED: a mapping inherited from the agent at that place is to be replaced. */
	int flags = MAP_SHARED | MAP_NORESERVE | (f->addr ? MAP_FIXED : 0);

	*addr = mmap(f->addr, f->bytes, PROT_READ | PROT_WRITE, flags, f->fd, 0);
	if (*addr == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap of %llu bytes of the target: %m",
				    (unsigned long long)f->bytes);
	return 0;
}

int64_t antagonist_pages(const struct antagonist_file *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	return (int64_t)st.st_blocks * 512 / (int64_t)f->page_bytes;
}

void antagonist_pace_start(struct antagonist_pace *p, double rate)
{
	p->period_ns = rate > 0 ? (uint64_t)((double)NSEC_PER_SEC / rate) : 0;
	p->next_ns = hb_now_ns() + p->period_ns;
}

static bool phase_changed(const struct task *t)
{
	return atomic_load_explicit(&t->in->cell->shared->phase, memory_order_relaxed) != t->phase;
}

bool antagonist_pace_wait(struct antagonist_pace *p, struct task *t)
{
	uint64_t now;

	if (!p->period_ns)
		return true;
	while ((now = hb_now_ns()) < p->next_ns) {
		uint64_t until = now + PACE_SLICE_NS;

		hb_sleep_until_ns(until < p->next_ns ? until : p->next_ns);
		atomic_fetch_add_explicit(&t->shared->progress, 1, memory_order_relaxed);
		if (phase_changed(t))
			return false;
	}
	p->next_ns += p->period_ns;
	if (p->next_ns < now)
		p->next_ns = now;
	return true;
}
