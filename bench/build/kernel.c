// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/kconfig.h"
#include "bench/build/cache.h"
#include "bench/build/kbuild.h"
#include "bench/build/kernel.h"
#include "bench/build/modules.h"
#include "bench/build/package.h"
#include "bench/host/paths.h"
#include "bench/build/pause.h"
#include "bench/build/ready.h"
#include "bench/build/variant.h"

/* What resolving needs to know about the place. */
struct site {
	char *root;		    /* of the clone */
	char *cache;		    /* cache directory */
	struct toolchain toolchain; /* empty until it is needed */
};

static int place_init(struct site *p, struct hb_error *e)
{
	*p = (struct site){.root = paths_root(e)};
	if (!p->root)
		return -ENOENT;
	p->cache = paths_cache(e);
	return p->cache ? 0 : -ENOENT;
}

static void place_free(struct site *p)
{
	free(p->root);
	free(p->cache);
	toolchain_free(&p->toolchain);
}

static void digest_files(struct digest *d, const char *root, const char *label, const json_t *list)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		HB_FREE char *path = variant_input(root, json_string_value(one));

		if (path)
			digest_file(d, label, path);
	}
}

/* The cache key of @v: everything that decides what the kernel will be, names and places aside. */
static int variant_key(struct site *p, const struct variant *v, const struct source_id *id,
		       char key[CACHE_KEY_LEN + 1], struct hb_error *e)
{
	struct digest *d;
	int rc;

	rc = p->toolchain.text ? 0 : toolchain_find(&p->toolchain, e);
	if (rc)
		return rc;
	d = digest_begin();
	if (!d)
		return hb_error_set(e, -ENOMEM, "out of memory");
	digest_text(d, "steps", KBUILD_STEPS);
	digest_text(d, "toolchain", p->toolchain.text);
	digest_text(d, "source", id->hash);
	digest_text(d, "strict", v->strict ? "yes" : "no");
	digest_files(d, p->root, "patch", v->patches);
	digest_files(d, p->root, "fragment", v->fragments);
	if (v->config)
		digest_file(d, "config", v->config);
	rc = digest_end(d, key);
	return rc ? hb_error_set(e, rc, "kernel %s: cannot read its patches or fragments: %s",
				 v->name, strerror(-rc))
		  : 0;
}

/* Entry directory of a key. */
static char *entry_path(const struct site *p, const char *key)
{
	return hb_strf("%s/kernels/%s", p->cache, key);
}

static int kernel_complete(struct kernel *k, struct hb_error *e)
{
	bool whole = k->name && k->description && k->version && k->build_id && k->source &&
		     k->bzimage && k->config && k->series;
	int rc = whole ? kconfig_read(k->config, &k->settings, e)
		       : hb_error_set(e, -ENOMEM, "out of memory");

	if (rc)
		kernel_free(k);
	return rc;
}

/* Fill @k from a cache entry. */
static int kernel_fill(struct kernel *k, const struct variant *v, const char *label,
		       const char *dir, const json_t *manifest, struct hb_error *e)
{
	const char *version = json_string_value(json_object_get(manifest, "version"));
	const char *build_id = json_string_value(json_object_get(manifest, "build_id"));
	const char *compiler = json_string_value(json_object_get(manifest, "toolchain"));

	if (!version || !build_id)
		return hb_error_set(e, -EBADMSG, "%s/manifest.json has no version or build_id",
				    dir);
	*k = (struct kernel){
		.name = strdup(v->name),
		.description = strdup(v->description),
		.note = v->note ? strdup(v->note) : NULL,
		.version = strdup(version),
		.build_id = strdup(build_id),
		.source = strdup(label),
		.compiler = compiler ? strdup(compiler) : NULL,
		.bzimage = hb_strf("%s/bzImage", dir),
		.config = hb_strf("%s/config", dir),
		.series = json_incref(v->patches),
	};
	return kernel_complete(k, e);
}

/* A kernel that is not built here. */
static int kernel_ready(struct kernel *k, const struct variant *v, const char *cache,
			struct hb_error *e)
{
	struct ready r;
	int rc = ready_find(v, cache, &r, e);

	if (rc)
		return rc;
	*k = (struct kernel){
		.name = strdup(v->name),
		.description = strdup(v->description),
		.note = v->note ? strdup(v->note) : NULL,
		.version = HB_STEAL(r.version),
		.build_id = HB_STEAL(r.build_id),
		.source = HB_STEAL(r.label),
		.bzimage = HB_STEAL(r.bzimage),
		.config = HB_STEAL(r.config),
		.modules = HB_STEAL(r.modules),
		.loaded = HB_STEAL(r.loaded),
		.series = json_array(),
	};
	ready_free(&r);
	return kernel_complete(k, e);
}

/* Look the entry up; -ENOENT also for a damaged one, which is said. */
static int kernel_lookup(struct kernel *k, const struct variant *v, const char *label,
			 const char *dir, struct hb_error *e)
{
	struct hb_error damage = {.text = ""};
	json_t *manifest = NULL;
	int rc = cache_open(dir, &manifest, &damage);

	if (rc == -EBADMSG)
		fprintf(stderr, "hugebench: kernel %s is built again: %s\n", v->name, damage.text);
	if (rc)
		return rc == -EBADMSG ? -ENOENT : rc;
	rc = kernel_fill(k, v, label, dir, manifest, e);
	json_decref(manifest);
	return rc;
}

/* The manifest: what went in and what came out. */
static int seal(const struct site *p, const struct variant *v, const struct source_id *id,
		const char *key, const char *out, json_t *facts, struct hb_error *e)
{
	static const char *const names[] = {"bzImage", "config", "System.map", NULL};
	json_t *input =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O}", "key", key, "variant", v->name,
			  "source", id->label, "source_hash", id->hash, "toolchain",
			  p->toolchain.text, "series", v->patches, "fragments", v->fragments);
	int rc;

	if (!input || json_object_update(facts, input)) {
		json_decref(input);
		return hb_error_set(e, -ENOMEM, "out of memory");
	}
	json_decref(input);
	rc = cache_seal(out, facts, names, 1, e);
	return rc;
}

/* Build the entry, with its lock held. */
static int kernel_build(const struct site *p, const struct variant *v, const struct source_id *id,
			const char *key, const char *dir, struct hb_error *e)
{
	HB_FREE char *work = hb_strf("%s/work/%.16s", p->cache, key);
	HB_FREE char *out = hb_strf("%s/work/%.16s/out", p->cache, key);
	const char *keep = getenv("KEEP");
	struct kbuild b = {.root = p->root,
			   .cache = p->cache,
			   .v = v,
			   .work = work,
			   .id = id,
			   .toolchain = &p->toolchain,
			   .keep = keep && *keep};
	json_t *facts = NULL;
	int rc;

	if (!work || !out)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = kbuild_run(&b, &facts, e);
	if (!rc)
		rc = seal(p, v, id, key, out, facts, e);
	if (!rc)
		rc = cache_commit(out, dir, e);
	if (!rc)
		fprintf(stderr, "kernel %s: built in %.0f s\n", v->name,
			json_real_value(json_object_get(facts, "seconds")));
	json_decref(facts);
	if (b.keep)
		fprintf(stderr, "kernel %s: sources and objects are kept in %s\n", v->name, work);
	else
		hb_remove_all(work);
	return rc;
}

/* Key, look up, and under the lock look up again or build. */
static int kernel_from_source(struct site *p, const struct variant *v, struct kernel *k,
			      struct hb_error *e)
{
	HB_FREE char *dir = NULL;
	HB_CLOSE int lock = -1;
	char key[CACHE_KEY_LEN + 1];
	struct source_id id;
	int rc = source_identify(&v->source, p->cache, &id, e);

	if (rc)
		return rc;
	rc = variant_key(p, v, &id, key, e);
	dir = rc ? NULL : entry_path(p, key);
	if (!rc)
		rc = dir ? kernel_lookup(k, v, id.label, dir, e) : -ENOMEM;
	if (rc != -ENOENT)
		goto out;
	rc = kbuild_check_place(p->cache, e);
	if (!rc)
		rc = source_fetch(&v->source, p->cache, e);
	if (rc)
		goto out;
	/* The fetch of a package may have settled for another version. */
	if (v->source.package) {
		source_id_free(&id);
		rc = source_identify(&v->source, p->cache, &id, e);
		if (!rc)
			rc = variant_key(p, v, &id, key, e);
		if (rc)
			goto out;
	}
	free(dir);
	dir = entry_path(p, key);
	rc = dir ? cache_lock(p->cache, key, &lock, e) : -ENOMEM;
	if (!rc)
		rc = kernel_lookup(k, v, id.label, dir, e);
	if (rc != -ENOENT)
		goto out;
	rc = kernel_build(p, v, &id, key, dir, e);
	if (!rc)
		rc = kernel_lookup(k, v, id.label, dir, e);
out:
	source_id_free(&id);
	return rc;
}

static int resolve_at(struct site *p, const char *name, struct kernel *k, struct hb_error *e)
{
	struct variant v;
	int rc = variant_load(p->root, name, &v, e);

	*k = (struct kernel){0};
	if (rc)
		return rc;
	rc = v.bzimage || v.package ? kernel_ready(k, &v, p->cache, e)
				    : kernel_from_source(p, &v, k, e);
	variant_free(&v);
	return rc;
}

int kernel_resolve_in(const char *root, const char *cache, const char *name, struct kernel *k,
		      struct hb_error *e)
{
	struct site p = {.root = strdup(root), .cache = strdup(cache)};
	int rc = p.root && p.cache ? resolve_at(&p, name, k, e)
				   : hb_error_set(e, -ENOMEM, "out of memory");

	place_free(&p);
	return rc;
}

int kernel_resolve(const char *name, struct kernel *k, struct hb_error *e)
{
	struct site p;
	int rc = place_init(&p, e);

	if (!rc)
		rc = resolve_at(&p, name, k, e);
	place_free(&p);
	return rc;
}

int kernel_exact(struct kernel *k, struct hb_error *e)
{
	HB_FREE char *cache = paths_cache(e);
	int rc = cache ? pause_remove(k->bzimage, cache, &k->bzimage_exact, e) : -ENOENT;

	return rc ? hb_error_prefix(e, rc, "kernel %s for mode exact", k->name) : 0;
}

static int broken_fill(const struct variant *v, const char *why, struct kernel *k,
		       struct hb_error *e)
{
	*k = (struct kernel){
		.name = strdup(v->name),
		.description = strdup(v->description),
		.version = strdup(""),
		.build_id = strdup(""),
		.source = strdup(""),
		.broken = strdup(why),
		.series = json_incref(v->patches),
	};
	if (k->name && k->description && k->version && k->build_id && k->source && k->broken)
		return 0;
	kernel_free(k);
	return hb_error_set(e, -ENOMEM, "out of memory");
}

int kernel_broken(const char *name, const char *why, struct kernel *k, struct hb_error *e)
{
	struct variant v;
	struct site p;
	int rc = place_init(&p, e);

	if (!rc)
		rc = variant_load(p.root, name, &v, e);
	if (!rc) {
		rc = broken_fill(&v, why, k, e);
		variant_free(&v);
	}
	place_free(&p);
	return rc;
}

int kernel_steps(const char *range, json_t *names, struct hb_error *e)
{
	const char *dots = strstr(range, "..");
	HB_FREE char *from = strndup(range, dots - range);
	struct site p;
	int rc = place_init(&p, e);

	if (!rc && !from)
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	if (!rc)
		rc = variant_steps(p.root, from, dots + 2, names, e);
	place_free(&p);
	return rc;
}

int kernel_check(const char *name, struct hb_error *e)
{
	struct variant v;
	struct site p;
	int rc = place_init(&p, e);

	if (!rc)
		rc = variant_load(p.root, name, &v, e);
	if (!rc)
		variant_free(&v);
	place_free(&p);
	return rc;
}

bool kernel_has(const struct kernel *k, const char *symbol)
{
	return kconfig_has(k->settings, symbol, k->loaded);
}

int kernel_check_guest(const struct kernel *k, struct hb_error *e)
{
	return modules_check(k->name, k->settings, k->loaded, e);
}

void kernel_free(struct kernel *k)
{
	free(k->name);
	free(k->description);
	free(k->note);
	free(k->version);
	free(k->build_id);
	free(k->source);
	free(k->compiler);
	free(k->bzimage);
	free(k->bzimage_exact);
	free(k->config);
	json_decref(k->settings);
	free(k->modules);
	json_decref(k->loaded);
	free(k->broken);
	json_decref(k->series);
	*k = (struct kernel){0};
}

/* Is the variant's kernel there? Only the manifest is looked for, which is enough for a list. */
static int is_cached(struct site *p, const struct variant *v)
{
	char key[CACHE_KEY_LEN + 1];
	struct source_id id;
	HB_FREE char *dir = NULL;
	HB_FREE char *manifest = NULL;

	if (v->bzimage)
		return !access(v->bzimage, R_OK);
	if (v->package)
		return package_is_there(p->cache, v->package, v->suite);
	if (source_identify(&v->source, p->cache, &id, NULL))
		return 0;
	if (!variant_key(p, v, &id, key, NULL))
		dir = entry_path(p, key);
	source_id_free(&id);
	manifest = dir ? hb_strf("%s/manifest.json", dir) : NULL;
	return manifest && !access(manifest, R_OK);
}

static json_t *describe_variant(struct site *p, const char *name)
{
	struct hb_error e = {.text = ""};
	struct variant v;
	json_t *o;

	if (variant_load(p->root, name, &v, &e))
		return json_pack("{s:s, s:s, s:[], s:b, s:b}", "name", name, "description", e.text,
				 "series", "cached", 0, "timed", 0);
	o = json_pack("{s:s, s:s, s:O, s:b, s:b, s:s*}", "name", name, "description", v.description,
		      "series", v.patches, "cached", is_cached(p, &v), "timed", v.timed, "note",
		      v.note);
	variant_free(&v);
	return o;
}

json_t *kernel_list(void)
{
	json_t *list = json_array(), *names = NULL, *name;
	struct site p;
	size_t i;

	if (!place_init(&p, NULL))
		names = variant_names(p.root);
	json_array_foreach (names, i, name)
		json_array_append_new(list, describe_variant(&p, json_string_value(name)));
	json_decref(names);
	place_free(&p);
	return list;
}
