// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/inject/faults.h"

/* Nothing in @path; it is emptied. */
static void check_empty(struct fault *f, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (*entry->d_name != '.')
			complain(f, "a file is left in TMPDIR: %s", entry->d_name);
	if (d)
		closedir(d);
	hb_remove_all(path);
	if (mkdir(path, 0777))
		complain(f, "%s: %s", path, strerror(errno));
}

/* Only what belongs there. */
static void check_files(struct fault *f)
{
	static const char *const known[] = {"results", "cache",	    "bin",    "kernels", "tree",
					    "run.ini", "guest.ini", "output", "figures", "tmp"};
	HB_FREE char *tmp = hb_strf("%s/tmp", site.top);
	DIR *d = opendir(site.top);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		bool found = *entry->d_name == '.';

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			found = found || !strcmp(entry->d_name, known[i]);
		if (!found)
			complain(f, "a file is left: %s", entry->d_name);
	}
	if (d)
		closedir(d);
	check_empty(f, tmp);
}

static bool is_locked(const char *path)
{
	HB_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fd < 0)
		return false;
	return flock(fd, LOCK_EX | LOCK_NB) ||
	       (!fcntl(fd, F_OFD_GETLK, &all) && all.l_type != F_UNLCK);
}

static void check_locks(struct fault *f, const char *pattern)
{
	HB_FREE char *full = hb_strf("%s/%s", site.top, pattern);
	glob_t g = {0};

	if (full && !glob(full, 0, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (is_locked(g.gl_pathv[i]))
				complain(f, "%s is locked", g.gl_pathv[i]);
	globfree(&g);
}

void check_place(struct fault *f)
{
	check_files(f);
	check_locks(f, "cache/hugebench/locks/*");
	check_locks(f, "cache/hugebench/images/*/manifest.json");
	check_locks(f, "results/x/.lock");
}
