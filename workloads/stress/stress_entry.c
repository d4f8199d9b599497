// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Actors of the stress workload that enter the kernel with the address of a huge page other than by
 * a page fault of its owner: another process's writes, direct I/O, pipes, futexes, advice. Each has
 * a file of its own, so that what must be read there is known to the word.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

#define PAGES  3
#define BYTES  (PAGES * STRESS_HUGE_PAGE)
#define SHARED ((uint8_t *)0x260000200000)
#define COPY   ((uint8_t *)0x261000200000)
#define LOCKED ((uint8_t *)0x262000200000) /* mapped for reading only */
#define BLOCK  4096ULL			   /* of direct I/O */

#define WORD_FILE  0x6c69662065687400ULL
#define WORD_OTHER 0x726568746f206e61ULL

/* Whether the task's word reads as @wanted through @p. */
static void word_check(struct stress_task *st, const uint8_t *p, uint64_t wanted, const char *what)
{
	uint64_t v;

	if (stress_load(st, p, &v) != STRESS_OK)
		stress_violation(st, "%s: cannot be read", what);
	else if (v != wanted)
		stress_violation(st, "%s: %#llx instead of %#llx", what, (unsigned long long)v,
				 (unsigned long long)wanted);
}

static int map_at(uint8_t *addr, int fd, int protection, int flags, struct hb_error *e)
{
	if (mmap(addr, BYTES, protection, MAP_FIXED | flags, fd, 0) == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap: %m");
	return 0;
}

static void unmap_all(void)
{
	munmap(SHARED, BYTES);
	munmap(COPY, BYTES);
	munmap(LOCKED, BYTES);
}

/*
 * A new file, mapped at the three places, the second one private; @at: a word's place in it, which
 * has WORD_FILE. Its descriptor, to be closed after unmap_all(); -ENOMEM while others have the huge
 * pages; -errno.
 */
static int file_make(struct stress_task *st, uint64_t *at, int locked, struct hb_error *e)
{
	int fd = memfd_create("entry", MFD_CLOEXEC | MFD_HUGETLB), err = 0;

	*at = task_random(st->task) % (STRESS_HUGE_PAGE / sizeof(uint64_t)) * sizeof(uint64_t);
	if (fd < 0 || ftruncate(fd, BYTES) < 0)
		err = hb_error_set(e, -errno, "memfd_create(MFD_HUGETLB): %m");
	err = err ?: map_at(SHARED, fd, PROT_READ | PROT_WRITE, MAP_SHARED, e);
	err = err ?: map_at(COPY, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, e);
	err = err ?: map_at(LOCKED, fd, PROT_READ, locked | MAP_NORESERVE, e);
	if (!err && stress_store(st, SHARED + *at, WORD_FILE) == STRESS_OK)
		return fd;
	unmap_all();
	if (fd >= 0)
		close(fd);
	return err ?: -ENOMEM;
}

/* A word written through @path, a mem file of /proc, at @to: 0 or errno. */
static int mem_write(const char *path, const uint8_t *to, uint64_t word)
{
	HB_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return pwrite(fd, &word, sizeof(word), (off_t)(uintptr_t)to) == sizeof(word) ? 0
										     : errno ?: EIO;
}

/* The same by a child of the task, as a debugger does it. */
static int debugger_write(const uint8_t *to, uint64_t word)
{
	pid_t pid = fork();
	char path[32];
	int status;

	if (!pid) {
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
		_exit(mem_write(path, to, word));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return ECHILD;
	return WEXITSTATUS(status);
}

/* By process_vm_writev(2) of a child, where the kernel has it: 0 or errno. */
static int foreign_write(const uint8_t *to, uint64_t word)
{
	struct iovec from = {&word, sizeof(word)}, there = {(void *)to, sizeof(word)};
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(process_vm_writev(getppid(), &from, 1, &there, 1, 0) == sizeof(word)
			      ? 0
			      : errno ?: EIO);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return ECHILD;
	return WEXITSTATUS(status);
}

/* What another process writes goes where the owner's store would go, and nowhere else. */
static void others_check(struct stress_task *st, uint64_t at,
			 int (*write_word)(const uint8_t *to, uint64_t word), const char *by)
{
	char what[96];
	int err = write_word(SHARED + at, WORD_OTHER);

	if (err == ENOSYS)
		return;
	snprintf(what, sizeof(what), "%s into a shared mapping", by);
	if (err)
		stress_violation(st, "%s: %s", what, strerror(err));
	word_check(st, SHARED + at, WORD_OTHER, what);
	word_check(st, LOCKED + at, WORD_OTHER, what);
	stress_store(st, SHARED + at, WORD_FILE);
	snprintf(what, sizeof(what), "%s into a private mapping", by);
	err = write_word(COPY + at, WORD_OTHER);
	if (err)
		stress_violation(st, "%s: %s", what, strerror(err));
	word_check(st, COPY + at, WORD_OTHER, what);
	word_check(st, SHARED + at, WORD_FILE, what);
	snprintf(what, sizeof(what), "%s into a shared mapping for reading", by);
	if (!write_word(LOCKED + at, WORD_OTHER))
		stress_violation(st, "%s goes through", what);
	word_check(st, SHARED + at, WORD_FILE, what);
	if (stress_store(st, LOCKED + at, WORD_OTHER) != STRESS_DENIED)
		stress_violation(st, "%s: a store goes through then", what);
}

/* A block of this program's file into @to, by the device itself. False: it cannot. */
static bool direct_read(uint8_t *to, uint64_t block, int *err)
{
	HB_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_DIRECT | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, to, BLOCK, (off_t)(block * BLOCK));
	*err = n == (ssize_t)BLOCK ? 0 : n < 0 ? errno : EIO;
	return *err != EINVAL;
}

bool stress_direct_io(void)
{
	static uint8_t block[BLOCK] __attribute__((aligned(BLOCK)));
	int err = 0;

	return direct_read(block, 0, &err) && !err;
}

/* Direct I/O into a shared and a private page, and into one that is there to be read alone. */
static void direct_check(struct stress_task *st, uint64_t at)
{
	HB_CLOSE int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t block = task_random(st->task) % 16, place = at / BLOCK * BLOCK;
	uint8_t want[BLOCK];
	int err = 0;

	if (fd < 0 || pread(fd, want, BLOCK, (off_t)(block * BLOCK)) != (ssize_t)BLOCK ||
	    !direct_read(COPY + place, block, &err))
		return;
	if (err || memcmp(COPY + place, want, BLOCK))
		stress_violation(st, "direct I/O into a private page: %s", strerror(err));
	word_check(st, SHARED + at, WORD_FILE, "direct I/O into a private page");
	direct_read(SHARED + place, block, &err);
	if (err || memcmp(LOCKED + place, want, BLOCK))
		stress_violation(st, "direct I/O into a shared page: %s", strerror(err));
	stress_store(st, SHARED + at, WORD_FILE);
	direct_read(LOCKED + place, block, &err);
	if (!err)
		stress_violation(st, "direct I/O into a page that is mapped for reading");
	word_check(st, SHARED + at, WORD_FILE, "direct I/O into a page that is mapped for reading");
	task_count(st->task, STRESS_DIRECT_READS, 1);
}

static int hole(int fd, off_t offset, off_t bytes)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
}

/* A page that a pipe holds stays as it was in the pipe, although its file loses it. */
static void pipe_check(struct stress_task *st, int file, uint64_t at)
{
	struct iovec word = {SHARED + at, sizeof(uint64_t)};
	uint64_t got = 0;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return;
	if (vmsplice(fd[1], &word, 1, 0) != sizeof(got))
		stress_violation(st, "vmsplice: %s", strerror(errno));
	else if (hole(file, 0, STRESS_HUGE_PAGE) || read(fd[0], &got, sizeof(got)) != sizeof(got) ||
		 got != WORD_FILE)
		stress_violation(st, "a pipe has %#llx of a page that is gone from its file",
				 (unsigned long long)got);
	close(fd[0]);
	close(fd[1]);
	word_check(st, SHARED + at, 0, "a page after a hole");
	stress_store(st, SHARED + at, WORD_FILE);
}

static long futex(uint8_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

/*
 * A shared futex is the word in the file, wherever it is mapped, and no other word of the huge
 * page.
 */
static void futex_check(struct stress_task *st, uint64_t at)
{
	const struct timespec longest = {.tv_sec = 20};
	uint8_t *other = LOCKED + (at ^ BLOCK);
	uint32_t value = (uint32_t)WORD_FILE;
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(futex(SHARED + at, FUTEX_WAIT, value, &longest) ? errno : 0);
	if (pid < 0)
		return;
	for (unsigned int i = 0; i < 5000 && !waitpid(pid, &status, WNOHANG); i++) {
		if (futex(other, FUTEX_WAKE, 1, NULL) > 0)
			stress_violation(st, "a futex is woken by another word of its huge page");
		futex(LOCKED + at, FUTEX_WAKE, 1, NULL);
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 1000);
	}
	if (waitpid(pid, NULL, 0) == pid || (WIFEXITED(status) && WEXITSTATUS(status)))
		stress_violation(st, "a futex in a huge page is not woken through another mapping");
}

/* A private page that was written stays while the file is as long, and goes with its end. */
static void shorten_check(struct stress_task *st, int fd, uint64_t at)
{
	const uint64_t last = (PAGES - 1) * STRESS_HUGE_PAGE + at;
	uint64_t v;
	pid_t pid;

	stress_store(st, COPY + at, WORD_OTHER);
	stress_store(st, COPY + last, WORD_OTHER);
	pid = fork();
	if (!pid)
		_exit(ftruncate(fd, STRESS_HUGE_PAGE) < 0);
	if (pid < 0 || stress_reap(pid, NULL))
		return;
	word_check(st, COPY + at, WORD_OTHER, "a private page below the new end");
	if (stress_load(st, COPY + last, &v) != STRESS_EOF)
		stress_violation(st, "a private page past the new end can be read");
	if (ftruncate(fd, BYTES) < 0)
		return;
	word_check(st, COPY + last, 0, "a private page past what was the end");
}

/* Advice is refused and changes nothing, or does to a mapping what it does to any. */
static void advice_check(struct stress_task *st, uint64_t at)
{
	uint64_t file = WORD_FILE, copy = WORD_OTHER;

	stress_store(st, COPY + at, copy);
	madvise(SHARED, BYTES, MADV_DONTNEED);
	if (!madvise(COPY, BYTES, MADV_DONTNEED))
		copy = file;
	madvise(COPY, BYTES, MADV_COLD);
	madvise(COPY, BYTES, MADV_PAGEOUT);
	if (!madvise(COPY, BYTES, MADV_FREE))
		stress_violation(st, "MADV_FREE takes huge pages of a file");
	word_check(st, COPY + at, copy, "a private page after advice");
	word_check(st, SHARED + at, file, "a shared page after advice");
	if (!madvise(SHARED, STRESS_HUGE_PAGE, MADV_REMOVE))
		file = 0;
	word_check(st, LOCKED + at, file, "a shared page after MADV_REMOVE");
	stress_store(st, SHARED + at, WORD_FILE);
}

/* A mapping is not moved, or moves with what is in it. */
static void move_check(struct stress_task *st, uint64_t at)
{
	uint8_t *to = COPY + STRESS_GIB;
	void *moved;

	stress_store(st, COPY + at, WORD_OTHER);
	moved = mremap(COPY, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	word_check(st, moved == MAP_FAILED ? COPY + at : to + at, WORD_OTHER, "after mremap()");
	if (mremap(SHARED, BYTES, BYTES + STRESS_HUGE_PAGE, 0) != MAP_FAILED)
		stress_violation(st, "mremap() makes a mapping of huge pages longer");
	/* Refused, or of no effect: a huge page is not divided. */
	mremap(SHARED, BYTES, BYTES - BLOCK, 0);
	word_check(st, SHARED + at, WORD_FILE, "after mremap()");
	word_check(st, SHARED + BYTES - sizeof(uint64_t), 0, "the end after mremap()");
	munmap(to, BYTES);
}

/* Beyond every file: refused, and nothing happens. */
static void far_check(struct stress_task *st, int fd, uint64_t at)
{
	static const off_t far[] = {INT64_MAX, INT64_MAX - 4095, INT64_MAX - (2 << 20) + 1,
				    1LL << 62, (1LL << 44) - (2 << 20)};
	struct stat before, after;

	if (fstat(fd, &before) < 0)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(far); i++) {
		void *p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd,
			       far[i] & ~(off_t)(STRESS_HUGE_PAGE - 1));
		uint64_t v;

		if (p != MAP_FAILED && stress_load(st, p, &v) == STRESS_OK)
			stress_violation(st, "offset %#llx can be read", (long long)far[i]);
		if (p != MAP_FAILED)
			munmap(p, BYTES);
		hole(fd, far[i], INT64_MAX - far[i]);
		hole(fd, far[i], INT64_MAX);
		if (pread(fd, &v, sizeof(v), far[i]) > 0)
			stress_violation(st, "offset %#llx has something", (long long)far[i]);
	}
	if (!fstat(fd, &after) &&
	    (after.st_size != before.st_size || after.st_blocks != before.st_blocks))
		stress_violation(st, "holes beyond the end change the file");
	word_check(st, SHARED + at, WORD_FILE, "the file after holes beyond its end");
}

static int entry_step(struct stress_task *st, struct hb_error *e)
{
	uint64_t at;
	int fd = file_make(st, &at, MAP_SHARED, e);

	/* Others may use what could be reserved. */
	if (fd < 0)
		return fd == -ENOMEM ? 0 : fd;
	others_check(st, at, debugger_write, "/proc/PID/mem");
	others_check(st, at, foreign_write, "process_vm_writev()");
	direct_check(st, at);
	pipe_check(st, fd, at);
	futex_check(st, at);
	far_check(st, fd, at);
	advice_check(st, at);
	shorten_check(st, fd, at);
	move_check(st, at);
	unmap_all();
	close(fd);
	task_count(st->task, STRESS_ENTRIES, 1);
	return 0;
}

/*
 * A debugger may write into a private mapping for reading, which gets a page of its own for it. The
 * process itself may not, before or after.
 */
static int forced_step(struct stress_task *st, struct hb_error *e)
{
	uint64_t at;
	int fd = file_make(st, &at, MAP_PRIVATE, e);
	bool taken;

	if (fd < 0)
		return fd == -ENOMEM ? 0 : fd;
	taken = !debugger_write(LOCKED + at, WORD_OTHER);
	word_check(st, LOCKED + at, taken ? WORD_OTHER : WORD_FILE, "a forced write");
	word_check(st, SHARED + at, WORD_FILE, "the file after a forced write");
	if (stress_store(st, LOCKED + at, WORD_OTHER + 1) != STRESS_DENIED)
		stress_violation(st, "a mapping for reading can be written after a forced write");
	unmap_all();
	close(fd);
	task_count(st->task, STRESS_ENTRIES, 1);
	return 0;
}

/* Put the word at @p, which the child has from its parent, into the pipe, and leave. */
static void __attribute__((noreturn)) splice_and_leave(int pipe, uint8_t *p)
{
	struct iovec word = {p, sizeof(uint64_t)};

	_exit(vmsplice(pipe, &word, 1, 0) != sizeof(uint64_t));
}

/* What a child put into a pipe is what its parent's private page held then, not what it holds now.
 */
static int spliced_step(struct stress_task *st, struct hb_error *e)
{
	uint64_t at, got = 0;
	int fd = file_make(st, &at, MAP_SHARED, e), pipe[2], err;
	pid_t pid;

	if (fd < 0)
		return fd == -ENOMEM ? 0 : fd;
	stress_store(st, COPY + at, WORD_OTHER);
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return hb_error_set(e, -errno, "pipe2: %m");
	pid = fork();
	if (!pid)
		splice_and_leave(pipe[1], COPY + at);
	err = pid < 0 ? hb_error_set(e, -errno, "fork: %m") : stress_reap(pid, e);
	stress_store(st, COPY + at, WORD_OTHER + 1);
	if (!err && read(pipe[0], &got, sizeof(got)) == sizeof(got) && got != WORD_OTHER)
		stress_violation(st,
				 "a pipe that a child filled shows what its parent wrote later");
	close(pipe[0]);
	close(pipe[1]);
	unmap_all();
	close(fd);
	task_count(st->task, STRESS_ENTRIES, 1);
	return err;
}

const struct stress_actor stress_entry_actors[] = {
	{.name = "entry", .step = entry_step},
	{.name = "forced", .step = forced_step},
	{.name = "spliced", .step = spliced_step},
	{.name = NULL},
};
