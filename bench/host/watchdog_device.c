// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <glob.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/host/watchdog_device.h"

#define SYSFS	  "/sys/class/watchdog/"
#define TIMEOUT_S 60
#define WRITE_NS  (5 * NSEC_PER_SEC)

static volatile sig_atomic_t released;

static void on_release(int sig)
{
	(void)sig;
	released = 1;
}

/* The life of the process that holds it. Memory in short supply is no hang of the machine. */
static void hold(int fd, uint64_t until)
{
	mlockall(MCL_CURRENT);
	while (!released && hb_now_ns() < until) {
		struct timespec pause = {.tv_nsec = 200000000};

		ioctl(fd, WDIOC_KEEPALIVE, 0);
		for (uint64_t next = hb_now_ns() + WRITE_NS; !released && hb_now_ns() < next;)
			nanosleep(&pause, NULL);
	}
	/* Without this letter, closing the device leaves it running. */
	if (released && write(fd, "V", 1) == 1)
		_exit(0);
	_exit(1);
}

/* One that is hardware, else the kernel's own timer, which a kernel that hangs whole takes along.
 */
static char *device_find(void)
{
	char *software = NULL, *found = NULL;
	glob_t all;

	if (glob(SYSFS "watchdog*/identity", 0, NULL, &all))
		return strdup("/dev/watchdog");
	for (size_t i = 0; i < all.gl_pathc && !found; i++) {
		HB_FREE char *identity = NULL;
		const char *name = all.gl_pathv[i] + strlen(SYSFS);
		char *device = hb_strf("/dev/%.*s", (int)strcspn(name, "/"), name);

		if (hb_file_read(all.gl_pathv[i], &identity, NULL) ||
		    strncmp(identity, "Software Watchdog", strlen("Software Watchdog"))) {
			found = device;
		} else {
			free(software);
			software = device;
		}
	}
	globfree(&all);
	if (!found)
		return software;
	free(software);
	return found;
}

pid_t watchdog_hold(uint64_t ns, struct hb_error *e)
{
	HB_FREE char *device = device_find();
	HB_CLOSE int fd = device ? open(device, O_WRONLY | O_CLOEXEC) : -1;
	struct sigaction sa = {.sa_handler = on_release};
	int timeout = TIMEOUT_S;
	pid_t pid;

	if (fd < 0)
		return hb_error_set(e, -errno, "%s: %s", device ? device : "watchdog",
				    strerror(errno));
	ioctl(fd, WDIOC_SETTIMEOUT, &timeout);
	pid = fork();
	if (!pid) {
		setsid();
		sigaction(SIGTERM, &sa, NULL);
		hold(fd, hb_now_ns() + ns);
	}
	return pid < 0 ? hb_error_set(e, -errno, "fork: %s", strerror(errno)) : pid;
}

int watchdog_arm(unsigned int seconds)
{
	HB_FREE char *device = device_find();
	HB_CLOSE int fd = device ? open(device, O_WRONLY | O_CLOEXEC) : -1;
	struct watchdog_info info = {0};
	int timeout = seconds, rc = fd < 0 ? -errno : 0;

	if (rc)
		return rc;
	/* A driver without that letter stops it when it is closed. */
	if (ioctl(fd, WDIOC_GETSUPPORT, &info) || !(info.options & WDIOF_MAGICCLOSE))
		return -EOPNOTSUPP;
	for (; timeout > 0 && ioctl(fd, WDIOC_SETTIMEOUT, &timeout); timeout /= 2)
		;
	return ioctl(fd, WDIOC_KEEPALIVE, 0) ? -errno : 0;
}

void watchdog_disarm(void)
{
	HB_FREE char *device = device_find();
	HB_CLOSE int fd = device ? open(device, O_WRONLY | O_CLOEXEC) : -1;

	if (fd >= 0 && write(fd, "V", 1) != 1)
		fprintf(stderr, "hugebench: %s goes on: %s\n", device, strerror(errno));
}

void watchdog_release(pid_t holder)
{
	if (holder <= 0)
		return;
	kill(holder, SIGTERM);
	waitpid(holder, NULL, 0);
}

bool watchdog_has_fired(void)
{
	glob_t found;
	bool fired = false;

	if (glob(SYSFS "watchdog*/bootstatus", 0, NULL, &found))
		return false;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		uint64_t status;

		if (!hb_file_read_u64(found.gl_pathv[i], &status) && (status & WDIOF_CARDRESET))
			fired = true;
	}
	globfree(&found);
	return fired;
}
