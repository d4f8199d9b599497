/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of a run: one file, whose bytes are what can be locked (open file description locks, which
 * NFS carries to its server and which end with the last process that has them). Text in the file
 * says who has a lock, for messages.
 */
#ifndef HB_LOCK_H
#define HB_LOCK_H

#include <stdint.h>

#include "bench/base/util.h"

enum {
	LOCK_RECORD = 0, /* run.json is being completed */
	LOCK_BLOCKS = 1, /* block K of the plan is byte LOCK_BLOCKS + K */
	LOCK_ALL = -1,	 /* every byte: nobody else works on the run */
};

/*
 * Take byte @what, or LOCK_ALL, of the lock file @path, made when missing. *@fd holds the lock
 * until it and its copies in children are closed. @wait: until it is free, else a holder that does
 * not go away within half a second is -EBUSY, with its host and process in the message. -ENOLCK:
 * locks do not work on this file system, with what to do.
 */
int lock_take(const char *path, int64_t what, bool wait, int *fd, struct hb_error *e);
/*
 * Do locks in the directory @path reach other machines? -ENOLCK: it is NFS, mounted so that they do
 * not, with the option that does it; 0: they do, or it is no NFS.
 */
int lock_shared_check(const char *path, struct hb_error *e);
/* The part of that without a file system: @mountinfo is /proc/self/mountinfo, @device "MAJ:MIN". */
int lock_mount_check(const char *mountinfo, const char *device, struct hb_error *e);

#endif
