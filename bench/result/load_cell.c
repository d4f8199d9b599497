// SPDX-License-Identifier: GPL-2.0-or-later
/* One cell.json object to struct load_cell; everything is checked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/exact.h"
#include "bench/base/plain.h"
#include "bench/result/load.h"
#include "bench/result/load_fields.h"
#include "bench/result/load_waits.h"

#define METRICS_MOST	1000
#define NOTES_MOST	10000
#define PARAMETERS_MOST 1000
#define WORKLOADS_MOST	100
#define UNIT_LONGEST	32
#define SHIFT_MOST	10 /* that QEMU takes */

static int parse_kind(const char *name, enum metric_kind *kind, struct hb_error *e)
{
	for (*kind = METRIC_RATE; *kind <= METRIC_EXACT; (*kind)++)
		if (!strcmp(name, metric_kind_name(*kind)))
			return 0;
	return hb_error_set(e, -EINVAL, "kind \"%s\" is none of rate, count, gauge, hist, exact",
			    name);
}

static int parse_better(const char *name, enum metric_better *better, struct hb_error *e)
{
	for (*better = METRIC_LOWER; *better <= METRIC_NEITHER; (*better)++)
		if (!strcmp(name, metric_better_name(*better)))
			return 0;
	return hb_error_set(e, -EINVAL, "better \"%s\" is none of lower, higher, neither", name);
}

/* The name of a histogram's file follows from the metric's. */
static int get_file(struct load_run *run, const json_t *j, struct load_metric *m,
		    struct hb_error *e)
{
	HB_FREE char *own = hb_strf("%s.%s.hist", m->source, m->name);
	int err = own ? field_string(run, j, "file", true, &m->file, e)
		      : hb_error_set(e, -ENOMEM, "no memory");

	if (!err && strcmp(m->file, own))
		return hb_error_set(e, -EINVAL, "\"file\" is '%.80s', not %s", m->file, own);
	return err;
}

/* The figures of a metric, by kind. */
static int parse_figures(struct load_run *run, const json_t *j, struct load_metric *m,
			 struct hb_error *e)
{
	bool may_be_negative = m->kind == METRIC_GAUGE || m->kind == METRIC_EXACT;
	int err;

	m->value = m->seconds = m->count = m->min = m->max = NAN;
	if (m->kind != METRIC_HIST) {
		err = field_number(j, "value", true, may_be_negative, &m->value, e);
		if (!err && m->kind == METRIC_RATE) {
			const char *key = json_object_get(j, "minsn") ? "minsn" : "seconds";

			err = field_number(j, key, true, false, &m->seconds, e);
			err = err ?: field_count(j, "count", true, &m->count, e);
		}
		if (!err && m->kind == METRIC_RATE && !(m->seconds > 0))
			return hb_error_set(e, -EINVAL, "\"seconds\" is 0");
		return err;
	}
	err = field_count(j, "count", true, &m->count, e);
	err = err ?: field_number(j, "min", m->count > 0, false, &m->min, e);
	err = err ?: field_number(j, "max", m->count > 0, false, &m->max, e);
	return err ?: get_file(run, j, m, e);
}

static int parse_metric(struct load_run *run, const json_t *j, struct load_metric *m,
			struct hb_error *e)
{
	const char *kind = "", *better = "";
	int err = field_name(run, j, "source", NAME_LONGEST, &m->source, e);

	err = err ?: field_name(run, j, "name", NAME_LONGEST, &m->name, e);
	if (err)
		return err;
	err = field_string(run, j, "role", false, &m->role, e);
	err = err ?: field_string(run, j, "unit", false, &m->unit, e);
	if (!err && strlen(m->unit) > UNIT_LONGEST)
		err = hb_error_set(e, -EINVAL, "\"unit\" has more than %d bytes", UNIT_LONGEST);
	err = err ?: field_string(run, j, "kind", true, &kind, e);
	err = err ?: field_string(run, j, "better", true, &better, e);
	err = err ?: parse_kind(kind, &m->kind, e);
	err = err ?: parse_better(better, &m->better, e);
	err = err ?: field_bool(j, "primary", &m->primary, e);
	err = err ?: field_unsigned(j, "tasks", &m->tasks, e);
	err = err ?: parse_figures(run, j, m, e);
	return err ? hb_error_prefix(e, err, "metric %s.%s", m->source, m->name) : 0;
}

static int parse_metrics(struct load_run *run, const json_t *j, struct load_cell *c,
			 struct hb_error *e)
{
	const json_t *list, *v;
	size_t i;
	int rc = field_array(j, "metrics", METRICS_MOST, &list, e);

	if (rc)
		return rc;
	c->metrics = calloc(json_array_size(list) + 1, sizeof(*c->metrics));
	if (!c->metrics)
		return hb_error_set(e, -ENOMEM, "no memory");
	json_array_foreach (list, i, v) {
		int err = parse_metric(run, v, &c->metrics[i], e);

		if (err)
			return hb_error_prefix(e, err, "\"metrics\": [%zu]", i);
		for (size_t k = 0; k < i; k++)
			if (c->metrics[k].source == c->metrics[i].source &&
			    c->metrics[k].name == c->metrics[i].name)
				return hb_error_set(e, -EINVAL, "metric %s.%s is there twice",
						    c->metrics[i].source, c->metrics[i].name);
		c->nmetrics++;
	}
	return 0;
}

static int parse_notes(struct load_run *run, const json_t *j, struct load_cell *c,
		       struct hb_error *e)
{
	const json_t *list, *v;
	size_t i;
	int rc = field_array(j, "notes", NOTES_MOST, &list, e);

	if (rc)
		return rc;
	c->notes = calloc(json_array_size(list) + 1, sizeof(*c->notes));
	if (!c->notes)
		return hb_error_set(e, -ENOMEM, "no memory");
	json_array_foreach (list, i, v) {
		struct load_note *n = &c->notes[i];
		int err = field_string(run, v, "source", false, &n->source, e);

		err = err ?: field_string(run, v, "key", false, &n->key, e);
		err = err ?: field_string(run, v, "text", false, &n->text, e);
		if (err)
			return hb_error_prefix(e, err, "\"notes\": [%zu]", i);
		c->nnotes++;
	}
	return 0;
}

/* An array of strings as one text, "a, b"; absent: "". */
static int join_names(struct load_run *run, const json_t *j, const char *key, const char **out,
		      struct hb_error *e)
{
	HB_FREE char *text = hb_strf("%s", "");
	const json_t *list, *v;
	size_t i;
	int rc = field_array(j, key, WORKLOADS_MOST, &list, e);

	if (rc)
		return rc;
	json_array_foreach (list, i, v) {
		char *longer;

		rc = name_check(json_string_value(v), NAME_LONGEST, e);
		if (rc)
			return hb_error_prefix(e, rc, "\"%s\": [%zu]", key, i);
		longer = text ? hb_strf("%s%s%s", text, i ? ", " : "", json_string_value(v)) : NULL;
		free(text);
		text = longer;
	}
	*out = text ? strings_put(run->strings, text) : NULL;
	return *out ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "name=value; name=value", sorted by name, so that equal parameters are equal texts. */
static int join_parameters(struct load_run *run, const json_t *j, const char **out,
			   struct hb_error *e)
{
	json_t *object = json_object_get(j, "parameters");
	size_t n = json_object_size(object), i = 0, len;
	HB_FREE const char **keys = calloc(n + 1, sizeof(*keys));
	HB_FREE char *text = NULL;
	const char *key;
	json_t *v;
	FILE *f;

	if (object && !json_is_object(object))
		return hb_error_set(e, -EINVAL, "\"parameters\" is not an object");
	if (n > PARAMETERS_MOST)
		return hb_error_set(e, -EINVAL,
				    "\"parameters\" has %zu members, at most %d are read", n,
				    PARAMETERS_MOST);
	f = open_memstream(&text, &len);
	if (!f || !keys)
		return hb_error_set(e, -ENOMEM, "no memory");
	json_object_foreach (object, key, v)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), compare_names);
	for (i = 0; i < n; i++) {
		const json_t *value = json_object_get(object, keys[i]);

		fprintf(f, "%s%s=%s", i ? "; " : "", keys[i],
			json_is_string(value) ? json_string_value(value) : "?");
	}
	fclose(f);
	*out = text ? strings_put(run->strings, text) : NULL;
	return *out ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

static int parse_verdict(struct load_run *run, const json_t *j, struct load_cell *c,
			 struct hb_error *e)
{
	const char *name = "";
	int err = field_string(run, j, "verdict", true, &name, e);

	if (err)
		return err;
	c->verdict = cell_verdict_find(name);
	if (c->verdict < CELL_VERDICTS)
		return 0;
	return hb_error_set(e, -EINVAL,
			    "verdict \"%s\" is none of OK, DIRTY, PANIC, HANG, TIMEOUT, INVALID, "
			    "SKIP",
			    name);
}

static int parse_times(const json_t *j, struct load_cell *c, struct hb_error *e)
{
	const json_t *t = json_object_get(j, "times");
	int err = field_number(t, "total_ns", false, false, &c->total_ns, e);

	err = err ?: field_number(t, "measure_ns", false, false, &c->measure_ns, e);
	err = err ?: field_number(t, "warmup_ns", false, false, &c->warmup_ns, e);
	err = err ?: field_number(t, "boot_ns", false, false, &c->boot_ns, e);
	return err ? hb_error_prefix(e, err, "times") : 0;
}

static int parse_hello(struct load_run *run, const json_t *j, struct load_cell *c,
		       struct hb_error *e)
{
	const json_t *h = json_object_get(j, "hello");
	int err = field_string(run, h, "kernel_version", false, &c->kernel_version, e);

	err = err ?: field_string(run, h, "build_id", false, &c->build_id, e);
	err = err ?: field_string(run, h, "command_line", false, &c->command_line, e);
	err = err ?: field_string(run, h, "clocksource", false, &c->clocksource, e);
	return err ? hb_error_prefix(e, err, "hello") : 0;
}

static double parse_minsn(const json_t *machine)
{
	json_int_t vcpus = json_integer_value(json_object_get(machine, "vcpus"));
	json_int_t shift = json_integer_value(json_object_get(machine, "shift"));

	if (vcpus < 1 || vcpus > EXACT_VCPUS_MAX || shift < 0 || shift > SHIFT_MOST)
		return NAN;
	return 1e6 * (vcpus << shift);
}

static int check_mode(struct load_run *run, const json_t *j, struct hb_error *e)
{
	const json_t *mode = json_object_get(j, "mode");

	if (!json_is_string(mode) || strcmp(json_string_value(mode), run->mode))
		return hb_error_set(e, -EINVAL, "mode is %s, the run's is %s: not comparable",
				    json_is_string(mode) ? json_string_value(mode) : "missing",
				    run->mode);
	return 0;
}

int load_cell_parse(struct load_run *run, const json_t *j, struct load_cell *c, struct hb_error *e)
{
	const json_t *format = json_object_get(j, "format"), *evidence;
	int err;

	if (!json_is_integer(format) || json_integer_value(format) != LOAD_FORMAT)
		return hb_error_set(e, -EINVAL, "format is not %d: written by another version",
				    LOAD_FORMAT);
	err = field_name(run, j, "id", NAME_LONGEST_ID, &c->id, e);
	err = err ?: field_name(run, j, "kernel", NAME_LONGEST, &c->kernel, e);
	err = err ?: field_name(run, j, "cell", NAME_LONGEST, &c->cell, e);
	err = err ?: field_string(run, j, "reason", false, &c->reason, e);
	err = err ?: field_unsigned(j, "seq", &c->seq, e);
	err = err ?: field_unsigned(j, "rep", &c->rep, e);
	c->seed = json_integer_value(json_object_get(j, "seed"));
	c->minsn_ns = parse_minsn(json_object_get(j, "machine"));
	err = err ?: field_unsigned(j, "tasks", &c->tasks, e);
	err = err ?: field_bool(j, "warmup_boot", &c->warmup_boot, e);
	err = err ?: field_bool(j, "expected", &c->expected, e);
	err = err ?: check_mode(run, j, e);
	err = err ?: parse_verdict(run, j, c, e);
	err = err ?: join_names(run, j, "workloads", &c->workloads, e);
	err = err ?: join_names(run, j, "antagonists", &c->antagonists, e);
	err = err ?: join_parameters(run, j, &c->parameters, e);
	err = err ?: parse_hello(run, j, c, e);
	err = err
		      ?: field_string(run, json_object_get(j, "environment"), "boot_id", false,
				      &c->host_boot, e);
	if (!err && load_machine(run, j, c))
		err = hb_error_set(e, -ENOMEM, "no memory");
	err = err ?: parse_times(j, c, e);
	err = err ?: parse_metrics(run, j, c, e);
	err = err ?: parse_notes(run, j, c, e);
	err = err ?: load_waits_parse(run, j, c, e);
	if (err)
		return err;
	evidence = json_object_get(j, "evidence");
	if (c->verdict != CELL_OK && json_array_size(evidence))
		c->evidence = json_incref((json_t *)evidence);
	return 0;
}

void load_cell_release(struct load_cell *cell)
{
	free(cell->metrics);
	free(cell->notes);
	load_waits_release(cell);
	json_decref(cell->evidence);
	memset(cell, 0, sizeof(*cell));
}

int load_cell_check(const json_t *j, struct hb_error *e)
{
	const char *mode = json_string_value(json_object_get(j, "mode"));
	struct load_run run = {.mode = mode ? mode : "", .strings = strings_new()};
	struct load_cell cell = {0};
	int err = run.strings ? load_cell_parse(&run, j, &cell, e)
			      : hb_error_set(e, -ENOMEM, "no memory");

	load_cell_release(&cell);
	strings_free(run.strings);
	return err;
}
