/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One guest root image for every kernel, made without root, cached by content. */
#ifndef HB_IMAGE_H
#define HB_IMAGE_H

#include "bench/base/util.h"

struct image {
	char *id;	 /* SHA-256 of what went in */
	char *root;	 /* ext4 root image: agent, PostgreSQL, prepared database; NULL without
			    PostgreSQL, or when all is in memory */
	char *initramfs; /* cpio with the agent; in memory: with all of the root's, too */
	char *postgres;	 /* "15.18", or NULL */
	int held[2];	 /* open while the files may not be removed to make room */
};

struct image_wants {
	unsigned int scale;   /* pgbench's, of the prepared database; 0: no PostgreSQL */
	unsigned int version; /* the server's major version; 0: the host's */
	bool memory;	      /* all is in the initramfs, and there is no disk */
	bool selftests;	      /* with the kernel's selftests */
};

/*
 * Make the image unless the cache has it. Progress goes to stderr. Release with image_free().
 */
int image_resolve(const struct image_wants *w, struct image *img, struct hb_error *e);
void image_free(struct image *img);

#endif
