/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Things that are made once and kept, by the SHA-256 of all that went into them. */
#ifndef HB_CACHE_H
#define HB_CACHE_H

#include <jansson.h>
#include <stdint.h>

#include "bench/base/util.h"
#include "bench/host/digest.h"

#define CACHE_KEY_LEN DIGEST_LEN

/*
 * Take the exclusive lock @name of the cache at @root; says "waiting for ..." when somebody else
 * has it. Released by closing *@fd, also when the process dies.
 */
int cache_lock(const char *root, const char *name, int *fd, struct hb_error *e);

/*
 * An entry is a directory with manifest.json; its member "files" has size and checksum of the
 * others. cache_seal() completes @manifest with "format" and "files" ({name: {bytes, sha256}}) of
 * the @names (NULL-terminated) and writes it; to be done before the directory is renamed into
 * place.
 * @checksum 0: record the time of last change instead of the SHA-256, for files too large to be
 * read each time.
 */
int cache_seal(const char *dir, json_t *manifest, const char *const *names, int checksum,
	       struct hb_error *e);
/*
 * Read and check an entry. 0 and *@manifest (new reference); -ENOENT: there is none;
 * -EBADMSG: damaged, the message says how.
 */
int cache_open(const char *dir, json_t **manifest, struct hb_error *e);
/*
 * Put the finished directory @work in place of @dir (a path with '/'), whatever was there. Both are
 * on one file system; the caller holds the entry's lock.
 */
int cache_commit(const char *work, const char *dir, struct hb_error *e);

/*
 * Mark entry @dir as used now and in use until *@fd is closed or the process ends: cache_prune()
 * then spares it.
 */
int cache_hold(const char *dir, int *fd, struct hb_error *e);
/*
 * Of the entries below @parent that have the file @member, remove all but the @keep last used ones
 * and those that are held. What cannot be removed stays; that is no error.
 */
void cache_prune(const char *parent, const char *member, size_t keep);

/* -ENOSPC with both figures when the file system of @path has less than @bytes free for us. */
int cache_space(const char *path, uint64_t bytes, const char *purpose, struct hb_error *e);

/* 0: the entry of @dir is there; -ENOENT: not, or damaged (stderr says that @what is made again).
 */
int cache_lookup(const char *dir, const char *what);

#endif
