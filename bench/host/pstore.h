/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel that panicked left behind: pstore, in the firmware's memory. */
#ifndef HB_PSTORE_H
#define HB_PSTORE_H

#include "bench/base/util.h"

/*
 * The kernel messages of a crash at or after the unix time @since, first line first, without their
 * levels; "" when there are none. They are looked for in /sys/fs/pstore and where systemd-pstore
 * puts them. Owned by the caller; NULL without memory.
 */
char *pstore_read(int64_t since);
/* The same below @directory, which is searched with what is in it. */
char *pstore_read_in(const char *directory, int64_t since);
/* Make room for later crashes: remove from /sys/fs/pstore what is as new as @since. */
void pstore_clear(int64_t since);

#endif
