// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/build/bzimage.h"
#include "bench/build/cache.h"
#include "bench/build/modules.h"
#include "bench/build/package.h"
#include "bench/build/ready.h"

#define ROOM	"/lib/modules/"
#define ARCHIVE "modules.cpio"

/* Where the modules are: BASE/lib/modules/RELEASE. */
struct home {
	char *base, *release;
};

static void home_free(struct home *h)
{
	free(h->base);
	free(h->release);
}

/* "/x/lib/modules/6.1.0" -> "/x", "6.1.0" */
static int home_of(const char *dir, struct home *h, struct hb_error *e)
{
	const char *room = strstr(dir, ROOM);

	if (!room || strchr(room + strlen(ROOM), '/'))
		return hb_error_set(e, -EINVAL, "modules = %s: wanted is .../lib/modules/RELEASE",
				    dir);
	h->base = room == dir ? strdup("/") : strndup(dir, room - dir);
	h->release = strdup(room + strlen(ROOM));
	return h->base && h->release ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* Key of an archive: the image, and the list of its modules as it is now. */
static int archive_key(const struct ready *r, const struct home *h, char key[CACHE_KEY_LEN + 1])
{
	static const char *const lists[] = {"modules.order", "modules.dep"};
	struct digest *d = digest_begin();

	digest_file(d, "image", r->bzimage);
	digest_text(d, "base", h->base);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		HB_FREE char *path = hb_strf("%s" ROOM "%s/%s", h->base, h->release, lists[i]);
		HB_FREE char *text = NULL;
		struct stat st;

		if (path && !stat(path, &st))
			text = hb_strf("%" PRIu64 " %lld.%09ld", (uint64_t)st.st_size,
				       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		digest_text(d, lists[i], text ? text : "");
	}
	return digest_end(d, key);
}

static int pack(const struct home *h, const char *cache, const char *dir, struct hb_error *e)
{
	static const char *const names[] = {ARCHIVE, NULL};
	HB_FREE char *work = hb_strf("%s/work/modules-%d", cache, getpid());
	HB_FREE char *archive = hb_strf("%s/work/modules-%d/" ARCHIVE, cache, getpid());
	json_t *manifest = NULL, *loaded = NULL;
	int rc = work && archive ? hb_mkdir_all(work) : -ENOMEM;

	if (rc)
		return hb_error_set(e, rc, "cannot make %s: %s", work, strerror(-rc));
	rc = modules_pack(h->base, h->release, archive, &loaded, e);
	if (!rc) {
		manifest = json_pack("{s:o}", "loaded", loaded);
		rc = manifest ? cache_seal(work, manifest, names, 1, e) : -ENOMEM;
	}
	if (!rc)
		rc = cache_commit(work, dir, e);
	json_decref(manifest);
	hb_remove_all(work);
	return rc;
}

/* r->modules and r->loaded from the cache, made when they are not there. */
static int take_modules(struct ready *r, const struct home *h, const char *cache,
			struct hb_error *e)
{
	char key[CACHE_KEY_LEN + 1];
	HB_FREE char *dir = NULL;
	HB_CLOSE int lock = -1;
	json_t *manifest = NULL;
	int rc = archive_key(r, h, key);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", r->bzimage, strerror(-rc));
	dir = hb_strf("%s/modules/%s", cache, key);
	rc = dir ? cache_lock(cache, key, &lock, e) : -ENOMEM;
	if (!rc && cache_open(dir, &manifest, NULL)) {
		rc = pack(h, cache, dir, e);
		if (!rc)
			rc = cache_open(dir, &manifest, e);
	}
	if (rc)
		return rc;
	r->modules = hb_strf("%s/" ARCHIVE, dir);
	r->loaded = json_incref(json_object_get(manifest, "loaded"));
	json_decref(manifest);
	return r->modules && r->loaded ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

static int find_package(const struct variant *v, const char *cache, struct ready *r, struct home *h,
			struct hb_error *e)
{
	struct package p;
	int rc = package_resolve(cache, v->package, v->suite, &p, e);

	if (rc)
		return rc;
	r->bzimage = hb_strf("%s/boot/vmlinuz-%s", p.dir, p.release);
	r->config = hb_strf("%s/boot/config-%s", p.dir, p.release);
	r->label = HB_STEAL(p.label);
	h->base = HB_STEAL(p.dir);
	h->release = HB_STEAL(p.release);
	package_free(&p);
	return r->bzimage && r->config ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* The modules of an image that is installed on this system, when @v names none. */
static int find_installed(const struct variant *v, const struct ready *r, struct home *h,
			  struct hb_error *e)
{
	HB_FREE char *dir = v->modules ? strdup(v->modules) : hb_strf(ROOM "%s", r->version);

	if (!dir)
		return hb_error_set(e, -ENOMEM, "out of memory");
	return v->modules || !access(dir, R_OK) ? home_of(dir, h, e) : 0;
}

static int find(const struct variant *v, const char *cache, struct ready *r, struct home *h,
		struct hb_error *e)
{
	int rc = 0;

	if (v->package) {
		rc = find_package(v, cache, r, h, e);
	} else {
		r->bzimage = strdup(v->bzimage);
		r->config = strdup(v->config);
		r->label = strdup(v->bzimage);
		if (!r->bzimage || !r->config || !r->label)
			rc = hb_error_set(e, -ENOMEM, "out of memory");
	}
	if (!rc && access(r->config, R_OK))
		rc = hb_error_set(e, -ENODEV, "cannot read %s: %s", r->config, strerror(errno));
	if (!rc)
		rc = bzimage_identify(r->bzimage, &r->version, &r->build_id, e);
	if (!rc && !h->base)
		rc = find_installed(v, r, h, e);
	return rc || !h->base ? rc : take_modules(r, h, cache, e);
}

int ready_find(const struct variant *v, const char *cache, struct ready *r, struct hb_error *e)
{
	struct home h = {NULL, NULL};
	int rc;

	*r = (struct ready){0};
	rc = find(v, cache, r, &h, e);
	home_free(&h);
	if (rc)
		ready_free(r);
	return rc ? hb_error_prefix(e, rc, "kernel %s", v->name) : 0;
}

void ready_free(struct ready *r)
{
	free(r->bzimage);
	free(r->config);
	free(r->label);
	free(r->version);
	free(r->build_id);
	free(r->modules);
	json_decref(r->loaded);
	*r = (struct ready){0};
}
