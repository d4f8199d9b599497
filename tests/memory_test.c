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
#include <sys/wait.h>
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

/* A control group that leaves guests @bytes; NULL: this machine gives none. */
static char *group_with(uint64_t bytes)
{
	static const struct {
		const char *at, *limit;
	} kinds[] = {
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup", "memory.max"},
	};
	uint64_t reserve = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 10;
	HB_FREE char *most = NULL;

	if (reserve < 1024 * MIB)
		reserve = 1024 * MIB;
	reserve += bytes;
	most = hb_strf("%llu", (unsigned long long)reserve);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		HB_FREE char *group = hb_strf("%s/hugebench-test-%d", kinds[i].at, getpid());
		HB_FREE char *limit = hb_strf("%s/%s", group, kinds[i].limit);

		if (mkdir(group, 0755))
			continue;
		if (!hb_file_write(limit, most))
			return HB_STEAL(group);
		rmdir(group);
	}
	return NULL;
}

/* In a process of its own: take @bytes at the word of the parent, and hold them until its end. */
static void taker(const char *group, uint64_t bytes, int go, int result)
{
	HB_FREE char *procs = hb_strf("%s/cgroup.procs", group);
	struct memory m;
	int rc = hb_file_write(procs, "0");
	char byte;

	if (write(result, &rc, sizeof(rc)) != sizeof(rc) || read(go, &byte, 1) != 1)
		_exit(1);
	rc = memory_open(&anywhere, 1, bytes, NULL, &m, NULL);
	if (write(result, &rc, sizeof(rc)) != sizeof(rc))
		_exit(1);
	/* The parent closes it. */
	_exit(read(go, &byte, 1) == 0 ? 0 : 1);
}

/* Three quarters of what is free for each of two runs that begin together: one waits, and refuses.
 */
static void test_two_at_once(void **state)
{
	HB_FREE char *group = group_with(128 * MIB);
	int go[2], result[2], rc[2], status;
	uint64_t huge;

	(void)state;
	if (!group || (!memory_huge_free("", &huge) && huge >= 96 * MIB)) {
		if (group)
			rmdir(group);
		skip();
	}
	assert_int_equal(pipe(go) | pipe(result), 0);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			close(go[1]);
			taker(group, 96 * MIB, go[0], result[1]);
		}
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read(result[0], &rc[i], sizeof(rc[i])), sizeof(rc[i]));
		assert_int_equal(rc[i], 0);
	}
	assert_int_equal(write(go[1], "go", 2), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(result[0], &rc[i], sizeof(rc[i])), sizeof(rc[i]));
	close(go[1]);
	for (int i = 0; i < 2; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	rmdir(group);
	assert_int_equal(rc[0] + rc[1], -ENOSPC);
	assert_true(!rc[0] || !rc[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_filled),
		cmocka_unit_test(test_opened_again_it_is_the_same),
		cmocka_unit_test(test_closed_twice),
		cmocka_unit_test(test_host_is_never_filled),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_two_at_once),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
