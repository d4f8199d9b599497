// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of the stress workload: what is told apart, and what must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workloads/stress/stress_word.h"

#define LAST_GENERATION ((1ULL << STRESS_GENERATION_BITS) - 1)

static void a_word_comes_back(void **state)
{
	const struct stress_word w[] = {
		{STRESS_FILE_SHARED, 0, 0, 0},
		{STRESS_FILE_PRIVATE, STRESS_MAX_TASKS - 1, STRESS_MAX_PAGES - 1, LAST_GENERATION},
		{STRESS_FILE_SHM, 5, 77, 123456789},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
		struct stress_word back = stress_word_unpack(stress_word_pack(w[i]));

		assert_int_equal(back.file, w[i].file);
		assert_int_equal(back.task, w[i].task);
		assert_int_equal(back.index, w[i].index);
		assert_int_equal(back.generation, w[i].generation);
		assert_true(stress_word_pack(w[i]) != 0);
	}
}

static void places_do_not_meet(void **state)
{
	static uint8_t used[(2 << 20) / 8];

	(void)state;
	for (unsigned int task = 0; task < STRESS_MAX_TASKS; task++) {
		uint64_t at = stress_word_offset(task);

		assert_true(at % 8 == 0 && at + 8 <= 2 << 20);
		assert_int_equal(used[at / 8], 0);
		used[at / 8] = 1;
		/* A small page of its own: no other task's word is in the same 4 KiB. */
		for (unsigned int other = 0; other < task; other++)
			assert_true(stress_word_offset(other) / 4096 != at / 4096);
	}
}

static void what_was_destroyed_is_stale(void **state)
{
	uint64_t v = stress_word_pack((struct stress_word){STRESS_FILE_SHARED, 1, 2, 100});

	(void)state;
	assert_true(stress_word_fresh(0, 100, 0));
	assert_false(stress_word_fresh(v, 100, 0));
	assert_false(stress_word_fresh(v, 5000, 0));
	assert_true(stress_word_fresh(v, 99, 0));
	/* Still being written when the page was destroyed: it may have landed afterwards. */
	assert_true(stress_word_fresh(v, 100, 100));
	assert_true(stress_word_fresh(v, 5000, 90));
	assert_false(stress_word_fresh(v, 5000, 101));
}

static void a_word_belongs_to_one_place(void **state)
{
	uint64_t v = stress_word_pack((struct stress_word){STRESS_FILE_SHARED, 1, 2, 100});

	(void)state;
	assert_true(stress_word_belongs(0, STRESS_FILE_SHARED, 9, 9, 0));
	assert_true(stress_word_belongs(v, STRESS_FILE_SHARED, 1, 2, 100));
	assert_false(stress_word_belongs(v, STRESS_FILE_SHARED, 1, 2, 99));
	assert_false(stress_word_belongs(v, STRESS_FILE_PRIVATE, 1, 2, 100));
	assert_false(stress_word_belongs(v, STRESS_FILE_SHARED, 2, 2, 100));
	assert_false(stress_word_belongs(v, STRESS_FILE_SHARED, 1, 3, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_comes_back),
		cmocka_unit_test(places_do_not_meet),
		cmocka_unit_test(what_was_destroyed_is_stale),
		cmocka_unit_test(a_word_belongs_to_one_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
