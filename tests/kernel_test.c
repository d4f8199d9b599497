// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel variants, their keys and their cache, on a tree whose Makefile has the targets that a
 * kernel's has but takes no time.
 */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/build/bzimage.h"
#include "bench/build/cache.h"
#include "bench/build/elfinfo.h"
#include "bench/base/kconfig.h"
#include "bench/build/fragments.h"
#include "bench/build/kernel.h"
#include "bench/build/needs.h"
#include "bench/build/pause.h"
#include "bench/build/variant.h"
#include "tests/put.h"

/* A build adds a line to the file %s. */
#define MAKEFILE                                                                                   \
	"allnoconfig:\n"                                                                           \
	"\techo one >>%s.configured\n"                                                             \
	"\tgrep ^CONFIG_ $$KCONFIG_ALLCONFIG | grep -v CONFIG_LOST >$(O)/.config\n"                \
	"olddefconfig:\n\ttrue\n"                                                                  \
	"bzImage:\n"                                                                               \
	"\techo one >>%s\n"                                                                        \
	"\tsleep 0.2\n"                                                                            \
	"\tmkdir -p $(O)/arch/x86/boot $(O)/include/config\n"                                      \
	"\techo 5.10.1 >$(O)/include/config/kernel.release\n"                                      \
	"\t@echo '  CC      code.o'\n"                                                             \
	"\tgcc -shared -nostdlib -Wl,--build-id=sha1 -o $(O)/vmlinux code.c\n"                     \
	"\tcp code.c $(O)/arch/x86/boot/bzImage\n"                                                 \
	"\techo 0 A start >$(O)/System.map\n"
static const char code[] = "int first;\nint second;\nint third;\n";
static const char patch_good[] = "--- a/code.c\n+++ b/code.c\n@@ -1,3 +1,3 @@\n int first;\n"
				 "-int second;\n+int changed;\n int third;\n";
static const char patch_bad[] = "--- a/code.c\n+++ b/code.c\n@@ -1,3 +1,3 @@\n int first;\n"
				"-int other;\n+int changed;\n int third;\n";

static char root[] = "/tmp/hb-kernel-test-XXXXXX";
static char *cache, *counter;

/* Write a file below the test's clone. */
static void put(const char *name, const char *text)
{
	put_file(text, "%s/%s", root, name);
}

static void put_variant(const char *name, const char *keys)
{
	HB_FREE char *file = hb_strf("kernels/variants/%s.ini", name);
	HB_FREE char *text = hb_strf("[kernel]\ndescription = test\n%s", keys);

	put(file, text);
}

static unsigned int lines(const char *path)
{
	HB_FREE char *text = NULL;
	unsigned int n = 0;

	if (hb_file_read(path, &text, NULL))
		return 0;
	for (char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static unsigned int builds(void)
{
	return lines(counter);
}

static int setup(void **state)
{
	HB_FREE char *source = NULL, *text = NULL;

	(void)state;
	strcpy(root, "/tmp/hb-kernel-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	cache = hb_strf("%s/cache", root);
	assert_int_equal(hb_mkdir_all(cache), 0);
	counter = hb_strf("%s/builds", root);
	text = hb_strf(MAKEFILE, counter, counter);
	source = hb_strf("%s/tree", root);
	setenv("KERNEL_SRC", source, 1);
	unsetenv("KEEP");
	unsetenv("CC");
	unsetenv("LLVM");
	put("tree/Makefile", text);
	put("tree/code.c", code);
	put("kernels/config/a.config", "CONFIG_A=y\n# CONFIG_B is not set\n");
	put("kernels/config/b.config", "CONFIG_B=y\n");
	put("kernels/s/0001-x.patch", patch_good);
	put("kernels/s/0009-bad.patch", patch_bad);
	put_variant("plain", "fragments = config/a.config\n");
	put_variant("changed", "fragments = config/a.config\npatches = s/0001-*.patch\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(root);
	free(cache);
	free(counter);
	return 0;
}

/* Resolve and return the path of the bzImage. */
static char *resolve(const char *name)
{
	struct hb_error e = {.text = ""};
	struct kernel k;
	char *path;

	if (kernel_resolve_in(root, cache, name, &k, &e))
		fail_msg("%s: %s", name, e.text);
	path = strdup(k.bzimage);
	kernel_free(&k);
	return path;
}

static void test_built_once(void **state)
{
	HB_FREE char *path = NULL, *text = NULL;
	struct hb_error e = {.text = ""};
	struct stat before, after;
	struct kernel k;

	(void)state;
	path = resolve("changed");
	assert_int_equal(builds(), 1);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(kernel_resolve_in(root, cache, "changed", &k, &e), 0);
	assert_int_equal(builds(), 1);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_string_equal(k.version, "5.10.1");
	assert_int_equal(strlen(k.build_id), 40);
	assert_int_equal(json_array_size(k.series), 1);
	assert_string_equal(json_string_value(json_array_get(k.series, 0)), "s/0001-x.patch");
	kernel_free(&k);
	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	assert_non_null(strstr(text, "changed"));
}

/* The user's tree is not touched, and scratch directories are gone. */
static void test_leaves_nothing(void **state)
{
	HB_FREE char *path = resolve("changed");
	HB_FREE char *tree = hb_strf("%s/tree/code.c", root);
	HB_FREE char *work = hb_strf("%s/work", cache);
	HB_FREE char *text = NULL;

	(void)state;
	assert_int_equal(hb_file_read(tree, &text, NULL), 0);
	assert_string_equal(text, code);
	/* Empty, so that it can be removed. */
	assert_int_equal(rmdir(work), 0);
}

static void test_key_has_every_input(void **state)
{
	HB_FREE char *first = resolve("changed"), *plain = resolve("plain"), *next = NULL;

	(void)state;
	assert_string_not_equal(first, plain);
	put("kernels/config/a.config", "CONFIG_A=m\n");
	next = resolve("changed");
	assert_string_not_equal(first, next);
	free(next);
	put("kernels/config/a.config", "CONFIG_A=y\n# CONFIG_B is not set\n");
	put("kernels/s/0001-x.patch", "--- a/code.c\n+++ b/code.c\n@@ -1,3 +1,3 @@\n-int "
				      "first;\n+int f1;\n int second;\n int third;\n");
	next = resolve("changed");
	assert_string_not_equal(first, next);
	free(next);
	put("kernels/s/0001-x.patch", patch_good);
	put_variant("changed",
		    "fragments = config/a.config\npatches = s/0001-*.patch\nstrict = no\n");
	next = resolve("changed");
	assert_string_not_equal(first, next);
	free(next);
	put_variant("changed", "fragments = config/a.config\npatches = s/0001-*.patch\n");
	put("tree/other.c", "int other;\n");
	next = resolve("changed");
	assert_string_not_equal(first, next);
	assert_int_equal(builds(), 6);
}

/* A name and a description are not part of the kernel. */
static void test_key_lacks_name(void **state)
{
	HB_FREE char *first = resolve("plain"), *second = NULL;

	(void)state;
	put_variant("twin", "note = another\nfragments = config/a.config\n");
	second = resolve("twin");
	assert_string_equal(first, second);
	assert_int_equal(builds(), 1);
}

static void test_damage_is_repaired(void **state)
{
	HB_FREE char *path = resolve("plain");
	HB_FREE char *config = hb_strf("%.*s/config", (int)(strrchr(path, '/') - path), path);
	HB_FREE char *manifest =
		hb_strf("%.*s/manifest.json", (int)(strrchr(path, '/') - path), path);
	HB_FREE char *again = NULL, *text = NULL;
	char same_size[sizeof(code)];

	(void)state;
	assert_int_equal(truncate(path, 3), 0);
	free(resolve("plain"));
	assert_int_equal(builds(), 2);
	memset(same_size, 'x', sizeof(code));
	assert_int_equal(hb_file_write_atomic(path, same_size, strlen(code)), 0);
	free(resolve("plain"));
	assert_int_equal(builds(), 3);
	assert_int_equal(unlink(config), 0);
	free(resolve("plain"));
	assert_int_equal(builds(), 4);
	assert_int_equal(truncate(manifest, 10), 0);
	again = resolve("plain");
	assert_int_equal(builds(), 5);
	assert_int_equal(hb_file_read(again, &text, NULL), 0);
	assert_string_equal(text, code);
}

static void put_entry(const char *name, long used)
{
	HB_FREE char *file = hb_strf("cache/things/%s/thing", name);
	HB_FREE char *manifest = hb_strf("cache/things/%s/manifest.json", name);
	HB_FREE char *path = hb_strf("%s/%s", root, manifest);
	struct timespec times[2] = {{.tv_sec = used}, {.tv_sec = used}};

	put(file, "x");
	put(manifest, "{}");
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The last used ones stay, and one that is held, however old. */
static void test_prune(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	static const int stays[] = {1, 0, 1, 1};
	HB_FREE char *parent = hb_strf("%s/things", cache);
	HB_FREE char *held = hb_strf("%s/a", parent), *manifest = hb_strf("%s/manifest.json", held);
	struct timespec old[2] = {{.tv_sec = 50}, {.tv_sec = 50}};
	int fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put_entry(names[i], 100 * (i + 1));
	put("cache/things/other/manifest.json", "{}");
	assert_int_equal(cache_hold(held, &fd, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, manifest, old, 0), 0);
	cache_prune(parent, "thing", 2);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		HB_FREE char *dir = hb_strf("%s/%s", parent, names[i]);

		assert_int_equal(!access(dir, F_OK), stays[i]);
	}
	close(fd);
	cache_prune(parent, "thing", 2);
	assert_int_not_equal(access(held, F_OK), 0);
}

static void test_two_at_once_build_once(void **state)
{
	pid_t pid[2];
	int status;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			struct kernel k;

			_exit(kernel_resolve_in(root, cache, "plain", &k, NULL) != 0);
		}
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(builds(), 1);
}

static void expect_error(const char *name, int code_wanted, const char *words)
{
	struct hb_error e = {.text = ""};
	struct kernel k;
	int rc = kernel_resolve_in(root, cache, name, &k, &e);

	assert_int_equal(rc, code_wanted);
	if (!strstr(e.text, words))
		fail_msg("'%s' does not say '%s'", e.text, words);
}

static void test_patch_that_does_not_apply(void **state)
{
	HB_FREE char *log = hb_strf("%s/logs/kernel-bad.log", cache);
	HB_FREE char *text = NULL;

	(void)state;
	put_variant("bad",
		    "fragments = config/a.config\npatches = s/0001-*.patch, s/0009-*.patch\n");
	expect_error("bad", -EIO, "s/0009-bad.patch does not apply");
	expect_error("bad", -EIO, log);
	assert_int_equal(hb_file_read(log, &text, NULL), 0);
	assert_non_null(strstr(text, "patch failed: code.c"));
	assert_int_equal(builds(), 0);
}

/* Every step of a series is a variant; one that is wrong is no obstacle to the others. */
static void test_steps(void **state)
{
	json_t *names = json_array();
	struct variant v;
	struct hb_error e;

	(void)state;
	put_variant("series",
		    "fragments = config/a.config\npatches = s/0001-*.patch, s/0009-*.patch\n");
	assert_int_equal(variant_steps(root, "plain", "series", names, &e), 0);
	assert_int_equal(json_array_size(names), 3);
	assert_string_equal(json_string_value(json_array_get(names, 1)), "series.1");
	json_decref(names);
	assert_int_equal(variant_load(root, "series.1", &v, &e), 0);
	assert_string_equal(v.name, "series.1");
	assert_int_equal(json_array_size(v.patches), 1);
	variant_free(&v);
	expect_error("series.3", -ENOENT, "series has 2 patches");
	expect_error("none.1", -ENOENT, "there is no kernel variant 'none.1'; there are");
	assert_int_equal(variant_steps(root, "series", "plain", NULL, &e), -EINVAL);
	assert_non_null(strstr(e.text, "the patches of plain do not begin with those of series"));
}

/* A patch may be displaced, but its context must be there to the letter. */
static void test_no_fuzz(void **state)
{
	(void)state;
	put("kernels/s/0002-fuzzy.patch",
	    "--- a/code.c\n+++ b/code.c\n@@ -1,3 +1,3 @@\n int nearly;\n"
	    "-int second;\n+int changed;\n int third;\n");
	put_variant("fuzzy", "fragments = config/a.config\npatches = s/0002-*.patch\n");
	expect_error("fuzzy", -EIO, "does not apply");
}

static void test_unknown_variant(void **state)
{
	(void)state;
	expect_error("nope", -ENOENT, "there are: changed, plain");
	expect_error("../variants/plain", -ENODEV, "../variants/plain: No such file");
}

/* Descriptions, patches and fragments of one's own need not be in the clone. */
static void test_directory_of_ones_own(void **state)
{
	HB_FREE char *own = hb_strf("%s/own", root), *none = hb_strf("%s/none", root);
	HB_FREE char *patched = NULL, *changed = NULL;
	json_t *names;

	(void)state;
	put("own/mine.ini", "[kernel]\ndescription = test\nfragments = config/a.config\n"
			    "patches = mine/*.patch\n");
	put("own/mine/0001-x.patch", patch_good);
	put("own/plain.ini", "[kernel]\ndescription = not this one\nbzimage = /x\n");
	expect_error("mine", -ENOENT, "no kernel variant 'mine'");
	setenv("HUGEBENCH_KERNELS", own, 1);
	patched = resolve("mine");
	changed = resolve("changed");
	/* The same inputs, wherever they are. */
	assert_string_equal(patched, changed);
	free(resolve("plain"));
	names = variant_names(root);
	/* plain, changed, mine: that of the clone hides the other plain */
	assert_int_equal(json_array_size(names), 3);
	json_decref(names);
	put("own/lost.ini", "[kernel]\ndescription = test\nfragments = config/a.config\n"
			    "patches = lost/*.patch\n");
	expect_error("lost", -EINVAL, "lost/*.patch beside it, and no kernels/lost/*.patch");
	setenv("HUGEBENCH_KERNELS", none, 1);
	expect_error("mine", -ENOENT, "HUGEBENCH_KERNELS = ");
	unsetenv("HUGEBENCH_KERNELS");
}

static void test_wrong_descriptions(void **state)
{
	(void)state;
	put_variant("w", "fragments = config/a.config\npatchs = x\n");
	expect_error("w", -EINVAL, "w.ini:4: key 'patchs' is unknown");
	put_variant("w", "fragments = config/none.config\n");
	expect_error("w", -EINVAL, "no kernels/config/none.config");
	put_variant("w", "fragments = config/a.config\ntree = /x\ntarball = /y\n");
	expect_error("w", -EINVAL, "one of source, tree, tarball, bzimage, package");
	put_variant("w", "fragments = config/a.config\nref = v5.10\n");
	expect_error("w", -EINVAL, "ref has a meaning with tree only");
	put_variant("w", "bzimage = /x\n");
	expect_error("w", -EINVAL, "bzimage wants config");
	put_variant("w", "package = linux-image-*\n");
	expect_error("w", -EINVAL, "package and suite go together");
	put_variant("w", "package = linux-image-*\nsuite = s\nfragments = config/a.config\n");
	expect_error("w", -EINVAL, "no meaning with bzimage or package");
	put_variant("w", "modules = /lib/modules/1\nfragments = config/a.config\n");
	expect_error("w", -EINVAL, "modules has a meaning with bzimage only");
	put_variant("w", "timed = maybe\nfragments = config/a.config\n");
	expect_error("w", -EINVAL, "timed = maybe");
	put_variant("w", "description = again\nfragments = config/a.config\n");
	expect_error("w", -EINVAL, "w.ini:3: the key stands in this section already");
	put_variant("w", "fragments = config/a.config\n[more]\n");
	expect_error("w", -EINVAL, "w.ini:4: section [more] is unknown; only [kernel] is allowed");
	put_variant("w", "fragments =\n");
	expect_error("w", -EINVAL, "w.ini:3: key 'fragments' has no value");
	put_variant("w", "note = nothing to configure\n");
	expect_error("w", -EINVAL, "give fragments");
}

/* Arms that differ by code are configured once. Each has what its own configuration would give it.
 */
static void test_configured_once(void **state)
{
	HB_FREE char *configured = hb_strf("%s.configured", counter);

	(void)state;
	free(resolve("plain"));
	free(resolve("changed"));
	put("tree/code.c", "int first;\nint second;\nint third;\nint fourth;\n");
	free(resolve("plain"));
	assert_int_equal(builds(), 3);
	assert_int_equal(lines(configured), 1);
	put_variant("b", "fragments = config/b.config\n");
	free(resolve("b"));
	assert_int_equal(lines(configured), 2);
	put("tree/Kconfig", "config A\n");
	free(resolve("plain"));
	assert_int_equal(lines(configured), 3);
	put("tree/Kconfig", "config B\n");
	free(resolve("plain"));
	assert_int_equal(lines(configured), 4);
	free(resolve("changed"));
	assert_int_equal(lines(configured), 4);
}

/* What make says is what the user reads; strict = no is about the configuration only. */
static void test_build_that_fails(void **state)
{
	(void)state;
	put_variant("w", "fragments = config/a.config\nstrict = no\n");
	put("tree/Makefile", "allnoconfig:\n\techo 'certs: No such file'; false\n");
	expect_error("w", -EIO, "make allnoconfig exited with 2");
	expect_error("w", -EIO, "\n  certs: No such file");
	put("tree/Makefile", "allnoconfig:\n\ttouch $(O)/.config\nolddefconfig:\n"
			     "bzImage:\n\t@echo '  CC      lib/error.o'\n"
			     "\t@echo 'code.c:1: warning: an error?'\n"
			     "\t@echo 'BTF: pahole is not available'\n\t@exit 3\n");
	expect_error("w", -EIO, "says:\n  BTF: pahole is not available\n  make: *** [Makefile:");
}

/* What a killed make left half-written is not built upon; what a failed one left is. */
static void test_make_that_is_killed(void **state)
{
	(void)state;
	put_variant("w", "fragments = config/a.config\nstrict = no\n");
	put("tree/Makefile", "allnoconfig:\n\ttouch $(O)/.config\nolddefconfig:\n"
			     "bzImage:\n\t@sh step.c $(O)\n");
	put("tree/step.c", "touch $1/half; kill -9 $PPID");
	expect_error("w", -EIO, "make bzImage exited with 137");
	put("tree/step.c", "touch $1/kept; test -e $1/half || echo 'error: begun anew'; exit 1");
	expect_error("w", -EIO, "error: begun anew");
	put("tree/step.c", "test -e $1/kept && echo 'error: built upon'; exit 1");
	expect_error("w", -EIO, "error: built upon");
}

/* What make would miss at the end of a build only: certificates and BTF of a distribution. */
static void test_needs_of_a_configuration(void **state)
{
	HB_FREE char *path = strdup(getenv("PATH")), *bin = hb_strf("%s/bin", root);
	HB_FREE char *pahole = hb_strf("%s/pahole", bin), *config = hb_strf("%s/c", root);
	HB_FREE char *tree = hb_strf("%s/tree", root);
	struct hb_error e;

	(void)state;
	put("kernels/config/c.config", "CONFIG_A=y\nCONFIG_SYSTEM_TRUSTED_KEYS=\"debian/x.pem\"\n");
	put_variant("certs", "fragments = config/c.config\n");
	expect_error("certs", -EINVAL,
		     "CONFIG_SYSTEM_TRUSTED_KEYS=\"debian/x.pem\": the source has");
	assert_int_equal(builds(), 0);
	put("tree/debian/x.pem", "");
	free(resolve("certs"));
	put("kernels/config/c.config", "CONFIG_A=y\nCONFIG_SYSTEM_TRUSTED_KEYS=\"\"\n");
	free(resolve("certs"));
	put("c", "CONFIG_A=y\nCONFIG_DEBUG_INFO_BTF=y\n");
	put("bin/README", "");
	setenv("PATH", bin, 1);
	assert_int_equal(needs_check(config, tree, &e), -EINVAL);
	assert_non_null(strstr(e.text, "install dwarves"));
	put("bin/pahole", "");
	assert_int_equal(chmod(pahole, 0755), 0);
	assert_int_equal(needs_check(config, tree, &e), 0);
	setenv("PATH", path, 1);
	put("c", "CONFIG_A=y\nCONFIG_SYSTEM_REVOCATION_KEYS=\"/nonexistent\"\n");
	assert_int_equal(needs_check(config, tree, &e), -EINVAL);
}

/* Refused before anything is copied. */
static void test_tree_that_was_built_in(void **state)
{
	HB_FREE char *trees = hb_strf("%s/trees", cache);

	(void)state;
	put("tree/.config", "CONFIG_A=y\n");
	expect_error("plain", -ENODEV, "/tree was built in (it has .config)");
	expect_error("plain", -ENODEV, "make mrproper");
	assert_int_equal(access(trees, F_OK), 0);
}

static void test_place_that_make_refuses(void **state)
{
	HB_FREE char *blank = hb_strf("%s/ca che", root), *colon = hb_strf("%s/ca:che", root);
	struct hb_error e = {.text = ""};
	struct kernel k;

	(void)state;
	assert_int_equal(kernel_resolve_in(root, blank, "plain", &k, &e), -EINVAL);
	assert_non_null(strstr(e.text, "takes no ' '"));
	assert_non_null(strstr(e.text, "XDG_CACHE_HOME"));
	assert_int_equal(kernel_resolve_in(root, colon, "plain", &k, &e), -EINVAL);
	assert_non_null(strstr(e.text, "takes no ':'"));
	assert_int_equal(builds(), 0);
}

/* Another compiler is another kernel; the same behind ccache is not. */
static void test_compiler_of_ones_own(void **state)
{
	HB_FREE char *script = hb_strf("%s/mycc", root), *twice = hb_strf("env %s", script);
	HB_FREE char *first = resolve("plain"), *second = NULL, *third = NULL;

	(void)state;
	put("mycc", "#!/bin/sh\necho \"gcc (GCC) 15.1.1 20250425\"\n");
	assert_int_equal(chmod(script, 0755), 0);
	setenv("CC", script, 1);
	second = resolve("plain");
	setenv("CC", twice, 1);
	third = resolve("plain");
	assert_string_not_equal(first, second);
	assert_string_equal(second, third);
	put("tree/Makefile", "allnoconfig:\n\ttouch $(O)/.config\nolddefconfig:\n"
			     "bzImage:\n\t@echo '  CC      x.o'\n\t@echo \"$(CC)\"\n\t@exit 1\n");
	put_variant("w", "fragments = config/a.config\nstrict = no\n");
	expect_error("w", -EIO, "older than gcc 15: CC=gcc-12");
	setenv("CC", "/nonexistent/cc", 1);
	expect_error("plain", -ENODEV, "/nonexistent/cc is missing");
	unsetenv("CC");
	setenv("LLVM", "-14", 1);
	expect_error("plain", -EINVAL, "LLVM=-14: only LLVM=1");
	unsetenv("LLVM");
}

/* What is in no key does not reach make. */
static void test_environment_is_closed(void **state)
{
	HB_FREE char *seen = hb_strf("%s/seen", root), *text = NULL, *makefile = NULL;

	(void)state;
	makefile = hb_strf("allnoconfig:\n\tenv >%s; false\n", seen);
	put("tree/Makefile", makefile);
	setenv("KCPPFLAGS", "-DX", 1);
	setenv("HB_ANYTHING", "1", 1);
	setenv("CCACHE_PREFIX", "distcc", 1);
	setenv("CCACHE_DIR", "/nonexistent/ccache", 1);
	expect_error("plain", -EIO, "allnoconfig");
	unsetenv("KCPPFLAGS");
	unsetenv("HB_ANYTHING");
	unsetenv("CCACHE_PREFIX");
	unsetenv("CCACHE_DIR");
	assert_int_equal(hb_file_read(seen, &text, NULL), 0);
	assert_null(strstr(text, "KCPPFLAGS"));
	assert_null(strstr(text, "HB_ANYTHING"));
	assert_null(strstr(text, "CCACHE_PREFIX"));
	assert_non_null(strstr(text, "CCACHE_DIR=/nonexistent/ccache"));
	assert_non_null(strstr(text, "PATH="));
	assert_non_null(strstr(text, "KBUILD_BUILD_TIMESTAMP="));
}

static void test_lost_symbol(void **state)
{
	(void)state;
	put("kernels/config/c.config", "# a comment\nCONFIG_C=y\nCONFIG_LOST=y\n");
	put_variant("lost", "fragments = config/c.config\n");
	expect_error("lost", -EIO, "config/c.config:3: CONFIG_LOST=y is wanted, it is n");
	expect_error("lost", -EIO, "'strict = no'");
	put_variant("lost", "fragments = config/c.config\nstrict = no\n");
	free(resolve("lost"));
}

static void test_last_fragment_wins(void **state)
{
	HB_FREE char *config = hb_strf("%s/dot-config", root);
	json_t *ab = json_pack("[s, s]", "config/a.config", "config/b.config");
	json_t *ba = json_pack("[s, s]", "config/b.config", "config/a.config");
	struct hb_error e = {.text = ""};

	(void)state;
	put("dot-config", "CONFIG_A=y\nCONFIG_B=y\nCONFIG_BB=y\n");
	assert_int_equal(fragments_check(root, ab, config, &e), 0);
	assert_int_equal(fragments_check(root, ba, config, &e), -EIO);
	assert_non_null(strstr(e.text, "config/a.config:2: CONFIG_B=n is wanted, it is y"));
	json_decref(ab);
	json_decref(ba);
}

static void test_config_diff(void **state)
{
	HB_FREE char *left = hb_strf("%s/left", root), *right = hb_strf("%s/right", root);
	json_t *diff, *settings, *loaded = json_pack("[s]", "CONFIG_X");
	struct hb_error e = {.text = ""};

	(void)state;
	put("left",
	    "CONFIG_CC_VERSION_TEXT=\"gcc 1\"\n# CONFIG_N is not set\nCONFIG_A=y\nCONFIG_X=y\n");
	put("right", "CONFIG_CC_VERSION_TEXT=\"gcc 2\"\nCONFIG_A=y\nCONFIG_X=m\nCONFIG_NEW=3\n");
	diff = kconfig_diff(left, right, NULL);
	assert_int_equal(json_array_size(diff), 3);
	assert_string_equal(json_string_value(json_array_get(diff, 0)), "-CONFIG_X=y");
	assert_string_equal(json_string_value(json_array_get(diff, 1)), "+CONFIG_X=m");
	assert_string_equal(json_string_value(json_array_get(diff, 2)), "+CONFIG_NEW=3");
	json_decref(diff);
	diff = kconfig_diff(left, left, NULL);
	assert_int_equal(json_array_size(diff), 0);
	json_decref(diff);
	assert_int_equal(kconfig_read(right, &settings, &e), 0);
	assert_true(kconfig_has(settings, "CONFIG_A", NULL));
	assert_false(kconfig_has(settings, "CONFIG_X", NULL));
	/* A module counts when it is loaded. */
	assert_true(kconfig_has(settings, "CONFIG_X", loaded));
	assert_false(kconfig_has(settings, "CONFIG_NEW", loaded));
	assert_false(kconfig_has(settings, "CONFIG_NE", NULL));
	json_decref(settings);
	assert_int_equal(kconfig_read(left, &settings, &e), 0);
	assert_false(kconfig_has(settings, "CONFIG_N", NULL));
	json_decref(settings);
	assert_null(kconfig_diff(left, "/nonexistent", NULL));
	assert_int_equal(kconfig_read("/nonexistent", &settings, &e), -ENOENT);
	assert_string_equal(e.text, "cannot read /nonexistent: No such file or directory");
	json_decref(settings);
	json_decref(loaded);
}

/* A bzImage as the boot protocol has it: setup header, then @payload and its unpacked size. */
static void put_image(const char *path, const void *payload, size_t len, uint32_t unpacked)
{
	unsigned char out[65536] = {0};
	size_t at = 5 * 512;
	uint32_t word = len + 4;

	assert_true(at + word <= sizeof(out));
	out[0x1f1] = 4;
	memcpy(out + 0x202, "HdrS\x0f\x02", 6);
	memcpy(out + 0x20e, "\x00\x08", 2);
	memcpy(out + 0xa00 - 0x200, "6.1.0-test (x@y) #1", 20);
	memcpy(out + 0x20e, "\x00\x06", 2);
	memcpy(out + 0x24c, &word, 4);
	memcpy(out + at, payload, len);
	memcpy(out + at + len, &unpacked, 4);
	put_bytes(out, at + word, "%s", path);
}

/* The ELF file @elf packed by the shell's @packer into a bzImage; false: there is no such program.
 */
static bool put_bzimage(const char *path, const char *elf, const char *packer)
{
	HB_FREE char *packed = hb_strf("%s/packed", root), *data = NULL;
	HB_FREE char *line = hb_strf("%s <%s >%s 2>/dev/null", packer, elf, packed);
	char *argv[] = {"sh", "-c", line, NULL};
	struct stat st;
	size_t len;
	int rc = child_do(argv, -1);

	assert_true(!rc || rc == 127);
	assert_int_equal(stat(elf, &st), 0);
	assert_int_equal(hb_file_read(packed, &data, &len), 0);
	/* gzip ends with the size itself. */
	if (!strncmp(packer, "gzip", 4))
		len -= 4;
	put_image(path, data, len, st.st_size);
	return !rc;
}

static void expect_ready(const char *id)
{
	struct hb_error e = {.text = ""};
	struct kernel k;

	if (kernel_resolve_in(root, cache, "mine", &k, &e))
		fail_msg("%s", e.text);
	assert_string_equal(k.build_id, id);
	assert_string_equal(k.version, "6.1.0-test");
	kernel_free(&k);
}

/* In all the forms that kbuild packs an image in. */
static void test_ready_bzimage(void **state)
{
	static const char *const packers[] = {"gzip -9",  "xz --check=crc32", "lzma -9",
					      "bzip2 -9", "lz4 -l -9",	      "zstd -19",
					      "lzop -9"};
	HB_FREE char *elf = hb_strf("%s/elf", root), *bz = hb_strf("%s/bz", root);
	HB_FREE char *keys = NULL, *id = NULL;
	char *argv[] = {"gcc", "-shared",   "-nostdlib", "-Wl,--build-id=sha1", "-o", elf,
			"-xc", "/dev/null", NULL};
	struct hb_error e = {.text = ""};

	(void)state;
	assert_int_equal(child_do(argv, -1), 0);
	assert_int_equal(elf_build_id(elf, &id, &e), 0);
	put("cfg", "CONFIG_A=y\n");
	keys = hb_strf("[kernel]\ndescription = mine\nbzimage = ../../bz\nconfig = %s/cfg\n", root);
	put("kernels/local/mine.ini", keys);
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++)
		if (put_bzimage(bz, elf, packers[i]))
			expect_ready(id);
	put("bz", "not a kernel at all");
	expect_error("mine", -EINVAL, "no bzImage");
	unlink(bz);
	expect_error("mine", -ENODEV, "cannot read");
}

/* A bzimage_change: how often two bytes follow one another in the kernel. */
static unsigned int pauses, nops;

static int count_codes(char *vmlinux, size_t len, struct hb_error *e)
{
	(void)e;
	pauses = nops = 0;
	for (size_t i = 0; i + 2 <= len; i++) {
		pauses += !memcmp(vmlinux + i, "\xf3\x90", 2);
		nops += !memcmp(vmlinux + i, "\x66\x90", 2);
	}
	return 0;
}

/* The instructions go, what only looks like them in data or inside an instruction stays. */
static void test_pauses_are_removed(void **state)
{
	HB_FREE char *elf = hb_strf("%s/elf", root), *bz = hb_strf("%s/bz", root);
	HB_FREE char *source = hb_strf("%s/code.s", root), *edited = hb_strf("%s/edited", root);
	HB_FREE char *path = NULL, *again = NULL;
	char *argv[] = {"gcc", "-shared", "-nostdlib", "-o", elf, source, NULL};
	struct hb_error e = {.text = ""};

	(void)state;
	put("code.s", ".text\npause\nmov $0x90f3, %eax\nrep; nop\nret\n"
		      ".data\n.byte 0xf3, 0x90\n.zero 20000, 1\n");
	assert_int_equal(child_do(argv, -1), 0);
	put_bzimage(bz, elf, "gzip -1");
	assert_int_equal(bzimage_edit(bz, edited, count_codes, &e), 0);
	assert_int_equal(pauses, 4);
	if (pause_remove(bz, cache, &path, &e))
		fail_msg("%s", e.text);
	assert_int_equal(bzimage_edit(path, edited, count_codes, &e), 0);
	assert_int_equal(pauses, 2);
	assert_true(nops >= 2);
	assert_int_equal(pause_remove(bz, cache, &again, &e), 0);
	assert_string_equal(path, again);
}

static void test_missing_source(void **state)
{
	(void)state;
	setenv("KERNEL_SRC", "/nonexistent/linux.tar.xz", 1);
	expect_error("plain", -ENODEV, "KERNEL_SRC=/nonexistent/linux.tar.xz");
}

/* An empty directory, a file that is no archive, an archive of something else. */
static void test_broken_source(void **state)
{
	HB_FREE char *empty = hb_strf("%s/empty", root);
	HB_FREE char *junk = hb_strf("%s/junk.tar", root);
	HB_FREE char *other = hb_strf("%s/other.tar", root);
	HB_FREE char *sources = hb_strf("%s/sources", cache),
		     *trees = hb_strf("%s/trees/*/src", cache);
	char *argv[] = {"tar", "-c", "-f", other, "-C", root, "empty", NULL};
	glob_t g = {0};

	(void)state;
	free(resolve("plain"));
	put("empty/README", "");
	put("junk.tar", "junk");
	assert_int_equal(child_do(argv, -1), 0);
	setenv("KERNEL_SRC", empty, 1);
	expect_error("plain", -ENODEV, "no kernel source");
	setenv("KERNEL_SRC", junk, 1);
	expect_error("plain", -EIO, "cannot unpack");
	setenv("KERNEL_SRC", other, 1);
	expect_error("plain", -ENODEV, "no kernel source");
	/* Nothing is left of them, and no tree was copied for them. */
	assert_int_equal(rmdir(sources), 0);
	assert_int_equal(glob(trees, 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 1);
	globfree(&g);
}

static void test_tarball(void **state)
{
	HB_FREE char *tarball = hb_strf("%s/linux.tar", root), *path = NULL;
	char *argv[] = {"tar", "-c", "-f", tarball, "-C", root, "tree", NULL};
	struct hb_error e = {.text = ""};
	struct kernel k;

	(void)state;
	assert_int_equal(child_do(argv, -1), 0);
	setenv("KERNEL_SRC", tarball, 1);
	path = resolve("changed");
	/* The unpacked tree is kept and its files are shared: a patch must not have written into
	 * them. */
	free(resolve("plain"));
	assert_int_equal(kernel_resolve_in(root, cache, "plain", &k, &e), 0);
	assert_string_equal(k.source, tarball);
	free(path);
	assert_int_equal(hb_file_read(k.bzimage, &path, NULL), 0);
	assert_string_equal(path, code);
	kernel_free(&k);
	assert_int_equal(builds(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_built_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_has_every_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_lacks_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_is_repaired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_at_once_build_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patch_that_does_not_apply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_fuzz, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_variant, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory_of_ones_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_descriptions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configured_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_build_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_make_that_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_needs_of_a_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree_that_was_built_in, setup, teardown),
		cmocka_unit_test_setup_teardown(test_place_that_make_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compiler_of_ones_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_environment_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_symbol, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_fragment_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_diff, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ready_bzimage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pauses_are_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_source, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tarball, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
