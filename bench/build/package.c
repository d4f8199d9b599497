// SPDX-License-Identifier: GPL-2.0-or-later
#include <fnmatch.h>
#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/build/apt.h"
#include "bench/build/cache.h"
#include "bench/build/package.h"
#include "bench/host/child.h"

/* An unpacked cloud image, and the .deb beside it. */
#define PACKAGE_BYTES (600ULL << 20)

/* Directory of what was chosen for @pattern of @suite. */
static char *package_dir(const char *cache, const char *pattern, const char *suite)
{
	char hex[CACHE_KEY_LEN + 1];
	struct digest *d = digest_begin();

	digest_text(d, "pattern", pattern);
	digest_text(d, "suite", suite);
	return digest_end(d, hex) ? NULL : hb_strf("%s/packages/%.16s", cache, hex);
}

/* The one file that DIR/@pattern matches. */
static char *only_match(const char *dir, const char *pattern)
{
	HB_FREE char *full = hb_strf("%s/%s", dir, pattern);
	char *path = NULL;
	glob_t g = {0};

	if (full && !glob(full, 0, NULL, &g) && g.gl_pathc == 1)
		path = strdup(g.gl_pathv[0]);
	globfree(&g);
	return path;
}

/* Fill @p from the unpacked package in p->dir. -ENOENT: there is none. */
static int read_package(struct package *p, struct hb_error *e)
{
	HB_FREE char *about = hb_strf("%s/package.json", p->dir), *image = NULL;
	json_t *o = about ? json_load_file(about, 0, NULL) : NULL;
	const char *label = json_string_value(json_object_get(o, "label"));

	if (label)
		image = only_match(p->dir, "boot/vmlinuz-*");
	if (image) {
		p->release = strdup(strrchr(image, '/') + 1 + strlen("vmlinuz-"));
		p->label = strdup(label);
	}
	json_decref(o);
	if (p->label && p->release)
		return 0;
	return image ? hb_error_set(e, -ENOMEM, "out of memory") : -ENOENT;
}

/* The newest name that matches; the ones with debug symbols or without a signature are others. */
static int choose(const struct apt *a, const char *pattern, char **name, struct hb_error *e)
{
	HB_FREE char *names = apt_names(a, pattern);
	char *save = NULL;

	*name = NULL;
	for (char *one = names ? strtok_r(names, "\n", &save) : NULL; one;
	     one = strtok_r(NULL, "\n", &save))
		if (!fnmatch(pattern, one, 0) && !strstr(one, "-dbg") &&
		    !strstr(one, "-unsigned") && (!*name || strverscmp(one, *name) > 0)) {
			free(*name);
			*name = strdup(one);
		}
	return *name ? 0
		     : hb_error_set(e, -ENODEV, "the archive has no package that matches %s",
				    pattern);
}

static int unpack(const char *work, const char *name, const char *version, struct hb_error *e)
{
	HB_FREE char *deb = only_match(work, "*.deb"), *about = hb_strf("%s/package.json", work);
	HB_FREE char *lib = hb_strf("%s/lib", work);
	json_t *label;
	char *argv[] = {"dpkg-deb", "-x", deb, (char *)work, NULL};
	const struct child c = {.env = NULL};
	int rc;

	if (!deb || !about || !lib)
		return hb_error_set(e, -ENODEV, "apt left no package in %s", work);
	rc = child_run(&c, argv, NULL, NULL);
	/* Debian 13 and later have their modules below usr/. */
	if (!rc && access(lib, F_OK) && symlink("usr/lib", lib))
		rc = -errno;
	if (!rc)
		rc = unlink(deb) ? -errno : 0;
	if (!rc) {
		label = json_pack("{s:o}", "label", json_sprintf("%s %s", name, version));
		rc = json_write(about, label, JSON_COMPACT);
		json_decref(label);
	}
	return rc ? hb_error_set(e, -EIO, "cannot unpack %s", deb) : 0;
}

static int fetch(const struct apt *a, const char *pattern, const char *work, struct hb_error *e)
{
	HB_FREE char *name = NULL, *version = NULL;
	int rc = choose(a, pattern, &name, e);

	if (rc)
		return rc;
	version = apt_newest(a, name, e);
	if (!version)
		return -ENODEV;
	fprintf(stderr, "hugebench: fetching %s %s\n", name, version);
	rc = apt_download(a, name, version, work, e);
	return rc ? rc : unpack(work, name, version, e);
}

static int make_package(const char *cache, const char *pattern, const char *suite, const char *dir,
			struct hb_error *e)
{
	HB_FREE char *work = hb_strf("%s.new", dir), *private = hb_strf("%s.apt", dir), *uri = NULL;
	struct apt a;
	int rc = cache_space(cache, PACKAGE_BYTES, "a kernel package", e);

	if (rc || !work || !private)
		return rc ? rc : hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(work, e) ?: hb_mkdir_empty(private, e);
	if (rc)
		return rc;
	rc = apt_security_uri("/etc/apt", &uri, e);
	if (!rc)
		rc = apt_begin(&a, private, uri, suite, e);
	if (!rc) {
		rc = fetch(&a, pattern, work, e);
		apt_end(&a);
	}
	if (!rc)
		rc = cache_commit(work, dir, e);
	hb_remove_all(private);
	hb_remove_all(work);
	return rc;
}

int package_resolve(const char *cache, const char *pattern, const char *suite, struct package *p,
		    struct hb_error *e)
{
	HB_FREE char *name = NULL;
	HB_CLOSE int lock = -1;
	int rc;

	*p = (struct package){.dir = package_dir(cache, pattern, suite)};
	if (p->dir)
		name = hb_strf("packages-%s", strrchr(p->dir, '/') + 1);
	if (!name)
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	else
		rc = cache_lock(cache, name, &lock, e);
	if (!rc)
		rc = read_package(p, e);
	if (rc == -ENOENT) {
		rc = make_package(cache, pattern, suite, p->dir, e);
		if (!rc)
			rc = read_package(p, e);
	}
	if (rc)
		package_free(p);
	return rc;
}

bool package_is_there(const char *cache, const char *pattern, const char *suite)
{
	HB_FREE char *dir = package_dir(cache, pattern, suite);

	return dir && !access(dir, F_OK);
}

void package_free(struct package *p)
{
	free(p->dir);
	free(p->release);
	free(p->label);
	*p = (struct package){0};
}
