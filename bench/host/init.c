// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "bench/host/init.h"

/* A directory below /dev, /run or /sys is there once that is mounted, or is made. */
static const struct {
	const char *type, *directory, *data;
} mounts[] = {
	{"proc", "/proc", ""},
	{"sysfs", "/sys", ""},
	{"devtmpfs", "/dev", "mode=0755"},
	{"tmpfs", "/run", "mode=0755"},
	{"tmpfs", "/tmp", "mode=1777"},
	{"tmpfs", "/dev/shm", "mode=1777"},
	{"devpts", "/dev/pts", ""},
	{"hugetlbfs", "/dev/hugepages", ""},
	{"debugfs", "/sys/kernel/debug", ""},
	{"tracefs", "/sys/kernel/tracing", ""},
};

static void streams(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	for (int to = STDIN_FILENO; to <= STDERR_FILENO; to++)
		dup2(fd, to);
	if (fd > STDERR_FILENO)
		close(fd);
}

void init_mount(void)
{
	int root = mount(NULL, "/", NULL, MS_REMOUNT, NULL) ? errno : 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].directory, 0755);
		/* An initramfs may have left some of them; a kernel need not have the last. */
		mount(mounts[i].type, mounts[i].directory, mounts[i].type, 0, mounts[i].data);
	}
	streams();
	if (root)
		fprintf(stderr, "hugebench: the root cannot be made writable: %s\n",
			strerror(root));
}

void init_wait(pid_t pid)
{
	pid_t ended;

	do
		ended = wait(NULL);
	while (ended != pid && (ended >= 0 || errno == EINTR));
}
