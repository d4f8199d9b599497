// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"
#include "bench/base/units.h"
#include "bench/host/cgroup.h"

static int number(const char *directory, const char *file, uint64_t *v)
{
	HB_FREE char *path = hb_strf("%s/%s", directory, file);

	return path ? hb_file_read_u64(path, v) : -ENOMEM;
}

/* Pages of files that nobody uses at the moment are counted as used, and given up when need be. */
static uint64_t reclaimable(const char *directory, const char *key)
{
	HB_FREE char *path = hb_strf("%s/memory.stat", directory);
	HB_FREE char *text = NULL;
	const char *at;

	if (!path || hb_file_read(path, &text, NULL))
		return 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void limit_memory(struct cgroup *c, const char *directory, const char *limit,
			 const char *usage, const char *inactive)
{
	uint64_t most, used, left;

	if (number(directory, limit, &most) || number(directory, usage, &used))
		return;
	left = (most > used ? most - used : 0) + reclaimable(directory, inactive);
	if (left > most)
		left = most;
	if (left < c->memory)
		c->memory = left;
}

static void limit_time(struct cgroup *c, double quota, double period)
{
	if (quota > 0 && period > 0)
		c->cpus = fmin(c->cpus, quota / period);
}

static void limit_cpus(struct cgroup *c, const char *directory)
{
	HB_FREE char *path = hb_strf("%s/cpu.max", directory);
	HB_FREE char *text = NULL;
	double quota, period;
	uint64_t v1_quota, v1_period;

	if (path && !hb_file_read(path, &text, NULL) &&
	    sscanf(text, "%lf %lf", &quota, &period) == 2)
		limit_time(c, quota, period);
	if (!number(directory, "cpu.cfs_quota_us", &v1_quota) &&
	    !number(directory, "cpu.cfs_period_us", &v1_period))
		limit_time(c, v1_quota, v1_period);
}

/* The group at @path of a hierarchy and all above it. In a container @path may not be there. */
static void limit_from(struct cgroup *c, const char *hierarchy, const char *path)
{
	HB_FREE char *directory = hb_strf("%s%s", hierarchy, path);
	char *slash;

	while (directory && strlen(directory) >= strlen(hierarchy)) {
		limit_memory(c, directory, "memory.max", "memory.current", "inactive_file ");
		limit_memory(c, directory, "memory.limit_in_bytes", "memory.usage_in_bytes",
			     "total_inactive_file ");
		limit_cpus(c, directory);
		slash = strrchr(directory, '/');
		if (!slash)
			break;
		*slash = 0;
	}
}

/* "ID:CONTROLLER,CONTROLLER:PATH"; version 2 has no controllers there. */
static void read_line(struct cgroup *c, const char *mount, char *line)
{
	char *controllers = strchr(line, ':'), *path, *one;

	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path)
		return;
	*path++ = 0;
	controllers++;
	if (!*controllers) {
		HB_FREE char *unified = hb_strf("%s/unified", mount);

		limit_from(c, mount, path);
		if (unified)
			limit_from(c, unified, path);
	}
	while ((one = strsep(&controllers, ","))) {
		HB_FREE char *hierarchy = *one ? hb_strf("%s/%s", mount, one) : NULL;

		if (hierarchy)
			limit_from(c, hierarchy, path);
	}
}

void cgroup_read(const char *mount, const char *membership, struct cgroup *c)
{
	HB_FREE char *text = strdup(membership);
	char *rest = text, *line;

	*c = (struct cgroup){UINT64_MAX, INFINITY};
	while ((line = strsep(&rest, "\n")))
		read_line(c, mount, line);
}

void cgroup_own(struct cgroup *c)
{
	HB_FREE char *membership = NULL;

	if (hb_file_read("/proc/self/cgroup", &membership, NULL))
		*c = (struct cgroup){UINT64_MAX, INFINITY};
	else
		cgroup_read("/sys/fs/cgroup", membership, c);
}

unsigned int cgroup_cpus(unsigned int cpus)
{
	struct cgroup c;

	cgroup_own(&c);
	return c.cpus < cpus ? ceil(c.cpus) : cpus;
}
