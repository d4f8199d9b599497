/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of tracefs, which is at its usual place. */
#ifndef HB_WORKLOADS_TRACEFS_H
#define HB_WORKLOADS_TRACEFS_H

#define TRACEFS "/sys/kernel/tracing"

/*
 * Append one line to @file; such a file takes one command per write(). @line is freed; NULL: there
 * was no memory for it. 0 or -errno.
 */
int tracefs_command(const char *file, char *line);

#endif
