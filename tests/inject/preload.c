// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into the program under test by faults.c: from the FAULT_AT-th change of a file below
 * FAULT_BELOW on, changes fail with the error number FAULT_ERRNO; from the FAULT_AT-th look at the
 * clock on, the wall clock is FAULT_JUMP seconds off. When that has come about there is a file
 * FAULT_STRUCK.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static long number(const char *name)
{
	const char *text = getenv(name);

	return text ? atol(text) : 0;
}

static void struck(void)
{
	const char *path = getenv("FAULT_STRUCK");
	int fd = path ? REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (fd >= 0)
		close(fd);
}

/* Is it the turn of the change to @path (NULL: no path is known) to fail? */
static bool fails(const char *path)
{
	static long changes;
	const char *below = getenv("FAULT_BELOW");

	if (!number("FAULT_ERRNO") || !below || !path || strncmp(path, below, strlen(below)))
		return false;
	if (__atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED) < number("FAULT_AT"))
		return false;
	struck();
	errno = number("FAULT_ERRNO");
	return true;
}

static bool fails_fd(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return fails(path);
}

ssize_t write(int fd, const void *data, size_t len)
{
	return fails_fd(fd) ? -1 : REAL(write)(fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	return fails_fd(fd) ? -1 : REAL(pwrite)(fd, data, len, at);
}

int fsync(int fd)
{
	return fails_fd(fd) ? -1 : REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
	return fails(to) ? -1 : REAL(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
	return fails(path) ? -1 : REAL(mkdir)(path, mode);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return flags & O_CREAT && fails(path) ? -1 : REAL(open)(path, flags, mode);
}

int ftruncate(int fd, off_t len)
{
	return fails_fd(fd) ? -1 : REAL(ftruncate)(fd, len);
}

int link(const char *from, const char *to)
{
	return fails(to) ? -1 : REAL(link)(from, to);
}

int symlink(const char *from, const char *to)
{
	return fails(to) ? -1 : REAL(symlink)(from, to);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t len, unsigned int f)
{
	return fails_fd(to) ? -1 : REAL(copy_file_range)(from, at, to, to_at, len, f);
}

int fflush(FILE *f)
{
	return f && fails_fd(fileno(f)) ? EOF : REAL(fflush)(f);
}

int fclose(FILE *f)
{
	bool bad = fails_fd(fileno(f));
	int rc = REAL(fclose)(f);

	if (bad)
		errno = number("FAULT_ERRNO");
	return bad ? EOF : rc;
}

static time_t jump(void)
{
	static long looks;
	long off = number("FAULT_JUMP");

	if (!off || __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) < number("FAULT_AT"))
		return 0;
	struck();
	return off;
}

time_t time(time_t *out)
{
	time_t now = REAL(time)(NULL) + jump();

	if (out)
		*out = now;
	return now;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = REAL(clock_gettime)(clock, now);

	if (!rc && clock == CLOCK_REALTIME)
		now->tv_sec += jump();
	return rc;
}
