// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/build/cache.h"

#define MANIFEST_FORMAT 1

int cache_lock(const char *root, const char *name, int *fd, struct hb_error *e)
{
	HB_FREE char *dir = hb_strf("%s/locks", root);
	HB_FREE char *path = hb_strf("%s/locks/%s", root, name);
	int rc, lock;

	if (!dir || !path)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_all(dir);
	if (rc)
		return hb_error_set(e, rc,
				    "cannot make %s: %s; XDG_CACHE_HOME may name another place",
				    dir, strerror(-rc));
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (lock < 0)
		return hb_error_set(e, -errno,
				    "cannot open %s: %s; XDG_CACHE_HOME may name another place",
				    path, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		fprintf(stderr,
			"hugebench: waiting for another hugebench that works on this (%s)\n", path);
		while (flock(lock, LOCK_EX)) {
			if (errno == EINTR)
				continue;
			rc = hb_error_set(e, -errno, "cannot lock %s: %s", path, strerror(errno));
			close(lock);
			return rc;
		}
	}
	*fd = lock;
	return 0;
}

static int64_t change_time(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * (int64_t)NSEC_PER_SEC + st->st_mtim.tv_nsec;
}

/* One member of "files". */
static int describe_file(const char *path, int checksum, json_t **out, struct hb_error *e)
{
	char hex[CACHE_KEY_LEN + 1];
	struct stat st;
	int rc;

	if (stat(path, &st))
		return hb_error_set(e, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!checksum) {
		*out = json_pack("{s:I, s:I}", "bytes", (json_int_t)st.st_size, "changed_ns",
				 (json_int_t)change_time(&st));
		return *out ? 0 : -ENOMEM;
	}
	rc = digest_of_file(path, hex);
	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", path, strerror(-rc));
	*out = json_pack("{s:I, s:s}", "bytes", (json_int_t)st.st_size, "sha256", hex);
	return *out ? 0 : -ENOMEM;
}

int cache_seal(const char *dir, json_t *manifest, const char *const *names, int checksum,
	       struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/manifest.json", dir);
	json_t *files = json_object();
	int rc = 0;

	for (; *names && !rc; names++) {
		HB_FREE char *file = hb_strf("%s/%s", dir, *names);
		json_t *one = NULL;

		rc = file ? describe_file(file, checksum, &one, e) : -ENOMEM;
		if (!rc && json_object_set_new(files, *names, one))
			rc = -ENOMEM;
	}
	if (rc) {
		json_decref(files);
		return rc;
	}
	if (json_object_set_new(manifest, "format", json_integer(MANIFEST_FORMAT)) ||
	    json_object_set_new(manifest, "files", files))
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = json_write(path, manifest, JSON_INDENT(1) | JSON_SORT_KEYS);
	return rc ? hb_error_set(e, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}

/* Is the file what the manifest says? */
static int check_file(const char *path, const json_t *want, struct hb_error *e)
{
	const char *sha = json_string_value(json_object_get(want, "sha256"));
	const json_t *changed = json_object_get(want, "changed_ns");
	char hex[CACHE_KEY_LEN + 1] = "";
	struct stat st;
	int rc;

	if (stat(path, &st))
		return hb_error_set(e, -EBADMSG, "%s: %s", path, strerror(errno));
	if (st.st_size != json_integer_value(json_object_get(want, "bytes")))
		return hb_error_set(e, -EBADMSG, "%s has another size than recorded", path);
	if (!sha && change_time(&st) != json_integer_value(changed))
		return hb_error_set(e, -EBADMSG, "%s was changed after it was made", path);
	if (!sha)
		return 0;
	rc = digest_of_file(path, hex);
	if (rc || strcmp(hex, sha))
		return hb_error_set(e, -EBADMSG, "%s has another checksum than recorded", path);
	return 0;
}

int cache_open(const char *dir, json_t **manifest, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/manifest.json", dir);
	json_error_t je;
	const char *name;
	json_t *m, *files, *want;
	int rc = 0;

	if (!path)
		return -ENOMEM;
	if (access(dir, F_OK))
		return -ENOENT;
	m = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
	if (!m)
		return hb_error_set(e, -EBADMSG, "%s: %s", path, je.text);
	files = json_object_get(m, "files");
	if (json_integer_value(json_object_get(m, "format")) != MANIFEST_FORMAT ||
	    !json_object_size(files))
		rc = hb_error_set(e, -EBADMSG, "%s is of another version", path);
	json_object_foreach (files, name, want) {
		HB_FREE char *file = hb_strf("%s/%s", dir, name);

		if (!rc)
			rc = file ? check_file(file, want, e) : -ENOMEM;
	}
	if (rc)
		json_decref(m);
	else
		*manifest = m;
	return rc;
}

int cache_commit(const char *work, const char *dir, struct hb_error *e)
{
	HB_FREE char *parent = strndup(dir, strrchr(dir, '/') - dir);
	int rc = parent ? hb_mkdir_all(parent) : -ENOMEM;

	if (rc)
		return hb_error_set(e, rc, "cannot make the directory of %s: %s", dir,
				    strerror(-rc));
	rc = hb_remove_all(dir);
	if (rc)
		return hb_error_set(e, rc, "cannot remove %s: %s", dir, strerror(-rc));
	if (rename(work, dir))
		return hb_error_set(e, -errno, "cannot rename %s to %s: %s", work, dir,
				    strerror(errno));
	return 0;
}

int cache_hold(const char *dir, int *fd, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/manifest.json", dir);
	int hold = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (hold < 0)
		return hb_error_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
	/* Its time of change is the time of last use; an entry of somebody else's has none. */
	futimens(hold, NULL);
	if (flock(hold, LOCK_SH)) {
		int rc = hb_error_set(e, -errno, "cannot lock %s: %s", path, strerror(errno));

		close(hold);
		return rc;
	}
	*fd = hold;
	return 0;
}

/* Remove an entry unless it is held. */
static void remove_unheld(const char *dir)
{
	HB_FREE char *path = hb_strf("%s/manifest.json", dir);
	HB_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		hb_remove_all(dir);
}

struct entry {
	char *dir;
	int64_t used;
};

static int by_use(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (y->used > x->used) - (y->used < x->used);
}

void cache_prune(const char *parent, const char *member, size_t keep)
{
	HB_FREE char *pattern = hb_strf("%s/*/%s", parent, member);
	HB_FREE struct entry *entries = NULL;
	glob_t g = {0};
	size_t n = 0;

	if (!pattern || glob(pattern, 0, NULL, &g))
		return;
	entries = calloc(g.gl_pathc, sizeof(*entries));
	for (size_t i = 0; entries && i < g.gl_pathc; i++) {
		char *dir = strndup(g.gl_pathv[i], strlen(g.gl_pathv[i]) - strlen(member) - 1);
		HB_FREE char *manifest = dir ? hb_strf("%s/manifest.json", dir) : NULL;
		struct stat st;

		if (manifest && !stat(manifest, &st))
			entries[n++] = (struct entry){dir, change_time(&st)};
		else
			free(dir);
	}
	qsort(entries, n, sizeof(*entries), by_use);
	for (size_t i = 0; i < n; i++) {
		if (i >= keep)
			remove_unheld(entries[i].dir);
		free(entries[i].dir);
	}
	globfree(&g);
}

int cache_space(const char *path, uint64_t bytes, const char *purpose, struct hb_error *e)
{
	struct statvfs v;
	uint64_t have;
	char want[32], got[32];

	if (statvfs(path, &v))
		return hb_error_set(e, -errno, "cannot ask %s for free space: %s", path,
				    strerror(errno));
	have = (uint64_t)v.f_bavail * v.f_frsize;
	if (have >= bytes)
		return 0;
	return hb_error_set(e, -ENOSPC,
			    "%s needs %s in %s, %s are free; free some, or set XDG_CACHE_HOME to a "
			    "directory with more",
			    purpose, hb_format_size(want, sizeof(want), bytes), path,
			    hb_format_size(got, sizeof(got), have));
}

int cache_lookup(const char *dir, const char *what)
{
	struct hb_error damage = {.text = ""};
	json_t *manifest = NULL;
	int rc = cache_open(dir, &manifest, &damage);

	if (rc == -EBADMSG) {
		fprintf(stderr, "hugebench: the %s is made again: %s\n", what, damage.text);
		rc = -ENOENT;
	}
	json_decref(manifest);
	return rc;
}
