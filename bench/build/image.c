// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/build/cache.h"
#include "bench/build/image.h"
#include "bench/host/paths.h"
#include "bench/build/rootfs.h"

/* Part of the keys: raise it when the same input gives another image. */
#define IMAGE_STEPS "2"
/* How many images of each kind stay, those in use aside. */
#define KEPT 4

/* What an image is made of; without PostgreSQL db and pg are empty. */
struct ingredients {
	char *cache;
	struct agent_files agent;
	struct hostpg pg;
	struct database db;
	unsigned int scale;
	bool disk; /* else an initramfs */
	char key[CACHE_KEY_LEN + 1];
};

static void ingredients_free(struct ingredients *in)
{
	free(in->cache);
	agent_files_free(&in->agent);
	hostpg_free(&in->pg);
	database_free(&in->db);
}

static int image_key(struct ingredients *in)
{
	struct digest *d = digest_begin();

	if (d) {
		digest_text(d, "steps", IMAGE_STEPS);
		digest_text(d, "agent", in->agent.hash);
		digest_text(d, "postgres", in->pg.hash);
		digest_text(d, "database", in->db.key ? in->db.key : "");
		if (in->scale && !in->disk)
			digest_text(d, "kind", "initramfs");
	}
	return digest_end(d, in->key);
}

static int ingredients_find(struct ingredients *in, const struct image_wants *w, bool disk,
			    struct hb_error *e)
{
	int rc;

	*in = (struct ingredients){.cache = paths_cache(e), .scale = w->scale, .disk = disk};
	if (!in->cache)
		return -ENOENT;
	rc = agent_files_find(&in->agent, w->selftests, e);
	if (!rc && w->scale)
		rc = hostpg_find(in->cache, w->version, &in->pg, e);
	if (!rc && w->scale)
		rc = database_resolve(in->cache, &in->pg, w->scale, &in->db, e);
	if (!rc && (rc = image_key(in)))
		hb_error_set(e, rc, "cannot make the key of the image: %s", strerror(-rc));
	return rc;
}

/* The entry's name in the cache directory and what is in it. */
static const char *entry_file(const struct ingredients *in)
{
	return in->disk ? "root.ext4" : "initramfs.cpio";
}

static int entry_make(const struct ingredients *in, const char *dir, struct hb_error *e)
{
	const char *const names[] = {entry_file(in), NULL};
	HB_FREE char *work = hb_strf("%s/work/image", in->cache);
	HB_FREE char *stage = hb_strf("%s/work/stage", in->cache);
	HB_FREE char *path = hb_strf("%s/work/image/%s", in->cache, names[0]);
	uint64_t started = hb_now_ns();
	json_t *manifest;
	int rc;

	if (!work || !stage || !path)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(work, e);
	if (rc)
		return rc;
	rc = in->disk ? rootfs_write(&in->agent, &in->pg, &in->db, stage, path, e)
		      : initramfs_write(&in->agent, &in->pg, in->scale ? &in->db : NULL, path, e);
	if (!rc) {
		manifest = json_pack("{s:s, s:i, s:s}", "key", in->key, "scale", in->scale,
				     "postgres", in->pg.identity ? in->pg.identity : "");
		rc = cache_seal(work, manifest, names, 0, e);
		json_decref(manifest);
	}
	if (!rc)
		rc = cache_commit(work, dir, e);
	if (rc)
		hb_remove_all(work);
	else
		fprintf(stderr, "hugebench: %s made in %.1f s\n", names[0],
			(hb_now_ns() - started) / 1e9);
	return rc;
}

/* Find or make the entry of @in; *@file is the path of what is in it. */
static int entry_resolve(const struct ingredients *in, char **file, int *held, struct hb_error *e)
{
	HB_FREE char *parent = hb_strf("%s/images", in->cache);
	HB_FREE char *dir = hb_strf("%s/images/%s", in->cache, in->key);
	HB_CLOSE int lock = -1;
	int rc;

	if (!parent || !dir)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = cache_lookup(dir, "image");
	if (rc == -ENOENT) {
		rc = hb_mkdir_all(parent);
		if (rc)
			return hb_error_set(
				e, rc, "cannot make %s: %s; XDG_CACHE_HOME may name another place",
				parent, strerror(-rc));
		rc = cache_lock(in->cache, "image", &lock, e);
		if (!rc)
			rc = cache_lookup(dir, "image");
		if (rc == -ENOENT)
			rc = entry_make(in, dir, e);
	}
	if (!rc)
		rc = cache_hold(dir, held, e);
	if (rc)
		return rc;
	cache_prune(parent, entry_file(in), KEPT);
	*file = hb_strf("%s/%s", dir, entry_file(in));
	return *file ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* A disk or an initramfs, with a database or with the agent alone. */
static int resolve_one(const struct image_wants *w, bool disk, char **file, int *held,
		       struct image *img, struct hb_error *e)
{
	struct ingredients in;
	int rc = ingredients_find(&in, w, disk, e);

	if (!rc)
		rc = entry_resolve(&in, file, held, e);
	if (!rc) {
		free(img->id);
		img->id = strdup(in.key);
		img->postgres = w->scale ? strdup(in.pg.version) : NULL;
		if (!img->id || (w->scale && !img->postgres))
			rc = hb_error_set(e, -ENOMEM, "out of memory");
	}
	ingredients_free(&in);
	return rc;
}

int image_resolve(const struct image_wants *w, struct image *img, struct hb_error *e)
{
	const struct image_wants alone = {.selftests = w->selftests};
	int rc;

	*img = (struct image){.held = {-1, -1}};
	rc = resolve_one(w->memory ? w : &alone, false, &img->initramfs, &img->held[0], img, e);
	if (!rc && w->scale && !w->memory)
		rc = resolve_one(w, true, &img->root, &img->held[1], img, e);
	if (rc)
		image_free(img);
	return rc;
}

void image_free(struct image *img)
{
	free(img->id);
	free(img->root);
	free(img->initramfs);
	free(img->postgres);
	for (size_t i = 0; i < ARRAY_SIZE(img->held); i++)
		if (img->held[i] > STDERR_FILENO)
			close(img->held[i]);
	*img = (struct image){0};
}
