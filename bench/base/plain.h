/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others wrote: names that may stand in a path, texts that may stand on a terminal or in a
 * report. Everything that comes from a guest, a run's files or a description passes here.
 */
#ifndef HB_BASE_PLAIN_H
#define HB_BASE_PLAIN_H

#include <jansson.h>

#include "bench/base/util.h"

#define NAME_LONGEST	    64	/* of a metric, workload, kernel, cell, run, ...; bytes */
#define NAME_LONGEST_CHOSEN 40	/* where a person chooses it: something is added to some */
#define NAME_LONGEST_ID	    160 /* of what is made of several names, as the id of a boot */

/*
 * A name has a letter or digit, then letters, digits, - _ . +, at most @longest bytes: it is one
 * component of a path, one word of a shell, no option, and no markup. NULL is none.
 */
bool name_ok(const char *name, size_t longest);
/* 0, or -EINVAL with the name and what is allowed. */
int name_check(const char *name, size_t longest, struct hb_error *e);

/*
 * Is @text UTF-8 that shows as itself? Refused are control characters (those of 8 bits too) except
 * tab and line end, and those that reorder text.
 */
bool plain_text(const char *text);
/* Replace in place every byte that plain_text() refuses by '?'. */
void plain_make(char *text);

/*
 * Do all keys in @j pass name_ok() and all texts plain_text(), no deeper than PLAIN_DEPTH? -EINVAL
 * names the key.
 */
#define PLAIN_DEPTH 16
int plain_json_check(const json_t *j, struct hb_error *e);
/* The same, with the texts made plain in place. */
int plain_json_make(json_t *j, struct hb_error *e);

#endif
