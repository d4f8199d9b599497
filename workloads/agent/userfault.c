// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Keep errno for the task, which waits in a fault: without the registration that ends. */
static void give_up(struct userfault *u)
{
	struct uffdio_range all = {(uintptr_t)u->map, u->bytes};

	atomic_store(&u->error, errno);
	ioctl(u->fd, UFFDIO_UNREGISTER, &all);
}

bool userfault_copy(struct userfault *u, uint64_t address, const void *from)
{
	struct uffdio_copy copy = {
		.dst = address & ~(u->page - 1),
		.src = (uintptr_t)from,
		.len = u->page,
	};
	struct uffdio_range range = {copy.dst, u->page};

	if (ioctl(u->fd, UFFDIO_COPY, &copy) == 0)
		return true;
	if ((errno != EEXIST && errno != EFAULT && errno != EAGAIN && errno != ENOENT) ||
	    ioctl(u->fd, UFFDIO_WAKE, &range) < 0)
		give_up(u);
	return false;
}

static void *watch(void *arg)
{
	struct userfault *u = arg;
	struct pollfd fds[] = {{u->fd, POLLIN, 0}, {u->stop, POLLIN, 0}};
	struct uffd_msg msg;

	while (!fds[1].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			give_up(u);
			break;
		}
		if (fds[0].revents & POLLIN && read(u->fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			u->fill(u->arg, msg.arg.pagefault.address);
	}
	return NULL;
}

int userfault_begin(struct userfault *u, struct hb_error *e)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {
		.range = {(uintptr_t)u->map, u->bytes},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int err;

	u->stop = eventfd(0, EFD_CLOEXEC);
	u->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (u->stop < 0 || u->fd < 0 || ioctl(u->fd, UFFDIO_API, &api) < 0 ||
	    ioctl(u->fd, UFFDIO_REGISTER, &reg) < 0)
		return hb_error_set(e, -errno,
				    "userfaultfd on huge pages (CONFIG_USERFAULTFD): %m");
	err = -pthread_create(&u->thread, NULL, watch, u);
	u->running = !err;
	return err ? hb_error_set(e, err, "thread: %s", strerror(-err)) : 0;
}

int userfault_check(const struct userfault *u, struct hb_error *e)
{
	int error = atomic_load(&u->error);

	return error ? hb_error_set(e, -error, "UFFDIO_COPY: %s", strerror(error)) : 0;
}

void userfault_end(struct userfault *u)
{
	uint64_t one = 1;

	if (u->running && hb_write_all(u->stop, &one, sizeof(one)) == 0)
		pthread_join(u->thread, NULL);
	if (u->fd > 0)
		close(u->fd);
	if (u->stop > 0)
		close(u->stop);
	*u = (struct userfault){0};
}
