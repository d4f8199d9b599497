/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel log: a marker, what came after it, and the stacks of blocked tasks. */
#ifndef HB_WORKLOADS_KMSG_H
#define HB_WORKLOADS_KMSG_H

#include <jansson.h>

#include "bench/base/util.h"

/*
 * Open the log at its present end and write "hugebench: @marker" into it. A descriptor, or -errno
 * (an ordinary user may not read the log).
 */
int kmsg_open(const char *marker);
/* Records since the last call as an array of lines, waiting up to @quiet_ns for more; new
 * reference. */
json_t *kmsg_read(int fd, uint64_t quiet_ns);
/*
 * Of @lines those that tell of a bug: warnings, lockdep, hung tasks, oopses, and of a process
 * killed for its memory; with @lost also what stands for records that nobody has read. A guest's
 * warnings are on its console as well, which the host searches. New reference to an array.
 */
json_t *kmsg_trouble(const json_t *lines, bool lost);
/* Does all @trouble, of kmsg_trouble(), tell of memory that ran out? Not where there is none. */
bool kmsg_is_memory(const json_t *trouble);
/* sysrq w: the kernel writes the stacks of tasks in D state to its log. */
int kmsg_dump_blocked(void);

#endif
