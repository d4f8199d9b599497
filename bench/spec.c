// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/wire.h"
#include "bench/describe.h"
#include "bench/paths.h"
#include "bench/spec.h"
#include "bench/spec_ini.h"

#define CELL_PREFIX "cell "
#define TASKS_MAX   1024 /* the agent's table of processes */
#define CELLS_MAX   500
#define SWEEP_KEYS  4

const char *const spec_modes[] = {"auto", "kvm", "emulated", "native", "exact", NULL};

static const char *const verdicts[] = {"OK",	  "DIRTY",   "PANIC", "HANG",
				       "TIMEOUT", "INVALID", "SKIP"};

/* @base: offset of the struct spec_timing that the rows fill. */
/* clang-format off */
#define TIMING_ROWS(base)                                                                          \
	{ "warmup", OPTION_DURATION, (base) + offsetof(struct spec_timing, warmup), "2s", "0", "1h",   \
	  NULL, "time that runs before the measured phase and is dropped" },                           \
	{ "measure", OPTION_DURATION, (base) + offsetof(struct spec_timing, measure), "8s", "100ms",   \
	  "24h", NULL, "length of the measured phase" },                                               \
	{ "interval", OPTION_DURATION, (base) + offsetof(struct spec_timing, interval), "1s", "50ms",  \
	  "1h", NULL, "an interval record and a progress figure this often" },                         \
	{ "stall", OPTION_DURATION, (base) + offsetof(struct spec_timing, stall), "20s", "1s", "1h",   \
	  NULL, "no progress of a task for this long is a HANG" },                                     \
	{ "deadline", OPTION_DURATION, (base) + offsetof(struct spec_timing, deadline), "0", "0",      \
	  "48h", NULL, "of the whole cell; 0: derived from the phases and the mode" },                 \
	{ "work", OPTION_U64, (base) + offsetof(struct spec_timing, work), "0", "0", "1000000000",     \
	  NULL, "operations per task, mode exact only" }
/* clang-format on */

/* clang-format off */
#define OBSERVE_ROW(base)                                                                          \
	{ "observe", OPTION_STRING, base, "vmstat", NULL, NULL, NULL,                                  \
	  "what is read around the measured phase: vmstat, status, kprobes, locks; empty: nothing" }
/* clang-format on */

const struct option_row spec_scenario_rows[] = {
	{"description", OPTION_STRING, offsetof(struct spec_scenario, description), "", NULL, NULL,
	 NULL, "one line for `hugebench list`"},
	{"kernels", OPTION_STRING, offsetof(struct spec_scenario, kernels), "base,hinode", NULL,
	 NULL, NULL, "variants to compare, the reference first"},
	{"repeat", OPTION_U64, offsetof(struct spec_scenario, repeat), "0", "0", "1000", NULL,
	 "fresh boots per cell and kernel; 0: as many as the budget holds"},
	TIMING_ROWS(offsetof(struct spec_scenario, timing)),
	{"memory", OPTION_SIZE, offsetof(struct spec_scenario, memory), "0", "0", "1T", NULL,
	 "of the guest; 0: from the host"},
	{"vcpus", OPTION_U64, offsetof(struct spec_scenario, vcpus), "0", "0", "256", NULL,
	 "of the guest; 0: from the host"},
	{"nodes", OPTION_U64, offsetof(struct spec_scenario, nodes), "2", "1", "8", NULL,
	 "NUMA nodes of the guest"},
	{"mode", OPTION_ENUM, offsetof(struct spec_scenario, mode), "auto", NULL, NULL, spec_modes,
	 "how it is measured; auto: kvm where it works, else emulated"},
	OBSERVE_ROW(offsetof(struct spec_scenario, observe)),
	{"control", OPTION_BOOL, offsetof(struct spec_scenario, control), "no", NULL, NULL, NULL,
	 "a second arm of the first kernel: what the method finds where nothing differs"},
	{"sequential", OPTION_BOOL, offsetof(struct spec_scenario, sequential), "no", NULL, NULL,
	 NULL,
	 "end as soon as every main figure has a verdict, with error control that allows for "
	 "looking"},
	{"warmup_boot", OPTION_BOOL, offsetof(struct spec_scenario, warmup_boot), "no", NULL, NULL,
	 NULL, "a first boot of every kernel that is not counted"},
	{"seed", OPTION_U64, offsetof(struct spec_scenario, seed), "0", "0", "4503599627370495",
	 NULL, "of the order and of the workloads; 0: a new one, recorded"},
	OPTION_END};

/* Defaults are not used: a cell starts from the scenario's values. */
const struct option_row spec_cell_rows[] = {TIMING_ROWS(offsetof(struct spec_cell, timing)),
					    OBSERVE_ROW(offsetof(struct spec_cell, observe)),
					    OPTION_END};

struct nearest {
	unsigned int distance;
	char name[HB_OPTION_STRING];
};

/* What the functions below share while one scenario is read. */
struct reader {
	struct ini_file ini;
	const json_t *workloads;
	struct spec *spec;
	struct hb_error *e;
};

/* Keep @candidate as @n->name when no other was nearer to @wanted. */
static void nearest_try(struct nearest *n, const char *wanted, const char *candidate)
{
	unsigned int distance = option_name_distance(wanted, candidate);

	if (*n->name && distance >= n->distance)
		return;
	n->distance = distance;
	snprintf(n->name, sizeof(n->name), "%s", candidate);
}

bool spec_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n && n <= 40 && isalnum((unsigned char)name[0]) &&
	       n == strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.+");
}

int spec_split(const char *value, json_t **items, struct hb_error *e)
{
	HB_FREE char *copy = strdup(value);
	json_t *array = json_array();
	char *rest = copy, *item;
	int rc = copy && array ? 0 : -ENOMEM;

	while (!rc && (item = strsep(&rest, ","))) {
		size_t i;
		json_t *other;

		item += strspn(item, " \t");
		for (size_t n = strlen(item); n && isspace((unsigned char)item[n - 1]); n--)
			item[n - 1] = 0;
		if (!*item)
			rc = hb_error_set(e, -EINVAL, "the list '%s' has an empty item", value);
		json_array_foreach (array, i, other)
			if (!strcmp(json_string_value(other), item))
				rc = hb_error_set(e, -EINVAL, "'%s' stands in the list twice",
						  item);
		if (!rc && json_array_append_new(array, json_string(item)))
			rc = hb_error_set(e, -EINVAL, "the list is not UTF-8, or no memory");
	}
	if (rc) {
		json_decref(array);
		return rc;
	}
	*items = array;
	return 0;
}

static const struct option_row *row_find(const struct option_row *rows, const char *name)
{
	for (; rows->name; rows++)
		if (!strcmp(rows->name, name))
			return rows;
	return NULL;
}

static bool is_cell(const struct ini_section *s)
{
	return !strncmp(s->name, CELL_PREFIX, strlen(CELL_PREFIX));
}

/* Workloads or antagonists that @s names, as an array; empty when there is no such key. */
static int section_names(const struct reader *r, const struct ini_section *s, const char *key,
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

/* Does the cell name the workload or antagonist @name (@len bytes)? Errors count as no; they are
 * found later. */
static bool section_uses(const struct ini_section *s, const char *name, size_t len)
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
static int unknown_key(const struct reader *r, const struct ini_section *s, const char *key)
{
	struct nearest best = {0};
	static const char *const fixed[] = {"workload", "antagonists", "tasks", "sweep.",
					    "expect."};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		nearest_try(&best, key, fixed[i]);
	for (const struct option_row *row = spec_cell_rows; row->name; row++)
		nearest_try(&best, key, row->name);
	for (size_t w = 0; w < json_array_size(r->workloads); w++) {
		const json_t *entry = json_array_get(r->workloads, w), *option;
		const char *name = json_string_value(json_object_get(entry, "name"));
		size_t i;

		if (!section_uses(s, name, strlen(name)))
			continue;
		json_array_foreach (json_object_get(entry, "options"), i, option) {
			char full[HB_OPTION_STRING];

			snprintf(full, sizeof(full), "%s.%s", name,
				 json_string_value(json_object_get(option, "name")));
			nearest_try(&best, key, full);
		}
	}
	return hb_error_set(r->e, -ENOENT,
			    "a cell has no key '%s'; the nearest is '%s' "
			    "(`hugebench list` shows the options of every workload)",
			    key, best.name);
}

/* Is @name (of a workload or antagonist) known? */
static int workload_known(const struct reader *r, const char *name, bool antagonist)
{
	const json_t *found = describe_find(r->workloads, name), *w;
	struct nearest best = {0};
	size_t i;

	if (found && describe_is_antagonist(found) == antagonist)
		return 0;
	if (found)
		return hb_error_set(r->e, -EINVAL, "'%s' is %s; it belongs under '%s'", name,
				    antagonist ? "a workload" : "an antagonist",
				    antagonist ? "workload" : "antagonists");
	json_array_foreach (r->workloads, i, w)
		nearest_try(&best, name, json_string_value(json_object_get(w, "name")));
	return hb_error_set(r->e, -ENOENT,
			    "no workload or antagonist '%s'; the nearest is '%s' "
			    "(`hugebench list` shows all)",
			    name, best.name);
}

/* Append an instance for every name under @key. */
static int instances_add(const struct reader *r, const struct ini_section *s, const char *key,
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
		const char *w = json_string_value(json_object_get(in, "workload"));

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
static int tasks_set_all(const struct reader *r, struct spec_cell *cell, const char *value)
{
	uint64_t tasks;
	size_t i;
	json_t *in;
	int rc = tasks_parse(value, &tasks, r->e);

	if (rc)
		return rc;
	json_array_foreach (cell->instances, i, in)
		if (!strcmp(json_string_value(json_object_get(in, "role")), "workload"))
			json_object_set_new(in, "tasks", json_integer(tasks));
	return 0;
}

/* "WORKLOAD.tasks = N" or "WORKLOAD.option = value". */
static int instance_set(const struct reader *r, const struct ini_section *s, struct spec_cell *cell,
			const struct ini_entry *entry)
{
	const char *dot = strchr(entry->key, '.');
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
	w = describe_find(r->workloads, json_string_value(json_object_get(in, "workload")));
	rc = option_check_described(json_object_get(w, "options"), dot + 1, entry->value, r->e);
	if (rc)
		return rc;
	if (json_object_set_new(json_object_get(in, "options"), dot + 1, json_string(entry->value)))
		return hb_error_set(r->e, -EINVAL, "the value is not UTF-8, or no memory");
	return 0;
}

/* "expect.KERNEL = VERDICT[, VERDICT]" into @expect. */
static int expect_set(const struct reader *r, json_t *expect, const struct ini_entry *entry)
{
	const char *kernel = entry->key + strlen("expect.");
	json_t *list, *item;
	size_t i;
	int rc;

	if (!spec_name_ok(kernel))
		return hb_error_set(r->e, -EINVAL,
				    "expect.KERNEL wants the name of a kernel variant");
	rc = spec_split(entry->value, &list, r->e);
	if (rc)
		return rc;
	json_array_foreach (list, i, item) {
		bool known = false;

		for (size_t v = 0; v < ARRAY_SIZE(verdicts); v++)
			known = known || !strcmp(json_string_value(item), verdicts[v]);
		if (!known) {
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

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* One key of a cell whose sweeps are resolved. */
static int cell_set(const struct reader *r, const struct ini_section *s, struct spec_cell *cell,
		    const struct ini_entry *entry)
{
	if (!strcmp(entry->key, "workload") || !strcmp(entry->key, "antagonists") ||
	    !strcmp(entry->key, "tasks"))
		return 0; /* taken first: the order of the lines has no meaning */
	if (has_prefix(entry->key, "expect."))
		return expect_set(r, cell->expect, entry);
	if (row_find(spec_cell_rows, entry->key))
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
		const char *const *known = wire_observe;

		while (*known && strcmp(*known, json_string_value(name)))
			known++;
		if (!*known)
			return hb_error_set(e, -EINVAL,
					    "observe = %s: there are vmstat, status, kprobes and "
					    "locks",
					    json_string_value(name));
	}
	return 0;
}

static int cell_fill(const struct reader *r, const struct ini_section *s, struct spec_cell *cell)
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

/* Build the cell @name from @s, whose sweeps are resolved, and append it. */
static int cell_add(const struct reader *r, const struct ini_section *s, const char *name)
{
	struct spec *spec = r->spec;
	struct spec_cell *cell, *grown;

	if (!spec_name_ok(name))
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
		if (!has_prefix(s->entries[i].key, "sweep.") &&
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
static int sweeps_find(const struct reader *r, const struct ini_section *s, struct sweep *sweeps,
		       size_t *n)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct ini_entry *entry = &s->entries[i];
		const char *key = entry->key + strlen("sweep.");
		int rc = 0;

		if (!has_prefix(entry->key, "sweep."))
			continue;
		if (*n == SWEEP_KEYS)
			rc = hb_error_set(r->e, -ERANGE, "more than %d sweeps in a cell",
					  SWEEP_KEYS);
		else if (!strcmp(key, "workload") || !strcmp(key, "antagonists") ||
			 has_prefix(key, "expect."))
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
static int sweep_cell(const struct reader *r, const struct ini_section *s,
		      const struct sweep *sweeps, size_t n, size_t index)
{
	struct ini_section *resolved = section_copy(s);
	HB_FREE char *name = strdup(s->name + strlen(CELL_PREFIX));
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
	rc = rc ? hb_error_set(r->e, rc, "no memory") : cell_add(r, resolved, name);
	if (resolved)
		section_free(resolved);
	return rc;
}

static int section_cells(const struct reader *r, const struct ini_section *s)
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

static int names_check(const json_t *names, const char *what, struct hb_error *e)
{
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name)
		if (!spec_name_ok(json_string_value(name)))
			return hb_error_set(e, -EINVAL, "'%s' cannot name a %s",
					    json_string_value(name), what);
	return 0;
}

static int scenario_lists(struct spec *spec, struct hb_error *e)
{
	int rc = spec_split(spec->scenario.kernels, &spec->kernels, e);

	if (!rc)
		rc = names_check(spec->kernels, "kernel", e);
	return rc ? hb_error_prefix(e, rc, "kernels") : 0;
}

/* The [scenario] section; its expectations go to @expect. */
static int scenario_fill(const struct reader *r, json_t *expect)
{
	const struct ini_section *s = ini_section_find(&r->ini, "scenario");
	struct spec_scenario *sc = &r->spec->scenario;
	int rc = option_defaults(spec_scenario_rows, sc, r->e);

	if (rc)
		return rc;
	if (!s)
		return hb_error_set(r->e, -EINVAL, "%s: no [scenario] section", r->ini.path);
	for (size_t i = 0; i < s->n; i++) {
		const struct ini_entry *entry = &s->entries[i];

		rc = has_prefix(entry->key, "expect.")
			     ? expect_set(r, expect, entry)
			     : option_set(spec_scenario_rows, sc, entry->key, entry->value, r->e);
		if (rc)
			return ini_error_place(r->e, rc, &r->ini, entry);
	}
	rc = scenario_lists(r->spec, r->e);
	if (!rc && sc->vcpus && sc->vcpus < sc->nodes)
		rc = hb_error_set(r->e, -EINVAL, "%ju vcpus cannot fill %ju nodes",
				  (uintmax_t)sc->vcpus, (uintmax_t)sc->nodes);
	if (!rc && sc->memory && sc->memory < sc->nodes * (256ULL << 20))
		rc = hb_error_set(r->e, -ERANGE, "memory is under 256M per node");
	return rc ? hb_error_prefix(r->e, rc, "%s", r->ini.path) : 0;
}

/* Set @key in one cell; a value for a key ends a sweep of it, and the other way round. */
static int cell_override(struct ini_section *s, const char *key, const char *value)
{
	HB_FREE char *other = has_prefix(key, "sweep.") ? strdup(key + strlen("sweep."))
							: hb_strf("sweep.%s", key);

	if (!other)
		return -ENOMEM;
	ini_entry_remove(s, other);
	return ini_entry_set(s, key, value, 0);
}

/* Does "key" (an override without a cell) concern this cell? */
static bool override_concerns(const struct ini_section *s, const char *key)
{
	const char *name = has_prefix(key, "sweep.") ? key + strlen("sweep.") : key;
	const char *dot = strchr(name, '.');

	if (!is_cell(s))
		return false;
	return !dot || has_prefix(name, "expect.") || section_uses(s, name, dot - name);
}

static int override_cells(struct reader *r, const char *key, const char *value)
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
static int override_scenario(struct reader *r, const char *key, const char *value)
{
	struct ini_section *s = ini_section_find(&r->ini, "scenario");

	if (!s)
		return 0; /* scenario_fill() says so */
	for (size_t i = 0; i < r->ini.n; i++)
		if (is_cell(&r->ini.sections[i]))
			ini_entry_remove(&r->ini.sections[i], key);
	return ini_entry_set(s, key, value, 0);
}

static int override_named(struct reader *r, const char *cell, const char *key, const char *value)
{
	HB_FREE char *name = hb_strf(CELL_PREFIX "%s", cell);
	struct ini_section *s = name ? ini_section_find(&r->ini, name) : NULL;

	if (!s)
		return hb_error_set(r->e, -ENOENT, "the scenario has no [cell %s]", cell);
	return cell_override(s, key, value);
}

/* One "key=value" or "CELL:key=value". */
static int override_apply(struct reader *r, const char *text)
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
	} else if (row_find(spec_scenario_rows, copy)) {
		rc = override_scenario(r, copy, value);
	} else {
		rc = override_cells(r, copy, value);
	}
	return rc ? hb_error_prefix(r->e, rc, "-o %s", text) : 0;
}

static int sections_check(const struct reader *r)
{
	for (size_t i = 0; i < r->ini.n; i++) {
		const struct ini_section *s = &r->ini.sections[i];

		if (!is_cell(s) && strcmp(s->name, "scenario"))
			return hb_error_set(
				r->e, -EINVAL,
				"%s:%d: no section [%s]; there are [scenario] and [cell NAME]",
				r->ini.path, s->line, s->name);
	}
	return 0;
}

/* Expectations of the scenario hold for a cell that says nothing else. */
static int expect_inherit(struct spec *spec, const json_t *expect)
{
	for (size_t i = 0; i < spec->ncells; i++)
		if (json_object_update_missing(spec->cells[i].expect, (json_t *)expect))
			return -ENOMEM;
	return 0;
}

static int read_all(struct reader *r, const json_t *overrides)
{
	json_t *expect = json_object(), *text;
	size_t i;
	int rc = expect ? sections_check(r) : -ENOMEM;

	json_array_foreach (overrides, i, text)
		if (!rc)
			rc = override_apply(r, json_string_value(text));
	if (!rc)
		rc = scenario_fill(r, expect);
	for (i = 0; i < r->ini.n && !rc; i++)
		if (is_cell(&r->ini.sections[i]))
			rc = section_cells(r, &r->ini.sections[i]);
	if (!rc && !r->spec->ncells)
		rc = hb_error_set(r->e, -EINVAL, "%s: no [cell NAME] section", r->ini.path);
	if (!rc)
		rc = expect_inherit(r->spec, expect);
	json_decref(expect);
	return rc;
}

/* "dir/smoke.ini" -> "smoke" */
static char *scenario_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t n = strlen(base);

	if (n > 4 && !strcmp(base + n - 4, ".ini"))
		n -= 4;
	return strndup(base, n);
}

int spec_parse(const char *path, const char *text, const json_t *workloads, const json_t *overrides,
	       struct spec *spec, struct hb_error *e)
{
	struct reader r = {.workloads = workloads, .spec = spec, .e = e};
	int rc;

	*spec = (struct spec){
		.name = scenario_name(path),
		.path = strdup(path),
		.text = strdup(text),
		.overrides = overrides ? json_deep_copy(overrides) : json_array(),
	};
	if (!spec->name || !spec->path || !spec->text || !spec->overrides)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (!spec_name_ok(spec->name))
		return hb_error_set(
			e, -EINVAL,
			"%s: '%s' cannot name a scenario: letters, digits, - _ . +, at most 40",
			path, spec->name);
	rc = ini_file_parse(&r.ini, spec->path, text, e);
	if (!rc)
		rc = read_all(&r, overrides);
	ini_file_free(&r.ini);
	return rc;
}

int spec_load(const char *path, const json_t *workloads, const json_t *overrides, struct spec *spec,
	      struct hb_error *e)
{
	HB_FREE char *text = NULL;
	size_t len;
	int rc = hb_file_read(path, &text, &len);

	*spec = (struct spec){0};
	if (rc)
		return hb_error_set(e, rc == -ENOMEM ? rc : -ENOENT,
				    "cannot read the scenario %s: %s", path, strerror(-rc));
	if (strlen(text) != len)
		return hb_error_set(e, -EINVAL, "%s: not a text file (it has a NUL byte)", path);
	return spec_parse(path, text, workloads, overrides, spec, e);
}

static void cell_free(struct spec_cell *cell)
{
	free(cell->name);
	json_decref(cell->observed);
	json_decref(cell->instances);
	json_decref(cell->expect);
	json_decref(cell->needs);
}

/* Does any cell match @pattern? The message lists those there are. */
static int pattern_check(const struct spec *spec, const char *pattern, struct hb_error *e)
{
	char all[768] = "";

	for (size_t i = 0; i < spec->ncells; i++) {
		size_t used = strlen(all);

		if (!fnmatch(pattern, spec->cells[i].name, 0))
			return 0;
		snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "",
			 spec->cells[i].name);
	}
	return hb_error_set(e, -ENOENT, "no cell of %s matches '%s'; there are: %s", spec->path,
			    pattern, all);
}

int spec_keep_cells(struct spec *spec, const char *patterns, struct hb_error *e)
{
	json_t *list, *pattern;
	size_t i, kept = 0;
	int rc = spec_split(patterns, &list, e);

	if (rc)
		return rc;
	json_array_foreach (list, i, pattern)
		if (!rc)
			rc = pattern_check(spec, json_string_value(pattern), e);
	for (size_t c = 0; c < spec->ncells && !rc; c++) {
		bool keep = false;

		json_array_foreach (list, i, pattern)
			keep = keep || !fnmatch(json_string_value(pattern), spec->cells[c].name, 0);
		if (keep)
			spec->cells[kept++] = spec->cells[c];
		else
			cell_free(&spec->cells[c]);
	}
	if (!rc)
		spec->ncells = kept;
	json_decref(list);
	return rc;
}

void spec_free(struct spec *spec)
{
	for (size_t i = 0; i < spec->ncells; i++)
		cell_free(&spec->cells[i]);
	free(spec->cells);
	free(spec->name);
	free(spec->path);
	free(spec->text);
	json_decref(spec->overrides);
	json_decref(spec->kernels);
	*spec = (struct spec){0};
}

int spec_check_mode(const struct spec *spec, const char *mode, struct hb_error *e)
{
	bool exact = !strcmp(mode, "exact");

	if (exact && spec->scenario.vcpus > 1)
		return hb_error_set(e, -EINVAL, "%s: mode exact has one vCPU, not %ju", spec->path,
				    (uintmax_t)spec->scenario.vcpus);
	if (!strcmp(mode, "native") && spec->scenario.control)
		return hb_error_set(
			e, -EINVAL,
			"%s: control = yes has no meaning in mode native: there is one arm",
			spec->path);
	if ((exact || !strcmp(mode, "native")) && spec->scenario.sequential)
		return hb_error_set(
			e, -EINVAL, "%s: sequential = yes has no meaning in mode %s: %s",
			spec->path, mode,
			exact ? "a second boot gives the same digits" : "there is one arm");
	for (size_t i = 0; i < spec->ncells; i++) {
		const struct spec_cell *cell = &spec->cells[i];

		if (exact && !cell->timing.work)
			return hb_error_set(
				e, -EINVAL,
				"%s: [cell %s] has no 'work' (operations per task), which mode "
				"exact needs",
				spec->path, cell->name);
		if (!exact && cell->timing.work)
			return hb_error_set(e, -EINVAL,
					    "%s: [cell %s] has 'work', which only mode exact uses; "
					    "run it with --mode exact",
					    spec->path, cell->name);
	}
	return 0;
}

/* Names of the scenarios in @dir, and the one nearest to @name. */
static int scenarios_hint(const char *dir, const char *name, char *list, size_t size,
			  struct nearest *best)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		size_t len = strlen(entries[i]->d_name), used = strlen(list);

		if (len > 4 && !strcmp(entries[i]->d_name + len - 4, ".ini")) {
			entries[i]->d_name[len - 4] = 0;
			snprintf(list + used, size - used, "%s%s", used ? ", " : "",
				 entries[i]->d_name);
			nearest_try(best, name, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}

char *spec_find(const char *name, struct hb_error *e)
{
	size_t len = strlen(name);
	struct nearest best = {0};
	char list[512] = "";
	HB_FREE char *root = NULL, *dir = NULL, *path = NULL;
	FILE *f;

	if (strchr(name, '/') || (len > 4 && !strcmp(name + len - 4, ".ini")))
		return strdup(name);
	root = paths_root(e);
	if (!root)
		return NULL;
	dir = hb_strf("%s/workloads/scenarios", root);
	path = dir ? hb_strf("%s/%s.ini", dir, name) : NULL;
	if (!path) {
		hb_error_set(e, -ENOMEM, "no memory");
		return NULL;
	}
	f = fopen(path, "re");
	if (f) {
		fclose(f);
		return HB_STEAL(path);
	}
	scenarios_hint(dir, name, list, sizeof(list), &best);
	hb_error_set(e, -ENOENT, "no scenario '%s'; the nearest is '%s'; there are: %s", name,
		     best.name, list);
	return NULL;
}
