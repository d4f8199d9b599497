// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/kconfig.h"

int kconfig_read(const char *path, json_t **config, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	char *save = NULL;
	int rc = hb_file_read(path, &text, NULL);

	*config = json_object();
	for (char *line = rc ? NULL : strtok_r(text, "\n", &save); line && !rc;
	     line = strtok_r(NULL, "\n", &save)) {
		HB_FREE char *symbol = strndup(line, strcspn(line, "="));

		if (strncmp(line, "CONFIG_", 7) || !strncmp(line, "CONFIG_CC_VERSION_TEXT=", 23))
			continue;
		if (!symbol || json_object_set_new(*config, symbol, json_string(line)))
			rc = -ENOMEM;
	}
	return rc ? hb_error_set(e, rc, "cannot read %s: %s", path, strerror(-rc)) : 0;
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
	json_t *left = NULL, *right = NULL, *lines = NULL;

	if (!kconfig_read(a, &left, e) && !kconfig_read(b, &right, e)) {
		lines = json_array();
		diff_one_way(left, right, "-", lines);
		diff_one_way(right, left, "+", lines);
	}
	json_decref(left);
	json_decref(right);
	return lines;
}

/* What follows @symbol in its line, "=y"; "" where there is none. */
static const char *setting(const json_t *config, const char *symbol)
{
	const char *line = json_string_value(json_object_get(config, symbol));

	return line ? line + strlen(symbol) : "";
}

bool kconfig_has(const json_t *config, const char *symbol, const json_t *loaded)
{
	return kconfig_builtin(config, symbol) ||
	       (!strcmp(setting(config, symbol), "=m") && json_has_text(loaded, symbol));
}

bool kconfig_builtin(const json_t *config, const char *symbol)
{
	return !strcmp(setting(config, symbol), "=y");
}

char *kconfig_text(const json_t *config, const char *symbol)
{
	const char *text = setting(config, symbol);

	if (strncmp(text, "=\"", 2) || text[2] == '"')
		return NULL;
	return strndup(text + 2, strcspn(text + 2, "\""));
}
