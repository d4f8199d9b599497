/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that are not built here: an image with its modules, or a distribution's package. */
#ifndef HB_READY_H
#define HB_READY_H

#include <jansson.h>

#include "bench/build/variant.h"

struct ready {
	char *bzimage, *config, *label;
	char *version, *build_id;
	char *modules;	/* cpio archive (modules.h), or NULL */
	json_t *loaded; /* symbols that the modules stand for */
};

/*
 * Find the image of @v, a variant with bzimage or package, read what it is, and pack its modules:
 * those of the package, of v->modules, or else of /lib/modules when the image is installed there.
 * -ENODEV, -EINVAL: it cannot be had or read. Release with ready_free().
 */
int ready_find(const struct variant *v, const char *cache, struct ready *r, struct hb_error *e);
void ready_free(struct ready *r);

#endif
