// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guests of a run are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/run/run.h"

static void expect_arguments(const char *own, const char *first, const char *second,
			     const char *want)
{
	struct kernel kernels[] = {
		{.settings = json_pack("{s:s}", "CONFIG_NUMA_BALANCING", first)},
		{.settings = json_pack("{s:s}", "CONFIG_NUMA_BALANCING", second)},
		{.broken = ""}};
	const struct run r = {
		.kernels = kernels, .nkernels = ARRAY_SIZE(kernels), .command_line = (char *)own};
	HB_FREE char *got = run_arguments(&r);

	assert_string_equal(got, want);
	json_decref(kernels[0].settings);
	json_decref(kernels[1].settings);
}

/* One arm with NUMA balancing, and all are told that it is off; the user's word comes last. */
static void test_numa_balancing_is_off(void **state)
{
	static const char has[] = "CONFIG_NUMA_BALANCING=y";
	static const char lacks[] = "# CONFIG_NUMA_BALANCING is not set";

	(void)state;
	expect_arguments("", lacks, lacks, "");
	expect_arguments("quiet", lacks, lacks, "quiet");
	expect_arguments("", lacks, has, "numa_balancing=disable");
	expect_arguments("numa_balancing=enable", has, lacks,
			 "numa_balancing=disable numa_balancing=enable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_numa_balancing_is_off)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
