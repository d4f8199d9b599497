/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a kernel is built: sources, and objects in a directory within them (so that kbuild names
 * all files relative to it, and the place of the tree is in no object). A tree is shared by all
 * builds that differ by patches only, one after the other, and make compiles what they differ by.
 */
#ifndef HB_BUILDTREE_H
#define HB_BUILDTREE_H

#include <jansson.h>

#include "bench/build/source.h"
#include "bench/build/workspace.h"

struct buildtree {
	char *src, *obj;
	bool warm;	 /* @obj has objects of an earlier build to start from */
	bool configured; /* and its .config is what a configuration anew would give */
	struct workspace shared;
	char *cache, *relatives[2]; /* where to look for trees to begin with, the nearest first */
};

/* What a shared tree is for: short names, the more alike the earlier they are equal. */
struct buildtree_name {
	const char *compiler, *source, *config;
};

/*
 * Open the shared tree @name below @cache. @alone (NULL: none) is a directory for a tree of one's
 * own instead. Close it with buildtree_close(), after success.
 */
int buildtree_open(const char *cache, const struct buildtree_name *name, const char *alone,
		   struct buildtree *t, struct hb_error *e);
/*
 * Make the sources those of @from with the files of @overlay in their place, less those of @gone
 * (series.h). A new shared tree begins as a copy of the last used one of another configuration, or
 * else of another source, where that is of the same version, so that objects may serve. Objects are
 * removed where the changes are such that make would not see them.
 */
int buildtree_fill(struct buildtree *t, const struct source_tree *from, const char *overlay,
		   json_t *gone, struct hb_error *e);
/* @t was configured; the next build that finds nothing but code changed need not do it again. */
void buildtree_set_configured(struct buildtree *t);
/* @whole: nothing was interrupted; a build that failed is whole too. */
void buildtree_close(struct buildtree *t, bool whole);

#endif
