// SPDX-License-Identifier: GPL-2.0-or-later
/* apt's source lists in their forms, and what identifies a source tree. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/build/apt.h"
#include "bench/build/source.h"

static char dir[] = "/tmp/hb-source-test-XXXXXX";

static void put(const char *name, const char *text)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);
	HB_FREE char *parent = strndup(path, strrchr(path, '/') - path);

	assert_int_equal(hb_mkdir_all(parent), 0);
	assert_int_equal(hb_file_write_atomic(path, text, strlen(text)), 0);
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
	put("sources.list", "# deb http://a.example/debian-security bookworm-security main\n"
			    "deb http://b.example/debian bookworm main\n"
			    "deb-src http://c.example/debian-security bookworm-security main\n"
			    "deb [arch=amd64 signed-by=/k.gpg] http://d.example/debian-security/ "
			    "bookworm-security main contrib\n");
	expect_uri("http://d.example/debian-security");
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
	put("sources.list", "deb http://a.example/debian-security bookworm-security main\n"
			    "deb http://b.example/apt bookworm main\n");
	assert_int_equal(apt_main_uri(dir, &uri, &e), -ENODEV);
	put("sources.list.d/mirror.list",
	    "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n");
	expect_main("mirror+file:/etc/apt/mirrors/debian.list");
	put("sources.list.d/a.sources",
	    "Types: deb\nURIs: http://k.example/debian/\nSuites: bookworm\n");
	expect_main("http://k.example/debian");
}

static void test_old_suite_name(void **state)
{
	(void)state;
	put("sources.list.d/x.list",
	    "deb\thttps://e.example/debian-security\tbuster/updates\tmain\n");
	expect_uri("https://e.example/debian-security");
}

static void test_deb822(void **state)
{
	(void)state;
	put("sources.list.d/debian.sources",
	    "Types: deb deb-src\n"
	    "# a comment inside\n"
	    "URIs: http://f.example/debian\n"
	    "Suites: bookworm bookworm-updates\n"
	    "Components: main\n"
	    "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
	    "\n"
	    "types: deb\n"
	    "uris:\n http://g.example/debian-security\n http://h.example/x\n"
	    "suites: bookworm-security\n");
	expect_uri("http://g.example/debian-security");
}

static void test_deb822_disabled_or_source_only(void **state)
{
	(void)state;
	put("sources.list.d/a.sources",
	    "Enabled: no\nTypes: deb\nURIs: http://i.example/debian-security\n"
	    "Suites: bookworm-security\n\n"
	    "Types: deb-src\nURIs: http://j.example/debian-security\n"
	    "Suites: bookworm-security\n\n"
	    "Types: deb\nURIs: http://k.example/debian/\nSuites: bookworm\n");
	expect_uri("http://k.example/debian-security");
}

static void test_others_are_ignored(void **state)
{
	struct hb_error e = {.text = ""};
	char *uri;

	(void)state;
	put("sources.list", "deb cdrom:[Debian 12]/ bookworm main\n"
			    "deb http://packages.example/apt stable main\n"
			    "deb http://archive.example/ubuntu jammy-security main\n"
			    "deb [broken\n"
			    "deb http://short.example/debian\n");
	assert_int_equal(apt_security_uri(dir, &uri, &e), -ENODEV);
	assert_non_null(strstr(e.text, "KERNEL_SRC"));
	put("sources.list.d/mirror.list", "deb mirror+file:/etc/apt/mirrors/debian-security.list "
					  "bookworm-security main\n");
	expect_uri("mirror+file:/etc/apt/mirrors/debian-security.list");
}

static void test_access_of_the_machine(void **state)
{
	HB_FREE char *none = apt_access("");
	HB_FREE char *some = apt_access("APT::Architecture \"amd64\";\n"
					"Acquire::http::Proxy \"http://proxy.example:3128\";\n"
					"Acquire::IndexTargets::deb::Packages::Optional \"0\";\n"
					"Acquire::Check-Valid-Until \"false\";\n"
					"APT::Update::Post-Invoke:: \"false\";\n"
					"Acquire::https::Timeout \"9\";");

	(void)state;
	assert_string_equal(none, "");
	assert_string_equal(some, "Acquire::http::Proxy \"http://proxy.example:3128\";\n"
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

static void git(const char *command)
{
	HB_FREE char *line = hb_strf("cd %s/tree && git -c user.name=t -c user.email=t@example -c "
				     "init.defaultBranch=main %s >/dev/null 2>&1",
				     dir, command);
	char *argv[] = {"sh", "-c", line, NULL};

	assert_int_equal(hb_run(argv, -1), 0);
}

static void test_git_tree(void **state)
{
	HB_FREE char *tree = hb_strf("%s/tree", dir), *into = hb_strf("%s/into", dir);
	HB_FREE char *file = hb_strf("%s/into/f", dir), *text = NULL;
	struct source head = {.tree = tree}, old = {.tree = tree, .ref = "old"};
	HB_FREE char *first = NULL, *clean = NULL, *dirty = NULL, *again = NULL, *at_ref = NULL;
	struct hb_error e = {.text = ""};
	struct source_id id;

	(void)state;
	put("tree/f", "one\n");
	put("tree/Makefile", "all:\n");
	git("init");
	git("add .");
	git("commit -m one");
	git("tag old");
	first = identity(&head, NULL);
	put("tree/f", "two\n");
	dirty = identity(&head, NULL);
	again = identity(&head, NULL);
	at_ref = identity(&old, NULL);
	assert_string_not_equal(first, dirty);
	assert_string_equal(dirty, again);
	assert_string_equal(first, at_ref);
	if (source_unpack(&head, dir, into, true, &e))
		fail_msg("%s", e.text);
	assert_int_equal(hb_file_read(file, &text, NULL), 0);
	assert_string_equal(text, "two\n");
	git("add .");
	git("commit -m two");
	clean = identity(&head, NULL);
	assert_string_equal(clean, dirty);
	old.ref = "nowhere";
	assert_int_equal(source_identify(&old, dir, &id, &e), -ENODEV);
	assert_non_null(strstr(e.text, "nowhere"));
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
		cmocka_unit_test(test_access_of_the_machine),
		cmocka_unit_test_setup_teardown(test_package_description, setup, teardown),
		cmocka_unit_test_setup_teardown(test_package_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
