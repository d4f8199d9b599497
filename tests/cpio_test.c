// SPDX-License-Identifier: GPL-2.0-or-later
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

#include "bench/base/util.h"
#include "bench/build/cpio.h"
#include "tests/put.h"

struct archive {
	FILE *file;
	char *text;
	size_t size;
};

static int setup(void **state)
{
	struct archive *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->file = open_memstream(&a->text, &a->size);
	assert_non_null(a->file);
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct archive *a = *state;

	fclose(a->file);
	free(a->text);
	free(a);
	return 0;
}

/* Field @index of a header: 6 bytes of magic, then fields of 8 hexadecimal digits. */
static unsigned long field(const char *header, int index)
{
	char digits[9] = "";

	memcpy(digits, header + 6 + 8 * index, 8);
	return strtoul(digits, NULL, 16);
}

static void test_fields_and_padding(void **state)
{
	struct archive *a = *state;
	const char *second;

	assert_int_equal(cpio_add(a->file, "abc", S_IFREG | 0640, "hello", 5), 0);
	assert_int_equal(cpio_add(a->file, "d", S_IFDIR | 0755, NULL, 0), 0);
	assert_int_equal(cpio_end(a->file), 0);

	assert_memory_equal(a->text, "070701", 6);
	assert_int_equal(field(a->text, 1), S_IFREG | 0640);
	assert_int_equal(field(a->text, 6), 5);
	assert_int_equal(field(a->text, 11), 4);
	assert_string_equal(a->text + 110, "abc");
	/* 110 + 4 = 114, padded to 116; 5 bytes of contents padded to 8 */
	assert_memory_equal(a->text + 116, "hello\0\0\0", 8);
	second = a->text + 124;
	assert_memory_equal(second, "070701", 6);
	assert_int_equal(field(second, 1), S_IFDIR | 0755);
	assert_string_equal(second + 112 + 110, "TRAILER!!!");
	assert_int_equal(a->size % 4, 0);
}

static void test_node(void **state)
{
	struct archive *a = *state;

	assert_int_equal(cpio_add_node(a->file, "dev/console", S_IFCHR | 0600, 5, 1), 0);
	assert_int_equal(cpio_add_node(a->file, "x", S_IFREG | 0600, 5, 1), -EINVAL);
	assert_int_equal(cpio_end(a->file), 0);
	assert_int_equal(field(a->text, 1), S_IFCHR | 0600);
	assert_int_equal(field(a->text, 9), 5);
	assert_int_equal(field(a->text, 10), 1);
}

static void test_bad_names(void **state)
{
	struct archive *a = *state;

	assert_int_equal(cpio_add(a->file, "", S_IFREG | 0644, NULL, 0), -EINVAL);
	assert_int_equal(cpio_add(a->file, "/etc", S_IFREG | 0644, NULL, 0), -EINVAL);
	assert_int_equal(cpio_add(a->file, "big", S_IFREG | 0644, NULL, 1ULL << 32), -EFBIG);
	assert_int_equal(cpio_add_file(a->file, "x", 0644, "/nonexistent"), -ENOENT);
	assert_int_equal(cpio_add_file(a->file, "x", 0644, "/dev/null"), -EINVAL);
}

static void test_file_contents(void **state)
{
	struct archive *a = *state;
	char path[] = "/tmp/cpio_test.XXXXXX";
	char *data = malloc(100001);
	int fd = mkstemp(path);

	assert_non_null(data);
	assert_true(fd >= 0);
	memset(data, 'q', 100001);
	assert_int_equal(write(fd, data, 100001), 100001);
	close(fd);
	assert_int_equal(cpio_add_file(a->file, "q", 0755, path), 0);
	unlink(path);
	assert_int_equal(cpio_end(a->file), 0);
	assert_int_equal(field(a->text, 1), S_IFREG | 0755);
	assert_int_equal(field(a->text, 6), 100001);
	assert_memory_equal(a->text + 112, data, 100001);
	assert_memory_equal(a->text + 112 + 100004, "070701", 6);
	free(data);
}

/* The contents of a directory in the order of their names, whose owner is the one that was given.
 */
static void test_tree(void **state)
{
	static const char *const names[] = {"var/db", "var/db/a", "var/db/b", "var/db/b/c"};
	static const unsigned long modes[] = {S_IFDIR | 0700, S_IFREG | 0640, S_IFDIR | 0750,
					      S_IFREG | 0640};
	char path[] = "/tmp/cpio_test.XXXXXX";
	struct archive *a = *state;
	HB_FREE char *link = NULL;
	mode_t before = umask(027);
	const char *at;

	assert_non_null(mkdtemp(path));
	link = hb_strf("%s/l", path);
	put_file("c", "%s/b/c", path);
	put_file("aaaaa", "%s/a", path);
	assert_int_equal(cpio_add_tree(a->file, "var/db", path, 105, 106), 0);
	assert_int_equal(cpio_end(a->file), 0);
	at = a->text;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t name = 110 + strlen(names[i]) + 1;

		assert_string_equal(at + 110, names[i]);
		assert_int_equal(field(at, 1), modes[i]);
		assert_int_equal(field(at, 2), 105);
		assert_int_equal(field(at, 3), 106);
		at += (name + 3) / 4 * 4 + (field(at, 6) + 3) / 4 * 4;
	}
	assert_string_equal(at + 110, "TRAILER!!!");
	assert_int_equal(field(at, 2), 0);
	/* The server would not start with a part of it. */
	assert_int_equal(symlink("a", link), 0);
	assert_int_equal(cpio_add_tree(a->file, "var/db", path, 105, 106), -EINVAL);
	assert_int_equal(cpio_add_tree(a->file, "x", "/nonexistent", 0, 0), -ENOENT);
	hb_remove_all(path);
	umask(before);
}

/* A full device must not pass for a written archive. */
static void test_write_error(void **state)
{
	FILE *full = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(full);
	assert_int_equal(cpio_add(full, "a", S_IFREG | 0644, "x", 1), 0);
	assert_int_equal(cpio_end(full), -ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields_and_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_node, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_contents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test(test_write_error),
	};

	return cmocka_run_group_tests_name("cpio", tests, NULL, NULL);
}
