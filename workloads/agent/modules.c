// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOM	 "/modules"
#define NEW_ROOT "/root"
/* The disk appears a moment after its driver. */
#define ROOT_TRIES 500
#define ROOT_PAUSE 10000000ULL

static int is_module(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int load(const char *name, struct hb_error *e)
{
	HB_FREE char *path = hb_strf(ROOM "/%s", name);
	HB_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return hb_error_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST || errno == ENODEV)
		return 0;
	return hb_error_set(e, -errno, "the kernel does not take %s: %s", path, strerror(errno));
}

int modules_load(struct hb_error *e)
{
	struct dirent **names = NULL;
	int n = scandir(ROOM, &names, is_module, alphasort), rc = 0;

	for (int i = 0; i < n; i++) {
		rc = rc ?: load(names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	return rc;
}

/* The value of @key ("root=") in the command line @line; owned by the caller, NULL: not there. */
static char *argument(const char *line, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = line; (p = strstr(p, key)); p += n)
		if (p == line || p[-1] == ' ')
			return strndup(p + n, strcspn(p + n, " \n"));
	return NULL;
}

/* The new root's devices, and then the root itself, take the place of the old. */
static int enter(const char *init)
{
	char *argv[] = {(char *)init, NULL};

	if (mount("/dev", NEW_ROOT "/dev", NULL, MS_MOVE, NULL) || chdir(NEW_ROOT) ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		return -errno;
	execv(init, argv);
	return -errno;
}

static int mount_root(const char *device)
{
	int rc = -ENODEV;

	mkdir(NEW_ROOT, 0755);
	for (int i = 0; i < ROOT_TRIES && rc; i++) {
		if (i)
			hb_sleep_until_ns(hb_now_ns() + ROOT_PAUSE);
		rc = mount(device, NEW_ROOT, "ext4", 0, NULL) ? -errno : 0;
	}
	return rc;
}

int modules_switch_root(struct hb_error *e)
{
	HB_FREE char *line = NULL, *root = NULL, *init = NULL;
	int rc;

	if (access(ROOM, F_OK))
		return 0;
	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, "");
	mount("devtmpfs", "/dev", "devtmpfs", 0, "");
	rc = hb_file_read("/proc/cmdline", &line, NULL);
	root = rc ? NULL : argument(line, "root=");
	init = rc ? NULL : argument(line, "init=");
	umount("/proc");
	if (!root || !init)
		return 0;
	rc = mount_root(root);
	if (!rc)
		rc = enter(init);
	return hb_error_set(e, rc, "cannot go on at the root %s: %s", root, strerror(-rc));
}
