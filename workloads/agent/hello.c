// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is there: WIRE_HELLO. */
#include <numa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/base/build_id.h"
#include "bench/base/wire.h"
#include "workloads/agent/clock.h"
#include "workloads/agent/guest.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

/* A one-line file without its newline as JSON; an empty string when it cannot be read. */
static json_t *line_json(const char *path)
{
	HB_FREE char *text = NULL;
	json_t *j = NULL;

	if (path && !hb_file_read(path, &text, NULL)) {
		text[strcspn(text, "\n")] = '\0';
		j = json_string(text);
	}
	return j ? j : json_string("");
}

/*
 * The CPUs of @node. Not by numa_node_to_cpus(): libnuma (2.0.16) keeps its first answer for good,
 * whatever numa_node_to_cpu_update() says, and in mode exact most CPUs come up later.
 */
static json_t *node_cpus(int node)
{
	HB_FREE char *path = hb_strf("/sys/devices/system/node/node%d/cpulist", node);
	json_t *line = line_json(path), *list = json_array();
	const char *text = json_string_value(line);
	struct bitmask *cpus = *text ? numa_parse_cpustring_all(text) : NULL;

	for (unsigned int c = 0; cpus && c < cpus->size; c++)
		if (numa_bitmask_isbitset(cpus, c))
			json_array_append_new(list, json_integer(c));
	if (cpus)
		numa_free_cpumask(cpus);
	json_decref(line);
	return list;
}

static json_t *nodes_json(void)
{
	json_t *nodes = json_array();

	for (int n = 0; numa_available() >= 0 && n <= numa_max_node(); n++) {
		long long bytes = numa_node_size64(n, NULL);

		json_array_append_new(nodes, json_pack("{s:i, s:I, s:o}", "node", n, "memory",
						       (json_int_t)(bytes > 0 ? bytes : 0), "cpus",
						       node_cpus(n)));
	}
	return nodes;
}

json_t *hello_make(void)
{
	char id[BUILD_ID_HEX], abi[32];
	struct utsname u;

	uname(&u);
	running_build_id(id, sizeof(id));
	snprintf(abi, sizeof(abi), "abi %d", WORKLOAD_ABI);
	return json_pack(
		"{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:i, s:I, s:o, s:o}", "wire", WIRE_VERSION,
		"agent", abi, "kernel_version", u.release, "build_id", id, "command_line",
		line_json("/proc/cmdline"), "clocksource",
		line_json("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
		"task_clock", clock_name(), "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "memory",
		(json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), "nodes", nodes_json(),
		"huge_pages", hugetlb_sizes());
}
