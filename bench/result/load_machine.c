// SPDX-License-Identifier: GPL-2.0-or-later
/* Which machine a boot ran on, and what that means for its cell. */
#include <string.h>

#include "bench/base/json.h"
#include "bench/result/load.h"

/* Of the boot, else of the run. */
static const char *member(const struct load_run *run, const json_t *cell, const char *key)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(cell, "environment"), key));

	text = text ?: json_string_value(json_object_get(run->environment, key));
	return text ?: "";
}

int load_machine(struct load_run *run, const json_t *cell, struct load_cell *c)
{
	const char *id = member(run, cell, "host_id");
	const char *name = member(run, cell, "host_name");

	c->machine = strings_put(run->strings, id);
	c->machine_name = strings_put(run->strings, *name ? name : id);
	c->cpu_model = strings_put(run->strings, member(run, cell, "cpu_model"));
	return c->machine && c->machine_name && c->cpu_model ? 0 : -ENOMEM;
}

static bool has_strata(const struct load_run *run)
{
	for (size_t i = 1; i < run->ncells; i++)
		if (run->cells[i].cpu_model != run->cells[0].cpu_model)
			return strcmp(run->mode, "exact");
	return false;
}

int load_strata(struct load_run *run)
{
	if (!has_strata(run))
		return 0;
	for (size_t i = 0; i < run->ncells; i++) {
		struct load_cell *c = &run->cells[i];
		HB_FREE char *name = hb_strf("%s on %s", c->cell,
					     *c->cpu_model ? c->cpu_model : "an unknown CPU");

		c->cell = name ? strings_put(run->strings, name) : NULL;
		if (!c->cell)
			return -ENOMEM;
	}
	return 0;
}

static struct load_cell *cell_find(struct load_run *run, const char *id)
{
	for (size_t i = 0; i < run->ncells; i++)
		if (!strcmp(run->cells[i].id, id))
			return &run->cells[i];
	return NULL;
}

int load_repeated(struct load_run *run)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(run->run, "repeated"), i, entry) {
		const char *difference = json_text(entry, "difference");
		struct load_cell *c = cell_find(run, json_text(entry, "id"));
		HB_FREE char *reason = NULL;

		if (!c || c->verdict != CELL_OK)
			continue;
		if (!*difference) {
			run->nrepeated += strcmp(c->machine, json_text(entry, "host_id")) != 0;
			continue;
		}
		reason = hb_strf("made again on %s, it has other digits: %s",
				 *json_text(entry, "host_name")
					 ? json_text(entry, "host_name")
					 : json_text(run->environment, "host_name"),
				 difference);
		c->reason = reason ? strings_put(run->strings, reason) : NULL;
		if (!c->reason)
			return -ENOMEM;
		c->verdict = CELL_INVALID;
		c->expected = false;
		run->ndisagree++;
	}
	return 0;
}
