// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/plain.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool name_ok(const char *name, size_t longest)
{
	size_t n = name ? strnlen(name, longest + 1) : 0;

	return n && n <= longest && strchr(LETTERS_AND_DIGITS, *name) &&
	       strspn(name, LETTERS_AND_DIGITS "-_.+") == n;
}

int name_check(const char *name, size_t longest, struct hb_error *e)
{
	if (name_ok(name, longest))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "'%.80s' is no name: a letter or digit, then letters, digits, - _ . +, "
			    "at most %zu",
			    name ? name : "", longest);
}

/* Unicode's number of the well-formed character at @s into *@code; its length, 0: it is none. */
static size_t decode(const unsigned char *s, unsigned int *code)
{
	static const unsigned int least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = *s < 0x80		 ? 1
		   : (*s & 0xe0) == 0xc0 ? 2
		   : (*s & 0xf0) == 0xe0 ? 3
		   : (*s & 0xf8) == 0xf0 ? 4
					 : 0;

	*code = n > 1 ? *s & (0x7f >> n) : *s;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (!n || *code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

static bool reorders(unsigned int code)
{
	return code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t plain_character(const char *text)
{
	unsigned int code;
	size_t n = decode((const unsigned char *)text, &code);
	bool control = code < 0x20 ? code != '\t' && code != '\n' : code >= 0x7f && code < 0xa0;

	return !n || control || reorders(code) ? 0 : n;
}

bool plain_text(const char *text)
{
	size_t n;

	for (; *text; text += n) {
		n = plain_character(text);
		if (!n)
			return false;
	}
	return true;
}

void plain_make(char *text)
{
	while (*text) {
		size_t n = plain_character(text);

		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}

/* What to do with a text: make it plain, or find fault with it. */
typedef int (*on_string)(json_t *string, struct hb_error *e);

static int string_check(json_t *string, struct hb_error *e)
{
	if (plain_text(json_string_value(string)))
		return 0;
	return hb_error_set(e, -EINVAL, "control characters in \"%.80s\"",
			    json_string_value(string));
}

static int string_make(json_t *string, struct hb_error *e)
{
	HB_FREE char *text = NULL;

	if (plain_text(json_string_value(string)))
		return 0;
	text = strdup(json_string_value(string));
	if (!text)
		return hb_error_set(e, -ENOMEM, "no memory");
	plain_make(text);
	return json_string_set(string, text) ? hb_error_set(e, -ENOMEM, "no memory") : 0;
}

static int walk(json_t *j, unsigned int depth, on_string fn, struct hb_error *e)
{
	const char *key;
	json_t *v;
	size_t i;
	int rc;

	if (json_is_string(j))
		return fn(j, e);
	if (depth == PLAIN_DEPTH)
		return json_is_array(j) || json_is_object(j)
			       ? hb_error_set(e, -EINVAL, "deeper than %d levels", PLAIN_DEPTH)
			       : 0;
	json_array_foreach (j, i, v) {
		rc = walk(v, depth + 1, fn, e);
		if (rc)
			return hb_error_prefix(e, rc, "[%zu]", i);
	}
	json_object_foreach (j, key, v) {
		rc = name_check(key, NAME_LONGEST_ID, e);
		if (rc)
			return hb_error_prefix(e, rc, "a key");
		rc = walk(v, depth + 1, fn, e);
		if (rc)
			return hb_error_prefix(e, rc, "\"%s\"", key);
	}
	return 0;
}

int plain_json_check(const json_t *j, struct hb_error *e)
{
	return walk((json_t *)j, 0, string_check, e);
}

int plain_json_make(json_t *j, struct hb_error *e)
{
	return walk(j, 0, string_make, e);
}
