// SPDX-License-Identifier: GPL-2.0-or-later
/* The server's segment in smaps, the prober's schedule and query, the server's log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workloads/postgres/probe.h"
#include "workloads/postgres/segment.h"
#include "workloads/postgres/server.h"

#define GIB ((uint64_t)1 << 30)

static const char smaps[] =
	"55d0c0000000-55d0c0a00000 r-xp 00000000 fe:00 1 /usr/lib/postgresql/15/bin/postgres\n"
	"Size:              10240 kB\n"
	"KernelPageSize:        4 kB\n"
	"Rss:                5000 kB\n"
	"VmFlags: rd ex mr mw me\n"
	"7f0000000000-7f0400000000 rw-p 00000000 00:00 0\n"
	"KernelPageSize:        4 kB\n"
	"Rss:                   8 kB\n"
	"VmFlags: rd wr mr mw me ac\n"
	"7f1010000000-7f1110800000 rw-s 00000000 00:0f 3 /anon_hugepage (deleted)\n"
	"Size:            4202496 kB\n"
	"KernelPageSize:     2048 kB\n"
	"MMUPageSize:        2048 kB\n"
	"Rss:                   0 kB\n"
	"Shared_Hugetlb:  1024000 kB\n"
	"Private_Hugetlb:    2048 kB\n"
	"VmFlags: rd wr sh mr mw me ms de ht sd\n"
	"7f2000000000-7f2000001000 rw-s 00000000 00:01 4 /SYSV00000000 (deleted)\n"
	"KernelPageSize:        4 kB\n"
	"Rss:                   4 kB\n"
	"VmFlags: rd wr sh mr mw me ms\n";

/* The large private mapping is not it, nor the small shared one. */
static void finds_segment(void **state)
{
	struct pg_segment seg;

	(void)state;
	assert_int_equal(pg_segment_parse(smaps, &seg, NULL), 0);
	assert_int_equal(seg.start, 0x7f1010000000);
	assert_int_equal(seg.end, 0x7f1110800000);
	assert_true(seg.hugetlb);
	assert_int_equal(seg.page_bytes, 2 << 20);
	assert_int_equal(seg.mapped_bytes, 1026048ULL << 10);
	assert_int_equal(pg_segment_sharable(&seg), 3);
}

static void segment_on_small_pages(void **state)
{
	static const char text[] = "7f1010000000-7f1110800000 rw-s 00000000 00:01 3 /dev/zero\n"
				   "KernelPageSize:        4 kB\n"
				   "Rss:                 400 kB\n"
				   "VmFlags: rd wr sh mr mw me ms sd\n";
	struct pg_segment seg;

	(void)state;
	assert_int_equal(pg_segment_parse(text, &seg, NULL), 0);
	assert_false(seg.hugetlb);
	assert_int_equal(seg.page_bytes, 4096);
	assert_int_equal(seg.mapped_bytes, 400 << 10);
	assert_int_equal(pg_segment_parse("", &seg, NULL), -ENOENT);
}

static void sharable_needs_whole_gib(void **state)
{
	struct pg_segment seg = {.start = 5 * GIB, .end = 7 * GIB};

	(void)state;
	assert_int_equal(pg_segment_sharable(&seg), 2);
	seg.start += 2 << 20;
	assert_int_equal(pg_segment_sharable(&seg), 1);
	seg.end -= 2 << 20;
	assert_int_equal(pg_segment_sharable(&seg), 0);
	seg = (struct pg_segment){.start = 5 * GIB + 4096, .end = 5 * GIB + (512 << 20)};
	assert_int_equal(pg_segment_sharable(&seg), 0);
}

/* A third of a second does not add up to an error. */
static void schedule_does_not_drift(void **state)
{
	struct pg_pace p = {.start_ns = 1000, .rate = 3};

	(void)state;
	assert_int_equal(pg_pace_due(&p, 0), 1000);
	for (uint64_t i = 0; i < 3000000; i += 299999) {
		uint64_t exact = 1000 + i * NSEC_PER_SEC / 3, due = pg_pace_due(&p, i);

		assert_true(due <= exact + 1 && due + 1 >= exact);
	}
}

static void touch_reaches_over_the_table(void **state)
{
	char *q = pg_touch_query(1000, 4);

	(void)state;
	assert_non_null(q);
	assert_non_null(strstr(q, "'{\"(0,1)\",\"(250,1)\",\"(500,1)\",\"(750,1)\"}'::tid[]"));
	free(q);
	/* Never more than there are blocks, none twice. */
	q = pg_touch_query(2, 100);
	assert_non_null(q);
	assert_non_null(strstr(q, "'{\"(0,1)\",\"(1,1)\"}'::tid[]"));
	free(q);
}

static void log_lines(void **state)
{
	static const char *const bad[] = {
		"2026-01-01 UTC [7] PANIC:  could not write to file",
		"2026-01-01 UTC [7] LOG:  server process (PID 9) was terminated by signal 7: Bus "
		"error",
		"2026-01-01 UTC [7] FATAL:  could not map anonymous shared memory: Cannot allocate "
		"memory",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(pg_server_line_is_bad(bad[i]));
	assert_false(pg_server_line_is_bad(
		"2026-01-01 UTC [7] FATAL:  the database system is starting up"));
	assert_false(pg_server_line_is_bad(
		"2026-01-01 UTC [7] LOG:  database system is ready to accept connections"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_segment),
		cmocka_unit_test(segment_on_small_pages),
		cmocka_unit_test(sharable_needs_whole_gib),
		cmocka_unit_test(schedule_does_not_drift),
		cmocka_unit_test(touch_reaches_over_the_table),
		cmocka_unit_test(log_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
