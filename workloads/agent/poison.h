/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair of what soft offline and memory failure take away: the poisoned pages are unpoisoned and
 * the huge page pool of every node is brought back to its size, so that the counters can be
 * compared afterwards.
 */
#ifndef HB_WORKLOADS_POISON_H
#define HB_WORKLOADS_POISON_H

#include "workloads/workload.h"

struct poison;

/*
 * Note the pages that are poisoned already (they stay so) and the size of each node's pool of
 * @huge_page bytes. -EOPNOTSUPP with the CONFIG_ symbol when the kernel cannot unpoison. In a
 * guest debugfs is mounted where it is missing. Release with poison_free().
 */
int poison_begin(const struct cell *cell, struct poison **p, struct hb_error *e);
/*
 * Unpoison all pages that were not poisoned at the beginning and are not in use, and bring the
 * pools back to size. Not to be called while a page is being poisoned: 5.10 does not serialise the
 * two. Looks at every page of the machine, hundreds of instructions each. Number of pages
 * unpoisoned, or -errno.
 */
int64_t poison_repair(struct poison *p, struct hb_error *e);
/*
 * The quick form for the time between: note a page of the caller's mapping before it is poisoned
 * (up to POISON_NOTES), forget it again where it was not, and unpoison what is noted. A page that
 * migrates in between is left to poison_repair(). The same result and errors; poison_note():
 * -ENOSPC, or -ENOENT when the page is not mapped.
 */
#define POISON_NOTES 1024
int poison_note(struct poison *p, const void *page);
void poison_forget(struct poison *p);
int64_t poison_mend(struct poison *p, struct hb_error *e);
void poison_free(struct poison *p);

#endif
