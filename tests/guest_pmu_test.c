// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters over a process and its children; the machine's own where it has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/perf_event.h>

#include "workloads/agent/pmu.h"

#define PAGES 200

/* What the kernel itself counts is to be had everywhere. */
static const struct pmu_event software[] = {
	{"faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
	{"none", PERF_TYPE_HARDWARE, 0xfff},
	{NULL, 0, 0},
};

static void touch(size_t pages)
{
	size_t size = pages * 4096;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		p[i * 4096] = 1;
}

static void in_child(size_t pages)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		touch(pages);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static int open_or_skip(struct pmu *p)
{
	struct hb_error e = {""};

	if (pmu_open(p, software, &e)) {
		assert_non_null(strstr(e.text, "observe = pmu"));
		skip();
	}
	return 0;
}

static void children_count_between_begin_and_end(void **state)
{
	struct pmu p;
	HB_FREE char *text = NULL, *none = NULL;
	unsigned long n;

	(void)state;
	open_or_skip(&p);
	in_child(10 * PAGES);
	pmu_begin(&p);
	in_child(PAGES);
	pmu_end(&p);
	in_child(10 * PAGES);
	text = pmu_text(&p, 0);
	none = pmu_text(&p, 1);
	pmu_close(&p);
	n = strtoul(text, NULL, 10);
	assert_in_range(n, PAGES, 5 * PAGES);
	assert_non_null(strstr(text, ", 1.0 per page fault"));
	assert_non_null(strstr(none, "not counted: "));
}

static void without_the_first_there_is_nothing(void **state)
{
	struct pmu p;
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(pmu_open(&p, software + 1, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "observe = pmu: no none: "));
}

static void words(void **state)
{
	HB_FREE char *all = pmu_words(3000, 50, 50, 100), *half = pmu_words(3000, 50, 25, 0);
	HB_FREE char *never = pmu_words(0, 50, 0, 100);

	(void)state;
	assert_string_equal(all, "3000, 30.0 per page fault");
	assert_string_equal(half, "6000 (counted 50% of the time, the counter being shared; "
				  "extrapolated)");
	assert_non_null(strstr(never, "not counted"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_count_between_begin_and_end),
		cmocka_unit_test(without_the_first_there_is_nothing),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests_name("pmu", tests, NULL, NULL);
}
