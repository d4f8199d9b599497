// SPDX-License-Identifier: GPL-2.0-or-later
/* The stress workload's own hugetlb control group, whose charges must all be gone at the end. */
#include <dirent.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP	    CGROUP_ROOT "/stress"

int stress_cgroup_enter(const struct cell *cell)
{
	if (cell->native)
		return -EOPNOTSUPP;
	if (access(CGROUP_ROOT "/cgroup.subtree_control", F_OK))
		mount("cgroup2", CGROUP_ROOT, "cgroup2", 0, NULL);
	if (hb_file_write(CGROUP_ROOT "/cgroup.subtree_control", "+hugetlb") ||
	    (mkdir(CGROUP, 0755) < 0 && errno != EEXIST))
		return -EOPNOTSUPP;
	return hb_file_write(CGROUP "/cgroup.procs", "0");
}

/* 1: a hugetlb file with a usage that is not 0. */
static int charged(const char *name, uint64_t *bytes)
{
	const char *dot = strrchr(name, '.');
	char path[sizeof(CGROUP) + 256];

	if (strncmp(name, "hugetlb.", 8) || !dot || strcmp(dot, ".current"))
		return 0;
	snprintf(path, sizeof(path), CGROUP "/%s", name);
	return !hb_file_read_u64(path, bytes) && *bytes;
}

/*
 * The antagonists' files are charged to the same group: they are gone by now, since the agent tears
 * workloads down last.
 */
static void check_charges(void)
{
	DIR *dir = opendir(CGROUP);
	struct dirent *d;
	char text[400];
	uint64_t bytes;

	while (dir && (d = readdir(dir))) {
		if (!charged(d->d_name, &bytes))
			continue;
		snprintf(text, sizeof(text), "BUG: stress: control group: %s is %llu at the end",
			 d->d_name, (unsigned long long)bytes);
		hb_file_write("/dev/kmsg", text);
	}
	if (dir)
		closedir(dir);
}

void stress_cgroup_leave(const struct cell *cell)
{
	if (cell->native || access(CGROUP, F_OK))
		return;
	check_charges();
	if (!hb_file_write(CGROUP_ROOT "/cgroup.procs", "0"))
		rmdir(CGROUP);
}
