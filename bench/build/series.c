// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/series.h"
#include "bench/host/child.h"

/* Variables that would lead git to another tree. */
static const char *const git_unset[] = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
					NULL};

struct series {
	const char *tree, *into;
	json_t *taken; /* files of the tree that were copied */
	FILE *log;
};

/* The file that a header line of a patch names, without the leading directory of "---" and "+++";
 * NULL for other lines. @line is cut. */
static char *named_file(char *line)
{
	static const char *const heads[] = {"--- ", "+++ ", "rename from ", "copy from "};

	line[strcspn(line, "\t\n")] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		char *name = line + strlen(heads[i]);

		if (strncmp(line, heads[i], strlen(heads[i])))
			continue;
		if (i >= 2)
			return name;
		name = strchr(name, '/');
		return name ? name + 1 : NULL;
	}
	return NULL;
}

/* Copy @name from the tree unless it is there, was taken before or is not the tree's. */
static int take(struct series *s, const char *name)
{
	HB_FREE char *from = hb_strf("%s/%s", s->tree, name), *to = hb_strf("%s/%s", s->into, name);
	HB_FREE char *dir = NULL;
	char *argv[] = {"cp", "-d", from, to, NULL};
	int rc;

	if (!from || !to)
		return -ENOMEM;
	if (strstr(name, "..") || json_object_get(s->taken, name) || access(from, R_OK))
		return 0;
	dir = strndup(to, strrchr(to, '/') - to);
	rc = dir ? hb_mkdir_all(dir) : -ENOMEM;
	if (!rc && child_do(argv, -1))
		rc = -EIO;
	return rc || !json_object_set_new(s->taken, name, json_true()) ? rc : -ENOMEM;
}

static int take_named(struct series *s, const char *patch, struct hb_error *e)
{
	HB_FCLOSE FILE *f = fopen(patch, "re");
	HB_FREE char *line = NULL;
	size_t size = 0;
	int rc = f ? 0 : -errno;

	while (!rc && getline(&line, &size, f) >= 0) {
		const char *name = named_file(line);

		if (name && *name)
			rc = take(s, name);
	}
	return rc ? hb_error_set(e, rc, "cannot read %s or what it changes: %s", patch,
				 strerror(-rc))
		  : 0;
}

static void log_line(void *arg, const char *line)
{
	fprintf(arg, "%s\n", line);
}

static int apply(struct series *s, const char *patch, struct hb_error *e)
{
	/* A clone around the cache must not be taken for the tree to patch. */
	HB_FREE char *ceiling = hb_strf("GIT_CEILING_DIRECTORIES=%.*s",
					(int)(strrchr(s->into, '/') - s->into), s->into);
	const char *env[] = {ceiling, "LC_ALL=C", NULL};
	struct child c = {.directory = s->into, .env = env, .unset = git_unset};
	char *argv[] = {"git", "apply", "-v", "--whitespace=nowarn", (char *)patch, NULL};
	int rc = take_named(s, patch, e);

	if (rc || !ceiling)
		return rc ? rc : hb_error_set(e, -ENOMEM, "out of memory");
	fprintf(s->log, "== %s\n", patch);
	rc = child_run(&c, argv, log_line, s->log);
	return rc ? hb_error_set(e, -EIO, "%s does not apply", patch) : 0;
}

/* Of the files that were taken, those that are there no more. */
static int find_gone(const struct series *s, json_t **gone)
{
	const char *name;
	json_t *mark;

	*gone = json_object();
	json_object_foreach (s->taken, name, mark) {
		HB_FREE char *path = hb_strf("%s/%s", s->into, name);

		if (!path || (access(path, F_OK) && json_object_set(*gone, name, mark)))
			return -ENOMEM;
	}
	return *gone ? 0 : -ENOMEM;
}

int series_apply(const json_t *patches, const char *tree, const char *into, FILE *log,
		 json_t **gone, struct hb_error *e)
{
	struct series s = {.tree = tree, .into = into, .taken = json_object(), .log = log};
	json_t *patch;
	size_t i;
	int rc = s.taken ? hb_mkdir_all(into) : -ENOMEM;

	*gone = NULL;
	if (rc)
		hb_error_set(e, rc, "cannot make %s: %s", into, strerror(-rc));
	json_array_foreach (patches, i, patch)
		if (!rc)
			rc = apply(&s, json_string_value(patch), e);
	if (!rc && find_gone(&s, gone))
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	if (rc) {
		json_decref(*gone);
		*gone = NULL;
	}
	json_decref(s.taken);
	return rc;
}
