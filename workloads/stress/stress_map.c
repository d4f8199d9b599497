// SPDX-License-Identifier: GPL-2.0-or-later
/* Actors of the stress workload that work on mappings: faults, remaps, forks, protections. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

#define REMAP_TOUCHES 8
#define FORK_TOUCHES  4
#define PRIVATE_PAGES 4
#define MLOCK_PAGES   4
/* The private mapping's place, beside STRESS_ADDR. */
#define PRIVATE_ADDR ((uint8_t *)0x220000000000)

/*
 * Map [offset, offset + bytes) of the file at @addr. A writable mmap() of a hugetlbfs file makes a
 * short file long again (hugetlbfs_file_mmap()), and would undo what the truncate actor does: so it
 * is mapped for reading and made writable then, which a VMA without entries in its page tables
 * takes without any work.
 */
int stress_map(struct stress_task *st, uint8_t *addr, uint64_t offset, uint64_t bytes, int flags,
	       struct hb_error *e)
{
	void *p = mmap(addr, bytes, PROT_READ, MAP_FIXED | flags, st->stress->fd, (off_t)offset);

	if (p == MAP_FAILED || mprotect(p, bytes, PROT_READ | PROT_WRITE) < 0)
		return hb_error_set(e, -errno, "mmap of %llu bytes of the file: %m",
				    (unsigned long long)bytes);
	return 0;
}

int stress_map_all(struct stress_task *st, struct hb_error *e)
{
	return stress_map(st, st->map, 0, st->stress->options->size, MAP_SHARED | MAP_NORESERVE, e);
}

static int fault_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int index = stress_random_page(st);

	(void)e;
	stress_touch(st, index);
	if (task_random(st->task) % 16 == 0)
		stress_check_page(st, st->map, index);
	return 0;
}

static int remap_step(struct stress_task *st, struct hb_error *e)
{
	int err;

	if (munmap(st->map, st->stress->options->size) < 0)
		return hb_error_set(e, -errno, "munmap: %m");
	err = stress_map_all(st, e);
	if (err)
		return err;
	for (unsigned int i = 0; i < REMAP_TOUCHES; i++)
		stress_touch(st, stress_random_page(st));
	task_count(st->task, STRESS_REMAPS, 1);
	return 0;
}

/*
 * The same with a reservation of the used pages, which faults of mappings without one, punching and
 * truncating must then keep right.
 */
static int reserve_step(struct stress_task *st, struct hb_error *e)
{
	uint64_t bytes = st->stress->npages * STRESS_HUGE_PAGE;
	int err;

	if (munmap(st->map, st->stress->options->size) < 0)
		return hb_error_set(e, -errno, "munmap: %m");
	err = stress_map(st, st->map, 0, bytes, MAP_SHARED, e);
	/* Others may use what could be reserved. */
	if (err)
		return err == -ENOMEM ? stress_map_all(st, e) : err;
	for (unsigned int i = 0; i < REMAP_TOUCHES; i++)
		stress_touch(st, stress_random_page(st));
	task_count(st->task, STRESS_RESERVES, 1);
	return 0;
}

int stress_reap(pid_t pid, struct hb_error *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return hb_error_set(e, -errno, "waitpid: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return hb_error_set(e, -ECHILD, "a forked child ended with status %#x", status);
	return 0;
}

static int fork_step(struct stress_task *st, struct hb_error *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return hb_error_set(e, -errno, "fork: %m");
	if (!pid) {
		for (unsigned int i = 0; i < FORK_TOUCHES; i++)
			stress_check_page(st, st->map, stress_random_page(st));
		_exit(0);
	}
	task_count(st->task, STRESS_FORKS, 1);
	task_random(st->task);
	return stress_reap(pid, e);
}

/* Read-only, where a write must be denied, and back, where it must go through. */
static int mprotect_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int index = stress_random_page(st);
	uint8_t *p = st->map + index * STRESS_HUGE_PAGE + stress_word_offset(st->task->index);
	enum stress_access how;

	if (mprotect(st->map, st->stress->options->size, PROT_READ) < 0)
		return hb_error_set(e, -errno, "mprotect: %m");
	stress_check_page(st, st->map, index);
	how = stress_store(st, p, 1);
	if (how == STRESS_OK)
		stress_violation(st, "page %u was written through a read-only mapping", index);
	if (mprotect(st->map, st->stress->options->size, PROT_READ | PROT_WRITE) < 0)
		return hb_error_set(e, -errno, "mprotect: %m");
	stress_touch(st, index);
	task_count(st->task, STRESS_MPROTECTS, 1);
	return 0;
}

/* The child's write must not reach the parent. */
static int private_fork(struct stress_task *st, uint8_t *p, uint64_t word, struct hb_error *e)
{
	pid_t pid = fork();
	uint64_t v;

	if (pid < 0)
		return hb_error_set(e, -errno, "fork: %m");
	if (!pid) {
		stress_store(st, p, word + 1);
		_exit(0);
	}
	if (stress_load(st, p, &v) == STRESS_OK && v == word + 1)
		stress_violation(st, "a child's private write is seen by its parent");
	return stress_reap(pid, e);
}

/* Copy on write: the file must never show what was written here. */
static int private_pages(struct stress_task *st, uint8_t *map, struct hb_error *e)
{
	for (unsigned int i = 0; i < PRIVATE_PAGES; i++) {
		unsigned int index = stress_random_page(st);
		struct stress_word w = {STRESS_FILE_PRIVATE, st->task->index, index, i + 1};
		uint64_t word = stress_word_pack(w), v;
		uint8_t *p = map + index * STRESS_HUGE_PAGE + stress_word_offset(st->task->index);

		/* Past i_size, or truncated meanwhile: the private copy is gone, and rightly. */
		if (stress_store(st, p, word) != STRESS_OK || stress_load(st, p, &v) != STRESS_OK)
			continue;
		task_count(st->task, STRESS_PRIVATE_COWS, 1);
		if (v != word && !st->stress->destroys)
			stress_violation(st, "private page %u holds %#llx", index,
					 (unsigned long long)v);
		if (i == 0 && private_fork(st, p, word, e))
			return -ECHILD;
		stress_check_page(st, st->map, index);
	}
	return 0;
}

static int private_step(struct stress_task *st, struct hb_error *e)
{
	uint64_t bytes = st->stress->npages * STRESS_HUGE_PAGE;
	int err = stress_map(st, PRIVATE_ADDR, 0, bytes, MAP_PRIVATE | MAP_NORESERVE, e);

	if (err)
		return err;
	err = private_pages(st, PRIVATE_ADDR, e);
	if (munmap(PRIVATE_ADDR, bytes) < 0 && !err)
		err = hb_error_set(e, -errno, "munmap of the private mapping: %m");
	return err;
}

static int mlock_step(struct stress_task *st, struct hb_error *e)
{
	unsigned int slots = st->stress->npages - MLOCK_PAGES + 1;
	uint64_t bytes = MLOCK_PAGES * STRESS_HUGE_PAGE;
	uint8_t *p = st->map + task_random(st->task) % slots * STRESS_HUGE_PAGE;
	int err = stress_map_all(st, e);

	if (err)
		return err;
	/* ENOMEM, EAGAIN: a page past i_size or lost; the lock flag is on all the same. */
	if (mlock(p, bytes) < 0 && errno != ENOMEM && errno != EAGAIN && errno != EFAULT &&
	    errno != EHWPOISON)
		return hb_error_set(e, -errno, "mlock: %m");
	stress_touch(st, (p - st->map) / STRESS_HUGE_PAGE);
	if (munlock(p, bytes) < 0)
		return hb_error_set(e, -errno, "munlock: %m");
	task_count(st->task, STRESS_MLOCKS, 1);
	return 0;
}

/* Nobody takes pages out of the segment: what was written at the last attach must be there. */
static void shm_touch(struct stress_task *st, uint8_t *map, unsigned int index)
{
	uint8_t *p = map + index * STRESS_HUGE_PAGE + stress_word_offset(st->task->index);
	struct stress_word w = {STRESS_FILE_SHM, st->task->index, index, st->shm_last[index]};
	uint64_t expected = w.generation ? stress_word_pack(w) : 0, v;

	if (stress_load(st, p, &v) != STRESS_OK || v != expected)
		stress_violation(st, "SysV page %u holds %#llx instead of %#llx", index,
				 (unsigned long long)v, (unsigned long long)expected);
	w.generation = ++st->shm_last[index];
	if (stress_store(st, p, stress_word_pack(w)) != STRESS_OK)
		stress_violation(st, "SysV page %u cannot be written", index);
}

static int shm_step(struct stress_task *st, struct hb_error *e)
{
	uint8_t *map = shmat(st->stress->shmid, STRESS_SHM_ADDR, 0);

	if (map == (void *)-1)
		return hb_error_set(e, -errno, "shmat: %m");
	for (unsigned int i = 0; i < STRESS_SHM_PAGES / 2; i++)
		shm_touch(st, map, task_random(st->task) % STRESS_SHM_PAGES);
	task_count(st->task, STRESS_SHM_ATTACHES, 1);
	if (shmdt(map) < 0)
		return hb_error_set(e, -errno, "shmdt: %m");
	return 0;
}

const struct stress_actor stress_map_actors[] = {
	{.name = "fault", .step = fault_step},
	{.name = "remap", .step = remap_step},
	{.name = "reserve", .step = reserve_step},
	{.name = "fork", .step = fork_step},
	{.name = "mprotect", .step = mprotect_step},
	{.name = "private", .step = private_step},
	{.name = "mlock", .step = mlock_step},
	{.name = "sysvshm", .step = shm_step},
	{.name = NULL},
};
