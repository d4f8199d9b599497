// SPDX-License-Identifier: GPL-2.0-or-later
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/plain.h"
#include "bench/base/units.h"
#include "bench/build/keyfile.h"
#include "bench/host/kernel_place.h"
#include "bench/build/variant.h"

/* Where descriptions are: below kernels/, then $HUGEBENCH_KERNELS; the first one found wins. */
static const char *const rooms[] = {"variants", "local"};
#define ROOMS (ARRAY_SIZE(rooms) + 1)

/* Directory number @i of the descriptions into *@path, without links; NULL: the user gave none. */
static int room_path(const char *root, size_t i, char **path, struct hb_error *e)
{
	const char *given = getenv("HUGEBENCH_KERNELS");

	*path = NULL;
	if (i == ARRAY_SIZE(rooms)) {
		if (!given || !*given)
			return 0;
		*path = realpath(given, NULL);
		return *path ? 0
			     : hb_error_set(e, -errno, "HUGEBENCH_KERNELS = %s: %s", given,
					    strerror(errno));
	}
	*path = hb_strf("%s/kernels/%s", root, rooms[i]);
	return *path ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* A description behind another one of its name is never read. */
static void add_name(json_t *names, json_t *name)
{
	const json_t *known;
	size_t i;

	json_array_foreach (names, i, known)
		if (json_equal(known, name)) {
			json_decref(name);
			return;
		}
	json_array_append_new(names, name);
}

json_t *variant_names(const char *root)
{
	json_t *names = json_array();

	for (size_t i = 0; names && i < ROOMS; i++) {
		HB_FREE char *room = NULL, *pattern = NULL;
		glob_t g = {0};

		if (!room_path(root, i, &room, NULL) && room)
			pattern = hb_strf("%s/*.ini", room);
		if (!pattern || glob(pattern, 0, NULL, &g))
			g.gl_pathc = 0;
		for (size_t j = 0; j < g.gl_pathc; j++) {
			const char *base = strrchr(g.gl_pathv[j], '/') + 1;

			HB_FREE char *name = strndup(base, strlen(base) - 4);

			if (name_ok(name, NAME_LONGEST_CHOSEN))
				add_name(names, json_string(name));
		}
		globfree(&g);
	}
	return names;
}

static int unknown_variant(const char *root, const char *name, struct hb_error *e)
{
	json_t *names = variant_names(root), *one;
	char list[768] = "";
	size_t i, n = 0;

	json_array_foreach (names, i, one)
		if (n < sizeof(list))
			n += snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "",
				      json_string_value(one));
	json_decref(names);
	return hb_error_set(e, -ENOENT, "there is no kernel variant '%s'; there are: %s", name,
			    list);
}

/* Find NAME.ini; a name is no path. */
static int find_file(const char *root, const char *name, char **file, struct hb_error *e)
{
	if (!name_ok(name, NAME_LONGEST_CHOSEN))
		return unknown_variant(root, name, e);
	for (size_t i = 0; i < ROOMS; i++) {
		HB_FREE char *room = NULL;
		int rc = room_path(root, i, &room, e);

		if (rc)
			return rc;
		if (!room)
			continue;
		*file = hb_strf("%s/%s.ini", room, name);
		if (!*file)
			return hb_error_set(e, -ENOMEM, "out of memory");
		if (!access(*file, F_OK))
			return 0;
		free(*file);
		*file = NULL;
	}
	return unknown_variant(root, name, e);
}

char *variant_input(const char *root, const char *input)
{
	return *input == '/' ? strdup(input) : hb_strf("%s/kernels/%s", root, input);
}

/*
 * Append what @pattern stands for, beside the description @file or else below kernels/; a pattern
 * that matches nothing is an error.
 */
static int add_pattern(const char *root, const char *file, const char *pattern, json_t *list,
		       struct hb_error *e)
{
	HB_FREE char *beside = hb_strf("%.*s/%s", (int)(strrchr(file, '/') - file), file, pattern);
	HB_FREE char *below = variant_input(root, pattern);
	HB_FREE char *kernels = hb_strf("%s/kernels/", root);
	glob_t g = {0};
	int rc = 0;

	if (!beside || !below || !kernels)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (glob(beside, 0, NULL, &g) && glob(below, 0, NULL, &g))
		rc = hb_error_set(e, -EINVAL, "%s: there is no %s beside it, and no kernels/%s",
				  file, pattern, pattern);
	for (size_t i = 0; !rc && i < g.gl_pathc; i++) {
		const char *path = g.gl_pathv[i];

		if (!strncmp(path, kernels, strlen(kernels)))
			path += strlen(kernels);
		if (json_array_append_new(list, json_string(path)))
			rc = hb_error_set(e, -ENOMEM, "out of memory");
	}
	globfree(&g);
	return rc;
}

/* "a/0*.patch, b/0*.patch" -> array of files. */
static int expand(const char *root, const char *file, char *patterns, json_t **list,
		  struct hb_error *e)
{
	char *save = NULL;
	int rc = 0;

	*list = json_array();
	for (char *p = patterns ? strtok_r(patterns, ", \t\n", &save) : NULL; p && !rc;
	     p = strtok_r(NULL, ", \t\n", &save))
		rc = add_pattern(root, file, p, *list, e);
	return rc;
}

/* A path in a description is relative to the description's directory. */
static int anchor(const char *file, char **path)
{
	char *full;

	if (!*path || **path == '/')
		return 0;
	full = hb_strf("%.*s/%s", (int)(strrchr(file, '/') - file), file, *path);
	if (!full)
		return -ENOMEM;
	free(*path);
	*path = full;
	return 0;
}

/* yes where it is not said */
static int parse_flag(const char *file, const char *key, const char *text, int *flag,
		      struct hb_error *e)
{
	*flag = 1;
	if (!text || !hb_parse_bool(text, flag))
		return 0;
	return hb_error_set(e, -EINVAL, "%s: %s = %s: yes or no is wanted", file, key, text);
}

/* One origin only, and nothing that has no meaning with it. */
static int check_origin(const struct variant *v, const char *source, const char *fragments,
			const char *patches, struct hb_error *e)
{
	int origins =
		!!source + !!v->source.tree + !!v->source.tarball + !!v->bzimage + !!v->package;
	bool ready = v->bzimage || v->package;

	if (origins > 1)
		return hb_error_set(e, -EINVAL,
				    "%s: give one of source, tree, tarball, bzimage, package",
				    v->file);
	if (v->source.ref && !v->source.tree)
		return hb_error_set(e, -EINVAL, "%s: ref has a meaning with tree only", v->file);
	if (v->bzimage && !v->config)
		return hb_error_set(e, -EINVAL, "%s: bzimage wants config = its .config", v->file);
	if (!v->package != !v->suite)
		return hb_error_set(e, -EINVAL, "%s: package and suite go together", v->file);
	if (v->package && (v->config || v->modules))
		return hb_error_set(e, -EINVAL,
				    "%s: a package brings its config and modules itself", v->file);
	if (v->modules && !v->bzimage)
		return hb_error_set(e, -EINVAL, "%s: modules has a meaning with bzimage only",
				    v->file);
	if (ready && (patches || fragments))
		return hb_error_set(
			e, -EINVAL,
			"%s: patches and fragments have no meaning with bzimage or package",
			v->file);
	if (!ready && !fragments && !v->config)
		return hb_error_set(e, -EINVAL,
				    "%s: give fragments (such as config/timed.config) "
				    "or config",
				    v->file);
	return 0;
}

static int variant_parse(const char *root, struct variant *v, struct hb_error *e)
{
	HB_FREE char *source = NULL, *patches = NULL, *fragments = NULL, *timed = NULL,
		     *strict = NULL;
	const struct keyfile_row rows[] = {
		{"description", &v->description},
		{"note", &v->note},
		{"timed", &timed},
		{"source", &source},
		{"tree", &v->source.tree},
		{"ref", &v->source.ref},
		{"tarball", &v->source.tarball},
		{"bzimage", &v->bzimage},
		{"package", &v->package},
		{"suite", &v->suite},
		{"modules", &v->modules},
		{"config", &v->config},
		{"patches", &patches},
		{"fragments", &fragments},
		{"strict", &strict},
		{NULL, NULL},
	};
	int rc = keyfile_read(v->file, "kernel", rows, e);

	if (!rc && !v->description)
		rc = hb_error_set(e, -EINVAL, "%s: description is missing", v->file);
	if (!rc)
		rc = check_origin(v, source, fragments, patches, e);
	if (!rc && (anchor(v->file, &v->source.tree) || anchor(v->file, &v->source.tarball) ||
		    anchor(v->file, &v->bzimage) || anchor(v->file, &v->config) ||
		    anchor(v->file, &v->modules)))
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	if (!rc)
		rc = parse_flag(v->file, "timed", timed, &v->timed, e);
	if (!rc)
		rc = parse_flag(v->file, "strict", strict, &v->strict, e);
	if (!rc && !v->source.tree && !v->source.tarball && !v->bzimage && !v->package)
		rc = source_load(root, source ? source : "linux-5.10", &v->source, e);
	if (!rc)
		rc = expand(root, v->file, patches, &v->patches, e);
	if (!rc)
		rc = expand(root, v->file, fragments, &v->fragments, e);
	return rc;
}

/* The .config that belongs to the image @path: beside it, or at the top of the tree it was built
 * in.
 */
static char *config_of_image(const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	int dir = base - path;
	char *tries[] = {
		strncmp(base, "vmlinuz-", 8) ? NULL : hb_strf("%.*sconfig-%s", dir, path, base + 8),
		hb_strf("%.*sconfig", dir, path), hb_strf("%.*s.config", dir, path),
		hb_strf("%.*s../../../.config", dir, path)};
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		if (!found && tries[i] && !access(tries[i], R_OK))
			found = HB_STEAL(tries[i]);
		free(tries[i]);
	}
	return found;
}

static int take_image(struct variant *v, struct place *p, struct hb_error *e)
{
	v->bzimage = HB_STEAL(p->path);
	v->config = config_of_image(v->bzimage);
	if (v->config)
		return 0;
	return hb_error_set(
		e, -ENODEV,
		"%s: its .config is not there: no config-VERSION, config or .config beside "
		"it; a description names both (kernels/README.md)",
		v->bzimage);
}

/* A tree or tarball of any version: what of the configuration it does not know is told. */
static int take_source(struct variant *v, struct place *p)
{
	v->strict = 0;
	v->fragments = json_pack("[s, s]", "config/timed.config", "config/later.config");
	v->source.ref = HB_STEAL(p->ref);
	*(p->kind == PLACE_TREE ? &v->source.tree : &v->source.tarball) = HB_STEAL(p->path);
	return v->fragments ? 0 : -ENOMEM;
}

/* The variant that a place stands for. */
static int variant_of_place(const char *text, struct variant *v, struct hb_error *e)
{
	struct place p;
	int rc = place_find(text, &p, e);

	if (rc)
		return rc;
	*v = (struct variant){.name = HB_STEAL(p.name),
			      .file = strdup(text),
			      .description = strdup(text),
			      .patches = json_array(),
			      .timed = 1};
	if (p.kind != PLACE_TREE && p.ref)
		rc = hb_error_set(e, -EINVAL, "%s: only a git tree has a ref", text);
	else
		rc = p.kind == PLACE_IMAGE ? take_image(v, &p, e) : take_source(v, &p);
	if (!rc && !v->fragments)
		v->fragments = json_array();
	if (!rc && (!v->file || !v->description || !v->patches || !v->fragments))
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	place_free(&p);
	if (rc)
		variant_free(v);
	return rc;
}

static int variant_read(const char *root, const char *name, struct variant *v, struct hb_error *e)
{
	int rc;

	if (place_is(name))
		return variant_of_place(name, v, e);
	*v = (struct variant){.name = strdup(name)};
	if (!v->name)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = find_file(root, name, &v->file, e);
	if (!rc)
		rc = variant_parse(root, v, e);
	if (rc)
		variant_free(v);
	return rc;
}

/* Is @name "STEM.N", a step of the series of variant STEM? *@stem is owned by the caller. */
static bool step_parse(const char *name, char **stem, uint64_t *n)
{
	const char *dot = strrchr(name, '.');

	if (!dot || dot == name || hb_parse_u64(dot + 1, n) || !*n)
		return false;
	*stem = strndup(name, dot - name);
	return *stem;
}

/* The first @n patches of @v, under the name of the step. */
static int step_cut(struct variant *v, const char *name, uint64_t n, struct hb_error *e)
{
	size_t all = json_array_size(v->patches);
	char *description;

	if (n > all)
		return hb_error_set(e, -ENOENT,
				    "there is no kernel variant '%s': %s has %zu patches", name,
				    v->name, all);
	description = hb_strf("%s up to patch %ju of %zu", v->name, (uintmax_t)n, all);
	free(v->name);
	free(v->description);
	v->name = strdup(name);
	v->description = description;
	while (json_array_size(v->patches) > n)
		json_array_remove(v->patches, n);
	return v->name && v->description ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

int variant_load(const char *root, const char *name, struct variant *v, struct hb_error *e)
{
	HB_FREE char *stem = NULL;
	uint64_t n;
	int rc = variant_read(root, name, v, e);

	if (rc != -ENOENT || !step_parse(name, &stem, &n))
		return rc;
	/* The message about @name stands when there is no STEM either. */
	if (variant_read(root, stem, v, NULL))
		return rc;
	rc = step_cut(v, name, n, e);
	if (rc)
		variant_free(v);
	return rc;
}

/* Does the series of @b begin with that of @a? */
static bool begins_with(const json_t *b, const json_t *a)
{
	const json_t *patch;
	size_t i;

	json_array_foreach (a, i, patch)
		if (!json_equal(patch, json_array_get(b, i)))
			return false;
	return true;
}

/* Names of @a, of what is between, and of @b. */
static int steps_name(const struct variant *a, const struct variant *b, json_t *names)
{
	size_t from = json_array_size(a->patches), to = json_array_size(b->patches);
	int rc = json_array_append_new(names, json_string(a->name));

	for (size_t n = from + 1; n < to && !rc; n++)
		rc = json_array_append_new(names, json_sprintf("%s.%zu", b->name, n));
	return rc ? rc : json_array_append_new(names, json_string(b->name));
}

int variant_steps(const char *root, const char *from, const char *to, json_t *names,
		  struct hb_error *e)
{
	struct variant a, b;
	int rc = variant_load(root, from, &a, e);

	if (rc)
		return rc;
	rc = variant_load(root, to, &b, e);
	if (rc) {
		variant_free(&a);
		return rc;
	}
	if (json_array_size(a.patches) >= json_array_size(b.patches) ||
	    !begins_with(b.patches, a.patches))
		rc = hb_error_set(e, -EINVAL,
				  "%s..%s: the patches of %s do not begin with those of %s and go "
				  "on; `hugebench list` shows them",
				  from, to, to, from);
	else if (steps_name(&a, &b, names))
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	variant_free(&a);
	variant_free(&b);
	return rc;
}

void variant_free(struct variant *v)
{
	source_free(&v->source);
	free(v->name);
	free(v->file);
	free(v->description);
	free(v->note);
	free(v->bzimage);
	free(v->package);
	free(v->suite);
	free(v->modules);
	free(v->config);
	json_decref(v->patches);
	json_decref(v->fragments);
	*v = (struct variant){0};
}
