// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <linux/serial.h>

#include "bench/base/wire.h"
#include "workloads/agent/hugetlb.h"

#define PORTS	     "/sys/class/virtio-ports"
#define SERIAL	     "/dev/ttyS1"
#define PORT_POLL_NS 10000000ULL

struct mount_row {
	const char *type, *dir, *data;
	int required;
};

static const struct mount_row mounts[] = {
	{"proc", "/proc", "", 1},
	{"sysfs", "/sys", "", 1},
	{"devtmpfs", "/dev", "", 1},
	{"devpts", "/dev/pts", "", 0},
	{"tmpfs", "/dev/shm", "", 0},
	{"tmpfs", "/tmp", "", 1},
	{"tmpfs", "/run", "", 0},
	{"debugfs", "/sys/kernel/debug", "", 0},
	{"tracefs", "/sys/kernel/tracing", "", 0},
};

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	HB_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		ioctl(fd, SIOCSIFFLAGS, &ifr);
}

int guest_mount(struct hb_error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const struct mount_row *m = &mounts[i];

		/* sysfs makes its own mount points; on a read-only root the directory is there or
		 * not. */
		mkdir(m->dir, 0755);
		if (mount(m->type, m->dir, m->type, 0, m->data) && errno != EBUSY && m->required)
			return hb_error_set(e, -errno, "cannot mount %s at %s: %s", m->type, m->dir,
					    strerror(errno));
	}
	chmod("/tmp", 01777);
	loopback_up();
	return hugetlb_mount(e);
}

/* Device path of the port with our name, owned by the caller; NULL when it is not there (yet). */
static char *find_port(void)
{
	DIR *dir = opendir(PORTS);
	char *found = NULL;
	struct dirent *d;

	while (dir && !found && (d = readdir(dir))) {
		HB_FREE char *path = hb_strf(PORTS "/%s/name", d->d_name), *name = NULL;

		if (d->d_name[0] == '.' || !path || hb_file_read(path, &name, NULL))
			continue;
		if (!strncmp(name, WIRE_PORT_NAME, strlen(WIRE_PORT_NAME)))
			found = hb_strf("/dev/%s", d->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

int guest_port(uint64_t timeout_ns, struct hb_error *e)
{
	uint64_t deadline = hb_now_ns() + timeout_ns;

	for (;;) {
		HB_FREE char *path = find_port();
		int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

		if (fd >= 0)
			return fd;
		if (hb_now_ns() > deadline)
			return hb_error_set(e, -ENODEV,
					    "no virtio-serial port " WIRE_PORT_NAME
					    " (CONFIG_VIRTIO_CONSOLE, or the device)");
		hb_sleep_until_ns(hb_now_ns() + PORT_POLL_NS);
	}
}

int guest_serial(struct hb_error *e)
{
	struct serial_struct serial = {0};
	struct termios tio;
	int fd = open(SERIAL, O_RDWR | O_NOCTTY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return hb_error_set(e, -ENODEV, "no " SERIAL);
	/* The node is there for every port the driver has room for; a UART that was found has a
	 * type. */
	if (ioctl(fd, TIOCGSERIAL, &serial) || !serial.type || tcgetattr(fd, &tio))
		rc = hb_error_set(e, -ENODEV, "no UART behind " SERIAL);
	if (!rc) {
		cfmakeraw(&tio);
		if (tcsetattr(fd, TCSANOW, &tio))
			rc = hb_error_set(e, -errno, SERIAL ": %s", strerror(errno));
	}
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

void guest_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

void guest_power_off(void)
{
	reboot(RB_POWER_OFF);
	/* A kernel without a way to power off halts; the host ends QEMU. */
	for (;;)
		pause();
}
