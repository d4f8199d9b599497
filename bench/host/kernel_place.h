/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that are named by where they are: ~/linux@v6.6, /boot/vmlinuz-6.1.0-40-amd64. */
#ifndef HB_KERNEL_PLACE_H
#define HB_KERNEL_PLACE_H

#include "bench/base/util.h"

enum place_kind {
	PLACE_TREE, /* git tree or directory */
	PLACE_TARBALL,
	PLACE_IMAGE, /* bzImage */
};

struct place {
	enum place_kind kind;
	char *path; /* absolute, without links */
	char *ref;  /* behind '@', or NULL */
	char *name; /* for an arm: "linux-v6.6" */
};

/* Is @text a place, and no name of a variant? It has a '/' or '@', begins with '~', or is "." or
 * "..". */
bool place_is(const char *text);
/*
 * Look at the place. A path that has an '@' itself is taken as it is when it is there. -ENODEV:
 * there is nothing, or nothing that can be a kernel. Release with place_free().
 */
int place_find(const char *text, struct place *p, struct hb_error *e);
void place_free(struct place *p);
/* @text with a path that does not depend on the working directory or HOME; owned by the caller;
 * NULL without memory. */
char *place_absolute(const char *text);

#endif
