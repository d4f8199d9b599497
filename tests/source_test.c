// SPDX-License-Identifier: GPL-2.0-or-later
/* apt's source lists in their forms, and what identifies a source tree. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/build/apt.h"
#include "bench/build/source.h"
#include "tests/put.h"

static char dir[] = "/tmp/hb-source-test-XXXXXX";

static void put(const char *name, const char *text)
{
	put_file(text, "%s/%s", dir, name);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hb-source-test-XXXXXX");
	unsetenv("KERNEL_SRC");
	return !mkdtemp(dir);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

static void expect_uri(const char *want)
{
	struct hb_error e = {.text = ""};
	char *uri;

	if (apt_security_uri(dir, &uri, &e))
		fail_msg("%s", e.text);
	assert_string_equal(uri, want);
	free(uri);
}

static void test_one_line(void **state)
{
	(void)state;
	put("sources.list", "# deb file:/a/debian-security bookworm-security main\n"
			    "deb file:/b/debian bookworm main\n"
			    "deb-src file:/c/debian-security bookworm-security main\n"
			    "deb [arch=amd64 signed-by=/k.gpg] file:/d/debian-security/ "
			    "bookworm-security main contrib\n");
	expect_uri("file:/d/debian-security");
}

static void expect_main(const char *want)
{
	struct hb_error e = {.text = ""};
	char *uri;

	if (apt_main_uri(dir, &uri, &e))
		fail_msg("%s", e.text);
	assert_string_equal(uri, want);
	free(uri);
}

static void test_main_archive(void **state)
{
	struct hb_error e = {.text = ""};
	char *uri;

	(void)state;
	put("sources.list", "deb file:/a/debian-security bookworm-security main\n"
			    "deb file:/b/apt bookworm main\n");
	assert_int_equal(apt_main_uri(dir, &uri, &e), -ENODEV);
	put("sources.list.d/mirror.list",
	    "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n");
	expect_main("mirror+file:/etc/apt/mirrors/debian.list");
	put("sources.list.d/a.sources",
	    "Types: deb\nURIs: file:/k/debian/\nSuites: bookworm\nComponents: main\n");
	expect_main("file:/k/debian");
}

static void test_old_suite_name(void **state)
{
	(void)state;
	put("sources.list.d/x.list", "deb\tfile:/e/debian-security\tbuster/updates\tmain\n");
	expect_uri("file:/e/debian-security");
}

static void test_deb822(void **state)
{
	(void)state;
	put("sources.list.d/debian.sources",
	    "Types: deb deb-src\n"
	    "# a comment inside\n"
	    "URIs: file:/f/debian\n"
	    "Suites: bookworm bookworm-updates\n"
	    "Components: main\n"
	    "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
	    "\n"
	    "types: deb\n"
	    "uris:\n file:/g/debian-security\n file:/h/x\n"
	    "suites: bookworm-security\ncomponents: main\n");
	expect_uri("file:/g/debian-security");
}

static void test_deb822_disabled_or_source_only(void **state)
{
	(void)state;
	put("sources.list.d/a.sources",
	    "Enabled: no\nTypes: deb\nURIs: file:/i/debian-security\n"
	    "Suites: bookworm-security\nComponents: main\n\n"
	    "Types: deb-src\nURIs: file:/j/debian-security\n"
	    "Suites: bookworm-security\nComponents: main\n\n"
	    "Types: deb\nURIs: file:/k/debian/\nSuites: bookworm\nComponents: main\n");
	expect_uri("file:/k/debian-security");
}

static void test_others_are_ignored(void **state)
{
	struct hb_error e = {.text = ""};
	char *uri;

	(void)state;
	put("sources.list", "deb cdrom:[Debian 12]/ bookworm main\n"
			    "deb file:/packages/apt stable main\n"
			    "deb file:/archive/ubuntu jammy-security main\n");
	assert_int_equal(apt_security_uri(dir, &uri, &e), -ENODEV);
	assert_non_null(strstr(e.text, "KERNEL_SRC"));
	put("sources.list.d/mirror.list", "deb mirror+file:/etc/apt/mirrors/debian-security.list "
					  "bookworm-security main\n");
	expect_uri("mirror+file:/etc/apt/mirrors/debian-security.list");
}

static void test_broken_entry(void **state)
{
	struct hb_error e = {.text = ""};
	char *uri;

	(void)state;
	put("sources.list", "deb file:/a/debian bookworm main\ndeb [broken\n");
	assert_int_equal(apt_main_uri(dir, &uri, &e), -ENODEV);
	assert_non_null(strstr(e.text, "sources.list"));
	assert_null(uri);
}

static void test_access_of_the_machine(void **state)
{
	HB_FREE char *none = apt_access("");
	HB_FREE char *some = apt_access("APT::Architecture \"amd64\";\n"
					"Acquire::http::Proxy \"http://[::1]:3128\";\n"
					"Acquire::IndexTargets::deb::Packages::Optional \"0\";\n"
					"Acquire::Check-Valid-Until \"false\";\n"
					"APT::Update::Post-Invoke:: \"false\";\n"
					"Acquire::https::Timeout \"9\";");

	(void)state;
	assert_string_equal(none, "");
	assert_string_equal(some, "Acquire::http::Proxy \"http://[::1]:3128\";\n"
				  "Acquire::Check-Valid-Until \"false\";\n"
				  "Acquire::https::Timeout \"9\";");
}

static void test_package_description(void **state)
{
	struct hb_error e = {.text = ""};
	struct source s = {0};

	(void)state;
	put("kernels/sources/p.ini", "[source]\npackage = p\nversion = 1-2\nsuite = s\n");
	assert_int_equal(source_load(dir, "p", &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "'sha256' is missing"));
	source_free(&s);
	assert_int_equal(source_load(dir, "q", &s, &e), -ENOENT);
	source_free(&s);
}

/* The identity of @s; the hash is the caller's. */
static char *identity(const struct source *s, const char *label)
{
	struct hb_error e = {.text = ""};
	struct source_id id;
	char *hash;

	if (source_identify(s, dir, &id, &e))
		fail_msg("%s", e.text);
	if (label)
		assert_string_equal(id.label, label);
	hash = strdup(id.hash);
	source_id_free(&id);
	return hash;
}

/* Where the pinned version is gone, what was taken instead is remembered. */
static void test_package_identity(void **state)
{
	struct source s = {.package = "linux-source-5.10",
			   .version = "5.10.262-1",
			   .suite = "x",
			   .sha256 = "abc"};
	HB_FREE char *pinned = identity(&s, "linux-source-5.10 5.10.262-1");
	HB_FREE char *instead = NULL;

	(void)state;
	assert_string_equal(pinned, "abc");
	put("sources/linux-source-5.10-5.10.262-1.instead.json",
	    "{\"version\": \"5.10.300-1\", \"sha256\": \"def\"}");
	instead = identity(&s, "linux-source-5.10 5.10.300-1");
	assert_string_equal(instead, "def");
}

/* Run git in directory @where of the test's. */
static void git_in(const char *where, const char *command)
{
	HB_FREE char *line = hb_strf("cd '%s/%s' && git -c user.name=t -c user.email=t@example -c "
				     "init.defaultBranch=main -c protocol.file.allow=always %s "
				     ">/dev/null 2>&1",
				     dir, where, command);
	char *argv[] = {"sh", "-c", line, NULL};

	if (child_do(argv, -1))
		fail_msg("git %s", command);
}

static void git(const char *command)
{
	git_in("tree", command);
}

/* A git tree with one commit, tagged "old": f is "one". */
static void make_tree(void)
{
	put("tree/f", "one\n");
	put("tree/Makefile", "all:\n");
	git("init");
	git("add .");
	git("commit -m one");
	git("tag old");
}

/* Unpack @s as it is now into a new directory; the text of file @name there, NULL: it has none. */
static char *unpacked(const struct source *s, const char *name)
{
	HB_FREE char *into = hb_strf("%s/into", dir), *file = hb_strf("%s/into/%s", dir, name);
	struct hb_error e = {.text = ""};
	struct source_id id;
	char *text = NULL;

	assert_int_equal(hb_remove_all(into), 0);
	if (source_identify(s, dir, &id, &e) || source_unpack(s, dir, &id, into, &e))
		fail_msg("%s", e.text);
	source_id_free(&id);
	hb_file_read(file, &text, NULL);
	return text;
}

static void expect_refusal(const struct source *s, int code, const char *words)
{
	struct hb_error e = {.text = ""};
	struct source_id id;

	assert_int_equal(source_identify(s, dir, &id, &e), code);
	if (!strstr(e.text, words))
		fail_msg("'%s' does not say '%s'", e.text, words);
}

static void test_git_tree(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *text = NULL;
	struct source head = {.tree = tree}, old = {.tree = tree, .ref = "old"};
	HB_FREE char *first = NULL, *clean = NULL, *dirty = NULL, *again = NULL, *at_ref = NULL;

	(void)state;
	make_tree();
	first = identity(&head, NULL);
	put("tree/f", "two\n");
	dirty = identity(&head, NULL);
	again = identity(&head, NULL);
	at_ref = identity(&old, NULL);
	assert_string_not_equal(first, dirty);
	assert_string_equal(dirty, again);
	assert_string_equal(first, at_ref);
	text = unpacked(&head, "f");
	assert_string_equal(text, "two\n");
	git("add .");
	git("commit -m two");
	clean = identity(&head, NULL);
	assert_string_equal(clean, dirty);
	old.ref = "nowhere";
	expect_refusal(&old, -ENODEV, "nowhere: ");
	expect_refusal(&old, -ENODEV, "Needed a single revision");
}

/* What git says beside a right answer, here that a name is ambiguous, is no part of it. */
static void test_git_warns(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *label = hb_strf("%s@old", tree);
	struct source head = {.tree = tree}, old = {.tree = tree, .ref = "old"};
	HB_FREE char *head_before = NULL, *head_after = NULL, *old_before = NULL, *old_after = NULL;
	char *argv[] = {"git", "rev-parse", "--verify", "old^{commit}", NULL};
	struct child c = {.directory = tree};
	HB_FREE char *words = NULL;
	struct source_id id;

	(void)state;
	make_tree();
	head_before = identity(&head, NULL);
	old_before = identity(&old, NULL);
	git("branch old");
	git("update-ref refs/heads/HEAD HEAD");
	assert_int_equal(child_capture(&c, argv, &words), 0);
	assert_non_null(strstr(words, "warning: "));
	head_after = identity(&head, NULL);
	old_after = identity(&old, NULL);
	assert_string_equal(head_before, head_after);
	assert_string_equal(old_before, old_after);
	assert_int_equal(source_identify(&old, dir, &id, NULL), 0);
	assert_string_equal(id.label, label);
	source_id_free(&id);
	put("tree/f", "two\n");
	free(head_after);
	head_after = unpacked(&head, "f");
	assert_string_equal(head_after, "two\n");
}

/* What is checked out is taken whatever state the index is in, or refused; the label says dirty. */
static void test_git_dirty(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *label = NULL, *f = NULL, *new = NULL;
	struct source s = {.tree = tree};
	struct source_id id;

	(void)state;
	make_tree();
	put("tree/f", "two\n");
	put("tree/new", "new\n");
	put("tree/untracked", "no\n");
	git("add -N new");
	f = unpacked(&s, "f");
	new = unpacked(&s, "new");
	assert_string_equal(f, "two\n");
	assert_string_equal(new, "new\n");
	assert_null(unpacked(&s, "untracked"));
	assert_int_equal(source_identify(&s, dir, &id, NULL), 0);
	label = hb_strf("%s@old-dirty", tree);
	assert_string_equal(id.label, label);
	source_id_free(&id);
	/* Nothing of it was written to the tree. */
	git("diff --cached --quiet -- f");
	git("fsck --unreachable --no-reflogs --strict");
	unlink(hb_strf("%s/tree/f", dir));
	assert_null(unpacked(&s, "f"));
}

/* Set the time of file @name below the test's directory to a second of long ago. */
static void make_old(const char *name)
{
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	HB_FREE char *path = hb_strf("%s/%s", dir, name);

	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

/* A change in the second in which git wrote its index has the size and the time of what git knows:
 * git looks into the file for the index being no younger. */
static void test_git_change_at_once(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *text = NULL;
	struct source s = {.tree = tree};

	(void)state;
	make_tree();
	git("config core.trustctime false");
	git("config core.checkStat minimal");
	make_old("tree/f");
	git("update-index --refresh");
	make_old("tree/.git/index");
	put("tree/f", "two\n");
	make_old("tree/f");
	text = unpacked(&s, "f");
	assert_string_equal(text, "two\n");
}

/* Are there files of the name @pattern in the tree's .git? */
static bool git_has(const char *pattern)
{
	HB_FREE char *full = hb_strf("%s/tree/.git/%s", dir, pattern);
	glob_t g = {0};
	bool has = !glob(full, 0, NULL, &g);

	globfree(&g);
	return has;
}

/* A tree whose index is in two files, by its configuration or by itself, is read and let alone. */
static void test_git_split_index(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *text = NULL, *again = NULL;
	struct source s = {.tree = tree};

	(void)state;
	make_tree();
	git("config core.splitIndex true");
	put("tree/f", "two\n");
	text = unpacked(&s, "f");
	assert_string_equal(text, "two\n");
	assert_false(git_has("sharedindex*"));
	git("update-index --split-index");
	assert_true(git_has("sharedindex*"));
	put("tree/f", "three\n");
	again = unpacked(&s, "f");
	assert_string_equal(again, "three\n");
}

static void test_git_unmerged(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir);
	struct source s = {.tree = tree};

	(void)state;
	make_tree();
	git("checkout -b side");
	put("tree/f", "side\n");
	git("commit -a -m side");
	git("checkout main");
	put("tree/f", "main\n");
	git("commit -a -m main");
	git("merge side || :");
	expect_refusal(&s, -EINVAL, "files are unmerged: f;");
	s.ref = "main";
	free(identity(&s, NULL));
}

/* git's own words reach the user, with its remedy. */
static void test_git_of_someone_else(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir);
	struct source s = {.tree = tree};

	(void)state;
	make_tree();
	setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", 1);
	expect_refusal(&s, -ENODEV, "dubious ownership");
	expect_refusal(&s, -ENODEV, "safe.directory");
	unsetenv("GIT_TEST_ASSUME_DIFFERENT_OWNER");
	put("tree/.git/HEAD", "ref: refs/heads/none\n");
	expect_refusal(&s, -ENODEV, "HEAD");
}

/* Going from commit to commit, files come, change and go in the checkout that the cache keeps. */
static void test_git_checkout_follows(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *f = NULL, *again = NULL;
	struct source head = {.tree = tree}, old = {.tree = tree, .ref = "old"};

	(void)state;
	make_tree();
	put("tree/f", "two\n");
	put("tree/sub/g", "g\n");
	git("add .");
	git("commit -m two");
	free(unpacked(&head, "sub/g"));
	f = unpacked(&old, "f");
	assert_string_equal(f, "one\n");
	assert_null(unpacked(&old, "sub/g"));
	again = unpacked(&head, "sub/g");
	assert_string_equal(again, "g\n");
}

static ino_t inode_in_checkout(const char *name)
{
	HB_FREE char *pattern = hb_strf("%s/checkouts/*/tree/%s", dir, name);
	struct stat st;
	glob_t g = {0};

	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_int_equal(lstat(g.gl_pathv[0], &st), 0);
	globfree(&g);
	return st.st_ino;
}

/* Files of the checkout that a build tree links to stay what they are. */
static void test_git_checkout_is_linked(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *f = NULL, *again = NULL;
	struct source s = {.tree = tree};
	ino_t before;

	(void)state;
	make_tree();
	f = unpacked(&s, "f");
	before = inode_in_checkout("f");
	/* git counts in seconds; the link to the file goes in a later one than it came. */
	usleep(1100000);
	again = unpacked(&s, "f");
	assert_string_equal(f, again);
	assert_int_equal(inode_in_checkout("f"), before);
}

/* Worktrees, shallow and bare clones, submodules, names with blanks and colons, sparse ones. */
static void test_git_kinds(void **state)
{
	static const struct {
		const char *command, *tree, *ref;
	} kinds[] = {
		{"worktree add '../work tree' old", "work tree", NULL},
		{"clone --depth 1 \"file://$PWD\" ../shallow", "shallow", NULL},
		{"clone --bare . ../bare.git", "bare.git", "main"},
		{"clone . '../with: \"quotes\" and blanks'", "with: \"quotes\" and blanks", NULL},
		{"clone -s . ../shared", "shared", NULL},
		{"clone --sparse . ../sparse", "sparse", NULL},
	};

	(void)state;
	make_tree();
	put("tree/sub/g", "g\n");
	git("add .");
	git("commit -m two");
	git("tag -f old");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		HB_FREE char *tree = hb_strf("%s/%s", dir, kinds[i].tree), *text = NULL;
		struct source s = {.tree = tree, .ref = (char *)kinds[i].ref};

		git(kinds[i].command);
		text = unpacked(&s, "sub/g");
		if (!text || strcmp(text, "g\n"))
			fail_msg("%s", kinds[i].command);
	}
	{
		HB_FREE char *bare = hb_strf("%s/bare.git", dir), *words = hb_strf("%s@REF", bare);

		expect_refusal(&(struct source){.tree = bare}, -ENODEV, words);
	}
	put("super/x", "x\n");
	git_in("super", "init");
	git_in("super", "submodule add ../tree linux");
	{
		HB_FREE char *tree = hb_strf("%s/super/linux", dir), *text = NULL;
		struct source s = {.tree = tree};

		text = unpacked(&s, "sub/g");
		assert_string_equal(text, "g\n");
	}
}

static void test_directory(void **state)
{
	HB_FREE char *tree = hb_strf("%s/plain", dir);
	struct source s = {.tree = tree}, ref = {.tree = tree, .ref = "v1"};
	HB_FREE char *first = NULL, *second = NULL;
	struct hb_error e = {.text = ""};
	struct source_id id;

	(void)state;
	put("plain/a/b", "x");
	first = identity(&s, tree);
	put("plain/a/b", "xy");
	second = identity(&s, tree);
	assert_string_not_equal(first, second);
	assert_int_equal(source_identify(&ref, dir, &id, &e), -ENODEV);
	assert_non_null(strstr(e.text, "no git tree"));
	s.tree = "/nonexistent";
	assert_int_equal(source_identify(&s, dir, &id, &e), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_main_archive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_suite_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deb822, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deb822_disabled_or_source_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_others_are_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_entry, setup, teardown),
		cmocka_unit_test(test_access_of_the_machine),
		cmocka_unit_test_setup_teardown(test_package_description, setup, teardown),
		cmocka_unit_test_setup_teardown(test_package_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_warns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_dirty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_change_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_split_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_unmerged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_of_someone_else, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_checkout_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_checkout_is_linked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
