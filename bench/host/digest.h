/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 over labelled pieces. */
#ifndef HB_DIGEST_H
#define HB_DIGEST_H

#include "bench/base/util.h"

#define DIGEST_LEN 64 /* SHA-256 in hexadecimal */

/*
 * A running SHA-256. Every piece goes in with its label and length, so that two pieces can never
 * be taken for one. The first error is kept and returned by digest_end().
 */
struct digest;
struct digest *digest_begin(void); /* NULL without memory */
void digest_text(struct digest *d, const char *label, const char *text);
void digest_file(struct digest *d, const char *label, const char *path);
/* Frees @d (also on error). 0 and @hex filled, or -errno: -ENOMEM for a NULL @d. */
int digest_end(struct digest *d, char hex[DIGEST_LEN + 1]);
/* Plain SHA-256 of a file's bytes, as sha256sum prints it. */
int digest_of_file(const char *path, char hex[DIGEST_LEN + 1]);

#endif
