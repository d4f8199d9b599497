/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making one tree of files equal to another without touching what is equal already, so that make
 * finds new times only at files that differ.
 */
#ifndef HB_SYNC_H
#define HB_SYNC_H

#include <jansson.h>

#include "bench/base/util.h"

struct sync {
	const char *from;    /* the tree to be like */
	const char *overlay; /* its files stand in for those of the same name; NULL: none */
	json_t *gone;	     /* object whose keys are names in @from that are left out, or NULL */
	const char *to;	     /* the tree to change; made when it is not there */
	const char *spared;  /* a directory at the top of @to that is let alone, or NULL */
	bool links; /* where changes are not told, what is new in @to may be a link to @from's */
};

/*
 * Afterwards @to has the regular files and symbolic links of @from and @overlay and no others. One
 * that differs is replaced by a copy with the time of now, never written to. *@changes (new
 * reference; NULL: @to has no objects yet, nothing is told) is {NAME: "new" | "changed" | "gone"}.
 * @to is as good as lost after an error.
 */
int sync_tree(const struct sync *s, json_t **changes, struct hb_error *e);
/* Have two regular files the same bytes? false also where one cannot be read. */
bool sync_same_file(const char *a, const char *b);

#endif
