// SPDX-License-Identifier: GPL-2.0-or-later
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/exact.h"
#include "bench/base/plain.h"
#include "bench/host/kernel_place.h"
#include "bench/scenario/spec_read.h"

static int names_check(const json_t *names, struct hb_error *e)
{
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name)
		if (!name_ok(json_string_value(name), NAME_LONGEST_CHOSEN))
			return hb_error_set(e, -EINVAL, "'%s' cannot name a kernel",
					    json_string_value(name));
	return 0;
}

/* Put a name of its own in the place of the place that is item @i of the kernels. */
static int name_place(struct spec *spec, size_t i, struct hb_error *e)
{
	json_t *text = json_incref(json_array_get(spec->kernels, i));
	HB_FREE char *name = NULL;
	struct place p;
	int rc = place_find(json_string_value(text), &p, e);

	if (!rc) {
		name = strdup(p.name);
		for (int n = 2; name && json_has_text(spec->kernels, name); n++) {
			free(name);
			name = hb_strf("%.36s-%d", p.name, n);
		}
		if (!name || json_array_set_new(spec->kernels, i, json_string(name)) ||
		    json_object_set(spec->places, name, text))
			rc = hb_error_set(e, -ENOMEM, "no memory");
		place_free(&p);
	}
	json_decref(text);
	return rc;
}

static int kernels_read(struct spec *spec, struct hb_error *e)
{
	int rc = spec_split(spec->scenario.kernels, &spec->kernels, e);

	spec->places = json_object();
	for (size_t i = 0; !rc && i < json_array_size(spec->kernels); i++)
		if (place_is(json_string_value(json_array_get(spec->kernels, i))))
			rc = name_place(spec, i, e);
	if (!rc)
		rc = names_check(spec->kernels, e);
	return rc ? hb_error_prefix(e, rc == -ENOMEM ? rc : -EINVAL, "kernels") : 0;
}

const char *spec_kernel(const struct spec *spec, const char *name)
{
	const char *place = json_string_value(json_object_get(spec->places, name));

	return place ? place : name;
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
	rc = kernels_read(r->spec, r->e);
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
		rc = spec_vcpus_resolve(r);
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
	       unsigned int vcpus, struct spec *spec, struct hb_error *e)
{
	struct spec_reader r = {.workloads = workloads, .vcpus = vcpus, .spec = spec, .e = e};
	int rc;

	*spec = (struct spec){
		.vcpus = vcpus,
		.name = scenario_name(path),
		.path = strdup(path),
		.text = strdup(text),
		.overrides = overrides ? json_deep_copy(overrides) : json_array(),
	};
	if (!spec->name || !spec->path || !spec->text || !spec->overrides)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (!name_ok(spec->name, NAME_LONGEST_CHOSEN))
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

int spec_load(const char *path, const json_t *workloads, const json_t *overrides,
	      unsigned int vcpus, struct spec *spec, struct hb_error *e)
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
	return spec_parse(path, text, workloads, overrides, vcpus, spec, e);
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
	json_decref(spec->places);
	*spec = (struct spec){0};
}

bool spec_is_work(const struct spec *spec)
{
	for (size_t i = 0; i < spec->ncells; i++)
		if (spec->cells[i].timing.work)
			return true;
	return false;
}

int spec_check_mode(const struct spec *spec, const char *mode, struct hb_error *e)
{
	bool exact = !strcmp(mode, "exact"), work = spec_is_work(spec);

	if (exact && spec->scenario.vcpus > (work ? 1 : EXACT_VCPUS_MAX))
		return hb_error_set(e, -EINVAL, "%s: mode exact has at most %d vCPUs%s, not %ju",
				    spec->path, work ? 1 : EXACT_VCPUS_MAX,
				    work ? " where 'work' is fixed" : "",
				    (uintmax_t)spec->scenario.vcpus);
	if (!strcmp(mode, "native") && spec->scenario.control)
		return hb_error_set(
			e, -EINVAL,
			"%s: control = yes has no meaning in mode native: there is one arm",
			spec->path);
	if (((exact && work) || !strcmp(mode, "native")) && spec->scenario.sequential)
		return hb_error_set(
			e, -EINVAL, "%s: sequential = yes has no meaning in mode %s: %s",
			spec->path, mode,
			exact ? "a second boot gives the same digits" : "there is one arm");
	if (!strcmp(mode, "metal") && spec->scenario.sequential)
		return hb_error_set(e, -EINVAL,
				    "%s: sequential = yes is not for mode metal, whose plan is "
				    "carried out as it is",
				    spec->path);
	for (size_t i = 0; i < spec->ncells; i++) {
		const struct spec_cell *cell = &spec->cells[i];

		if (exact && !cell->timing.work == work)
			return hb_error_set(e, -EINVAL,
					    "%s: [cell %s] has no 'work' and others have; in mode "
					    "exact all cells of a scenario have it, or none",
					    spec->path, cell->name);
		if (!exact && cell->timing.work)
			return hb_error_set(e, -EINVAL,
					    "%s: [cell %s] has 'work', which only mode exact uses; "
					    "run it with --mode exact",
					    spec->path, cell->name);
	}
	return 0;
}
