// SPDX-License-Identifier: GPL-2.0-or-later
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/build/apt.h"
#include "bench/build/cache.h"
#include "bench/host/child.h"
#include "bench/base/plain.h"
#include "bench/build/keyfile.h"
#include "bench/build/gittree.h"
#include "bench/build/source.h"
#include "bench/build/sync.h"

/* An unpacked 5.10 tree and what it is unpacked from, with a margin. */
#define SOURCE_BYTES (1800ULL << 20)

/* Set @s from KERNEL_SRC's value. */
static int source_from_environment(const char *path, struct source *s, struct hb_error *e)
{
	HB_FREE char *full = realpath(path, NULL);
	struct stat st;

	if (!full || stat(full, &st))
		return hb_error_set(e, -ENODEV, "KERNEL_SRC=%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		s->tree = HB_STEAL(full);
	else
		s->tarball = HB_STEAL(full);
	return 0;
}

int source_load(const char *root, const char *name, struct source *s, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/kernels/sources/%s.ini", root, name);
	const char *given = getenv("KERNEL_SRC");
	const struct keyfile_row rows[] = {
		{"package", &s->package},
		{"version", &s->version},
		{"suite", &s->suite},
		{"sha256", &s->sha256},
		{NULL, NULL},
	};
	int rc;

	if (given && *given)
		return source_from_environment(given, s, e);
	rc = name_check(name, NAME_LONGEST, e);
	if (rc)
		return hb_error_prefix(e, rc, "source");
	if (!path)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = keyfile_read(path, "source", rows, e);
	if (rc)
		return rc;
	for (const struct keyfile_row *r = rows; r->name; r++)
		if (!*r->value)
			return hb_error_set(e, -EINVAL, "%s: key '%s' is missing", path, r->name);
	/* They become words of apt's command line, and no options. */
	rc = name_check(s->package, NAME_LONGEST, e);
	if (!rc)
		rc = name_check(s->suite, NAME_LONGEST, e);
	return rc ? hb_error_prefix(e, rc, "%s: package or suite", path) : 0;
}

void source_free(struct source *s)
{
	free(s->package);
	free(s->version);
	free(s->suite);
	free(s->sha256);
	free(s->tarball);
	free(s->tree);
	free(s->ref);
	*s = (struct source){0};
}

void source_id_free(struct source_id *id)
{
	free(id->hash);
	free(id->label);
	*id = (struct source_id){0};
}

/* A file of the cache that tells which version stands in for a pinned one that is gone. */
static char *substitute_path(const struct source *s, const char *cache)
{
	return hb_strf("%s/sources/%s-%s.instead.json", cache, s->package, s->version);
}

static int identify_package(const struct source *s, const char *cache, struct source_id *id)
{
	HB_FREE char *path = substitute_path(s, cache);
	json_t *instead = path ? json_load_file(path, 0, NULL) : NULL;
	const char *version = json_string_value(json_object_get(instead, "version"));
	const char *sha256 = json_string_value(json_object_get(instead, "sha256"));

	if (!version || !sha256) {
		version = s->version;
		sha256 = s->sha256;
	}
	id->hash = strdup(sha256);
	id->label = hb_strf("%s %s", s->package, version);
	json_decref(instead);
	return id->hash && id->label ? 0 : -ENOMEM;
}

static int identify_git(const struct source *s, const char *cache, struct source_id *id,
			struct hb_error *e)
{
	HB_FREE char *name = NULL;
	int rc = git_identify(cache, s->tree, s->ref, &id->hash, &name, e);

	if (rc)
		return rc;
	id->label = hb_strf("%s@%s", s->tree, name);
	return id->label ? 0 : -ENOMEM;
}

/* nftw() has no argument to pass through. */
static struct digest *walk_digest;

static int walk_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char text[96];

	(void)ftw;
	if (type != FTW_F && type != FTW_SL)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64 " %lld.%09ld %o", (uint64_t)st->st_size,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, st->st_mode);
	digest_text(walk_digest, path, text);
	return 0;
}

/* A plain directory: names, sizes and times of its files, since reading a gigabyte takes too long.
 */
static int identify_directory(const struct source *s, struct source_id *id, struct hb_error *e)
{
	char hex[CACHE_KEY_LEN + 1];
	int rc;

	walk_digest = digest_begin();
	if (!walk_digest)
		return -ENOMEM;
	rc = nftw(s->tree, walk_one, 64, FTW_PHYS) ? -errno : 0;
	if (digest_end(walk_digest, hex) && !rc)
		rc = -EIO;
	walk_digest = NULL;
	if (rc)
		return hb_error_set(e, -ENODEV, "cannot read %s: %s", s->tree, strerror(-rc));
	id->hash = strdup(hex);
	id->label = strdup(s->tree);
	return id->hash && id->label ? 0 : -ENOMEM;
}

static int identify_tarball(const struct source *s, struct source_id *id, struct hb_error *e)
{
	char hex[CACHE_KEY_LEN + 1];
	int rc = digest_of_file(s->tarball, hex);

	if (rc)
		return hb_error_set(e, -ENODEV, "cannot read %s: %s", s->tarball, strerror(-rc));
	id->hash = strdup(hex);
	id->label = strdup(s->tarball);
	return id->hash && id->label ? 0 : -ENOMEM;
}

int source_identify(const struct source *s, const char *cache, struct source_id *id,
		    struct hb_error *e)
{
	int rc;

	*id = (struct source_id){0};
	if (s->tarball)
		rc = identify_tarball(s, id, e);
	else if (s->tree && git_is_tree(s->tree))
		rc = identify_git(s, cache, id, e);
	else if (s->tree && s->ref)
		rc = hb_error_set(e, -ENODEV, "%s is no git tree, so it has no %s", s->tree,
				  s->ref);
	else if (s->tree)
		rc = identify_directory(s, id, e);
	else
		rc = identify_package(s, cache, id);
	if (rc == -ENOMEM)
		hb_error_set(e, rc, "out of memory");
	if (rc)
		source_id_free(id);
	return rc;
}

/* Unpacked trees are kept by what they came from. */
static char *pristine_path(const char *cache, const char *hash)
{
	return hb_strf("%s/sources/%.16s", cache, hash);
}

/* Is the pristine tree of @hash there? It is renamed into place when whole. */
static int have_pristine(const char *cache, const char *hash)
{
	HB_FREE char *dir = pristine_path(cache, hash);
	HB_FREE char *makefile = dir ? hb_strf("%s/tree/Makefile", dir) : NULL;

	return makefile && !access(makefile, R_OK);
}

/* Run a program of the unpacking; its output is shown only when it fails. */
static int unpack_step(char *const argv[], const char *what, struct hb_error *e)
{
	struct child c = {0};
	HB_FREE char *out = NULL;
	int rc = child_capture(&c, argv, &out);

	if (!rc)
		return 0;
	return hb_error_set(e, -EIO, "cannot unpack %s: %s exited with %d: %.300s", what, argv[0],
			    rc, out ? out : "");
}

/* Does @tree, which came from @origin, look like a kernel's that make will build elsewhere? */
static int check_tree(const char *tree, const char *origin, struct hb_error *e)
{
	/* What a build within the tree leaves and kbuild refuses. */
	static const char *const built[] = {".config", "include/config",
					    "arch/x86/include/generated"};
	HB_FREE char *makefile = hb_strf("%s/Makefile", tree);

	if (!makefile || access(makefile, R_OK))
		return hb_error_set(e, -ENODEV,
				    "%s is no kernel source: it has no Makefile at its top",
				    origin);
	for (size_t i = 0; i < ARRAY_SIZE(built); i++) {
		HB_FREE char *path = hb_strf("%s/%s", tree, built[i]);

		if (path && !access(path, F_OK))
			return hb_error_set(e, -ENODEV,
					    "%s was built in (it has %s), which kbuild refuses; "
					    "run 'make mrproper' there, or name a git tree",
					    origin, built[i]);
	}
	return 0;
}

/* Unpack @tarball, whose files are all below one directory, and keep it as pristine tree @hash. */
static int keep_tarball(const char *tarball, const char *cache, const char *hash,
			struct hb_error *e)
{
	HB_FREE char *dir = pristine_path(cache, hash);
	HB_FREE char *work = hb_strf("%s/sources/.%.16s", cache, hash);
	HB_FREE char *tree = hb_strf("%s/sources/.%.16s/tree", cache, hash);
	char *argv[] = {
		"tar", "-x", "-f", (char *)tarball, "--strip-components=1", "--no-same-owner",
		"-C",  tree, NULL};
	int rc;

	if (!dir || !work || !tree)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(work, e) ?: hb_mkdir_empty(tree, e);
	if (rc)
		return rc;
	fprintf(stderr, "hugebench: unpacking %s\n", tarball);
	rc = unpack_step(argv, tarball, e);
	if (!rc)
		rc = check_tree(tree, tarball, e);
	if (!rc)
		rc = cache_commit(work, dir, e);
	if (rc)
		hb_remove_all(work);
	return rc;
}

/* The one tarball below DIR/usr/src of an unpacked package; owned by the caller. */
static char *package_tarball(const char *dir, const char *package)
{
	char *path = hb_strf("%s/usr/src/%s.tar.xz", dir, package);

	if (path && !access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

static int keep_package(const char *deb, const char *package, const char *scratch,
			const char *cache, const char *hash, struct hb_error *e)
{
	HB_FREE char *out = hb_strf("%s/package", scratch);
	HB_FREE char *tarball = NULL;
	char *argv[] = {"dpkg-deb", "-x", (char *)deb, out, NULL};
	int rc = out ? unpack_step(argv, deb, e) : -ENOMEM;

	if (rc)
		return rc;
	tarball = package_tarball(out, package);
	if (!tarball)
		return hb_error_set(e, -ENODEV, "%s holds no /usr/src/%s.tar.xz", deb, package);
	return keep_tarball(tarball, cache, hash, e);
}

/* The .deb that apt left in @dir; apt writes ':' of a version as "%3a". */
static char *find_deb(const char *dir, const char *package, const char *version)
{
	return hb_strf("%s/%s_%s_all.deb", dir, package, version);
}

static int remember_substitute(const struct source *s, const char *cache, const char *version,
			       const char *sha256)
{
	HB_FREE char *path = substitute_path(s, cache);
	json_t *o = json_pack("{s:s, s:s}", "version", version, "sha256", sha256);
	int rc = json_write(path, o, JSON_INDENT(1));

	json_decref(o);
	return rc;
}

/* Fetch the pinned version, or else the newest; *@version is what came, owned by the caller. */
static int download(const struct source *s, const struct apt *a, const char *into, char **version,
		    struct hb_error *e)
{
	int rc = apt_download(a, s->package, s->version, into, e);

	*version = strdup(s->version);
	if (!*version)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (rc != -ENOENT)
		return rc;
	free(*version);
	*version = apt_newest(a, s->package, e);
	if (!*version)
		return -ENODEV;
	fprintf(stderr,
		"hugebench: %s is pinned to %s, which the archive does not offer any more; trying "
		"%s.\n"
		"hugebench: it is used only if the patches apply; KERNEL_SRC= takes a tarball of "
		"%s\n",
		s->package, s->version, *version, s->version);
	return apt_download(a, s->package, *version, into, e);
}

/* With the .deb on disk: check or remember what it is, unpack it. */
static int accept_package(const struct source *s, const char *version, const char *scratch,
			  const char *cache, struct hb_error *e)
{
	HB_FREE char *deb = find_deb(scratch, s->package, version);
	char hex[CACHE_KEY_LEN + 1];
	int rc = deb ? digest_of_file(deb, hex) : -ENOMEM;

	if (rc)
		return hb_error_set(e, -ENODEV, "cannot read what apt fetched, %s: %s", deb,
				    strerror(-rc));
	if (!strcmp(version, s->version)) {
		if (strcmp(hex, s->sha256))
			return hb_error_set(e, -ENODEV, "%s has SHA-256 %s, %s is pinned", deb, hex,
					    s->sha256);
	} else {
		rc = remember_substitute(s, cache, version, hex);
		if (rc)
			return hb_error_set(e, rc, "cannot write below %s: %s", cache,
					    strerror(-rc));
	}
	/* Another pinned version may have ended with this one before, and somebody reads it. */
	return have_pristine(cache, hex) ? 0
					 : keep_package(deb, s->package, scratch, cache, hex, e);
}

static int fetch_package(const struct source *s, const char *cache, struct hb_error *e)
{
	HB_FREE char *scratch = hb_strf("%s/sources/fetch-%s", cache, s->package);
	HB_FREE char *uri = NULL;
	HB_FREE char *version = NULL;
	struct apt a;
	int rc;

	if (!scratch)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(scratch, e);
	if (rc)
		return rc;
	fprintf(stderr, "hugebench: fetching %s %s (122 MB)\n", s->package, s->version);
	rc = apt_security_uri("/etc/apt", &uri, e);
	if (!rc)
		rc = apt_begin(&a, scratch, uri, s->suite, e);
	if (rc)
		return rc;
	rc = download(s, &a, scratch, &version, e);
	apt_end(&a);
	if (!rc)
		rc = accept_package(s, version, scratch, cache, e);
	hb_remove_all(scratch);
	return rc;
}

/*
 * Lock the fetching and unpacking of @id. Of a package only one at a time whatever version is
 * pinned: each may end with the newest.
 */
static int lock_source(const struct source *s, const struct source_id *id, const char *cache,
		       int *lock, struct hb_error *e)
{
	HB_FREE char *name =
		s->package ? hb_strf("sources-%s", s->package) : hb_strf("sources-%.16s", id->hash);

	return name ? cache_lock(cache, name, lock, e) : hb_error_set(e, -ENOMEM, "out of memory");
}

/* With the source locked: whoever had the lock before may have fetched it. */
static int fetch_locked(const struct source *s, const char *cache, struct hb_error *e)
{
	struct source_id id;
	int rc = source_identify(s, cache, &id, e);

	if (rc)
		return rc;
	if (!have_pristine(cache, id.hash)) {
		rc = cache_space(cache, SOURCE_BYTES, "the kernel source", e);
		if (!rc)
			rc = s->tarball ? keep_tarball(s->tarball, cache, id.hash, e)
					: fetch_package(s, cache, e);
	}
	source_id_free(&id);
	return rc;
}

int source_fetch(const struct source *s, const char *cache, struct hb_error *e)
{
	HB_CLOSE int lock = -1;
	struct source_id id;
	int rc;

	if (s->tree)
		return 0;
	rc = source_identify(s, cache, &id, e);
	if (rc)
		return rc;
	if (!have_pristine(cache, id.hash)) {
		rc = lock_source(s, &id, cache, &lock, e);
		if (!rc)
			rc = fetch_locked(s, cache, e);
	}
	source_id_free(&id);
	return rc;
}

/* Where the files of @id are; *@t is for source_close() in every case. */
static int open_files(const struct source *s, const char *cache, const struct source_id *id,
		      struct source_tree *t, struct hb_error *e)
{
	int rc;

	if (s->tree && git_is_tree(s->tree)) {
		rc = git_checkout(cache, s->tree, id->hash, &t->checkout, e);
		if (rc)
			return rc;
		t->dir = hb_strf("%s/tree", t->checkout.dir);
	} else if (s->tree) {
		t->dir = strdup(s->tree);
	} else {
		HB_FREE char *kept = pristine_path(cache, id->hash);

		t->dir = kept ? hb_strf("%s/tree", kept) : NULL;
	}
	/* No links to a tree of the user's, where something may write. */
	t->links = !s->tree || t->checkout.dir;
	return t->dir ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

int source_open(const struct source *s, const char *cache, const struct source_id *id,
		struct source_tree *t, struct hb_error *e)
{
	int rc;

	*t = (struct source_tree){.checkout = {.lock = -1}};
	rc = open_files(s, cache, id, t, e);
	if (!rc)
		rc = check_tree(t->dir, s->tree ? s->tree : id->label, e);
	if (rc)
		source_close(t);
	return rc;
}

void source_close(struct source_tree *t)
{
	workspace_close(&t->checkout, true);
	free(t->dir);
	*t = (struct source_tree){.checkout = {.lock = -1}};
}

int source_check(const struct source *s, const char *cache, const struct source_id *id,
		 struct hb_error *e)
{
	struct source_id now;
	int rc;

	if (!s->tree || git_is_tree(s->tree))
		return 0;
	rc = source_identify(s, cache, &now, e);
	if (rc)
		return rc;
	if (strcmp(now.hash, id->hash))
		rc = hb_error_set(e, -EBUSY, "%s was changed while it was read", s->tree);
	source_id_free(&now);
	return rc;
}

int source_unpack(const struct source *s, const char *cache, const struct source_id *id,
		  const char *into, struct hb_error *e)
{
	struct sync sync = {.to = into};
	struct source_tree t;
	int rc = source_open(s, cache, id, &t, e);

	if (rc)
		return rc;
	sync.from = t.dir;
	sync.links = t.links;
	rc = sync_tree(&sync, NULL, e);
	source_close(&t);
	return rc ? rc : source_check(s, cache, id, e);
}
