// SPDX-License-Identifier: GPL-2.0-or-later
/* Which directory a run's name means. */
#include <unistd.h>

#include "bench/host/paths.h"
#include "bench/result/load.h"

static bool is_run(const char *dir)
{
	HB_FREE char *path = hb_strf("%s/run.json", dir);

	return path && !access(path, F_OK);
}

int load_open(const char *name, struct load_run **run, struct hb_error *e)
{
	HB_FREE char *results = paths_results(NULL);
	HB_FREE char *named = results ? hb_strf("%s/%s", results, name) : NULL;

	if (is_run(name))
		return load_run(name, run, e);
	if (named && is_run(named))
		return load_run(named, run, e);
	return hb_error_set(e, -ENOENT,
			    "no run '%s': it is neither a directory with a run.json nor the name "
			    "of one in %s",
			    name, results ? results : "results/");
}
