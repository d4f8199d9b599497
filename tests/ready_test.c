// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that come built: what a guest needs of them, and their modules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/base/kconfig.h"
#include "bench/build/modules.h"
#include "bench/host/child.h"
#include "tests/put.h"

static char dir[] = "/tmp/hb-ready-test-XXXXXX";

static void put(const char *name, const char *text)
{
	put_file(text, "%s/%s", dir, name);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hb-ready-test-XXXXXX");
	return !mkdtemp(dir);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

static const char complete[] = "CONFIG_64BIT=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_BINFMT_ELF=y\n"
			       "CONFIG_PCI=y\nCONFIG_PROC_FS=y\nCONFIG_SYSFS=y\nCONFIG_TMPFS=y\n"
			       "CONFIG_DEVTMPFS=y\nCONFIG_HUGETLBFS=y\nCONFIG_MEMFD_CREATE=y\n"
			       "CONFIG_SERIAL_8250_CONSOLE=y\nCONFIG_UNIX=y\nCONFIG_FUTEX=y\n";

static int check(const char *path, const json_t *loaded, struct hb_error *e)
{
	json_t *config;
	int rc = kconfig_read(path, &config, e) ?: modules_check("k", config, loaded, e);

	json_decref(config);
	return rc;
}

/* A module counts when a guest loads it; what is missing is named. */
static void test_what_a_guest_needs(void **state)
{
	HB_FREE char *config = hb_strf("%s/config", dir), *text = NULL;
	json_t *loaded = json_pack("[s, s]", "CONFIG_VIRTIO_PCI", "CONFIG_VIRTIO_CONSOLE");
	struct hb_error e = {.text = ""};

	(void)state;
	text = hb_strf("%sCONFIG_VIRTIO_PCI=m\nCONFIG_VIRTIO_CONSOLE=m\n", complete);
	put("config", text);
	assert_int_equal(check(config, loaded, &e), 0);
	assert_int_equal(check(config, NULL, &e), -EINVAL);
	assert_non_null(strstr(e.text, "kernel k cannot run a guest"));
	assert_non_null(strstr(e.text, " CONFIG_VIRTIO_PCI CONFIG_VIRTIO_CONSOLE"));
	assert_null(strstr(e.text, "CONFIG_HUGETLBFS"));
	put("config", "CONFIG_64BIT=y\n");
	assert_int_equal(check(config, loaded, &e), -EINVAL);
	assert_non_null(strstr(e.text, "CONFIG_HUGETLBFS"));
	json_decref(loaded);
}

/* Compile @code to a module below lib/modules/1.0. */
static void put_module(const char *name, const char *code)
{
	HB_FREE char *out = hb_strf("%s/lib/modules/1.0/kernel/%s", dir, name);
	HB_FREE char *source = hb_strf("%s/lib/modules/1.0/kernel/%s.c", dir, name);
	HB_FREE char *file = hb_strf("lib/modules/1.0/kernel/%s.c", name);
	char *argv[] = {"gcc", "-c", "-o", out, source, NULL};

	put(file, code);
	assert_int_equal(child_do(argv, -1), 0);
}

static bool has(const char *data, size_t len, const char *text)
{
	return memmem(data, len, text, strlen(text));
}

/* What is there is packed under the name that decides the order; the others count as absent. */
static void test_modules(void **state)
{
	HB_FREE char *archive = hb_strf("%s/archive", dir), *data = NULL;
	struct hb_error e = {.text = ""};
	json_t *loaded = NULL;
	size_t len;

	(void)state;
	assert_int_equal(modules_pack(dir, "1.0", archive, &loaded, &e), -ENODEV);
	assert_non_null(strstr(e.text, "lib/modules/1.0"));
	put_module("virtio_pci.ko", "int a = 1;\n");
	put_module("other.ko", "int b = 1;\n");
	put("lib/modules/1.0/modules.order", "kernel/virtio_pci.ko\n");
	put("lib/modules/1.0/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
	if (modules_pack(dir, "1.0", archive, &loaded, &e))
		fail_msg("%s", e.text);
	assert_int_equal(hb_file_read(archive, &data, &len), 0);
	assert_true(has(data, len, "modules/00-virtio_pci.ko"));
	assert_false(has(data, len, "other.ko"));
	assert_string_equal(json_string_value(json_array_get(loaded, 0)), "CONFIG_VIRTIO_PCI");
	assert_true(json_array_size(loaded) <= 2);
	json_decref(loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_a_guest_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_modules, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
