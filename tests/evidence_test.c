// SPDX-License-Identifier: GPL-2.0-or-later
/* Chains out of kernel log lines, and the bounds that follow from events not seen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/base/util.h"
#include "bench/result/rarity.h"
#include "bench/result/stacks.h"

static const char *chain(const json_t *chains, size_t i)
{
	return json_string_value(json_object_get(json_array_get(chains, i), "chain"));
}

static json_int_t tasks(const json_t *chains, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(chains, i), "tasks"));
}

static json_t *lines(const char *const *text, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(text[i]));
	return a;
}

static void chains_are_counted_and_cut(void **state)
{
	static const char *const text[] = {
		"sysrq: Show Blocked State",
		"task:agent           state:D stack:    0 pid:   47 ppid:     1 flags:0x00000002",
		"Call Trace:",
		" __schedule+0x233/0x710",
		" ? mark_held_locks+0x49/0x70",
		" schedule+0x57/0xc0",
		" rwsem_down_write_slowpath+0x24b/0x4b0",
		" remove_inode_hugepages+0x270/0x3c0",
		" do_syscall_64+0x33/0x40",
		" ignored+0x1/0x2",
		"[   92.1] task:agent           state:D stack:    0 pid:   48 ppid:     1 "
		"flags:0x00000002",
		"[   92.1] Call Trace:",
		"[   92.1]  __lock_page+0x1/0x2",
		"[   92.1]  hugetlb_no_page.constprop.0+0x1/0x2",
		"[   92.1]  asm_exc_page_fault+0x1e/0x30",
		"task:agent           state:D stack:    0 pid:   49 ppid:     1 flags:0x00000002",
		" __lock_page+0x1/0x2",
		" hugetlb_no_page+0x1/0x2",
		"RIP: 0033:0x40527a",
		" late+0x1/0x2",
		"task:other           state:R stack:    0 pid:   50 ppid:     1 flags:0x00000002",
		" running+0x1/0x2",
	};
	json_t *l = lines(text, ARRAY_SIZE(text)), *c = stacks_chains(l);

	(void)state;
	assert_int_equal(json_array_size(c), 2);
	assert_int_equal(tasks(c, 0), 2);
	assert_string_equal(chain(c, 0), "__lock_page < hugetlb_no_page");
	assert_int_equal(tasks(c, 1), 1);
	assert_string_equal(chain(c, 1), "rwsem_down_write_slowpath < remove_inode_hugepages");
	json_decref(l);
	json_decref(c);
}

static void lines_without_stacks_have_no_chain(void **state)
{
	static const char *const text[] = {"task:x state:D", "Call Trace:", " loose+0x1/0x2 [m]"};
	json_t *l = lines(text, 2), *c = stacks_chains(l);

	(void)state;
	assert_int_equal(json_array_size(c), 0);
	json_decref(c);
	json_array_append_new(l, json_integer(3));
	c = stacks_chains(l);
	assert_int_equal(json_array_size(c), 0);
	json_decref(c);
	c = stacks_chains(NULL);
	assert_int_equal(json_array_size(c), 0);
	json_decref(c);
	json_decref(l);
}

/* A chain longer than the buffer ends early instead of overflowing. */
static void a_long_stack_is_bounded(void **state)
{
	json_t *l = json_array(), *c;

	(void)state;
	json_array_append_new(l, json_string("task:x state:D"));
	for (int i = 0; i < 200; i++)
		json_array_append_new(l, json_string(" a_function_with_a_long_name+0x1/0x2"));
	c = stacks_chains(l);
	assert_int_equal(json_array_size(c), 1);
	assert_true(strlen(chain(c, 0)) < 640);
	assert_true(strlen(chain(c, 0)) > 600);
	json_decref(l);
	json_decref(c);
}

static void bounds_match_published_values(void **state)
{
	(void)state;
	/* Rule of three: -ln(0.05). */
	assert_true(fabs(rarity_rate(0, 1, 0.95) - 2.995732) < 1e-5);
	assert_true(fabs(rarity_rate(0, 100, 0.95) - 0.02995732) < 1e-7);
	/* Garwood's table, upper 95 % limit of one side: 1 event 4.744, 2 events 6.296, 10
	 * events 16.962. */
	assert_true(fabs(rarity_rate(1, 1, 0.95) - 4.744) < 1e-3);
	assert_true(fabs(rarity_rate(2, 1, 0.95) - 6.296) < 1e-3);
	assert_true(fabs(rarity_rate(10, 1, 0.95) - 16.962) < 1e-3);
	assert_true(fabs(rarity_probability(0, 20, 0.95) - (1 - pow(0.05, 1.0 / 20))) < 1e-9);
	/* The limit is the probability at which so few events have a chance of 5 %. */
	double p = rarity_probability(1, 20, 0.95);

	assert_true(fabs(pow(1 - p, 20) + 20 * p * pow(1 - p, 19) - 0.05) < 1e-6);
}

static void bounds_refuse_what_says_nothing(void **state)
{
	(void)state;
	assert_true(isnan(rarity_rate(0, 0, 0.95)));
	assert_true(isnan(rarity_rate(0, NAN, 0.95)));
	assert_true(isnan(rarity_rate(0, 1, 1)));
	assert_true(isnan(rarity_probability(0, 0, 0.95)));
	assert_true(isnan(rarity_probability(3, 2, 0.95)));
	assert_true(isnan(rarity_probability(0, 1, 0)));
	assert_true(rarity_probability(2, 2, 0.95) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_counted_and_cut),
		cmocka_unit_test(lines_without_stacks_have_no_chain),
		cmocka_unit_test(a_long_stack_is_bounded),
		cmocka_unit_test(bounds_match_published_values),
		cmocka_unit_test(bounds_refuse_what_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
