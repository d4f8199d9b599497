// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/kconfig.h"

/* Put "CONFIG_X" -> its whole line into @o; what only names the compiler is left out. */
static int read_config(const char *path, json_t *o)
{
	HB_FREE char *text = NULL;
	char *save = NULL;
	int rc = hb_file_read(path, &text, NULL);

	for (char *line = rc ? NULL : strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		HB_FREE char *symbol = strndup(line, strcspn(line, "="));

		if (strncmp(line, "CONFIG_", 7) || !strncmp(line, "CONFIG_CC_VERSION_TEXT=", 23))
			continue;
		if (!symbol || json_object_set_new(o, symbol, json_string(line)))
			return -ENOMEM;
	}
	return rc;
}

/* Append a line of @from for each symbol that @to has otherwise or not at all. */
static void diff_one_way(json_t *from, json_t *to, const char *sign, json_t *lines)
{
	const char *symbol;
	json_t *line;

	json_object_foreach (from, symbol, line) {
		const char *mine = json_string_value(line);
		const char *other = json_string_value(json_object_get(to, symbol));

		if (!other || strcmp(mine, other))
			json_array_append_new(lines, json_sprintf("%s%s", sign, mine));
	}
}

json_t *kconfig_diff(const char *a, const char *b, struct hb_error *e)
{
	json_t *left = json_object(), *right = json_object(), *lines = NULL;
	const char *path = a;
	int rc = read_config(path, left);

	if (!rc) {
		path = b;
		rc = read_config(path, right);
	}
	if (rc) {
		hb_error_set(e, rc, "cannot read %s: %s", path, strerror(-rc));
	} else {
		lines = json_array();
		diff_one_way(left, right, "-", lines);
		diff_one_way(right, left, "+", lines);
	}
	json_decref(left);
	json_decref(right);
	return lines;
}

static bool is_among(const json_t *list, const char *text)
{
	size_t i;
	json_t *one;

	json_array_foreach (list, i, one)
		if (!strcmp(json_string_value(one), text))
			return true;
	return false;
}

int kconfig_has(const char *path, const char *symbol, const json_t *loaded)
{
	json_t *config = json_object();
	int rc = read_config(path, config);
	const char *line = json_string_value(json_object_get(config, symbol));
	size_t n = strlen(symbol);

	if (!rc)
		rc = line && (!strcmp(line + n, "=y") ||
			      (!strcmp(line + n, "=m") && is_among(loaded, symbol)));
	json_decref(config);
	return rc;
}

char *kconfig_text(const char *path, const char *symbol)
{
	json_t *config = json_object();
	const char *line = read_config(path, config)
				   ? NULL
				   : json_string_value(json_object_get(config, symbol));
	const char *text = line ? line + strlen(symbol) : NULL;
	char *found = NULL;

	if (text && !strncmp(text, "=\"", 2) && text[2] != '"')
		found = strndup(text + 2, strcspn(text + 2, "\""));
	json_decref(config);
	return found;
}
