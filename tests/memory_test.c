// SPDX-License-Identifier: GPL-2.0-or-later
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

#include "bench/memory.h"

#define MIB (1ULL << 20)

static char directory[32];

static const struct vm_config config = {.vcpus = 2, .nodes = 2, .memory = 8 * MIB};

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/dev/shm/memory_test.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(directory);
}

static void node_stat(const struct memory *m, unsigned int node, struct stat *st)
{
	char *path = hb_strf("%s.%u", m->path, node);

	assert_int_equal(stat(path, st), 0);
	free(path);
}

static void test_files_are_filled_and_removed(void **state)
{
	struct hb_error e = {""};
	struct memory m;
	struct stat st;
	char *first;

	(void)state;
	assert_int_equal(memory_open_at(directory, &config, NULL, &m, &e), 0);
	assert_int_equal(m.nodes, 2);
	for (unsigned int n = 0; n < 2; n++) {
		node_stat(&m, n, &st);
		assert_int_equal(st.st_size, 4 * MIB);
		assert_true((uint64_t)st.st_blocks * 512 >= 4 * MIB);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	first = hb_strf("%s.0", m.path);
	memory_close(&m);
	assert_int_equal(access(first, F_OK), -1);
	free(first);
	assert_null(m.path);
	memory_close(&m);
}

static void test_two_runs_do_not_meet(void **state)
{
	struct memory a, b;
	struct stat st;

	(void)state;
	assert_int_equal(memory_open_at(directory, &config, NULL, &a, NULL), 0);
	assert_int_equal(memory_open_at(directory, &config, NULL, &b, NULL), 0);
	assert_string_not_equal(a.path, b.path);
	/* The second start's sweep left the first one's files alone. */
	node_stat(&a, 0, &st);
	assert_int_equal(memory_sweep(directory), 0);
	memory_close(&a);
	node_stat(&b, 1, &st);
	memory_close(&b);
}

static void test_files_of_a_dead_run_are_swept(void **state)
{
	struct memory m;
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(memory_open_at(directory, &config, NULL, &m, NULL) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(memory_sweep(directory), 2);
	assert_int_equal(memory_sweep(directory), 0);
}

static void test_foreign_files_stay(void **state)
{
	char *path = hb_strf("%s/something", directory);

	(void)state;
	assert_int_equal(hb_file_write(path, "x"), 0);
	assert_int_equal(memory_sweep(directory), 0);
	assert_int_equal(access(path, F_OK), 0);
	free(path);
}

static void test_host_is_never_filled(void **state)
{
	struct vm_config huge = {.vcpus = 2, .nodes = 2};
	struct hb_error e = {""};
	struct memory m;

	(void)state;
	assert_true(memory_limit() > 0);
	huge.memory = memory_limit() + (4096 * MIB);
	assert_int_equal(memory_open(&huge, NULL, &m, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "would do"));
	assert_null(m.path);
}

static void test_interrupted(void **state)
{
	volatile int interrupted = 1;
	struct memory m;

	(void)state;
	assert_int_equal(memory_open_at(directory, &config, &interrupted, &m, NULL), -EINTR);
	/* Nothing stays behind. */
	assert_int_equal(rmdir(directory), 0);
}

static void test_no_directory(void **state)
{
	struct hb_error e = {""};
	struct memory m;

	(void)state;
	assert_int_equal(memory_open_at("/nonexistent", &config, NULL, &m, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent"));
	assert_null(m.path);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_files_are_filled_and_removed),
		T(test_two_runs_do_not_meet),
		T(test_files_of_a_dead_run_are_swept),
		T(test_foreign_files_stay),
		T(test_host_is_never_filled),
		T(test_interrupted),
		T(test_no_directory),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
