// SPDX-License-Identifier: GPL-2.0-or-later
/* Trees that are made like another one without touching what is equal, and shared by builds. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/build/buildtree.h"
#include "bench/build/series.h"
#include "bench/build/sync.h"
#include "tests/put.h"

#define LONG_AGO 1000000000

static char dir[] = "/tmp/hb-buildtree-test-XXXXXX";

static char *at(const char *name)
{
	return hb_strf("%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	const struct timespec old[2] = {{.tv_sec = LONG_AGO}, {.tv_sec = LONG_AGO}};
	HB_FREE char *path = at(name);

	put_file(text, "%s", path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void expect(const char *name, const char *text)
{
	HB_FREE char *path = at(name), *found = NULL;

	if (hb_file_read(path, &found, NULL))
		fail_msg("%s is not there", name);
	assert_string_equal(found, text);
}

static bool is_old(const char *name)
{
	HB_FREE char *path = at(name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mtime == LONG_AGO;
}

static bool is_there(const char *name)
{
	HB_FREE char *path = at(name);

	return !access(path, F_OK);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hb-buildtree-test-XXXXXX");
	return !mkdtemp(dir);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

/* Sync "from" and "over" to "to"; the changes, into *@changes unless that is NULL. */
static void sync_to(json_t *gone, json_t **changes)
{
	HB_FREE char *from = at("from"), *over = at("over"), *to = at("to");
	const struct sync s = {.from = from,
			       .overlay = over,
			       .gone = gone,
			       .to = to,
			       .spared = "obj",
			       .links = true};
	struct hb_error e = {.text = ""};

	if (sync_tree(&s, changes, &e))
		fail_msg("%s", e.text);
}

static json_t *sync_all(json_t *gone)
{
	json_t *changes;

	sync_to(gone, &changes);
	return changes;
}

static const char *change(const json_t *changes, const char *name)
{
	return json_string_value(json_object_get(changes, name));
}

static void test_only_what_differs(void **state)
{
	json_t *changes, *gone = json_pack("{s:b}", "a/removed.c", 1);
	HB_FREE char *link_path = at("from/a/link");

	(void)state;
	put("from/a/same.c", "same");
	put("from/a/patched.c", "old");
	put("from/a/removed.c", "removed");
	put("over/empty", "");
	assert_int_equal(symlink("same.c", link_path), 0);
	sync_to(NULL, NULL);
	put("to/obj/object", "object");
	put("to/a/stray.c", "stray");
	put("over/a/patched.c", "new");
	changes = sync_all(gone);
	assert_int_equal(json_object_size(changes), 3);
	assert_string_equal(change(changes, "a/patched.c"), "changed");
	assert_string_equal(change(changes, "a/removed.c"), "gone");
	assert_string_equal(change(changes, "a/stray.c"), "gone");
	json_decref(changes);
	assert_true(is_old("to/a/same.c"));
	assert_true(is_old("to/a/link"));
	assert_false(is_old("to/a/patched.c"));
	expect("to/a/patched.c", "new");
	expect("to/obj/object", "object");
	assert_false(is_there("to/a/removed.c"));
	json_decref(gone);
}

/* Taking a patch away is a change like putting it on: an old time would hide it from make. The file
 * that was linked is not written to. */
static void test_back_again(void **state)
{
	HB_FREE char *over = at("over");
	json_t *changes;

	(void)state;
	put("from/x.c", "old");
	put("over/x.c", "new");
	json_decref(sync_all(NULL));
	expect("from/x.c", "old");
	hb_remove_all(over);
	assert_int_equal(hb_mkdir_all(over), 0);
	changes = sync_all(NULL);
	assert_string_equal(change(changes, "x.c"), "changed");
	json_decref(changes);
	expect("to/x.c", "old");
	assert_false(is_old("to/x.c"));
	assert_true(is_old("from/x.c"));
}

/* A file that comes back has not the old time either: there may be an object of it as it was
 * between.
 */
static void test_gone_and_back(void **state)
{
	json_t *gone = json_pack("{s:b}", "x.c", 1);

	(void)state;
	put("from/x.c", "old");
	put("over/empty", "");
	sync_to(NULL, NULL);
	assert_true(is_old("to/x.c"));
	json_decref(sync_all(gone));
	assert_false(is_there("to/x.c"));
	json_decref(sync_all(NULL));
	expect("to/x.c", "old");
	assert_false(is_old("to/x.c"));
	json_decref(gone);
}

/* Files where directories were, and the other way round; a file that became executable. */
static void test_kinds_change(void **state)
{
	HB_FREE char *a = at("from/a"), *b = at("from/b"), *script = at("from/script");

	(void)state;
	put("from/a/file", "1");
	put("from/b", "2");
	put("from/script", "#!");
	put("over/empty", "");
	json_decref(sync_all(NULL));
	hb_remove_all(a);
	hb_remove_all(b);
	unlink(script);
	put("from/a", "file now");
	put("from/b/file", "directory now");
	put("from/script", "#!");
	assert_int_equal(chmod(script, 0755), 0);
	json_decref(sync_all(NULL));
	expect("to/a", "file now");
	expect("to/b/file", "directory now");
	{
		HB_FREE char *copied = at("to/script");

		assert_int_equal(access(copied, X_OK), 0);
	}
}

static void test_series(void **state)
{
	HB_FREE char *tree = at("tree"), *into = at("into"), *one = at("1.patch"),
		     *two = at("2.patch");
	json_t *patches = json_pack("[s, s]", one, two), *gone = NULL;
	struct hb_error e = {.text = ""};
	FILE *log = tmpfile();

	(void)state;
	put("tree/m/a.c", "1\n2\n3\n");
	put("tree/m/b.c", "b\n");
	put("tree/m/c.c", "c\n");
	put("tree/m/other.c", "other\n");
	put("1.patch", "diff --git a/m/a.c b/m/a.c\n--- a/m/a.c\n+++ b/m/a.c\n@@ -1,3 +1,3 @@\n 1\n"
		       "-2\n+two\n 3\n"
		       "diff --git a/m/b.c b/m/b.c\ndeleted file mode 100644\n--- a/m/b.c\n"
		       "+++ /dev/null\n@@ -1 +0,0 @@\n-b\n"
		       "diff --git a/m/n.c b/m/n.c\nnew file mode 100644\n--- /dev/null\n"
		       "+++ b/m/n.c\n@@ -0,0 +1 @@\n+n\n");
	put("2.patch", "--- a/m/n.c\n+++ b/m/n.c\n@@ -1 +1 @@\n-n\n+N\n"
		       "diff --git a/m/c.c b/m/d.c\nsimilarity index 100%\nrename from m/c.c\n"
		       "rename to m/d.c\n");
	if (series_apply(patches, tree, into, log, &gone, &e))
		fail_msg("%s", e.text);
	expect("into/m/a.c", "1\ntwo\n3\n");
	expect("into/m/n.c", "N\n");
	expect("into/m/d.c", "c\n");
	assert_int_equal(json_object_size(gone), 2);
	assert_non_null(json_object_get(gone, "m/b.c"));
	assert_non_null(json_object_get(gone, "m/c.c"));
	assert_false(is_there("into/m/other.c"));
	expect("tree/m/a.c", "1\n2\n3\n");
	json_decref(gone);
	json_decref(patches);
	fclose(log);
}

/* Had the tree that was built in last a configuration that fits? */
static bool configured;

/* Open the shared tree of @source and @config, fill it from "from", and close it. Was it warm? */
static bool build_source(const char *source, const char *config, bool whole)
{
	HB_FREE char *from = at("from"), *over = at("over");
	const struct source_tree s = {.dir = from, .links = true};
	const struct buildtree_name name = {"cc", source, config};
	struct hb_error e = {.text = ""};
	struct buildtree t;
	bool warm;

	if (buildtree_open(dir, &name, NULL, &t, &e) || buildtree_fill(&t, &s, over, NULL, &e))
		fail_msg("%s", e.text);
	warm = t.warm;
	configured = t.configured;
	buildtree_set_configured(&t);
	{
		HB_FREE char *object = hb_strf("%s/object", t.obj);

		assert_int_equal(hb_file_write_atomic(object, config, strlen(config)), 0);
	}
	buildtree_close(&t, whole);
	return warm;
}

static bool build(const char *config, bool whole)
{
	return build_source("source", config, whole);
}

static void test_objects_are_kept(void **state)
{
	(void)state;
	put("from/Makefile", "VERSION = 5");
	put("from/mm/x.c", "1");
	put("from/include/x.h", "1");
	put("from/scripts/x.sh", "1");
	put("over/empty", "");
	assert_false(build("a", true));
	assert_true(build("a", true));
	put("from/mm/x.c", "2");
	put("from/include/x.h", "2");
	put("from/mm/y.c", "new");
	assert_true(build("a", true));
	/* Another configuration begins with a copy, which is its own. */
	assert_true(build("b", true));
	expect("trees/cc-source-a/src/obj/object", "a");
	expect("trees/cc-source-b/src/obj/object", "b");
	assert_true(build_source("another", "c", true));
	put("from/Makefile", "VERSION = 6");
	assert_false(build_source("later", "d", true));
}

/* Code that changes, comes or goes leaves the configuration as it is; nothing else does. */
static void test_configuration_is_kept(void **state)
{
	static const struct {
		const char *name;
		bool kept;
	} changes[] = {{"mm/x.c", true},      {"mm/x.h", true},	      {"mm/x.S", true},
		       {"mm/Kconfig", false}, {"mm/Makefile", false}, {"mm/x.c.txt", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		HB_FREE char *name = hb_strf("from/%s", changes[i].name);

		put(name, "1");
	}
	put("from/Makefile", "VERSION = 5");
	put("over/empty", "");
	build("a", true);
	assert_false(configured);
	build("a", true);
	assert_true(configured);
	put("from/mm/new.c", "1");
	build("a", true);
	assert_true(configured);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		HB_FREE char *name = hb_strf("from/%s", changes[i].name);

		put(name, "2");
		assert_true(build("a", true));
		if (configured != changes[i].kept)
			fail_msg("%s", name);
	}
	/* A copy has another one, and objects that go take theirs with them. */
	assert_true(build("b", true));
	assert_false(configured);
	build("b", true);
	assert_true(configured);
	put("from/scripts/x.sh", "1");
	assert_false(build("b", true));
	assert_false(configured);
	build("a", false);
	build("a", true);
	assert_false(configured);
}

/* A change that a configuration hangs on is not forgotten by a build that ended before it. */
static void test_configuration_is_lost(void **state)
{
	HB_FREE char *from = at("from"), *over = at("over");
	const struct source_tree s = {.dir = from, .links = true};
	const struct buildtree_name name = {"cc", "source", "a"};
	struct buildtree t;

	(void)state;
	put("from/Kconfig", "1");
	put("over/empty", "");
	build("a", true);
	put("from/Kconfig", "2");
	assert_int_equal(buildtree_open(dir, &name, NULL, &t, NULL), 0);
	assert_int_equal(buildtree_fill(&t, &s, over, NULL, NULL), 0);
	buildtree_close(&t, true);
	build("a", true);
	assert_false(configured);
}

static ino_t inode(const char *name)
{
	HB_FREE char *path = at(name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* Sources are links, which are known to be equal without being read, and links again when a tree
 * begins anew. */
static void test_sources_are_links(void **state)
{
	HB_FREE char *over = at("over");

	(void)state;
	put("from/mm/x.c", "1");
	put("over/mm/x.c", "2");
	assert_false(build("a", true));
	put("over/mm/x.c", "1");
	assert_true(build("a", true));
	assert_int_not_equal(inode("trees/cc-source-a/src/mm/x.c"), inode("from/mm/x.c"));
	assert_int_equal(hb_remove_all(over), 0);
	put("over/empty", "");
	put("from/scripts/x.sh", "1");
	assert_false(build("a", true));
	assert_int_equal(inode("trees/cc-source-a/src/mm/x.c"), inode("from/mm/x.c"));
	assert_int_equal(inode("trees/cc-source-a/src/scripts/x.sh"), inode("from/scripts/x.sh"));
}

/* What make does not see empties the objects. */
static void test_objects_are_dropped(void **state)
{
	HB_FREE char *header = at("from/include/new.h");

	(void)state;
	put("from/mm/x.c", "1");
	put("from/scripts/x.sh", "1");
	put("over/empty", "");
	assert_false(build("a", true));
	put("from/include/new.h", "1");
	assert_false(build("a", true));
	unlink(header);
	assert_false(build("a", true));
	put("from/scripts/x.sh", "2");
	assert_false(build("a", true));
	assert_true(build("a", true));
}

/* A build that was killed, a clock that was put back. */
static void test_interrupted(void **state)
{
	HB_FREE char *complete = at("trees/cc-source-a/hugebench-complete");
	const struct timespec later[2] = {{.tv_sec = 1LL << 32}, {.tv_sec = 1LL << 32}};

	(void)state;
	put("from/mm/x.c", "1");
	put("over/empty", "");
	assert_false(build("a", false));
	assert_false(build("a", true));
	assert_true(build("a", true));
	assert_int_equal(utimensat(AT_FDCWD, complete, later, 0), 0);
	assert_false(build("a", true));
}

static void test_prune(void **state)
{
	const char *const configs[] = {"1", "2", "3"};
	struct timespec used[2] = {{.tv_sec = 0}};
	struct workspace w;

	(void)state;
	put("from/mm/x.c", "1");
	put("over/empty", "");
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		HB_FREE char *mark =
			hb_strf("%s/trees/cc-source-%s/hugebench-complete", dir, configs[i]);

		build(configs[i], true);
		used[0].tv_sec = used[1].tv_sec = LONG_AGO + (long)i;
		assert_int_equal(utimensat(AT_FDCWD, mark, used, 0), 0);
	}
	assert_int_equal(workspace_open(dir, "trees", "cc-source-1", &w, NULL), 0);
	workspace_prune(dir, "trees", 1);
	assert_true(is_there("trees/cc-source-1"));
	assert_false(is_there("trees/cc-source-2"));
	assert_true(is_there("trees/cc-source-3"));
	workspace_close(&w, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_what_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_series, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configuration_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configuration_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sources_are_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
