/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories of the cache that are changed in place from use to use: build trees, and checkouts of
 * git trees. Whoever was interrupted in the middle of a change leaves a mark, and the next user
 * starts with an empty directory.
 */
#ifndef HB_WORKSPACE_H
#define HB_WORKSPACE_H

#include "bench/base/util.h"

struct workspace {
	char *dir;
	bool fresh; /* nothing is in it */
	int lock;   /* held until workspace_close() */
};

/*
 * Open CACHE/KIND/NAME for changes and lock it; waits for another user of it. A directory whose
 * last change was not completed, or lies in the future of this host's clock (make compares times),
 * is emptied.
 */
int workspace_open(const char *cache, const char *kind, const char *name, struct workspace *w,
		   struct hb_error *e);
/*
 * Open the last used CACHE/KIND/PREFIX-* that is whole and used by nobody, to be read only; false:
 * there is none. To be closed with @whole false, which leaves it as it is.
 */
bool workspace_borrow(const char *cache, const char *kind, const char *prefix, struct workspace *w);
/* Remove all that is in it. */
int workspace_empty(struct workspace *w, struct hb_error *e);
/* @whole: what is in it may be built upon; else the next one starts anew. Nothing to do for one
 * that is all zero. */
void workspace_close(struct workspace *w, bool whole);
/* Of CACHE/KIND/ remove all but the @keep last used ones and those that are in use. */
void workspace_prune(const char *cache, const char *kind, size_t keep);

#endif
