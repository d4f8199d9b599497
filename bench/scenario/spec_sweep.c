// SPDX-License-Identifier: GPL-2.0-or-later
/* A section with sweeps becomes a cell for every combination of their values. */
#include <stdlib.h>

#include "bench/scenario/spec_read.h"

#define SWEEP_KEYS 4

static void section_free(struct ini_section *s)
{
	struct ini_file holder = {.sections = s, .n = 1};

	ini_file_free(&holder);
}

/* A copy of @s without its sweeps, on the heap so that section_free() releases it. */
static struct ini_section *section_copy(const struct ini_section *s)
{
	struct ini_section *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->line = s->line;
	copy->name = strdup(s->name);
	if (!copy->name)
		goto fail;
	for (size_t i = 0; i < s->n; i++)
		if (!spec_has_prefix(s->entries[i].key, "sweep.") &&
		    ini_entry_set(copy, s->entries[i].key, s->entries[i].value, s->entries[i].line))
			goto fail;
	return copy;
fail:
	section_free(copy);
	return NULL;
}

struct sweep {
	const struct ini_entry *entry;
	const char *key; /* behind "sweep." */
	json_t *values;
};

/* Find the sweeps of @s; *@n of them. */
static int sweeps_find(const struct spec_reader *r, const struct ini_section *s,
		       struct sweep *sweeps, size_t *n)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct ini_entry *entry = &s->entries[i];
		const char *key = entry->key + strlen("sweep.");
		int rc = 0;

		if (!spec_has_prefix(entry->key, "sweep."))
			continue;
		if (*n == SWEEP_KEYS)
			rc = hb_error_set(r->e, -ERANGE, "more than %d sweeps in a cell",
					  SWEEP_KEYS);
		else if (!strcmp(key, "workload") || !strcmp(key, "antagonists") ||
			 spec_has_prefix(key, "expect."))
			rc = hb_error_set(r->e, -EINVAL, "'%s' cannot be swept; write more cells",
					  key);
		else if (ini_entry_find(s, key))
			rc = hb_error_set(r->e, -EINVAL, "'%s' is set in this cell and swept too",
					  key);
		else
			rc = spec_split(entry->value, &sweeps[*n].values, r->e);
		if (rc)
			return ini_error_place(r->e, rc, &r->ini, entry);
		sweeps[*n].entry = entry;
		sweeps[(*n)++].key = key;
	}
	return 0;
}

/* The cell of one combination: value number @index counts through all sweeps, the last one fastest.
 */
static int sweep_cell(const struct spec_reader *r, const struct ini_section *s,
		      const struct sweep *sweeps, size_t n, size_t index)
{
	struct ini_section *resolved = section_copy(s);
	HB_FREE char *name = strdup(s->name + strlen(SPEC_CELL_PREFIX));
	size_t stride = 1;
	int rc = resolved && name ? 0 : -ENOMEM;

	for (size_t i = 0; i < n; i++)
		stride *= json_array_size(sweeps[i].values);
	for (size_t i = 0; i < n && !rc; i++) {
		const char *value;
		char *longer;

		stride /= json_array_size(sweeps[i].values);
		value = json_string_value(json_array_get(
			sweeps[i].values, index / stride % json_array_size(sweeps[i].values)));
		longer = hb_strf("%s-%s", name, value);
		rc = longer ? ini_entry_set(resolved, sweeps[i].key, value, sweeps[i].entry->line)
			    : -ENOMEM;
		free(name);
		name = longer;
	}
	rc = rc ? hb_error_set(r->e, rc, "no memory") : spec_cell_add(r, resolved, name);
	if (resolved)
		section_free(resolved);
	return rc;
}

int spec_section_cells(const struct spec_reader *r, const struct ini_section *s)
{
	struct sweep sweeps[SWEEP_KEYS] = {0};
	size_t n = 0, combinations = 1;
	int rc = sweeps_find(r, s, sweeps, &n);

	for (size_t i = 0; i < n; i++)
		combinations *= json_array_size(sweeps[i].values);
	for (size_t i = 0; i < combinations && !rc; i++)
		rc = sweep_cell(r, s, sweeps, n, i);
	for (size_t i = 0; i < n; i++)
		json_decref(sweeps[i].values);
	return rc;
}
