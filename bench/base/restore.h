/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restore note: what a native run changed on this machine and how it was before, so that it is put
 * back even when the run was killed. A JSON file of its own in the cache directory:
 *
 *   {"format": 1, "pid": PID of the writer, "start": its start time (field 22 of /proc/PID/stat),
 *    "boot_id": /proc/sys/kernel/random/boot_id,
 *    "values": [{"path": "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
 * "value": "0"}]}
 *
 * The writer adds an entry before it changes the file named; an entry that is there is kept, since
 * the first value is the original one. restore_apply() writes the values back and removes the note.
 * After a reboot (another boot_id) the values are gone by themselves: the note is only removed.
 */
#ifndef HB_BASE_RESTORE_H
#define HB_BASE_RESTORE_H

#include "bench/base/util.h"

/* $XDG_CACHE_HOME/hugebench/restore.json, or below ~/.cache; owned by the caller, NULL without
 * memory or home. */
char *restore_path(void);
/*
 * Note the present value of @file (under /sys or /proc/sys) in the note at @path, made when it is
 * not there. -EBUSY: the note is of another process that still runs.
 */
int restore_note(const char *path, const char *file, struct hb_error *e);
/*
 * 1: there is a note whose writer is gone; 0: no note; -EBUSY: the writer still runs (the message
 * says which process); other errors: the note cannot be read or is no note.
 */
int restore_pending(const char *path, struct hb_error *e);
/* What the note says and what is so now, "FILE was 0 and is 32, ..."; owned by the caller, NULL
 * without a note. */
char *restore_text(const char *path);
/*
 * Write the values back, last noted first, see that they hold, and remove the note. No note: 0.
 * -EBUSY: the note is of another process that still runs; -EAGAIN: huge pages beyond the original
 * pool are in use. The note stays after an error.
 */
int restore_apply(const char *path, struct hb_error *e);

#endif
