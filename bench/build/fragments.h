/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a variant wants of its configuration, and what it got. */
#ifndef HB_FRAGMENTS_H
#define HB_FRAGMENTS_H

#include <jansson.h>

#include "bench/build/variant.h"

/* Write @v's whole .config, if it has one, and its fragments into the file @path. 0 or -errno. */
int fragments_join(const char *root, const struct variant *v, const char *path);
/*
 * Check that the last line for each symbol of @fragments (array of variant_input()) is what
 * @config says; "# CONFIG_X is not set" also holds for a symbol without a line. -EIO: the message
 * has file:line of up to five that do not hold.
 */
int fragments_check(const char *root, const json_t *fragments, const char *config,
		    struct hb_error *e);

#endif
