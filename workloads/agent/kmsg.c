// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/kmsg.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A record of /dev/kmsg is at most this long (CONSOLE_EXT_LOG_MAX). */
#define RECORD_MAX 8192
#define LINES_MAX  4000
/* Stands for what nobody has seen, so it is trouble. */
#define LOST "(records of the kernel log were overwritten before they were read)"

int kmsg_open(const char *marker)
{
	HB_FREE char *line = hb_strf("hugebench: %s\n", marker);
	int fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int rc;

	if (fd < 0 || !line)
		return fd < 0 ? -errno : -ENOMEM;
	rc = lseek(fd, 0, SEEK_END) < 0 ? -errno : hb_write_all(fd, line, strlen(line));
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

/* "prio,seq,usec,flags;text\n KEY=value...": the text up to its newline. */
static json_t *record_text(char *record)
{
	char *text = strchr(record, ';');

	text = text ? text + 1 : record;
	text[strcspn(text, "\n")] = '\0';
	return json_string(text);
}

json_t *kmsg_read(int fd, uint64_t quiet_ns)
{
	json_t *lines = json_array();
	char record[RECORD_MAX + 1];

	while (fd >= 0 && json_array_size(lines) < LINES_MAX) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n = read(fd, record, RECORD_MAX);

		if (n > 0) {
			record[n] = '\0';
			/* jansson refuses text that is no UTF-8: such a record has no line for us.
			 */
			json_array_append_new(lines, record_text(record));
		} else if (n < 0 && errno == EPIPE) {
			json_array_append_new(lines, json_string(LOST));
		} else if (n == 0 || errno != EAGAIN || poll(&p, 1, quiet_ns / 1000000) <= 0) {
			break;
		}
	}
	return lines;
}

/* SLUB's reports begin so, without a colon: "BUG kmalloc-64 (Not tainted): Redzone overwritten". */
static bool is_slab_bug(const char *line)
{
	return !strncmp(line, "BUG ", 4);
}

static const char *const memory_signs[] = {
	"Out of memory:",
	"Memory cgroup out of memory",
	"invoked oom-killer",
	"page allocation failure",
	NULL,
};

static bool has_sign(const char *text, const char *const *signs)
{
	for (; *signs; signs++)
		if (strstr(text, *signs))
			return true;
	return false;
}

bool kmsg_is_memory(const json_t *trouble)
{
	const json_t *line;
	size_t i;

	json_array_foreach ((json_t *)trouble, i, line)
		if (!has_sign(json_string_value(line), memory_signs))
			return false;
	return json_array_size(trouble);
}

json_t *kmsg_trouble(const json_t *lines, bool lost)
{
	static const char *const signs[] = {
		"BUG:",
		"BUG at ",
		"kernel BUG",
		"WARNING:",
		"INFO: task ",
		"INFO: possible ",
		"INFO: suspicious ",
		"INFO: rcu",
		"INFO: trying to register non-static key",
		"self-detected stall",
		"possible circular locking",
		"possible recursive locking",
		"suspicious RCU usage",
		"inconsistent lock state",
		"Oops:",
		"general protection fault",
		"Bad page state",
		"Bad rss-counter",
		"soft lockup",
		"hard LOCKUP",
		"blocked for more than",
		"VM: killing process",
		"list_add corruption",
		"list_del corruption",
		"refcount_t:",
		"KASAN:",
		"UBSAN:",
		"Kernel panic",
		NULL,
	};
	json_t *found = json_array(), *line;
	size_t i;

	json_array_foreach ((json_t *)lines, i, line) {
		const char *text = json_string_value(line);

		if (is_slab_bug(text) || (lost && !strcmp(text, LOST)) ||
		    has_sign(text, memory_signs) || has_sign(text, signs))
			json_array_append(found, line);
	}
	return found;
}

int kmsg_dump_blocked(void)
{
	return hb_file_write("/proc/sysrq-trigger", "w");
}
