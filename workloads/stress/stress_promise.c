// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The actor of the stress workload that asks for what fcntl(2) and fallocate(2) promise of any
 * file, of a file of its own: a hole reads as zeros, to the byte, and a seal holds whoever asks.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

#define FILE_ADDR  ((uint8_t *)0x250000200000)
#define FILE_PAGES 3
#define FILE_BYTES (FILE_PAGES * STRESS_HUGE_PAGE)
#define FILLED	   0xaa
#define AROUND	   4096 /* bytes that are looked at on either side */

static int file_map(int fd, uint64_t bytes, int flags, struct hb_error *e)
{
	void *p = mmap(FILE_ADDR, bytes, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED | flags, fd,
		       0);

	return p == MAP_FAILED ? hb_error_set(e, -errno, "mmap: %m") : 0;
}

/* The bytes around @offset are filled or empty as the hole wants it. Read, not mapped: a fault in
 * the hole would need a page that may not be there. */
static void hole_check(struct stress_task *st, int fd, uint64_t offset, uint64_t start,
		       uint64_t end)
{
	uint64_t first = offset < AROUND ? 0 : offset - AROUND;
	uint8_t byte[2 * AROUND];
	ssize_t n = pread(fd, byte, sizeof(byte), (off_t)first);

	for (ssize_t i = 0; i < n; i++) {
		uint64_t at = first + i;

		if (byte[i] == (at >= start && at < end ? 0 : FILLED))
			continue;
		stress_violation(st, "hole from %llu to %llu: byte %llu is %#x",
				 (unsigned long long)start, (unsigned long long)end,
				 (unsigned long long)at, byte[i]);
		return;
	}
}

/* A hole of any place and length. */
static int hole_punch(struct stress_task *st, int fd, struct hb_error *e)
{
	uint64_t start = task_random(st->task) % (FILE_BYTES - 1);
	uint64_t end = start + 1 + task_random(st->task) % (FILE_BYTES - start);

	memset(FILE_ADDR, FILLED, FILE_BYTES);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
		      (off_t)(end - start)) < 0)
		return errno == EINTR ? 0 : hb_error_set(e, -errno, "fallocate: %m");
	hole_check(st, fd, start, start, end);
	hole_check(st, fd, start + (end - start) / 2, start, end);
	hole_check(st, fd, end, start, end);
	task_count(st->task, STRESS_PUNCHES, 1);
	return 0;
}

/* A hole in a file that is sealed against writing is refused, however small. */
static void write_seal_check(struct stress_task *st, int fd)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0 &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 1) == 0)
		stress_violation(st, "a hole in a file with F_SEAL_WRITE");
}

/* A file that is sealed against growth is as long after mmap() of more as before. */
static int grow_seal_check(struct stress_task *st, int fd, struct hb_error *e)
{
	off_t before = lseek(fd, 0, SEEK_END);
	int err;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
		return hb_error_set(e, -errno, "F_ADD_SEALS: %m");
	err = file_map(fd, FILE_BYTES + STRESS_HUGE_PAGE, MAP_NORESERVE, e);
	/* To refuse the mapping would do as well. */
	if (err == -EPERM)
		return 0;
	if (!err && lseek(fd, 0, SEEK_END) != before)
		stress_violation(st, "mmap() extended a file with F_SEAL_GROW");
	if (!err && stress_store(st, FILE_ADDR + FILE_BYTES, 1) != STRESS_EOF)
		stress_violation(st, "a store past the end of a file with F_SEAL_GROW");
	munmap(FILE_ADDR, FILE_BYTES + STRESS_HUGE_PAGE);
	return err;
}

static int promises_step(struct stress_task *st, struct hb_error *e)
{
	HB_CLOSE int fd = memfd_create("promises", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0 || ftruncate(fd, FILE_BYTES) < 0)
		return hb_error_set(e, -errno, "memfd_create(MFD_HUGETLB): %m");
	err = file_map(fd, FILE_BYTES, 0, e);
	/* Others may use what could be reserved. */
	if (err)
		return err == -ENOMEM ? 0 : err;
	err = hole_punch(st, fd, e);
	munmap(FILE_ADDR, FILE_BYTES);
	if (!err)
		err = grow_seal_check(st, fd, e);
	if (!err)
		write_seal_check(st, fd);
	return err;
}

const struct stress_actor stress_promise_actors[] = {
	{.name = "promises", .step = promises_step},
	{.name = NULL},
};
