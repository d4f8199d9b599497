/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel source trees: Debian's source package at a pinned version, a tarball, a git tree, a
 * directory. */
#ifndef HB_SOURCE_H
#define HB_SOURCE_H

#include "bench/base/util.h"
#include "bench/build/workspace.h"

struct source {
	/* a Debian package whose linux-source-X.tar.xz is used; all four or none */
	char *package;
	char *version; /* the pinned one */
	char *suite;
	char *sha256; /* of the .deb */
	/* or */
	char *tarball;
	/* or */
	char *tree; /* git tree, or a plain directory */
	char *ref;  /* of the git tree; NULL: what is checked out, with changes to tracked files */
};

struct source_id {
	char *hash;  /* same hash, same files */
	char *label; /* "linux-source-5.10 5.10.262-1", "PATH", "TREE@REF" */
};

/* Read kernels/sources/NAME.ini, unless KERNEL_SRC in the environment names a tarball or a tree. */
int source_load(const char *root, const char *name, struct source *s, struct hb_error *e);
void source_free(struct source *s);

/*
 * What the tree would be, without fetching or unpacking anything; quick for packages and git trees.
 * -ENODEV: a tarball or tree that is not there. Release with source_id_free().
 */
int source_identify(const struct source *s, const char *cache, struct source_id *id,
		    struct hb_error *e);
void source_id_free(struct source_id *id);
/*
 * Make sure that the tree can be unpacked: fetches the package when the cache lacks it. When the
 * archive does not have the pinned version any more, takes the newest, says so and remembers it:
 * source_identify() answers differently afterwards. -ENODEV: not to be had.
 */
int source_fetch(const struct source *s, const char *cache, struct hb_error *e);

/* The files of a source, to be read and not to be written to. */
struct source_tree {
	char *dir;
	bool links;		   /* hard links to them may be made */
	struct workspace checkout; /* of a git tree; else all zero */
};

/*
 * Open what source_identify() called @id, fetched by source_fetch(). Others wait for a git tree
 * until source_close(), which is for what was opened only.
 */
int source_open(const struct source *s, const char *cache, const struct source_id *id,
		struct source_tree *t, struct hb_error *e);
void source_close(struct source_tree *t);
/* After a copy was taken: -EBUSY when a plain directory is no longer @id; the others cannot
 * change. */
int source_check(const struct source *s, const char *cache, const struct source_id *id,
		 struct hb_error *e);
/* Lay the files out in @into, on the cache's file system: some are hard links, to be replaced and
 * never to be written to. */
int source_unpack(const struct source *s, const char *cache, const struct source_id *id,
		  const char *into, struct hb_error *e);

#endif
