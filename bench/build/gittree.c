// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/build/cache.h"
#include "bench/build/gittree.h"
#include "bench/host/child.h"

/* Variables that would lead git elsewhere. */
static const char *const git_unset[] = {
	"GIT_DIR",	  "GIT_WORK_TREE",	  "GIT_COMMON_DIR",
	"GIT_NAMESPACE",  "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_INDEX_FILE", "GIT_PREFIX",		  NULL};

/* The larger half of a split index would be written beside the tree's own. */
#define SPLIT_NOTHING "core.splitIndex=false"

/* Who is asked, and where what git makes goes; members are owned. */
struct git {
	const char *tree;
	char *objects;	  /* "GIT_OBJECT_DIRECTORY=..." */
	char *alternates; /* the tree's own objects */
	char *index;	  /* "GIT_INDEX_FILE=...", or NULL: the tree's own */
};

bool git_is_tree(const char *tree)
{
	HB_FREE char *dot = hb_strf("%s/.git", tree);
	HB_FREE char *head = hb_strf("%s/HEAD", tree), *objects = hb_strf("%s/objects", tree);

	return dot && head && objects &&
	       (!access(dot, F_OK) || (!access(head, F_OK) && !access(objects, F_OK)));
}

/* Make one line of git's words: its own line ends and tabs are in the way of ours. */
static void fold(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		char c = *p == '\n' || *p == '\t' ? ' ' : *p;

		if (c != ' ' || (to > text && to[-1] != ' '))
			*to++ = c;
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = 0;
}

/* "read-tree" of "git --work-tree=DIR -c KEY=VALUE read-tree ...". */
static const char *subcommand(char *const argv[])
{
	size_t i = 1;

	while (*argv[i] == '-')
		i += strcmp(argv[i], "-c") ? 1 : 2;
	return argv[i];
}

/* All that was written to the file @fd. */
static char *read_back(int fd)
{
	HB_FREE char *path = hb_strf("/proc/self/fd/%d", fd);
	char *text = NULL;

	return path && !hb_file_read(path, &text, NULL) ? text : NULL;
}

/* Run git; *@out (may be NULL) is what it answered, without the last newline. What it says beside
 * its answer is for the error only. */
static int git_run(const struct git *g, char *const argv[], char **out, struct hb_error *e)
{
	const char *const given[] = {g->objects, g->alternates, g->index};
	const char *env[ARRAY_SIZE(given) + 3] = {"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0"};
	HB_CLOSE int err = memfd_create("git", MFD_CLOEXEC);
	struct child c = {.directory = g->tree, .env = env, .unset = git_unset, .err = err};
	HB_FREE char *answer = NULL;
	HB_FREE char *words = NULL;
	int rc;

	if (err < 0)
		return hb_error_set(e, -errno, "cannot make a file in memory: %s", strerror(errno));
	for (size_t i = 0, n = 2; i < ARRAY_SIZE(given); i++)
		if (given[i])
			env[n++] = given[i];
	rc = child_capture(&c, argv, &answer);
	if (rc) {
		words = read_back(err);
		if (words)
			fold(words);
		return hb_error_set(e, -ENODEV, "%s: git %s: %s", g->tree, subcommand(argv),
				    words && *words ? words : "failed without a word");
	}
	if (!out)
		return 0;
	if (answer && *answer && answer[strlen(answer) - 1] == '\n')
		answer[strlen(answer) - 1] = 0;
	*out = HB_STEAL(answer);
	return *out ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

int git_ask(const char *tree, char *const argv[], char **out, struct hb_error *e)
{
	const struct git g = {.tree = tree};

	return git_run(&g, argv, out, e);
}

/* Path of git's own file @name of the tree; owned by the caller. */
static int git_path(const struct git *g, const char *name, char **path, struct hb_error *e)
{
	char *argv[] = {"git", "rev-parse", "--git-path", (char *)name, NULL};
	HB_FREE char *answer = NULL;
	int rc = git_run(g, argv, &answer, e);

	if (rc)
		return rc;
	*path = *answer == '/' ? HB_STEAL(answer) : hb_strf("%s/%s", g->tree, answer);
	return *path ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* @path as an entry of git's list of alternates, where ':' parts and '"' quotes. */
static char *alternate(const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs("GIT_ALTERNATE_OBJECT_DIRECTORIES=\"", f);
	for (; *path; path++)
		fprintf(f, "%s%c", *path == '"' || *path == '\\' ? "\\" : "", *path);
	fputc('"', f);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

static void git_close(struct git *g)
{
	free(g->objects);
	free(g->alternates);
	free(g->index);
}

/* New objects go to one directory for all trees: they are named by their contents. */
static int git_open(const char *cache, const char *tree, struct git *g, struct hb_error *e)
{
	HB_FREE char *own = NULL;
	HB_FREE char *objects = hb_strf("%s/git-objects", cache);
	int rc;

	*g = (struct git){.tree = tree};
	rc = git_path(g, "objects", &own, e);
	if (rc)
		return rc;
	g->alternates = alternate(own);
	g->objects = objects ? hb_strf("GIT_OBJECT_DIRECTORY=%s", objects) : NULL;
	if (!g->alternates || !g->objects)
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	else if ((rc = hb_mkdir_all(objects)))
		hb_error_set(e, rc, "cannot make %s: %s", objects, strerror(-rc));
	if (rc)
		git_close(g);
	return rc;
}

static int tree_of(const struct git *g, const char *ref, char **object, struct hb_error *e)
{
	HB_FREE char *what = hb_strf("%s^{tree}", ref);
	char *argv[] = {"git", "rev-parse", "--verify", "--end-of-options", what, NULL};
	int rc = what ? git_run(g, argv, object, e) : -ENOMEM;

	return rc ? hb_error_prefix(e, rc, "no tree at %s", ref) : 0;
}

static int refuse_unmerged(const struct git *g, struct hb_error *e)
{
	char *argv[] = {"git", "diff", "--name-only", "--diff-filter=U", NULL};
	HB_FREE char *names = NULL;
	int rc = git_run(g, argv, &names, e);

	if (rc || !*names)
		return rc;
	fold(names);
	return hb_error_set(e, -EINVAL,
			    "%s: files are unmerged: %.300s; finish the merge, or name a ref",
			    g->tree, names);
}

/*
 * A copy of the tree's index, which must not change; a bare or new tree has none. Its time is
 * copied, too: a file that was changed in the second in which the index was written is known by
 * that time alone.
 */
static int copy_index(struct git *g, const char *cache, struct hb_error *e)
{
	HB_FREE char *own = NULL;
	HB_FREE char *copy = hb_strf("%s/git-objects/index-%d", cache, getpid());
	char *argv[] = {"cp", "--preserve=timestamps", NULL, copy, NULL};
	int rc = copy ? git_path(g, "index", &own, e) : hb_error_set(e, -ENOMEM, "out of memory");

	if (rc)
		return rc;
	if (access(own, F_OK))
		return hb_error_set(e, -ENODEV,
				    "%s: nothing is checked out there; name a branch, tag or "
				    "commit: %s@REF",
				    g->tree, g->tree);
	argv[2] = own;
	if (child_do(argv, -1))
		return hb_error_set(e, -ENODEV, "%s: cannot copy git's index", g->tree);
	g->index = hb_strf("GIT_INDEX_FILE=%s", copy);
	return g->index ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

static void drop_index(struct git *g)
{
	if (!g->index)
		return;
	unlink(strchr(g->index, '=') + 1);
	free(g->index);
	g->index = NULL;
}

/* The tree object of the files that are checked out. */
static int checked_out(struct git *g, const char *cache, char **object, struct hb_error *e)
{
	char *add_argv[] = {"git", "-c", SPLIT_NOTHING, "add", "-u", NULL};
	char *write_argv[] = {"git", "-c", SPLIT_NOTHING, "write-tree", NULL};
	int rc = copy_index(g, cache, e);

	if (!rc)
		rc = refuse_unmerged(g, e);
	if (!rc)
		rc = git_run(g, add_argv, NULL, e);
	if (!rc)
		rc = git_run(g, write_argv, object, e);
	drop_index(g);
	return rc;
}

static int describe(const struct git *g, const char *object, char **name, struct hb_error *e)
{
	char *argv[] = {"git", "describe", "--always", "--tags", NULL};
	HB_FREE char *head = NULL;
	HB_FREE char *text = NULL;
	int rc = tree_of(g, "HEAD", &head, e);

	if (!rc)
		rc = git_run(g, argv, &text, e);
	if (rc)
		return rc;
	*name = hb_strf("%s%s", text, strcmp(head, object) ? "-dirty" : "");
	return *name ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

int git_identify(const char *cache, const char *tree, const char *ref, char **object, char **name,
		 struct hb_error *e)
{
	struct git g;
	int rc = git_open(cache, tree, &g, e);

	*object = *name = NULL;
	if (rc)
		return rc;
	if (ref) {
		rc = tree_of(&g, ref, object, e);
		*name = rc ? NULL : strdup(ref);
	} else {
		rc = checked_out(&g, cache, object, e);
		if (!rc)
			rc = describe(&g, *object, name, e);
	}
	git_close(&g);
	if (rc) {
		free(*object);
		*object = NULL;
	}
	return rc;
}

/* Name of the checkout of @tree. */
static int checkout_name(const char *tree, char name[CACHE_KEY_LEN + 1], struct hb_error *e)
{
	struct digest *d = digest_begin();
	int rc;

	digest_text(d, "tree", tree);
	rc = digest_end(d, name);
	name[16] = 0;
	return rc ? hb_error_set(e, rc, "out of memory") : 0;
}

/*
 * Bring DIR/tree to @object; git's index of it is DIR/index. Build trees link to the files, which
 * changes the time of their inodes: by that git would take each for changed and write it anew.
 */
static int update(struct git *g, const char *object, const struct workspace *w, struct hb_error *e)
{
	HB_FREE char *files = hb_strf("%s/tree", w->dir);
	HB_FREE char *option = hb_strf("--work-tree=%s/tree", w->dir);
	char *argv[] = {"git",	     option,
			"-c",	     "core.sparseCheckout=false",
			"-c",	     "core.hooksPath=/dev/null",
			"-c",	     "core.fsmonitor=false",
			"-c",	     SPLIT_NOTHING,
			"-c",	     "core.trustctime=false",
			"read-tree", "--reset",
			"-u",	     (char *)object,
			NULL};
	int rc;

	g->index = hb_strf("GIT_INDEX_FILE=%s/index", w->dir);
	if (!files || !option || !g->index)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_all(files);
	if (rc)
		return hb_error_set(e, rc, "cannot make %s: %s", files, strerror(-rc));
	rc = git_run(g, argv, NULL, e);
	return rc ? hb_error_prefix(e, rc, "cannot check out %s", object) : 0;
}

int git_checkout(const char *cache, const char *tree, const char *object, struct workspace *w,
		 struct hb_error *e)
{
	char name[CACHE_KEY_LEN + 1];
	struct git g;
	int rc = checkout_name(tree, name, e);

	*w = (struct workspace){.lock = -1};
	if (!rc)
		rc = git_open(cache, tree, &g, e);
	if (rc)
		return rc;
	rc = workspace_open(cache, "checkouts", name, w, e);
	if (!rc)
		rc = update(&g, object, w, e);
	git_close(&g);
	if (rc)
		workspace_close(w, false);
	return rc;
}
