/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control groups of this process allow: containers and runners of CI are limited so. */
#ifndef HB_CGROUP_H
#define HB_CGROUP_H

#include <stdint.h>

struct cgroup {
	uint64_t memory; /* bytes that can still be had, caches given up; UINT64_MAX: no limit */
	double cpus;	 /* CPUs' worth of time; INFINITY: no limit */
};

/*
 * The narrowest limit of all groups above and including those of @membership, the text of
 * /proc/PID/cgroup, below @mount (/sys/fs/cgroup), of versions 1 and 2. What cannot be read limits
 * nothing.
 */
void cgroup_read(const char *mount, const char *membership, struct cgroup *c);
/* Of this process. */
void cgroup_own(struct cgroup *c);
/* @cpus, or as many as the time allowed is that of, rounded up. */
unsigned int cgroup_cpus(unsigned int cpus);

#endif
