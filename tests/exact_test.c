// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine of mode exact as the host describes it, and the kernel that it boots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/base/exact.h"

#define TURN 100

static uint64_t period(const json_t *machine, size_t i)
{
	return json_integer_value(json_array_get(json_object_get(machine, "periods"), i));
}

/* An instruction of each CPU takes between 16 and 32 ns, with more CPUs as many as there are. */
static void units_are_alike(void **state)
{
	(void)state;
	assert_int_equal(exact_shift(1), 3);
	for (unsigned int n = 2; n <= EXACT_VCPUS_MAX; n++) {
		assert_true(n << exact_shift(n) > 16);
		assert_true(n << exact_shift(n) <= (n > 32 ? n : 32));
	}
}

static void one_cpu_has_no_turns(void **state)
{
	json_t *m = exact_machine(1, 5, TURN);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(m, "periods")), 0);
	json_decref(m);
}

/* The shortest period is the turn, the others are longer, each in a range of its own. */
static void periods_come_from_the_seed(void **state)
{
	json_t *first = exact_machine(4, 1, TURN);
	unsigned int other = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		json_t *m = exact_machine(4, seed, TURN);
		json_t *again = exact_machine(4, seed, TURN);

		assert_true(json_equal(m, again));
		assert_in_range(period(m, 0), TURN * 32 / 10, TURN * 32 / 10 * 19 / 16);
		assert_true(period(m, 0) < period(m, 1) && period(m, 1) < period(m, 2));
		other += !json_equal(m, first);
		json_decref(again);
		json_decref(m);
	}
	assert_true(other > 45);
	json_decref(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_alike),
		cmocka_unit_test(one_cpu_has_no_turns),
		cmocka_unit_test(periods_come_from_the_seed),
	};

	return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
