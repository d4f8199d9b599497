// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "bench/scenario/spec_read.h"

const char *const spec_modes[] = {"auto", "kvm", "emulated", "native", "exact", NULL};

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

void spec_nearest_try(struct spec_nearest *n, const char *wanted, const char *candidate)
{
	unsigned int distance = option_name_distance(wanted, candidate);

	if (*n->name && distance >= n->distance)
		return;
	n->distance = distance;
	snprintf(n->name, sizeof(n->name), "%s", candidate);
}

const struct option_row *spec_row_find(const struct option_row *rows, const char *name)
{
	for (; rows->name; rows++)
		if (!strcmp(rows->name, name))
			return rows;
	return NULL;
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
static int scenario_fill(const struct spec_reader *r, json_t *expect)
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

		rc = spec_has_prefix(entry->key, "expect.")
			     ? spec_expect_set(r, expect, entry)
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

static int sections_check(const struct spec_reader *r)
{
	for (size_t i = 0; i < r->ini.n; i++) {
		const struct ini_section *s = &r->ini.sections[i];

		if (!spec_is_cell(s) && strcmp(s->name, "scenario"))
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

static int read_all(struct spec_reader *r, const json_t *overrides)
{
	json_t *expect = json_object(), *text;
	size_t i;
	int rc = expect ? sections_check(r) : -ENOMEM;

	json_array_foreach (overrides, i, text)
		if (!rc)
			rc = spec_override_apply(r, json_string_value(text));
	if (!rc)
		rc = scenario_fill(r, expect);
	for (i = 0; i < r->ini.n && !rc; i++)
		if (spec_is_cell(&r->ini.sections[i]))
			rc = spec_section_cells(r, &r->ini.sections[i]);
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
	struct spec_reader r = {.workloads = workloads, .spec = spec, .e = e};
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
