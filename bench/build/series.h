/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patches on a tree that is not written to: the files that they change, made beside it. */
#ifndef HB_SERIES_H
#define HB_SERIES_H

#include <jansson.h>

#include "bench/base/util.h"

/*
 * Apply the files @patches (array of paths, in order) to those files of @tree that they name, in
 * the new directory @into; git's words go to @log. *@gone (new reference) is an object whose keys
 * are the files that the patches remove. Without fuzz. -EIO: one does not apply; the message names
 * it.
 */
int series_apply(const json_t *patches, const char *tree, const char *into, FILE *log,
		 json_t **gone, struct hb_error *e);

#endif
