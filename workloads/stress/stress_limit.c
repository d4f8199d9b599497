// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Actors of the stress workload that meet the bounds of huge pages: of a mounted hugetlbfs (size=,
 * min_size=), whose pages and reservations the kernel counts apart, and of a control group.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

#define ADDR ((uint8_t *)0x270000200000)

/* Of the mounted hugetlbfs; more processes than it has pages for. */
#define MOST_PAGES  8
#define LEAST_PAGES 4
#define PROCESSES   3
#define ROUNDS	    16
#define FILE_PAGES  6

#define GROUP_PAGES 3
#define GROUPS_ROOT "/sys/fs/cgroup"

/* A hugetlbfs that is mounted nowhere; its descriptor. */
static int pool_make(struct hb_error *e)
{
	HB_CLOSE int fs = fsopen("hugetlbfs", FSOPEN_CLOEXEC);
	char most[32], least[32];
	int fd;

	snprintf(most, sizeof(most), "%llu", MOST_PAGES * STRESS_HUGE_PAGE);
	snprintf(least, sizeof(least), "%llu", LEAST_PAGES * STRESS_HUGE_PAGE);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", most, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "min_size", least, 0) < 0)
		return hb_error_set(e, -errno, "fsopen(hugetlbfs): %m");
	/* Others may use what should be reserved for it. */
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -ENOMEM;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? hb_error_set(e, -errno, "fsmount(hugetlbfs): %m") : fd;
}

/* Pages of the mounted file system that nobody has. */
static uint64_t pool_free(int fd)
{
	struct statvfs v;

	return fstatvfs(fd, &v) < 0 ? 0 : v.f_bfree;
}

/* Map some pages in one of @nways ways and touch them, as far as there are any. */
static void pool_map(struct stress_task *st, int file, unsigned int nways)
{
	static const int ways[] = {MAP_SHARED, MAP_SHARED | MAP_NORESERVE, MAP_PRIVATE,
				   MAP_PRIVATE | MAP_NORESERVE};
	unsigned int pages = 1 + task_random(st->task) % FILE_PAGES;
	uint64_t bytes = pages * STRESS_HUGE_PAGE, v;

	if (mmap(ADDR, bytes, PROT_READ | PROT_WRITE,
		 MAP_FIXED | ways[task_random(st->task) % nways], file, 0) == MAP_FAILED)
		return;
	for (unsigned int i = 0; i < pages; i++) {
		uint8_t *p = ADDR + task_random(st->task) % pages * STRESS_HUGE_PAGE;

		if (task_random(st->task) % 2)
			stress_load(st, p, &v);
		else
			stress_store(st, p, 1);
	}
	if (task_random(st->task) % 2)
		munmap(ADDR, bytes);
}

/* One thing of all that changes how many pages the file has or will get. */
static void pool_round(struct stress_task *st, int file, unsigned int nways)
{
	off_t at = (off_t)(task_random(st->task) % FILE_PAGES * STRESS_HUGE_PAGE);

	switch (task_random(st->task) % 5) {
	case 0:
		fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, STRESS_HUGE_PAGE);
		break;
	case 1:
		if (fallocate(file, 0, at, STRESS_HUGE_PAGE) && errno != ENOMEM &&
		    errno != ENOSPC && errno != EINTR)
			stress_violation(st, "fallocate: %s", strerror(errno));
		break;
	case 2:
		if (ftruncate(file, at))
			stress_violation(st, "ftruncate: %s", strerror(errno));
		break;
	default:
		pool_map(st, file, nways);
	}
}

static void __attribute__((noreturn))
pool_use(struct stress_task *st, int pool, unsigned int process, unsigned int nways)
{
	char name[16];
	int file;

	snprintf(name, sizeof(name), "%u", process);
	for (unsigned int i = 0; i < process; i++)
		task_random(st->task);
	file = openat(pool, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0)
		_exit(1);
	for (unsigned int i = 0; i < ROUNDS; i++)
		pool_round(st, file, nways);
	_exit(unlinkat(pool, name, 0) < 0);
}

static uint64_t reserved(void)
{
	uint64_t pages = 0;

	hb_file_number("/proc/meminfo", "HugePages_Rsvd", &pages);
	return pages;
}

/*
 * A file system with a bound and a reservation of its own, which several processes want all of: at
 * their end nothing of it is in use, and with its end the reservation is gone.
 */
static int pool_step(struct stress_task *st, unsigned int nways, struct hb_error *e)
{
	bool alone = st->stress->nactors == 1;
	uint64_t before = reserved(), during, after;
	int pool = pool_make(e), err = 0;
	pid_t pid[PROCESSES];

	if (pool < 0)
		return pool == -ENOMEM ? 0 : pool;
	during = reserved();
	if (alone && during != before + LEAST_PAGES)
		stress_violation(st, "min_size of %d pages reserves %lld", LEAST_PAGES,
				 (long long)(during - before));
	for (unsigned int i = 0; i < PROCESSES; i++) {
		task_random(st->task);
		pid[i] = fork();
		if (!pid[i])
			pool_use(st, pool, i, nways);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (pid[i] < 0 || stress_reap(pid[i], e))
			err = hb_error_set(e, -ECHILD, "a process on a hugetlbfs of its own");
	if (!err && pool_free(pool) != MOST_PAGES)
		stress_violation(st, "an empty hugetlbfs of %d pages has %llu free", MOST_PAGES,
				 (unsigned long long)pool_free(pool));
	if (!err && alone && reserved() != during)
		stress_violation(st, "an empty hugetlbfs reserves %lld pages and not min_size",
				 (long long)(reserved() - before));
	close(pool);
	after = reserved();
	if (alone && after != before)
		stress_violation(st, "HugePages_Rsvd is %llu, it was %llu before the mount",
				 (unsigned long long)after, (unsigned long long)before);
	task_count(st->task, STRESS_POOLS, 1);
	return err;
}

static int subpool_step(struct stress_task *st, struct hb_error *e)
{
	return pool_step(st, 3, e);
}

/* With private mappings that reserve nothing among them. */
static int unreserved_step(struct stress_task *st, struct hb_error *e)
{
	return pool_step(st, 4, e);
}

static void group_path(char *path, size_t size, const struct stress_task *st, const char *file)
{
	snprintf(path, size, GROUPS_ROOT "/limit-%u%s", st->task->index, file);
}

static int group_set(const struct stress_task *st, const char *file, const char *text)
{
	char path[128];

	group_path(path, sizeof(path), st, file);
	return hb_file_write(path, text);
}

static int limit_init(struct stress_task *st, struct hb_error *e)
{
	char path[128], bytes[32];

	group_path(path, sizeof(path), st, "");
	snprintf(bytes, sizeof(bytes), "%llu", GROUP_PAGES * STRESS_HUGE_PAGE);
	if ((mkdir(path, 0755) < 0 && errno != EEXIST) ||
	    group_set(st, "/hugetlb.2MB.max", bytes) ||
	    group_set(st, "/hugetlb.2MB.rsvd.max", bytes))
		return hb_error_set(e, -EOPNOTSUPP,
				    "no hugetlb control group (CONFIG_CGROUP_HUGETLB): %m");
	return 0;
}

static void limit_exit(struct stress_task *st)
{
	char path[128];

	group_path(path, sizeof(path), st, "");
	rmdir(path);
}

/* In the group: a mapping reserves as much as it may, a fault gets as many pages. */
static void __attribute__((noreturn)) group_use(struct stress_task *st, int file, bool shared)
{
	const uint64_t bytes = (GROUP_PAGES + 2) * STRESS_HUGE_PAGE;
	const int flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE);
	unsigned int got = 0;

	if (group_set(st, "/cgroup.procs", "0"))
		_exit(1);
	if (mmap(ADDR, bytes, PROT_READ | PROT_WRITE, flags, file, 0) != MAP_FAILED)
		stress_violation(st, "more is reserved than the control group may");
	if (mmap(ADDR, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, file, 0) == MAP_FAILED)
		_exit(2);
	for (uint64_t at = 0; at < bytes; at += STRESS_HUGE_PAGE)
		got += stress_store(st, ADDR + at, 1) == STRESS_OK;
	if (got != GROUP_PAGES)
		stress_violation(st, "a control group of %d huge pages got %u", GROUP_PAGES, got);
	munmap(ADDR, bytes);
	if (!ftruncate(file, 0) && mmap(ADDR, GROUP_PAGES * STRESS_HUGE_PAGE,
					PROT_READ | PROT_WRITE, flags, file, 0) == MAP_FAILED)
		stress_violation(st, "what the control group may is not reserved: %s",
				 strerror(errno));
	_exit(0);
}

static void group_check(struct stress_task *st, const char *file)
{
	char path[128];
	uint64_t bytes = 0;

	group_path(path, sizeof(path), st, file);
	if (hb_file_read_u64(path, &bytes) || bytes)
		stress_violation(st, "%s is %llu, the group is empty", file,
				 (unsigned long long)bytes);
}

/* A process in a control group of few pages: no page more, an error or SIGBUS instead, and nothing
 * is left charged. */
static int limit_step(struct stress_task *st, struct hb_error *e)
{
	int file = memfd_create("limit", MFD_CLOEXEC | MFD_HUGETLB), err;
	bool shared = task_random(st->task) % 2;
	pid_t pid;

	if (file < 0 || ftruncate(file, (GROUP_PAGES + 2) * STRESS_HUGE_PAGE) < 0)
		return hb_error_set(e, -errno, "memfd_create(MFD_HUGETLB): %m");
	pid = fork();
	if (!pid)
		group_use(st, file, shared);
	err = pid < 0 ? hb_error_set(e, -errno, "fork: %m") : stress_reap(pid, e);
	close(file);
	if (!err) {
		group_check(st, "/hugetlb.2MB.current");
		group_check(st, "/hugetlb.2MB.rsvd.current");
	}
	task_count(st->task, STRESS_POOLS, 1);
	return err;
}

const struct stress_actor stress_limit_actors[] = {
	{.name = "subpool", .step = subpool_step},
	{.name = "unreserved", .step = unreserved_step},
	{.name = "limit", .init = limit_init, .step = limit_step, .exit = limit_exit},
	{.name = NULL},
};
