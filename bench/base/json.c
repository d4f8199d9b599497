// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/util.h"

const char *json_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

char *json_text_dup(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? strdup(s) : NULL;
}

bool json_has_text(const json_t *list, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (json_is_string(item) && !strcmp(json_string_value(item), text))
			return true;
	return false;
}

json_t *json_find(const json_t *list, const char *key, const char *text)
{
	size_t i;
	json_t *o;

	json_array_foreach (list, i, o) {
		const char *s = json_string_value(json_object_get(o, key));

		if (s && !strcmp(s, text))
			return o;
	}
	return NULL;
}

int json_write(const char *path, const json_t *j, size_t flags)
{
	HB_FREE char *text = j ? json_dumps(j, flags) : NULL;

	return path && text ? hb_file_write_atomic(path, text, strlen(text)) : -ENOMEM;
}
