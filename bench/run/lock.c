// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/run/lock.h"

#define HOLDER_BYTES 96 /* of the file for every lock */
#define TRIES	     10
#define TRY_US	     50000

static struct flock range_of(int64_t what)
{
	return (struct flock){.l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = what == LOCK_ALL ? 0 : what,
			      .l_len = what == LOCK_ALL ? 0 : 1};
}

static off_t holder_at(int64_t what)
{
	return (what == LOCK_ALL ? 0 : what) * HOLDER_BYTES;
}

/* For the one that finds the lock taken. */
static void holder_write(int fd, int64_t what)
{
	char line[HOLDER_BYTES] = "", host[65] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(line, sizeof(line), "process %d on %s\n", getpid(), host);
	/* Only a text: without it the lock holds as well. */
	if (pwrite(fd, line, sizeof(line), holder_at(what)) < 0)
		return;
}

static int busy(int fd, const char *path, int64_t what, struct hb_error *e)
{
	struct flock held = range_of(what);
	char line[HOLDER_BYTES] = "";

	if (!fcntl(fd, F_OFD_GETLK, &held) && held.l_type != F_UNLCK &&
	    pread(fd, line, sizeof(line) - 1, holder_at(held.l_start)) > 0)
		line[strcspn(line, "\n")] = 0;
	return hb_error_set(e, -EBUSY, "%.*s is in use by another hugebench (%s)",
			    (int)(strrchr(path, '/') - path), path, *line ? line : "unknown");
}

static int lock_range(int fd, int64_t what, bool wait)
{
	struct flock range = range_of(what);

	for (int i = 0; i < TRIES; i++) {
		if (!fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range))
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -errno;
		/* One that was killed is about to let go. */
		usleep(TRY_US);
	}
	return -EBUSY;
}

/* -EBUSY, -ENOLCK with the reason. */
static int file_lock(int file, const char *path, int64_t what, bool wait, struct hb_error *e)
{
	int rc = lock_range(file, what, wait);

	if (rc == -EBUSY)
		return busy(file, path, what, e);
	if (rc)
		return hb_error_set(e, -ENOLCK,
				    "cannot lock %s: %s; the file system has no locks: give a "
				    "directory on another one with --results",
				    path, strerror(-rc));
	holder_write(file, what);
	return 0;
}

int lock_take(const char *path, int64_t what, bool wait, int *fd, struct hb_error *e)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	int rc = file < 0 ? -errno : 0;

	if (rc)
		return hb_error_set(e, rc, "cannot open %s: %s", path, strerror(-rc));
	rc = file_lock(file, path, what, wait, e);
	if (rc)
		close(file);
	else
		*fd = file;
	return rc;
}

/* Is @option one of the comma-separated @options? */
static bool has_option(const char *options, const char *option)
{
	size_t n = strlen(option);

	for (const char *at = options; (at = strstr(at, option)); at += n)
		if ((at == options || at[-1] == ',') && (!at[n] || at[n] == ','))
			return true;
	return false;
}

int lock_mount_check(const char *mountinfo, const char *device, struct hb_error *e)
{
	static const char *const local[] = {"nolock", "local_lock=all", "local_lock=posix"};
	HB_FREE char *copy = strdup(mountinfo);
	char *save = NULL;

	if (!copy)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* proc(5): ID PARENT MAJ:MIN ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS */
		char dev[32] = "", type[32] = "", options[512] = "";
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*s %*s %31s", dev) != 1 || strcmp(dev, device) ||
		    sscanf(rest, " - %31s %*s %511s", type, options) != 2 ||
		    strncmp(type, "nfs", 3))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(local); i++)
			if (has_option(options, local[i]))
				return hb_error_set(
					e, -ENOLCK,
					"it is on NFS mounted with %s, where locks do "
					"not reach other machines; mount it without, or "
					"give each machine a directory of its own with "
					"--results and join them with hugebench merge",
					local[i]);
	}
	return 0;
}

int lock_shared_check(const char *path, struct hb_error *e)
{
	HB_FREE char *mountinfo = NULL;
	char device[32];
	struct stat st;
	int rc;

	if (stat(path, &st) || hb_file_read("/proc/self/mountinfo", &mountinfo, NULL))
		return 0;
	snprintf(device, sizeof(device), "%u:%u", major(st.st_dev), minor(st.st_dev));
	rc = lock_mount_check(mountinfo, device, e);
	return rc ? hb_error_prefix(e, rc, "%s cannot be shared", path) : 0;
}
