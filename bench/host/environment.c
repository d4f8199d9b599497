// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/util.h"
#include "bench/host/environment.h"

char *environment_cpu_model(char *buf, size_t len)
{
	HB_FREE char *text = NULL;
	char *line;

	*buf = '\0';
	if (hb_file_read("/proc/cpuinfo", &text, NULL))
		return buf;
	line = strstr(text, "model name");
	line = line ? strstr(line, ": ") : NULL;
	if (line)
		snprintf(buf, len, "%.*s", (int)strcspn(line + 2, "\n"), line + 2);
	return buf;
}
