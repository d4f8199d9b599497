/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration wants of the source and of the host that make would miss minutes later. */
#ifndef HB_NEEDS_H
#define HB_NEEDS_H

#include "bench/base/util.h"

/*
 * Is all there that the .config file @config names: certificates of a distribution, in the source
 * @src unless the path is absolute, and the program that makes BTF? -EINVAL: a file or program is
 * missing, by the name of the line that wants it; another -errno: @config cannot be read.
 */
int needs_check(const char *config, const char *src, struct hb_error *e);

#endif
