// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/build/sync.h"

struct syncing {
	const struct sync *s;
	json_t *overlaid; /* keys: the names in the overlay */
	json_t *changes;  /* or NULL */
	char *last_dir;	  /* the directory that was made last */
};

static bool is_gone(const struct sync *s, const char *name)
{
	return s->gone && json_object_get(s->gone, name);
}

/* Is there a file @name (no directory) below @dir? */
static bool has_file(const char *dir, const char *name)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);
	struct stat st;

	return path && !lstat(path, &st) && !S_ISDIR(st.st_mode);
}

static int note_change(struct syncing *g, const char *name, const char *what)
{
	if (!g->changes)
		return 0;
	return json_object_set_new(g->changes, name, json_string(what)) ? -ENOMEM : 0;
}

/* 1: both have the same bytes; 0: not; -errno. */
static int same_bytes(const char *a, const char *b)
{
	HB_CLOSE int x = open(a, O_RDONLY | O_CLOEXEC), y = open(b, O_RDONLY | O_CLOEXEC);
	char left[32768], right[32768];
	ssize_t n;

	if (x < 0 || y < 0)
		return -errno;
	while ((n = read(x, left, sizeof(left))) > 0)
		if (read(y, right, n) != n || memcmp(left, right, n))
			return 0;
	return n ? -errno : 1;
}

bool sync_same_file(const char *a, const char *b)
{
	return same_bytes(a, b) == 1;
}

static int same_target(const char *a, const char *b)
{
	char left[PATH_MAX], right[PATH_MAX];
	ssize_t n = readlink(a, left, sizeof(left)), m = readlink(b, right, sizeof(right));

	return n > 0 && n == m && !memcmp(left, right, n);
}

static int is_same(const char *from, const struct stat *f, const char *to, const struct stat *t)
{
	if (f->st_dev == t->st_dev && f->st_ino == t->st_ino)
		return 1;
	if ((f->st_mode ^ t->st_mode) & (S_IFMT | 0111))
		return 0;
	if (S_ISLNK(f->st_mode))
		return same_target(from, to);
	return f->st_size == t->st_size ? same_bytes(from, to) : 0;
}

static int copy_link(const char *from, const char *to)
{
	char target[PATH_MAX];
	ssize_t n = readlink(from, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = 0;
	return symlink(target, to) ? -errno : 0;
}

static int copy_bytes(int in, int out)
{
	ssize_t n;

	while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
		;
	return n ? -errno : 0;
}

/* A copy with the time of now, in place when it is whole. */
static int copy_file(const char *from, mode_t mode, const char *to)
{
	HB_FREE char *part = hb_strf("%s.hugebench-part", to);
	HB_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
	HB_CLOSE int out = -1;
	int rc;

	if (in < 0 || !part)
		return part ? -errno : -ENOMEM;
	out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644 | (mode & 0111));
	if (out < 0)
		return -errno;
	rc = copy_bytes(in, out);
	if (!rc && rename(part, to))
		rc = -errno;
	if (rc)
		unlink(part);
	return rc;
}

static int make_parent(struct syncing *g, const char *path)
{
	HB_FREE char *dir = strndup(path, strrchr(path, '/') - path);
	int rc;

	if (!dir)
		return -ENOMEM;
	if (g->last_dir && !strcmp(g->last_dir, dir))
		return 0;
	rc = hb_mkdir_all(dir);
	if (rc)
		return rc;
	free(g->last_dir);
	g->last_dir = HB_STEAL(dir);
	return 0;
}

/* Put @from where nothing is. */
static int place_new(struct syncing *g, const char *from, const struct stat *f, const char *to,
		     bool link_it)
{
	int rc = make_parent(g, to);

	if (rc)
		return rc;
	if (S_ISLNK(f->st_mode))
		return copy_link(from, to);
	if (link_it && !link(from, to))
		return 0;
	return copy_file(from, f->st_mode, to);
}

/*
 * Make file @name of the target like that of @dir, which is @f. Where changes are told, there may
 * be objects of a file of that name, newer than a link would be: it has the time of now then.
 */
static int place(struct syncing *g, const char *dir, const char *name, const struct stat *f)
{
	HB_FREE char *from = hb_strf("%s/%s", dir, name), *to = hb_strf("%s/%s", g->s->to, name);
	bool link_it = g->s->links && dir == g->s->from && !g->changes;
	struct stat t;
	int rc;

	if (!from || !to)
		return -ENOMEM;
	if (lstat(to, &t)) {
		rc = note_change(g, name, "new");
		return rc ? rc : place_new(g, from, f, to, link_it);
	}
	rc = is_same(from, f, to, &t);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = note_change(g, name, "changed");
	if (!rc && !(S_ISREG(f->st_mode) && S_ISREG(t.st_mode)))
		rc = hb_remove_all(to);
	return rc ? rc : place_new(g, from, f, to, false);
}

static int note_overlaid(struct syncing *g, const char *name, const struct stat *st)
{
	(void)st;
	return json_object_set_new(g->overlaid, name, json_true()) ? -ENOMEM : 0;
}

/* Does the target want the file @name? */
static bool is_wanted(const struct syncing *g, const char *name)
{
	return json_object_get(g->overlaid, name) ||
	       (!is_gone(g->s, name) && has_file(g->s->from, name));
}

static int take_from(struct syncing *g, const char *name, const struct stat *st)
{
	return is_gone(g->s, name) || json_object_get(g->overlaid, name)
		       ? 0
		       : place(g, g->s->from, name, st);
}

static int take_overlay(struct syncing *g, const char *name, const struct stat *st)
{
	return place(g, g->s->overlay, name, st);
}

static int drop_unwanted(struct syncing *g, const char *name, const struct stat *st)
{
	HB_FREE char *path = NULL;
	int rc;

	(void)st;
	if (is_wanted(g, name))
		return 0;
	path = hb_strf("%s/%s", g->s->to, name);
	rc = path ? note_change(g, name, "gone") : -ENOMEM;
	return rc ? rc : unlink(path) ? -errno : 0;
}

static bool is_spared(const struct syncing *g, const char *dir, const FTSENT *f)
{
	return dir == g->s->to && g->s->spared && f->fts_level == 1 &&
	       !strcmp(f->fts_name, g->s->spared);
}

/* Call @act with the name of each file below @dir and what lstat() says of it. */
static int walk(struct syncing *g, const char *dir,
		int (*act)(struct syncing *, const char *, const struct stat *))
{
	char *roots[] = {(char *)dir, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t skip = strlen(dir) + 1;
	FTSENT *f;
	int rc = fts ? 0 : -errno;

	while (!rc && (f = fts_read(fts))) {
		if (is_spared(g, dir, f))
			fts_set(fts, f, FTS_SKIP);
		else if (f->fts_info == FTS_DNR || f->fts_info == FTS_ERR || f->fts_info == FTS_NS)
			rc = -f->fts_errno;
		else if (f->fts_info != FTS_D && f->fts_info != FTS_DP)
			rc = act(g, f->fts_path + skip, f->fts_statp);
	}
	if (fts)
		fts_close(fts);
	return rc;
}

int sync_tree(const struct sync *s, json_t **changes, struct hb_error *e)
{
	struct syncing g = {
		.s = s, .overlaid = json_object(), .changes = changes ? json_object() : NULL};
	int rc = g.overlaid && (!changes || g.changes) ? hb_mkdir_all(s->to) : -ENOMEM;

	if (!rc && s->overlay)
		rc = walk(&g, s->overlay, note_overlaid);
	if (!rc)
		rc = walk(&g, s->to, drop_unwanted);
	if (!rc)
		rc = walk(&g, s->from, take_from);
	if (!rc && s->overlay)
		rc = walk(&g, s->overlay, take_overlay);
	free(g.last_dir);
	json_decref(g.overlaid);
	if (rc) {
		json_decref(g.changes);
		return hb_error_set(e, rc, "cannot make %s like %s: %s", s->to, s->from,
				    strerror(-rc));
	}
	if (changes)
		*changes = g.changes;
	return 0;
}
