// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Actors of the stress workload that look whether the kernel counts right what it maps: pages of a
 * process (HugetlbPages), and mappings of a page.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

/* Off by a huge page from an aligned GiB, and too short for one: no page table is shared here. */
#define ACCOUNT_ADDR  ((uint8_t *)0x230000200000)
#define ACCOUNT_PAGES 4

/* A GiB with its own file, used from this page on, so that a copy has some way to go before it. */
#define LATE_ADDR     ((uint8_t *)0x240000000000)
#define LATE_PAGE     504
#define LATE_PAGES    8
#define LATE_DELAY_NS (2 * NSEC_PER_SEC / 1000)

/* An aligned GiB of a file of its own, mapped with a huge page before it and one behind it. */
#define EDGES_ADDR ((uint8_t *)0x250000000000)
#define EDGES_MAP  (STRESS_GIB + 2 * STRESS_HUGE_PAGE)

long stress_hugetlb_kib(void)
{
	uint64_t kib;
	int err = hb_file_number("/proc/self/status", "HugetlbPages", &kib);

	return err ? err : (long)kib;
}

/* HugetlbPages and smaps of these actors are to speak of nothing but what they map themselves. */
static int alone(struct stress_task *st, struct hb_error *e)
{
	if (munmap(st->map, st->stress->options->size) < 0)
		return hb_error_set(e, -errno, "munmap: %m");
	st->map = NULL;
	return 0;
}

static void count_check(struct stress_task *st, const char *whose)
{
	long kib = stress_hugetlb_kib();

	if (kib)
		stress_violation(st, "HugetlbPages of %s is %ld kB, nothing is mapped", whose, kib);
}

/* Unmap in a child what it has inherited. */
static int account_fork(struct stress_task *st, uint64_t bytes, struct hb_error *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return hb_error_set(e, -errno, "fork: %m");
	if (!pid) {
		munmap(ACCOUNT_ADDR, bytes);
		count_check(st, "a child");
		_exit(0);
	}
	return stress_reap(pid, e);
}

/*
 * Map some pages, shared or private, and unmap them while others migrate them: an entry that stands
 * for a page under migration counts like the page.
 */
static int account_step(struct stress_task *st, struct hb_error *e)
{
	bool private = task_random(st->task) % 2;
	unsigned int first = task_random(st->task) % (st->stress->npages - ACCOUNT_PAGES + 1);
	uint64_t bytes = ACCOUNT_PAGES * STRESS_HUGE_PAGE, word;
	int flags = MAP_NORESERVE | (private ? MAP_PRIVATE : MAP_SHARED);
	int err = stress_map(st, ACCOUNT_ADDR, first * STRESS_HUGE_PAGE, bytes, flags, e);

	if (err)
		return err;
	for (unsigned int i = 0; i < ACCOUNT_PAGES; i++) {
		uint8_t *p = ACCOUNT_ADDR + i * STRESS_HUGE_PAGE;

		stress_load(st, p, &word);
		if (private)
			stress_store(st, p, word);
	}
	if (task_random(st->task) % 2)
		err = account_fork(st, bytes, e);
	if (munmap(ACCOUNT_ADDR, bytes) < 0 && !err)
		err = hb_error_set(e, -errno, "munmap: %m");
	count_check(st, "the process");
	task_count(st->task, STRESS_REMAPS, 1);
	return err;
}

struct late {
	int fd;
	_Atomic int *phase; /* shared with the child */
};
enum { LATE_START, LATE_MAPPED, LATE_GO };

static void phase_wait(_Atomic int *phase, int wanted)
{
	while (atomic_load(phase) < wanted)
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 10000);
}

static int late_init(struct stress_task *st, struct hb_error *e)
{
	struct late *l = calloc(1, sizeof(*l));

	if (!l)
		return hb_error_set(e, -ENOMEM, "no memory");
	st->priv = l;
	l->fd = memfd_create("late", MFD_CLOEXEC | MFD_HUGETLB);
	l->phase = mmap(NULL, sizeof(*l->phase), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (l->fd < 0 || l->phase == MAP_FAILED)
		return hb_error_set(e, -errno, "a file of its own: %m");
	return alone(st, e);
}

static void late_exit(struct stress_task *st)
{
	struct late *l = st->priv;

	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l);
	st->priv = NULL;
}

/* Map the GiB and read its pages. */
static int late_map(struct stress_task *st, int protection, struct hb_error *e)
{
	const struct late *l = st->priv;
	uint64_t word;

	if (mmap(LATE_ADDR, STRESS_GIB, protection, MAP_FIXED | MAP_SHARED | MAP_NORESERVE, l->fd,
		 0) == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap: %m");
	for (unsigned int i = 0; i < LATE_PAGES; i++)
		stress_load(st, LATE_ADDR + (LATE_PAGE + i) * STRESS_HUGE_PAGE, &word);
	return 0;
}

/* The process whose page table a third one is to share. It leaves within the third one's fork(). */
static pid_t late_donor(struct stress_task *st, struct hb_error *e)
{
	const struct late *l = st->priv;
	uint64_t delay = task_random(st->task) % LATE_DELAY_NS;
	pid_t pid = fork();

	if (pid < 0)
		hb_error_set(e, -errno, "fork: %m");
	if (pid)
		return pid;
	if (late_map(st, PROT_READ | PROT_WRITE, NULL))
		_exit(1);
	atomic_store(l->phase, LATE_MAPPED);
	phase_wait(l->phase, LATE_GO);
	hb_sleep_until_ns(hb_now_ns() + delay);
	_exit(0);
}

/* kB of the lines @field in smaps, all mappings together; -errno. */
static long smaps_kib(const char *field)
{
	HB_FREE char *text = NULL;
	int err = hb_file_read("/proc/self/smaps", &text, NULL);
	long sum = 0;

	if (err)
		return err;
	for (const char *p = text; (p = strstr(p, field)); p += strlen(field))
		sum += strtol(p + strlen(field), NULL, 10);
	return sum;
}

/* fork() while a process leaves whose page table, not the parent's, the child has begun to share.
 */
static int late_fork(struct stress_task *st, pid_t donor, struct hb_error *e)
{
	struct late *l = st->priv;
	pid_t pid;
	int err, donor_err;

	phase_wait(l->phase, LATE_MAPPED);
	/* Other flags than the donor's, so a page table of its own; then the same flags. */
	err = late_map(st, PROT_READ, e);
	if (!err && mprotect(LATE_ADDR, STRESS_GIB, PROT_READ | PROT_WRITE) < 0)
		err = hb_error_set(e, -errno, "mprotect: %m");
	atomic_store(l->phase, LATE_GO);
	pid = err ? 0 : fork();
	if (!err && !pid)
		_exit(0);
	if (pid < 0)
		err = hb_error_set(e, -errno, "fork: %m");
	else if (pid)
		err = stress_reap(pid, e);
	donor_err = stress_reap(donor, e);
	return err ?: donor_err;
}

static int late_step(struct stress_task *st, struct hb_error *e)
{
	struct late *l = st->priv;
	pid_t donor;
	long kib;
	int err;

	if (ftruncate(l->fd, STRESS_GIB) < 0)
		return hb_error_set(e, -errno, "ftruncate: %m");
	atomic_store(l->phase, LATE_START);
	donor = late_donor(st, e);
	if (donor < 0)
		return -ECHILD;
	err = late_fork(st, donor, e);
	kib = smaps_kib("Shared_Hugetlb:");
	if (kib)
		stress_violation(st, "Shared_Hugetlb is %ld kB, nobody else maps the file", kib);
	munmap(LATE_ADDR, STRESS_GIB);
	if (ftruncate(l->fd, 0) < 0 && !err)
		err = hb_error_set(e, -errno, "ftruncate: %m");
	task_count(st->task, STRESS_FORKS, 1);
	return err;
}

static int edges_init(struct stress_task *st, struct hb_error *e)
{
	int *fd = malloc(sizeof(*fd));

	if (!fd)
		return hb_error_set(e, -ENOMEM, "no memory");
	st->priv = fd;
	*fd = memfd_create("edges", MFD_CLOEXEC | MFD_HUGETLB);
	if (*fd < 0)
		return hb_error_set(e, -errno, "a file of its own: %m");
	return alone(st, e);
}

static void edges_exit(struct stress_task *st)
{
	int *fd = st->priv;

	if (fd && *fd >= 0)
		close(*fd);
	free(fd);
	st->priv = NULL;
}

/* Of a forked child: all pages are there, and those beside the shared GiB are counted as its own.
 */
static void edges_check(struct stress_task *st)
{
	const long page = STRESS_HUGE_PAGE >> 10;
	long own = stress_hugetlb_kib();
	long all = smaps_kib("Shared_Hugetlb:") + smaps_kib("Private_Hugetlb:");

	if (all != 4 * page || own != 2 * page)
		stress_violation(st,
				 "a child has %ld kB, %ld kB of it in tables of its own; "
				 "%ld and %ld were to be",
				 all, own, 4 * page, 2 * page);
}

/* fork() copies the page tables on both sides of one that the child shares, which it leaves alone.
 */
static int edges_step(struct stress_task *st, struct hb_error *e)
{
	uint8_t *const start = EDGES_ADDR - STRESS_HUGE_PAGE, *const end = EDGES_ADDR + STRESS_GIB;
	uint8_t *const page[] = {start, EDGES_ADDR, end - STRESS_HUGE_PAGE, end};
	const int fd = *(int *)st->priv;
	bool touched = true;
	int err = 0;
	pid_t pid;

	if (ftruncate(fd, 2 * STRESS_GIB + STRESS_HUGE_PAGE) < 0)
		return hb_error_set(e, -errno, "ftruncate: %m");
	if (mmap(start, EDGES_MAP, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED | MAP_NORESERVE,
		 fd, STRESS_GIB - STRESS_HUGE_PAGE) == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap: %m");
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++)
		touched &= stress_store(st, page[i], i) == STRESS_OK;
	pid = touched ? fork() : 0;
	if (touched && !pid) {
		edges_check(st);
		_exit(0);
	}
	if (pid < 0)
		err = hb_error_set(e, -errno, "fork: %m");
	else if (pid)
		err = stress_reap(pid, e);
	munmap(start, EDGES_MAP);
	if (ftruncate(fd, 0) < 0 && !err)
		err = hb_error_set(e, -errno, "ftruncate: %m");
	task_count(st->task, STRESS_FORKS, touched);
	return err;
}

const struct stress_actor stress_count_actors[] = {
	{.name = "account", .init = alone, .step = account_step},
	{.name = "lateshare", .init = late_init, .step = late_step, .exit = late_exit},
	{.name = "edges", .init = edges_init, .step = edges_step, .exit = edges_exit},
	{.name = NULL},
};
