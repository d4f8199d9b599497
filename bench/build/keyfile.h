/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small descriptions: an INI file with one section and a fixed set of keys. */
#ifndef HB_KEYFILE_H
#define HB_KEYFILE_H

#include "bench/base/util.h"

struct keyfile_row {
	const char *name;
	char **value; /* set to an owned string; left alone when the key is absent */
};

/*
 * Read @path, which may hold only section @section and the keys of @rows (ended by a NULL name).
 * -ENOENT: no file; -EINVAL: anything unknown, empty or said twice, with file and line; other
 * errors as hb_file_read(). Values that were read before an error are in place and the caller's to
 * free.
 */
int keyfile_read(const char *path, const char *section, const struct keyfile_row *rows,
		 struct hb_error *e);

#endif
