// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench/host/paths.h"

/* Directory of the executable into @dir (PATH_MAX bytes). */
static int executable_directory(char *dir)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	dir[n] = 0;
	slash = strrchr(dir, '/');
	if (!slash)
		return -ENOENT;
	*slash = 0;
	return 0;
}

/* Walk up from @dir, shortening it, to a directory that has the scenarios. */
static int root_above(char *dir)
{
	while (*dir) {
		HB_FREE char *probe = hb_strf("%s/workloads/scenarios", dir);

		if (!probe)
			return -ENOMEM;
		if (!access(probe, R_OK | X_OK))
			return 0;
		*strrchr(dir, '/') = 0;
	}
	return -ENOENT;
}

char *paths_root(struct hb_error *e)
{
	char dir[PATH_MAX];

	if (!executable_directory(dir) && !root_above(dir))
		return strdup(dir);
	if (getcwd(dir, sizeof(dir)) && !root_above(dir))
		return strdup(dir);
	hb_error_set(e, -ENOENT,
		     "no directory above the executable or the working directory has "
		     "workloads/scenarios; run hugebench from its clone");
	return NULL;
}

char *paths_beside(const char *name)
{
	char dir[PATH_MAX];

	if (executable_directory(dir))
		return NULL;
	return hb_strf("%s/%s", dir, name);
}

char *paths_results(struct hb_error *e)
{
	const char *given = getenv("HUGEBENCH_RESULTS");
	HB_FREE char *root = NULL;

	if (given && *given)
		return strdup(given);
	root = paths_root(e);
	return root ? hb_strf("%s/results", root) : NULL;
}

char *paths_cache(struct hb_error *e)
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	HB_FREE char *path = NULL;
	int rc;

	if (xdg && *xdg == '/')
		path = hb_strf("%s/hugebench", xdg);
	else if (home && *home == '/')
		path = hb_strf("%s/.cache/hugebench", home);
	if (!path) {
		hb_error_set(e, -ENOENT, "neither XDG_CACHE_HOME nor HOME names a directory");
		return NULL;
	}
	rc = hb_mkdir_all(path);
	if (rc) {
		hb_error_set(e, rc, "cannot make the cache directory %s: %s", path, strerror(-rc));
		return NULL;
	}
	return HB_STEAL(path);
}

char *paths_temporary(const char *what, struct hb_error *e)
{
	const char *given = getenv("TMPDIR");
	HB_FREE char *path =
		hb_strf("%s/hugebench-%s-XXXXXX", given && *given ? given : "/tmp", what);

	if (!path) {
		hb_error_set(e, -ENOMEM, "no memory");
		return NULL;
	}
	if (!mkdtemp(path)) {
		hb_error_set(e, -errno, "cannot make a directory in %s: %s",
			     given && *given ? given : "/tmp", strerror(errno));
		return NULL;
	}
	return HB_STEAL(path);
}

const char *paths_scratch(void)
{
	static const char *const places[] = {"/var/tmp", "/tmp"};
	struct statvfs v;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!statvfs(places[i], &v) && !(v.f_flag & ST_NOEXEC))
			return places[i];
	return NULL;
}
