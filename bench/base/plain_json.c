// SPDX-License-Identifier: GPL-2.0-or-later
/* What plain.c judges, with messages, and in whole documents. */
#include <string.h>

#include "bench/base/plain.h"

int name_check(const char *name, size_t longest, struct hb_error *e)
{
	if (name_ok(name, longest))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "'%.80s' is no name: a letter or digit, then letters, digits, - _ . +, "
			    "at most %zu",
			    name ? name : "", longest);
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
