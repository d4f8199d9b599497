/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A distribution's kernel, from its package. */
#ifndef HB_PACKAGE_H
#define HB_PACKAGE_H

#include "bench/base/util.h"

/* An unpacked package in the cache; all members are owned. */
struct package {
	char *dir;     /* has boot/ and lib/modules/ */
	char *release; /* "6.1.0-56-cloud-amd64": lib/modules/RELEASE */
	char *label;   /* "linux-image-6.1.0-56-cloud-amd64 6.1.192-2" */
};

/*
 * The newest package whose name matches the shell pattern @pattern in Debian's security suite
 * @suite, fetched by apt, which checks it against Debian's keyring, and unpacked. What was chosen
 * once stays chosen for @cache. -ENODEV: the suite has none, or cannot be had. Release with
 * package_free().
 */
int package_resolve(const char *cache, const char *pattern, const char *suite, struct package *p,
		    struct hb_error *e);
void package_free(struct package *p);
/* Is it in the cache? */
bool package_is_there(const char *cache, const char *pattern, const char *suite);

#endif
