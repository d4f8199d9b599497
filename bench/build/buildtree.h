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
	bool warm; /* @obj has objects of an earlier build to start from */
	struct workspace shared;
};

/*
 * Open the shared tree below @cache for sources of @family and configuration @config, both short
 * names; without it yet, that of another configuration of the family is copied. @alone (NULL: none)
 * is a directory for a tree of one's own instead. Close it with buildtree_close(), after success.
 */
int buildtree_open(const char *cache, const char *family, const char *config, const char *alone,
		   struct buildtree *t, struct hb_error *e);
/*
 * Make the sources those of @from with the files of @overlay in their place, less those of @gone
 * (series.h). Objects are removed where the changes are such that make would not see them.
 */
int buildtree_fill(struct buildtree *t, const struct source_tree *from, const char *overlay,
		   json_t *gone, struct hb_error *e);
/* @whole: nothing was interrupted; a build that failed is whole too. */
void buildtree_close(struct buildtree *t, bool whole);

#endif
