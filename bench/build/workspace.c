// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/build/cache.h"
#include "bench/build/workspace.h"

/* There while the directory is being changed; its time is that of the last complete change. */
#define CHANGING "hugebench-changing"
#define COMPLETE "hugebench-complete"

static char *mark(const char *dir, const char *name)
{
	return hb_strf("%s/%s", dir, name);
}

/* When was the last change completed? 0: never, or one was begun after it. */
static time_t completed(const char *dir)
{
	HB_FREE char *changing = mark(dir, CHANGING), *complete = mark(dir, COMPLETE);
	struct stat st;

	if (!changing || !complete || !access(changing, F_OK) || stat(complete, &st))
		return 0;
	return st.st_mtime;
}

int workspace_empty(struct workspace *w, struct hb_error *e)
{
	HB_FREE char *changing = mark(w->dir, CHANGING);
	int rc = changing ? hb_remove_all(w->dir) : -ENOMEM;

	if (!rc)
		rc = hb_mkdir_all(w->dir);
	if (!rc)
		rc = hb_file_write_atomic(changing, "", 0);
	w->fresh = true;
	return rc ? hb_error_set(e, rc, "cannot make %s anew: %s", w->dir, strerror(-rc)) : 0;
}

static int begin_change(struct workspace *w, struct hb_error *e)
{
	HB_FREE char *changing = mark(w->dir, CHANGING);
	time_t last = completed(w->dir);
	int rc;

	if (!last || last > time(NULL))
		return workspace_empty(w, e);
	rc = changing ? hb_file_write_atomic(changing, "", 0) : -ENOMEM;
	return rc ? hb_error_set(e, rc, "cannot write %s: %s", changing, strerror(-rc)) : 0;
}

int workspace_open(const char *cache, const char *kind, const char *name, struct workspace *w,
		   struct hb_error *e)
{
	HB_FREE char *lock = hb_strf("%s-%s", kind, name);
	int rc;

	*w = (struct workspace){.dir = hb_strf("%s/%s/%s", cache, kind, name), .lock = -1};
	if (!lock || !w->dir)
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	else
		rc = cache_lock(cache, lock, &w->lock, e);
	if (!rc)
		rc = begin_change(w, e);
	if (rc)
		workspace_close(w, false);
	return rc;
}

/* The files reach the disk before the mark goes: after a power failure none of them is half. */
static void end_change(const struct workspace *w)
{
	HB_FREE char *changing = mark(w->dir, CHANGING), *complete = mark(w->dir, COMPLETE);
	HB_CLOSE int fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!changing || !complete || fd < 0 || hb_file_write_atomic(complete, "", 0) || syncfs(fd))
		return;
	unlink(changing);
}

void workspace_close(struct workspace *w, bool whole)
{
	if (!w->dir)
		return;
	if (whole)
		end_change(w);
	if (w->lock >= 0)
		close(w->lock);
	free(w->dir);
	*w = (struct workspace){.lock = -1};
}

struct candidate {
	char *dir;
	time_t used;
};

static int by_use(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (y->used > x->used) - (y->used < x->used);
}

/* Directories CACHE/KIND/PATTERN, the last used one first; *@all points into @g. */
static size_t list_by_use(const char *cache, const char *kind, const char *pattern, glob_t *g,
			  struct candidate **all)
{
	HB_FREE char *full = hb_strf("%s/%s/%s", cache, kind, pattern);

	*all = NULL;
	if (!full || glob(full, 0, NULL, g))
		return 0;
	*all = calloc(g->gl_pathc, sizeof(**all));
	if (!*all)
		return 0;
	for (size_t i = 0; i < g->gl_pathc; i++)
		(*all)[i] = (struct candidate){g->gl_pathv[i], completed(g->gl_pathv[i])};
	qsort(*all, g->gl_pathc, sizeof(**all), by_use);
	return g->gl_pathc;
}

/* Lock @dir of @kind without waiting; -1: somebody has it open. */
static int try_lock(const char *cache, const char *kind, const char *dir)
{
	HB_FREE char *path = hb_strf("%s/locks/%s-%s", cache, kind, strrchr(dir, '/') + 1);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -1;
}

bool workspace_borrow(const char *cache, const char *kind, const char *prefix, struct workspace *w)
{
	HB_FREE char *pattern = hb_strf("%s-*", prefix);
	HB_FREE struct candidate *all = NULL;
	glob_t g = {0};
	size_t n = pattern ? list_by_use(cache, kind, pattern, &g, &all) : 0;

	*w = (struct workspace){.lock = -1};
	for (size_t i = 0; i < n && all[i].used && !w->dir; i++) {
		w->lock = try_lock(cache, kind, all[i].dir);
		/* What it was before it was locked counts for nothing. */
		if (w->lock >= 0 && completed(all[i].dir))
			w->dir = strdup(all[i].dir);
		else if (w->lock >= 0)
			close(w->lock);
	}
	globfree(&g);
	return w->dir;
}

void workspace_prune(const char *cache, const char *kind, size_t keep)
{
	HB_FREE struct candidate *all = NULL;
	glob_t g = {0};
	size_t n = list_by_use(cache, kind, "*", &g, &all);

	for (size_t i = keep; i < n; i++) {
		HB_CLOSE int lock = try_lock(cache, kind, all[i].dir);

		if (lock >= 0)
			hb_remove_all(all[i].dir);
	}
	globfree(&g);
}
