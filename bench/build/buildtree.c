// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/buildtree.h"
#include "bench/build/sync.h"
#include "bench/host/child.h"

#define KIND "trees"
/* Trees that are kept; sources are links, objects of a timed kernel take 0.2 GB. */
#define KEPT	6
#define OBJECTS "obj"
/* Among the objects: the tree whose configuration they have, and whose sources it still fits. */
#define CONFIGURED "hugebench-configured"

static int take_names(struct buildtree *t, const char *dir, struct hb_error *e)
{
	t->src = hb_strf("%s/src", dir);
	t->obj = hb_strf("%s/src/" OBJECTS, dir);
	return t->src && t->obj ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* Sources as links, objects as copies: those are written to. */
static int copy_tree(const char *from, const struct buildtree *to)
{
	HB_FREE char *src = hb_strf("%s/src", from), *copied = hb_strf("%s/src/" OBJECTS, from);
	char *link_argv[] = {"cp", "-al", src, to->src, NULL};
	char *drop_argv[] = {"rm", "-rf", to->obj, NULL};
	char *copy_argv[] = {"cp", "-a", copied, to->obj, NULL};

	return !src || !copied || child_do(link_argv, -1) || child_do(drop_argv, -1) ||
	       child_do(copy_argv, -1);
}

/* The Makefile at the top has the version; where it differs no object is kept. */
static bool same_version(const char *dir, const struct source_tree *from)
{
	HB_FREE char *theirs = hb_strf("%s/src/Makefile", dir);
	HB_FREE char *ours = hb_strf("%s/Makefile", from->dir);

	return theirs && ours && sync_same_file(theirs, ours);
}

/* Start the new tree @t as a copy of a relative, if there is one that is at rest. */
static int copy_relative(struct buildtree *t, const struct source_tree *from, struct hb_error *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && t->shared.fresh && i < ARRAY_SIZE(t->relatives); i++) {
		struct workspace other;

		if (!workspace_borrow(t->cache, KIND, t->relatives[i], &other))
			continue;
		if (same_version(other.dir, from)) {
			t->shared.fresh = false;
			if (copy_tree(other.dir, t))
				rc = workspace_empty(&t->shared, e);
		}
		workspace_close(&other, false);
	}
	return rc;
}

static int take_relatives(struct buildtree *t, const char *cache, const struct buildtree_name *name,
			  struct hb_error *e)
{
	t->cache = strdup(cache);
	t->relatives[0] = hb_strf("%s-%s", name->compiler, name->source);
	t->relatives[1] = strdup(name->compiler);
	return t->cache && t->relatives[0] && t->relatives[1]
		       ? 0
		       : hb_error_set(e, -ENOMEM, "out of memory");
}

int buildtree_open(const char *cache, const struct buildtree_name *name, const char *alone,
		   struct buildtree *t, struct hb_error *e)
{
	HB_FREE char *full = hb_strf("%s-%s-%s", name->compiler, name->source, name->config);
	int rc;

	*t = (struct buildtree){.shared = {.lock = -1}};
	if (!full)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (alone)
		return take_names(t, alone, e);
	rc = workspace_open(cache, KIND, full, &t->shared, e);
	if (rc)
		return rc;
	workspace_prune(cache, KIND, KEPT);
	rc = take_names(t, t->shared.dir, e);
	if (!rc)
		rc = take_relatives(t, cache, name, e);
	if (rc)
		buildtree_close(t, false);
	return rc;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && !strcmp(name + n - m, end);
}

/*
 * Is a change of file @name one that make cannot be relied on to follow? A header that comes or
 * goes changes which one an #include finds; programs and rules of the build are no prerequisites of
 * all that they made.
 */
static bool is_beyond_make(const char *name, const char *what)
{
	static const char *const rooms[] = {"scripts/", "tools/", "arch/x86/tools/",
					    "Makefile", "Kbuild", "arch/x86/Makefile"};

	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++)
		if (!strncmp(name, rooms[i], strlen(rooms[i])))
			return true;
	return strcmp(what, "changed") && !ends_with(name, ".c");
}

/* Code is read when it is compiled, and has no say in the configuration. */
static bool is_code(const char *name)
{
	return ends_with(name, ".c") || ends_with(name, ".h") || ends_with(name, ".S");
}

static bool all_are_code(json_t *changes)
{
	const char *name;
	json_t *what;

	json_object_foreach (changes, name, what)
		if (!is_code(name))
			return false;
	return true;
}

static bool must_start_anew(json_t *changes)
{
	const char *name;
	json_t *what;

	json_object_foreach (changes, name, what)
		if (is_beyond_make(name, json_string_value(what)))
			return true;
	return false;
}

/* What marks @t, and nothing but it. */
static const char *own_name(const struct buildtree *t)
{
	return strrchr(t->shared.dir, '/') + 1;
}

static char *configured_mark(const struct buildtree *t)
{
	return hb_strf("%s/" CONFIGURED, t->obj);
}

/* Set t->configured after @changes; a mark that does not hold goes. */
static int keep_configuration(struct buildtree *t, json_t *changes)
{
	HB_FREE char *mark = configured_mark(t), *name = NULL;

	if (!mark)
		return -ENOMEM;
	t->configured = t->warm && !hb_file_read(mark, &name, NULL) && !strcmp(name, own_name(t)) &&
			all_are_code(changes);
	return t->configured || !unlink(mark) || errno == ENOENT ? 0 : -errno;
}

void buildtree_set_configured(struct buildtree *t)
{
	HB_FREE char *mark = t->shared.dir ? configured_mark(t) : NULL;

	/* Without it the next build takes longer, nothing else. */
	if (mark)
		hb_file_write_atomic(mark, own_name(t), strlen(own_name(t)));
}

/* Without objects; sources that are links anew are seen to be equal without being read. */
static int start_anew(struct buildtree *t, const struct sync *s, struct hb_error *e)
{
	int rc = hb_remove_all(s->links ? t->src : t->obj);

	t->warm = false;
	return rc || !s->links ? rc : sync_tree(s, NULL, e);
}

int buildtree_fill(struct buildtree *t, const struct source_tree *from, const char *overlay,
		   json_t *gone, struct hb_error *e)
{
	const struct sync s = {.from = from->dir,
			       .overlay = overlay,
			       .gone = gone,
			       .to = t->src,
			       .spared = OBJECTS,
			       .links = from->links && t->shared.dir};
	json_t *changes = NULL;
	int rc = t->shared.fresh ? copy_relative(t, from, e) : 0;

	t->warm = t->shared.dir && !access(t->obj, F_OK);
	if (!rc)
		rc = sync_tree(&s, t->warm ? &changes : NULL, e);

	if (!rc && t->warm && must_start_anew(changes))
		rc = start_anew(t, &s, e);
	if (!rc)
		rc = keep_configuration(t, changes);
	json_decref(changes);
	if (!rc)
		rc = hb_mkdir_all(t->obj);
	return rc && !(e && *e->text)
		       ? hb_error_set(e, rc, "cannot make %s anew: %s", t->obj, strerror(-rc))
		       : rc;
}

void buildtree_close(struct buildtree *t, bool whole)
{
	workspace_close(&t->shared, whole);
	free(t->src);
	free(t->obj);
	free(t->cache);
	for (size_t i = 0; i < ARRAY_SIZE(t->relatives); i++)
		free(t->relatives[i]);
	*t = (struct buildtree){.shared = {.lock = -1}};
}
