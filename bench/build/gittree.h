/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Git trees of the user's, which may be worktrees, submodules, shallow or bare. Nothing is written
 * to them: new objects go to the cache. Whatever git refuses is an error with git's own words.
 */
#ifndef HB_GITTREE_H
#define HB_GITTREE_H

#include "bench/base/util.h"
#include "bench/build/workspace.h"

/* Is there a repository at @tree itself, and not only above it? */
bool git_is_tree(const char *tree);
/*
 * The git tree object for @ref into *@object. @ref NULL: what is checked out, with the changes to
 * tracked files, those of `git add -N` too. *@name is @ref, or what git describe says, with
 * "-dirty" where the files are not those of HEAD. Both are owned by the caller. -EINVAL: files are
 * unmerged; -ENODEV: anything else.
 */
int git_identify(const char *cache, const char *tree, const char *ref, char **object, char **name,
		 struct hb_error *e);
/*
 * Check @object out below the cache: DIR/tree of the workspace *@w, where only files that differ
 * from what was there before are new. The caller closes @w when it has read them.
 */
int git_checkout(const char *cache, const char *tree, const char *object, struct workspace *w,
		 struct hb_error *e);

/* Run git in @tree; *@out (may be NULL) is its answer, without the last newline, owned by the
 * caller. -ENODEV: git's own words. */
int git_ask(const char *tree, char *const argv[], char **out, struct hb_error *e);

#endif
