/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a run, which somebody else may have made: none is read through a symbolic link or from
 * outside the run, none that is no plain file or larger than what it may be is read at all.
 */
#ifndef HB_RUNFILE_H
#define HB_RUNFILE_H

#include <dirent.h>
#include <jansson.h>

#include "bench/base/hist.h"

#define RUNFILE_MOST	  (16u << 20)  /* bytes of a file that is read whole */
#define RUNFILE_PLAN_MOST (512u << 20) /* of plan.json: 100,000 blocks have 50 MiB */

/*
 * Open @name, a path below @dir, for reading. -ELOOP: a part of it is a symbolic link; -EINVAL: it
 * leads out of @dir, or is no plain file; other errors as open() has them.
 */
int runfile_open(const char *dir, const char *name);
/* scandir() of the directory @name below @dir under the same rules; -errno. */
int runfile_list(const char *dir, const char *name, int (*wanted)(const struct dirent *),
		 int (*order)(const struct dirent **, const struct dirent **),
		 struct dirent ***entries);
/* An error of these functions in words. */
const char *runfile_reason(int err);
/* Read it whole; the text is NUL-terminated and owned by the caller. -EFBIG over these. */
int runfile_read(const char *dir, const char *name, char **text, size_t *len);
/*
 * One JSON object (new reference), whose keys and texts plain_json_check() passes. The error has
 * the name, and line or key.
 */
int runfile_json(const char *dir, const char *name, json_t **out, struct hb_error *e);
/* A histogram's file, checked as hist_from_json() does it. */
int runfile_hist(const char *dir, const char *name, struct hist *h, struct hb_error *e);

#endif
