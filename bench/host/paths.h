/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the clone's files are, seen from the running command. */
#ifndef HB_PATHS_H
#define HB_PATHS_H

#include "bench/base/util.h"

/*
 * Top directory of the clone: the nearest directory above the executable, else above the working
 * directory, that has workloads/scenarios. Owned by the caller; NULL with the reason.
 */
char *paths_root(struct hb_error *e);
/* A file beside the executable, such as "hugebench-agent"; owned by the caller, NULL without
 * memory. */
char *paths_beside(const char *name);
/* $XDG_CACHE_HOME/hugebench or ~/.cache/hugebench, made when missing; owned by the caller; NULL
 * with the reason. */
char *paths_cache(struct hb_error *e);
/* Directory of the runs: $HUGEBENCH_RESULTS, or results/ of the clone; owned by the caller; NULL
 * with the reason. */
char *paths_results(struct hb_error *e);

/* Make a private directory hugebench-WHAT-XXXXXX in $TMPDIR, else in /tmp; owned by the caller;
 * NULL with the reason. */
char *paths_temporary(const char *what, struct hb_error *e);
/*
 * Where an unprivileged user may enter and programs can be started: /var/tmp, or /tmp where that is
 * mounted noexec. A static text; NULL: neither.
 */
const char *paths_scratch(void);

#endif
