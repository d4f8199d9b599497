// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that are named by where they are: what the text means, and how the arm is called. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/kernel_place.h"
#include "bench/build/variant.h"
#include "bench/scenario/spec.h"
#include "tests/put.h"

static char dir[] = "/tmp/hb-place-test-XXXXXX";

static char *at(const char *name)
{
	return hb_strf("%s/%s", dir, name);
}

static void put(const char *name, const char *text, size_t len)
{
	put_bytes(text, len, "%s/%s", dir, name);
}

/* A file that begins like a bzImage. */
static void put_image(const char *name)
{
	char image[0x300] = {0};

	memcpy(image + 0x202, "HdrS", 4);
	put(name, image, sizeof(image));
}

static int setup(void **state)
{
	HB_FREE char *link_path = NULL;

	(void)state;
	strcpy(dir, "/tmp/hb-place-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	put("linux/Makefile", "", 0);
	put("my linux@home/Makefile", "", 0);
	put("x/linux/Makefile", "", 0);
	put("linux-6.6.tar.xz", "", 0);
	put("text", "text", 4);
	link_path = at("link");
	assert_int_equal(symlink("linux", link_path), 0);
	setenv("HOME", dir, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

static void expect(const char *text, enum place_kind kind, const char *name, const char *ref,
		   const char *path)
{
	HB_FREE char *full = at(path);
	struct hb_error e = {.text = ""};
	struct place p;

	if (place_find(text, &p, &e))
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(p.kind, kind);
	assert_string_equal(p.name, name);
	assert_string_equal(p.path, full);
	if (ref)
		assert_string_equal(p.ref, ref);
	else
		assert_null(p.ref);
	place_free(&p);
}

static void refuse(const char *text, const char *words)
{
	struct hb_error e = {.text = ""};
	struct place p;

	assert_int_equal(place_find(text, &p, &e), -ENODEV);
	if (!strstr(e.text, words))
		fail_msg("'%s' does not say '%s'", e.text, words);
}

static void test_what_is_a_place(void **state)
{
	(void)state;
	assert_false(place_is("base"));
	assert_false(place_is("v6.1"));
	assert_true(place_is("~/linux"));
	assert_true(place_is("."));
	assert_true(place_is("linux@v6.6"));
	assert_true(place_is("/boot/vmlinuz-6.1.0-40-amd64"));
}

static void test_places(void **state)
{
	HB_FREE char *linux_path = at("linux"), *home = at("my linux@home@v6.6");

	(void)state;
	expect("~/linux", PLACE_TREE, "linux", NULL, "linux");
	expect("~/linux/", PLACE_TREE, "linux", NULL, "linux");
	expect("~/linux@v6.6", PLACE_TREE, "linux-v6.6", "v6.6", "linux");
	expect("~/linux@me/topic@{1}", PLACE_TREE, "linux-me-topic--1-", "me/topic@{1}", "linux");
	/* A link has a name of its own. */
	expect("~/link@v1", PLACE_TREE, "link-v1", "v1", "linux");
	expect("~/my linux@home", PLACE_TREE, "my-linux-home", NULL, "my linux@home");
	expect(home, PLACE_TREE, "my-linux-home-v6.6", "v6.6", "my linux@home");
	expect("~/linux-6.6.tar.xz", PLACE_TARBALL, "linux-6.6.tar.xz", NULL, "linux-6.6.tar.xz");
	assert_int_equal(chdir(linux_path), 0);
	expect(".", PLACE_TREE, "linux", NULL, "linux");
	expect("../linux@HEAD~1", PLACE_TREE, "linux-HEAD-1", "HEAD~1", "linux");
	assert_int_equal(chdir("/"), 0);
}

static void test_refused(void **state)
{
	(void)state;
	refuse("~/nothing", "~/nothing: No such file");
	refuse("~/nothing@v1", "No such file");
	refuse("~/linux@", "no ref behind the '@'");
	refuse("~/text", "no directory, no bzImage and no tarball");
}

#define NOBODY 65534

/* Ubuntu's images are root's alone. */
static void test_image_of_root(void **state)
{
	HB_FREE char *path = at("boot/vmlinuz-6.8.0-1");

	(void)state;
	put_image("boot/vmlinuz-6.8.0-1");
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(path, 0), 0);
	if (!geteuid())
		assert_int_equal(seteuid(NOBODY), 0);
	refuse("~/boot/vmlinuz-6.8.0-1",
	       "cannot read ~/boot/vmlinuz-6.8.0-1: Permission denied; mend");
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
}

/* An image is taken with the .config that belongs to it. */
static void test_images(void **state)
{
	HB_FREE char *config = at("boot/config-6.1.0-1"), *top = at("built/.config");
	struct hb_error e = {.text = ""};
	struct variant v;

	(void)state;
	put_image("boot/vmlinuz-6.1.0-1");
	assert_int_equal(variant_load("/", "~/boot/vmlinuz-6.1.0-1", &v, &e), -ENODEV);
	assert_non_null(strstr(e.text, "its .config is not there"));
	put("boot/config-6.1.0-1", "", 0);
	assert_int_equal(variant_load("/", "~/boot/vmlinuz-6.1.0-1", &v, &e), 0);
	assert_string_equal(v.name, "vmlinuz-6.1.0-1");
	assert_string_equal(v.config, config);
	variant_free(&v);
	put_image("built/arch/x86/boot/bzImage");
	put("built/.config", "", 0);
	assert_int_equal(variant_load("/", "~/built/arch/x86/boot/bzImage", &v, &e), 0);
	assert_true(!access(v.config, F_OK));
	assert_string_equal(strrchr(v.config, '/'), strrchr(top, '/'));
	variant_free(&v);
	assert_int_equal(variant_load("/", "~/boot/vmlinuz-6.1.0-1@v1", &v, &e), -ENODEV);
}

/* Arms have names of their own, and the scenario knows where they come from. */
static void test_arms(void **state)
{
	json_t *workloads = json_pack("[{s:s, s:s, s:[], s:[], s:[]}]", "name", "w", "role",
				      "workload", "options", "metrics", "needs");
	json_t *overrides = json_pack("[s]", "kernels=base, ~/linux@v1, ~/x/linux@v1, ~/x/linux");
	struct hb_error e = {.text = ""};
	struct spec spec;

	(void)state;
	if (spec_parse("s.ini", "[scenario]\n[cell c]\nworkload = w\n", workloads, overrides, 4,
		       &spec, &e))
		fail_msg("%s", e.text);
	assert_string_equal(json_string_value(json_array_get(spec.kernels, 1)), "linux-v1");
	assert_string_equal(json_string_value(json_array_get(spec.kernels, 2)), "linux-v1-2");
	assert_string_equal(json_string_value(json_array_get(spec.kernels, 3)), "linux");
	assert_string_equal(spec_kernel(&spec, "linux-v1-2"), "~/x/linux@v1");
	assert_string_equal(spec_kernel(&spec, "base"), "base");
	spec_free(&spec);
	json_decref(overrides);
	overrides = json_pack("[s]", "kernels=base,~/nothing@v1");
	assert_int_not_equal(spec_parse("s.ini", "[scenario]\n[cell c]\nworkload = w\n", workloads,
					overrides, 4, &spec, &e),
			     0);
	assert_non_null(strstr(e.text, "kernels: ~/nothing@v1: No such file"));
	spec_free(&spec);
	json_decref(overrides);
	json_decref(workloads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_place),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_image_of_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_images, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arms, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
