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

/* Length of the character at @text when it shows as itself, else 0. */
static size_t plain_character(const char *text)
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
