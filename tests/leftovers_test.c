// SPDX-License-Identifier: GPL-2.0-or-later
/* The fixture that ends what other tests leave running. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/base/util.h"
#include "tests/leftovers.h"

static void test_what_ends_by_itself(void **state)
{
	(void)state;
	assert_int_equal(leftovers_end(NSEC_PER_SEC), 0);
	if (!fork()) {
		usleep(100000);
		_exit(3);
	}
	assert_int_equal(leftovers_end(NSEC_PER_SEC), 0);
}

/* A parent and its child, each in a session of its own and deaf to what a terminal sends. */
static void test_what_does_not(void **state)
{
	int ready[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(leftovers_adopt(), 0);
	if (!fork()) {
		signal(SIGTERM, SIG_IGN);
		fork();
		setsid();
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(leftovers_end(NSEC_PER_SEC), 2);
	assert_int_equal(leftovers_end(NSEC_PER_SEC), 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_ends_by_itself),
		cmocka_unit_test(test_what_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
