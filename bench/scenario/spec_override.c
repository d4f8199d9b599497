// SPDX-License-Identifier: GPL-2.0-or-later
/* -o KEY=VALUE: the command line changes the scenario before it is understood. */
#include <ctype.h>

#include "bench/scenario/spec_read.h"

/* Set @key in one cell; a value for a key ends a sweep of it, and the other way round. */
static int cell_override(struct ini_section *s, const char *key, const char *value)
{
	HB_FREE char *other = spec_has_prefix(key, "sweep.") ? strdup(key + strlen("sweep."))
							     : hb_strf("sweep.%s", key);

	if (!other)
		return -ENOMEM;
	ini_entry_remove(s, other);
	return ini_entry_set(s, key, value, 0);
}

/* Does "key" (an override without a cell) concern this cell? */
static bool override_concerns(const struct ini_section *s, const char *key)
{
	const char *name = spec_has_prefix(key, "sweep.") ? key + strlen("sweep.") : key;
	const char *dot = strchr(name, '.');

	if (!spec_is_cell(s))
		return false;
	return !dot || spec_has_prefix(name, "expect.") || spec_section_uses(s, name, dot - name);
}

static int override_cells(struct spec_reader *r, const char *key, const char *value)
{
	size_t n = 0;

	for (size_t i = 0; i < r->ini.n; i++) {
		if (!override_concerns(&r->ini.sections[i], key))
			continue;
		n++;
		if (cell_override(&r->ini.sections[i], key, value))
			return -ENOMEM;
	}
	if (!n)
		return hb_error_set(r->e, -ENOENT, "no cell of the scenario uses '%.*s'",
				    (int)strcspn(key, "."), key);
	return 0;
}

/* A scenario key; cells that had their own value follow the command line too. */
static int override_scenario(struct spec_reader *r, const char *key, const char *value)
{
	struct ini_section *s = ini_section_find(&r->ini, "scenario");

	if (!s)
		return 0; /* scenario_fill() says so */
	for (size_t i = 0; i < r->ini.n; i++)
		if (spec_is_cell(&r->ini.sections[i]))
			ini_entry_remove(&r->ini.sections[i], key);
	return ini_entry_set(s, key, value, 0);
}

static int override_named(struct spec_reader *r, const char *cell, const char *key,
			  const char *value)
{
	HB_FREE char *name = hb_strf(SPEC_CELL_PREFIX "%s", cell);
	struct ini_section *s = name ? ini_section_find(&r->ini, name) : NULL;

	if (!s)
		return hb_error_set(r->e, -ENOENT, "the scenario has no [cell %s]", cell);
	return cell_override(s, key, value);
}

int spec_override_apply(struct spec_reader *r, const char *text)
{
	HB_FREE char *copy = strdup(text);
	char *equals = copy ? strchr(copy, '=') : NULL, *colon, *value;
	int rc;

	if (!equals)
		return hb_error_set(r->e, -EINVAL, "-o %s: write key=value or CELL:key=value",
				    text);
	*equals = 0;
	value = equals + 1 + strspn(equals + 1, " ");
	while (equals > copy && isspace((unsigned char)equals[-1]))
		*--equals = 0;
	colon = strchr(copy, ':');
	if (colon) {
		*colon = 0;
		rc = override_named(r, copy, colon + 1, value);
	} else if (spec_row_find(spec_scenario_rows, copy)) {
		rc = override_scenario(r, copy, value);
	} else {
		rc = override_cells(r, copy, value);
	}
	return rc ? hb_error_prefix(r->e, rc, "-o %s", text) : 0;
}
