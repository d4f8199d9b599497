// SPDX-License-Identifier: GPL-2.0-or-later
/* Which machine a boot ran on, and what that means for its cell. */
#include <string.h>

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
