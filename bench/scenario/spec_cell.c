// SPDX-License-Identifier: GPL-2.0-or-later
/* A section becomes a cell: instances, options, expectations. */
#include <stdlib.h>

#include "bench/base/json.h"
#include "bench/base/plain.h"
#include "bench/base/wire.h"
#include "bench/scenario/describe.h"
#include "bench/base/verdict.h"
#include "bench/scenario/spec_read.h"

#define TASKS_MAX 1024 /* the agent's table of processes */
#define CELLS_MAX 500

/* Workloads or antagonists that @s names, as an array; empty when there is no such key. */
static int section_names(const struct spec_reader *r, const struct ini_section *s, const char *key,
			 json_t **names)
{
	const struct ini_entry *entry = ini_entry_find(s, key);
	int rc;

	if (!entry || !*entry->value) {
		*names = json_array();
		return *names ? 0 : -ENOMEM;
	}
	rc = spec_split(entry->value, names, r->e);
	return rc ? ini_error_place(r->e, rc, &r->ini, entry) : 0;
}

bool spec_section_uses(const struct ini_section *s, const char *name, size_t len)
{
	static const char *const keys[] = {"workload", "antagonists"};

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		const struct ini_entry *entry = ini_entry_find(s, keys[k]);
		json_t *names, *item;
		bool found = false;
		size_t i;

		if (!entry || spec_split(entry->value, &names, NULL))
			continue;
		json_array_foreach (names, i, item)
			found = found || (strlen(json_string_value(item)) == len &&
					  !strncmp(json_string_value(item), name, len));
		json_decref(names);
		if (found)
			return true;
	}
	return false;
}

/* Unknown key: name the one that was meant, by the smallest edit distance. */
static int unknown_key(const struct spec_reader *r, const struct ini_section *s, const char *key)
{
	struct spec_nearest best = {0};
	static const char *const fixed[] = {"workload", "antagonists", "tasks", "sweep.",
					    "expect."};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		spec_nearest_try(&best, key, fixed[i]);
	for (const struct option_row *row = spec_cell_rows; row->name; row++)
		spec_nearest_try(&best, key, row->name);
	for (size_t w = 0; w < json_array_size(r->workloads); w++) {
		const json_t *entry = json_array_get(r->workloads, w), *option;
		const char *name = json_string_value(json_object_get(entry, "name"));
		size_t i;

		if (!spec_section_uses(s, name, strlen(name)))
			continue;
		json_array_foreach (json_object_get(entry, "options"), i, option) {
			char full[HB_OPTION_STRING];

			snprintf(full, sizeof(full), "%s.%s", name, json_text(option, "name"));
			spec_nearest_try(&best, key, full);
		}
	}
	return hb_error_set(r->e, -ENOENT,
			    "a cell has no key '%s'; the nearest is '%s' "
			    "(`hugebench list` shows the options of every workload)",
			    key, best.name);
}

/* Is @name (of a workload or antagonist) known? */
static int workload_known(const struct spec_reader *r, const char *name, bool antagonist)
{
	const json_t *found = describe_find(r->workloads, name), *w;
	struct spec_nearest best = {0};
	size_t i;

	if (found && describe_is_antagonist(found) == antagonist)
		return 0;
	if (found)
		return hb_error_set(r->e, -EINVAL, "'%s' is %s; it belongs under '%s'", name,
				    antagonist ? "a workload" : "an antagonist",
				    antagonist ? "workload" : "antagonists");
	json_array_foreach (r->workloads, i, w)
		spec_nearest_try(&best, name, json_text(w, "name"));
	return hb_error_set(r->e, -ENOENT,
			    "no workload or antagonist '%s'; the nearest is '%s' "
			    "(`hugebench list` shows all)",
			    name, best.name);
}

/* Append an instance for every name under @key. */
static int instances_add(const struct spec_reader *r, const struct ini_section *s, const char *key,
			 bool antagonist, struct spec_cell *cell)
{
	json_t *names, *name;
	size_t i;
	int rc = section_names(r, s, key, &names);

	if (rc)
		return rc;
	json_array_foreach (names, i, name) {
		const json_t *w;
		size_t k;
		json_t *need;

		rc = workload_known(r, json_string_value(name), antagonist);
		if (rc) {
			ini_error_place(r->e, rc, &r->ini, ini_entry_find(s, key));
			break;
		}
		if (json_array_append_new(cell->instances,
					  json_pack("{s:s, s:s, s:i, s:{}}", "workload",
						    json_string_value(name), "role",
						    antagonist ? "antagonist" : "workload", "tasks",
						    1, "options"))) {
			rc = hb_error_set(r->e, -ENOMEM, "no memory");
			break;
		}
		w = describe_find(r->workloads, json_string_value(name));
		json_array_foreach (json_object_get(w, "needs"), k, need)
			json_array_append(cell->needs, need);
	}
	json_decref(names);
	return rc;
}

static json_t *instance_find(const struct spec_cell *cell, const char *name, size_t len)
{
	size_t i;
	json_t *in;

	json_array_foreach (cell->instances, i, in) {
		const char *w = json_text(in, "workload");

		if (strlen(w) == len && !strncmp(w, name, len))
			return in;
	}
	return NULL;
}

static int tasks_parse(const char *value, uint64_t *tasks, struct hb_error *e)
{
	static const struct option_row row[] = {
		{"tasks", OPTION_U64, 0, "1", "1", "1024", NULL, ""}, OPTION_END};

	_Static_assert(TASKS_MAX == 1024, "the row's maximum");
	return option_set(row, tasks, "tasks", value, e);
}

/* "tasks = N": of every workload; antagonists have one task unless told. */
static int tasks_set_all(const struct spec_reader *r, struct spec_cell *cell, const char *value)
{
	uint64_t tasks;
	size_t i;
	json_t *in;
	int rc = tasks_parse(value, &tasks, r->e);

	if (rc)
		return rc;
	json_array_foreach (cell->instances, i, in)
		if (!strcmp(json_text(in, "role"), "workload"))
			json_object_set_new(in, "tasks", json_integer(tasks));
	return 0;
}

/* "WORKLOAD.tasks = N" or "WORKLOAD.option = value". */
static int instance_set(const struct spec_reader *r, const struct ini_section *s,
			struct spec_cell *cell, const struct ini_entry *entry)
{
	const char *dot = strchr(entry->key, '.');
	HB_FREE char *value = NULL;
	json_t *in = dot ? instance_find(cell, entry->key, dot - entry->key) : NULL;
	const json_t *w;
	uint64_t tasks;
	int rc;

	if (!in && dot) {
		HB_FREE char *name = strndup(entry->key, dot - entry->key);

		if (name && describe_find(r->workloads, name))
			return hb_error_set(r->e, -EINVAL,
					    "'%s' would have no effect: the cell runs no '%s'",
					    entry->key, name);
	}
	if (!in)
		return unknown_key(r, s, entry->key);
	if (!strcmp(dot + 1, "tasks")) {
		rc = tasks_parse(entry->value, &tasks, r->e);
		return rc ? rc : json_object_set_new(in, "tasks", json_integer(tasks));
	}
	w = describe_find(r->workloads, json_text(in, "workload"));
	value = option_read_file(json_object_get(w, "options"), dot + 1, entry->value, r->e);
	if (!value)
		return -EINVAL;
	rc = option_check_described(json_object_get(w, "options"), dot + 1, value, r->e);
	if (rc)
		return rc;
	if (json_object_set_new(json_object_get(in, "options"), dot + 1, json_string(value)))
		return hb_error_set(r->e, -EINVAL, "the value is not UTF-8, or no memory");
	return 0;
}

int spec_expect_set(const struct spec_reader *r, json_t *expect, const struct ini_entry *entry)
{
	const char *kernel = entry->key + strlen("expect.");
	json_t *list, *item;
	size_t i;
	int rc;

	if (!name_ok(kernel, NAME_LONGEST_CHOSEN))
		return hb_error_set(r->e, -EINVAL,
				    "expect.KERNEL wants the name of a kernel variant");
	rc = spec_split(entry->value, &list, r->e);
	if (rc)
		return rc;
	json_array_foreach (list, i, item) {
		if (cell_verdict_find(json_string_value(item)) == CELL_VERDICTS) {
			rc = hb_error_set(
				r->e, -EINVAL,
				"no verdict '%s'; there are OK, DIRTY, PANIC, HANG, TIMEOUT, "
				"INVALID, SKIP",
				json_string_value(item));
			json_decref(list);
			return rc;
		}
	}
	return json_object_set_new(expect, kernel, list) ? -ENOMEM : 0;
}

/* One key of a cell whose sweeps are resolved. */
static int cell_set(const struct spec_reader *r, const struct ini_section *s,
		    struct spec_cell *cell, const struct ini_entry *entry)
{
	if (!strcmp(entry->key, "workload") || !strcmp(entry->key, "antagonists") ||
	    !strcmp(entry->key, "tasks"))
		return 0; /* taken first: the order of the lines has no meaning */
	if (spec_has_prefix(entry->key, "expect."))
		return spec_expect_set(r, cell->expect, entry);
	if (spec_row_find(spec_cell_rows, entry->key))
		return option_set(spec_cell_rows, cell, entry->key, entry->value, r->e);
	return instance_set(r, s, cell, entry);
}

static int timing_check(const struct spec_timing *t, struct hb_error *e)
{
	if (t->interval > t->measure)
		return hb_error_set(
			e, -EINVAL,
			"interval is longer than measure, so no interval would be whole");
	if (t->stall < t->interval)
		return hb_error_set(
			e, -EINVAL,
			"stall is shorter than interval; tasks are looked at once per interval");
	return 0;
}

static int observe_split(struct spec_cell *cell, struct hb_error *e)
{
	const json_t *name;
	size_t i;
	int rc;

	if (!*cell->observe) {
		cell->observed = json_array();
		return cell->observed ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	}
	rc = spec_split(cell->observe, &cell->observed, e);
	if (rc)
		return hb_error_prefix(e, rc, "observe");
	json_array_foreach (cell->observed, i, name) {
		if (!hb_is_one_of(json_string_value(name), wire_observe))
			return hb_error_set(e, -EINVAL,
					    "observe = %s: there are vmstat, status, kprobes, "
					    "locks, pmu and waits",
					    json_string_value(name));
	}
	return 0;
}

static int cell_fill(const struct spec_reader *r, const struct ini_section *s,
		     struct spec_cell *cell)
{
	const struct ini_entry *tasks = ini_entry_find(s, "tasks");
	const struct ini_entry *workload = ini_entry_find(s, "workload");
	int rc;

	if (!workload || !*workload->value)
		return hb_error_set(r->e, -EINVAL, "%s:%d: [%s] has no 'workload'", r->ini.path,
				    s->line, s->name);
	rc = instances_add(r, s, "workload", false, cell);
	if (!rc)
		rc = instances_add(r, s, "antagonists", true, cell);
	if (rc)
		return rc;
	if (tasks) {
		rc = tasks_set_all(r, cell, tasks->value);
		if (rc)
			return ini_error_place(r->e, rc, &r->ini, tasks);
	}
	for (size_t i = 0; i < s->n; i++) {
		rc = cell_set(r, s, cell, &s->entries[i]);
		if (rc)
			return ini_error_place(r->e, rc, &r->ini, &s->entries[i]);
	}
	rc = timing_check(&cell->timing, r->e);
	if (!rc)
		rc = observe_split(cell, r->e);
	return rc ? hb_error_prefix(r->e, rc, "%s:%d: [%s]", r->ini.path, s->line, s->name) : 0;
}

int spec_cell_add(const struct spec_reader *r, const struct ini_section *s, const char *name)
{
	struct spec *spec = r->spec;
	struct spec_cell *cell, *grown;

	if (!name_ok(name, NAME_LONGEST_CHOSEN))
		return hb_error_set(
			r->e, -EINVAL,
			"%s:%d: '%s' cannot name a cell: letters, digits, - _ . +, at most 40",
			r->ini.path, s->line, name);
	for (size_t i = 0; i < spec->ncells; i++)
		if (!strcmp(spec->cells[i].name, name))
			return hb_error_set(r->e, -EINVAL, "%s:%d: two cells get the name '%s'",
					    r->ini.path, s->line, name);
	if (spec->ncells == CELLS_MAX)
		return hb_error_set(r->e, -ERANGE, "%s:%d: more than %d cells", r->ini.path,
				    s->line, CELLS_MAX);
	grown = reallocarray(spec->cells, spec->ncells + 1, sizeof(*grown));
	if (!grown)
		return hb_error_set(r->e, -ENOMEM, "no memory");
	spec->cells = grown;
	cell = &grown[spec->ncells++];
	*cell = (struct spec_cell){
		.name = strdup(name),
		.timing = spec->scenario.timing,
		.instances = json_array(),
		.expect = json_object(),
		.needs = json_array(),
	};
	if (!cell->name || !cell->instances || !cell->expect || !cell->needs)
		return hb_error_set(r->e, -ENOMEM, "no memory");
	snprintf(cell->observe, sizeof(cell->observe), "%s", spec->scenario.observe);
	return cell_fill(r, s, cell);
}
