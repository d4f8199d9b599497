// SPDX-License-Identifier: GPL-2.0-or-later
/* Names and texts from others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bench/base/plain.h"

static void test_names(void **state)
{
	static const char *const bad[] = {"",	      "..",   ".x",    "-x",	 "a/b",	 "a b",
					  "a%",	      "a\nb", "a`b`",  "a$b",	 "a'b",	 "a|b",
					  "\xc3\xa4", "a;b",  "a\x1b", "a\"b\"", "a\\b", "_x"};
	char longest[NAME_LONGEST + 2];

	(void)state;
	assert_true(name_ok("pmdshare", NAME_LONGEST));
	assert_true(name_ok("6.1.0-rc1+debug_2", NAME_LONGEST));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (name_ok(bad[i], NAME_LONGEST))
			fail_msg("'%s' is a name", bad[i]);
	assert_false(name_ok(NULL, NAME_LONGEST));
	memset(longest, 'a', sizeof(longest));
	longest[NAME_LONGEST] = 0;
	assert_true(name_ok(longest, NAME_LONGEST));
	longest[NAME_LONGEST] = 'a';
	longest[NAME_LONGEST + 1] = 0;
	assert_false(name_ok(longest, NAME_LONGEST));
}

static void test_texts(void **state)
{
	static const struct {
		const char *text, *plain;
	} rows[] = {
		{"\x1b[31mred", "?[31mred"},
		{"a\tb\nc", "a\tb\nc"},
		{"a\rb\b\a", "a?b??"},
		{"del \x7f", "del ?"},
		{"c1 \xc2\x9b", "c1 ??"},
		{"\xc2\xb1 5 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "\xc2\xb1 5 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"cut \xe2\x82", "cut ??"},
		{"overlong \xc0\xaf", "overlong ??"},
		{"surrogate \xed\xa0\x80", "surrogate ???"},
		{"bidi \xe2\x80\xae.", "bidi ???."},
		{"\xff", "?"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		assert_int_equal(plain_text(text), !strcmp(rows[i].text, rows[i].plain));
		plain_make(text);
		assert_string_equal(text, rows[i].plain);
		assert_true(plain_text(text));
	}
}

static void test_json(void **state)
{
	json_t *j = json_pack("{s:[s, i], s:{s:s}}", "list", "ok", 1, "in", "text", "\x1b[2J");
	json_t *deep = json_array(), *key = json_pack("{s:i}", "a\x1b", 1);
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(plain_json_check(j, &e), -EINVAL);
	assert_non_null(strstr(e.text, "\"in\": \"text\": control characters"));
	assert_int_equal(plain_json_make(j, &e), 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "in"), "text")),
			    "?[2J");
	assert_int_equal(plain_json_check(j, &e), 0);
	assert_int_equal(plain_json_make(key, &e), -EINVAL);
	assert_int_equal(plain_json_check(key, &e), -EINVAL);
	for (int i = 0; i < PLAIN_DEPTH; i++)
		deep = json_pack("[o]", deep);
	assert_int_equal(plain_json_check(deep, &e), -EINVAL);
	assert_non_null(strstr(e.text, "deeper than"));
	json_decref(j);
	json_decref(key);
	json_decref(deep);
}

/* A message quotes what it refuses, and goes to a terminal. */
static void test_messages(void **state)
{
	struct hb_error e;

	(void)state;
	hb_error_set(&e, -EINVAL, "file \x1b]0;x\a");
	assert_string_equal(e.text, "file ?]0;x?");
	hb_error_prefix(&e, -EINVAL, "\x1b%s", "dir");
	assert_string_equal(e.text, "?dir: file ?]0;x?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
