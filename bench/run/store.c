// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/plain.h"
#include "bench/result/runfile.h"
#include "bench/run/lock.h"
#include "bench/run/store.h"

#define LOCK_FILE  ".lock"
#define UNFINISHED ".new-" /* prefix of a cell that is being written */
/* Histograms, interval records and consoles of a long run, with room to spare. */
#define SPACE_NEEDED (128ULL << 20)

static int file_error(struct hb_error *e, int rc, const char *what, const char *path)
{
	if (rc == -ENOSPC)
		return hb_error_set(e, rc, "cannot %s %s: the disk is full; make room", what, path);
	if (rc == -EACCES || rc == -EPERM || rc == -EROFS)
		return hb_error_set(
			e, rc,
			"cannot %s %s: %s; make the directory writable or name another one "
			"with --results",
			what, path, strerror(-rc));
	/* Not -ENOENT and the like, which say of a run that the user named a wrong one. */
	return hb_error_set(e, -EIO, "cannot %s %s: %s", what, path, strerror(-rc));
}

static int directory_sync(const char *path)
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) ? -errno : 0;
}

/* Make every plain file of @dir durable, and the directory. */
static int directory_sync_files(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort), rc = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		HB_FREE char *path = hb_strf("%s/%s", dir, entries[i]->d_name);
		struct stat st;

		if (!rc && !path)
			rc = -ENOMEM;
		if (!rc && !lstat(path, &st) && S_ISREG(st.st_mode)) {
			HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

			if (fd < 0 || fsync(fd))
				rc = -errno;
		}
		free(entries[i]);
	}
	free(entries);
	return rc ? rc : directory_sync(dir);
}

static int space_check(const char *path, struct hb_error *e)
{
	struct statvfs fs;
	uint64_t available;

	if (statvfs(path, &fs))
		return file_error(e, -errno, "look at", path);
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (available >= SPACE_NEEDED)
		return 0;
	return hb_error_set(
		e, -ENOSPC,
		"%s has %ju MiB free and a run needs %ju MiB; make room or name another "
		"directory with --results",
		path, (uintmax_t)(available >> 20), (uintmax_t)(SPACE_NEEDED >> 20));
}

static int lock(struct store *s, int64_t what, bool wait, int *fd, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/" LOCK_FILE, s->dir);

	return path ? lock_take(path, what, wait, fd, e) : hb_error_set(e, -ENOMEM, "no memory");
}

/* Make the first of NAME, NAME-2, NAME-3, ... that does not exist. */
static int directory_make(const char *results, const char *name, struct store *s,
			  struct hb_error *e)
{
	for (unsigned int i = 1; i < 10000; i++) {
		free(s->name);
		free(s->dir);
		s->name = i == 1 ? strdup(name) : hb_strf("%s-%u", name, i);
		s->dir = s->name ? hb_strf("%s/%s", results, s->name) : NULL;
		if (!s->dir)
			return hb_error_set(e, -ENOMEM, "no memory");
		if (!mkdir(s->dir, 0777))
			return 0;
		if (errno != EEXIST)
			return file_error(e, -errno, "make", s->dir);
	}
	return hb_error_set(e, -EEXIST, "%s has 9999 runs called %s", results, name);
}

int store_name_check(const char *name, struct hb_error *e)
{
	if (name_ok(name, NAME_LONGEST_CHOSEN))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "'%s' cannot name a run: letters, digits, - _ . +, at most 40", name);
}

int store_ready(const char *results, struct hb_error *e)
{
	int rc = hb_mkdir_all(results);

	if (rc)
		return file_error(e, rc, "make", results);
	/* As a directory: a plain file may well be written to. */
	rc = directory_sync(results);
	if (!rc && access(results, W_OK | X_OK))
		rc = -errno;
	return rc ? file_error(e, rc, "write to", results) : space_check(results, e);
}

int store_create(const char *results, const char *name, struct store *s, struct hb_error *e)
{
	HB_FREE char *cells = NULL;
	int rc = store_name_check(name, e);

	*s = (struct store){.lock = -1};
	if (!rc)
		rc = store_ready(results, e);
	if (!rc)
		rc = directory_make(results, name, s, e);
	if (rc) {
		store_close(s);
		return rc;
	}
	rc = lock(s, LOCK_ALL, false, &s->lock, e);
	cells = rc ? NULL : hb_strf("%s/cells", s->dir);
	if (!rc)
		rc = cells ? hb_mkdir_all(cells) : -ENOMEM;
	if (rc) {
		if (cells)
			file_error(e, rc, "make", cells);
		store_discard(s);
	}
	return rc;
}

/* Remove what a killed hugebench left of its last cell. */
static int unfinished_remove(const struct store *s, struct hb_error *e)
{
	HB_FREE char *cells = hb_strf("%s/cells", s->dir);
	struct dirent **entries;
	int n = cells ? scandir(cells, &entries, NULL, alphasort) : -1, rc = 0;

	if (n < 0)
		return file_error(e, cells ? -errno : -ENOMEM, "read", cells ? cells : s->dir);
	for (int i = 0; i < n; i++) {
		HB_FREE char *path = hb_strf("%s/%s", cells, entries[i]->d_name);

		if (!rc && !strncmp(entries[i]->d_name, UNFINISHED, strlen(UNFINISHED)))
			rc = path ? hb_remove_all(path) : -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	return rc ? file_error(e, rc, "clean", cells) : 0;
}

/* The directory of an existing run, nothing locked yet. */
static int store_find(const char *results, const char *name, struct store *s, struct hb_error *e)
{
	json_t *run;
	int rc = store_name_check(name, e);

	*s = (struct store){.lock = -1};
	if (rc)
		return rc;
	s->name = strdup(name);
	s->dir = hb_strf("%s/%s", results, name);
	if (!s->name || !s->dir)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (access(s->dir, F_OK))
		return hb_error_set(e, -ENOENT, "there is no run %s in %s", name, results);
	run = store_read(s, "run.json", e);
	if (!run)
		return -EPROTO;
	json_decref(run);
	return space_check(s->dir, e);
}

int store_resume(const char *results, const char *name, struct store *s, struct hb_error *e)
{
	int rc = store_find(results, name, s, e);

	if (!rc)
		rc = lock(s, LOCK_ALL, false, &s->lock, e);
	s->whole = true;
	if (!rc)
		rc = unfinished_remove(s, e);
	if (rc)
		store_close(s);
	return rc;
}

int store_join(const char *results, const char *name, int64_t block, struct store *s,
	       struct hb_error *e)
{
	int rc = store_find(results, name, s, e);

	if (!rc)
		rc = lock_shared_check(s->dir, e);
	if (!rc && block >= 0)
		rc = lock(s, LOCK_BLOCKS + block, false, &s->lock, e);
	if (rc)
		store_close(s);
	return rc;
}

int store_lock_record(struct store *s, int *fd, struct hb_error *e)
{
	if (s->whole)
		return 0;
	return lock(s, LOCK_RECORD, true, fd, e);
}

void store_close(struct store *s)
{
	if (s->lock >= 0)
		close(s->lock);
	free(s->name);
	free(s->dir);
	*s = (struct store){.lock = -1};
}

void store_discard(struct store *s)
{
	hb_remove_all(s->dir);
	store_close(s);
}

json_t *store_read(const struct store *s, const char *file, struct hb_error *e)
{
	struct hb_error why;
	json_t *j, *format;

	if (runfile_json(s->dir, file, &j, &why)) {
		hb_error_set(e, -EPROTO, "cannot read %s/%s", s->dir, why.text);
		return NULL;
	}
	format = json_object_get(j, "format");
	if (json_integer_value(format) == STORE_FORMAT)
		return j;
	if (json_is_integer(format))
		hb_error_set(e, -EPROTO,
			     "%s/%s is of format %lld, this hugebench reads and writes format %d; "
			     "begin a "
			     "new run under another --name",
			     s->dir, file, (long long)json_integer_value(format), STORE_FORMAT);
	else
		hb_error_set(e, -EPROTO, "%s/%s has no \"format\"; it is not a file of hugebench",
			     s->dir, file);
	json_decref(j);
	return NULL;
}

int store_write(const struct store *s, const char *file, const json_t *j, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/%s", s->dir, file);
	int rc = json_write(path, j, JSON_INDENT(1));

	if (rc)
		return file_error(e, rc, "write", path ? path : file);
	rc = directory_sync(s->dir);
	return rc ? file_error(e, rc, "sync", s->dir) : 0;
}

/* Time of the last change of the run's plan if the run is not finished, else 0. */
static time_t unfinished_time(const char *results, const char *name)
{
	struct store s = {.lock = -1, .dir = hb_strf("%s/%s", results, name)};
	json_t *run = s.dir ? store_read(&s, "run.json", NULL) : NULL;
	const char *status = json_string_value(json_object_get(run, "status"));
	HB_FREE char *plan = hb_strf("%s/%s/plan.json", results, name);
	struct stat st;
	time_t when = 0;

	if (status && strcmp(status, "finished") && plan && !stat(plan, &st))
		when = st.st_mtime;
	json_decref(run);
	store_close(&s);
	return when;
}

char *store_unfinished(const char *results, struct hb_error *e)
{
	struct dirent **entries;
	int n = scandir(results, &entries, NULL, alphasort);
	char *newest = NULL;
	time_t latest = 0;

	for (int i = 0; i < n; i++) {
		time_t when = name_ok(entries[i]->d_name, NAME_LONGEST_CHOSEN)
				      ? unfinished_time(results, entries[i]->d_name)
				      : 0;

		if (when && when >= latest) {
			latest = when;
			free(newest);
			newest = strdup(entries[i]->d_name);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (!newest)
		hb_error_set(e, -ENOENT, "no unfinished run in %s", results);
	return newest;
}

bool store_has_cell(const struct store *s, const char *id)
{
	HB_FREE char *path = hb_strf("%s/cells/%s/cell.json", s->dir, id);

	return path && !access(path, F_OK);
}

int store_cell_remove(const struct store *s, const char *id, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/cells/%s", s->dir, id);
	HB_FREE char *aside = hb_strf("%s/cells/" UNFINISHED "%s", s->dir, id);
	int rc = path && aside ? hb_remove_all(aside) : -ENOMEM;

	/* Renamed first: it is there whole or not at all. */
	if (!rc && rename(path, aside))
		rc = -errno;
	if (!rc)
		rc = hb_remove_all(aside);
	return rc ? file_error(e, rc, "remove cell", id) : 0;
}

int store_cell_replace(const struct store *s, const char *id, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/cells/%s", s->dir, id);
	HB_FREE char *begun = hb_strf("%s/cells/" UNFINISHED "%s", s->dir, id);
	int rc = path && begun ? hb_remove_all(path) : -ENOMEM;

	if (!rc && rename(begun, path))
		rc = -errno;
	return rc ? file_error(e, rc, "store cell", id) : 0;
}

int store_sync(const struct store *s, struct hb_error *e)
{
	HB_CLOSE int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) ? file_error(e, -errno, "sync", s->dir) : 0;
}

char *store_cell_begin(const struct store *s, const char *id, struct hb_error *e)
{
	HB_FREE char *dir = hb_strf("%s/cells/" UNFINISHED "%s", s->dir, id);
	int rc = dir ? hb_remove_all(dir) : -ENOMEM;

	if (!rc && mkdir(dir, 0777))
		rc = -errno;
	if (rc) {
		file_error(e, rc, "make", dir ? dir : id);
		return NULL;
	}
	return HB_STEAL(dir);
}

int store_cell_commit(const struct store *s, const char *id, const char *dir, const json_t *cell,
		      struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/cell.json", dir);
	HB_FREE char *final = hb_strf("%s/cells/%s", s->dir, id);
	HB_FREE char *cells = hb_strf("%s/cells", s->dir);
	int rc = final && cells ? json_write(path, cell, JSON_INDENT(1)) : -ENOMEM;

	if (!rc)
		rc = directory_sync_files(dir);
	if (!rc && rename(dir, final))
		rc = -errno;
	if (!rc)
		rc = directory_sync(cells);
	if (!rc)
		return 0;
	store_cell_abort(dir);
	return file_error(e, rc, "store cell", id);
}

void store_cell_abort(const char *dir)
{
	hb_remove_all(dir);
}
