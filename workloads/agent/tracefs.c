// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/tracefs.h"

#include <fcntl.h>
#include <string.h>

#include "bench/base/util.h"

int tracefs_command(const char *file, char *line)
{
	HB_FREE char *text = line;
	HB_CLOSE int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (!text)
		return -ENOMEM;
	return fd < 0 ? -errno : hb_write_all(fd, text, strlen(text));
}
