// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/memory.h"

#define MIB (1ULL << 20)

static const struct placement anywhere = {.host_node = {-1, -1}};

static void test_memory_is_filled(void **state)
{
	struct hb_error e = {""};
	struct memory m;
	struct stat st;

	(void)state;
	assert_int_equal(memory_open(&anywhere, 2, 8 * MIB, NULL, &m, &e), 0);
	assert_int_equal(m.nodes, 2);
	for (unsigned int n = 0; n < 2; n++) {
		assert_int_equal(fstat(m.fd[n], &st), 0);
		assert_int_equal(st.st_size, 4 * MIB);
		assert_true(m.huge || (uint64_t)st.st_blocks * 512 >= 4 * MIB);
	}
	assert_non_null(strstr(m.text, "8 MiB"));
	memory_close(&m);
}

/* QEMU opens it by the descriptor's name, not by the descriptor. */
static void test_opened_again_it_is_the_same(void **state)
{
	char path[40], byte = 0;
	struct memory m;
	char *map;
	int fd;

	(void)state;
	assert_int_equal(memory_open(&anywhere, 2, 8 * MIB, NULL, &m, NULL), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m.fd[1]);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	map = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	map[0] = 'x';
	assert_int_equal(pread(m.fd[1], &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	munmap(map, 4 * MIB);
	close(fd);
	memory_close(&m);
}

static void test_closed_twice(void **state)
{
	struct memory m;
	int fd;

	(void)state;
	assert_int_equal(memory_open(&anywhere, 2, 8 * MIB, NULL, &m, NULL), 0);
	fd = m.fd[0];
	/* Another program that we start does not keep it. */
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	memory_close(&m);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(m.nodes, 0);
	memory_close(&m);
}

static void test_host_is_never_filled(void **state)
{
	struct hb_error e = {""};
	struct memory m;

	(void)state;
	assert_true(memory_limit() > 0);
	assert_int_equal(memory_open(&anywhere, 2, 1ULL << 50, NULL, &m, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "would do"));
	assert_int_equal(m.nodes, 0);
}

static void test_interrupted(void **state)
{
	volatile int interrupted = 1;
	struct memory m;

	(void)state;
	assert_int_equal(memory_open(&anywhere, 2, 8 * MIB, &interrupted, &m, NULL), -EINTR);
	assert_int_equal(m.nodes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_filled),
		cmocka_unit_test(test_opened_again_it_is_the_same),
		cmocka_unit_test(test_closed_twice),
		cmocka_unit_test(test_host_is_never_filled),
		cmocka_unit_test(test_interrupted),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
