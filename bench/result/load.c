// SPDX-License-Identifier: GPL-2.0-or-later
/* A run directory to struct load_run; damage is named and left out. */
#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/plain.h"
#include "bench/result/load.h"
#include "bench/result/runfile.h"

#define KERNELS_MOST 64
#define BOOTS_MOST   1000000
#define LINE_MOST    65536 /* bytes of an interval's line */

int load_problem(struct load_run *run, const char *fmt, ...)
{
	char **more;
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		return -ENOMEM;
	plain_make(text);
	for (size_t i = 0; i < run->nproblems; i++)
		if (!strcmp(run->problems[i], text)) {
			free(text);
			return 0;
		}
	more = realloc(run->problems, (run->nproblems + 1) * sizeof(*more));
	if (!more) {
		free(text);
		return -ENOMEM;
	}
	run->problems = more;
	run->problems[run->nproblems++] = text;
	return 0;
}

static bool is_mode(const char *mode)
{
	static const char *const modes[] = {"kvm", "emulated", "native", "exact", "metal"};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(mode, modes[i]))
			return true;
	return false;
}

static int check_run(struct load_run *run, struct hb_error *e)
{
	const json_t *format = json_object_get(run->run, "format");
	const json_t *kernels = json_object_get(run->run, "kernels"), *k;
	size_t i;
	int err;

	if (!json_is_integer(format))
		return hb_error_set(e, -EINVAL, "no format number");
	if (json_integer_value(format) != LOAD_FORMAT)
		return hb_error_set(e, -EINVAL,
				    "format %lld, this program reads %d: use the version that "
				    "wrote it",
				    (long long)json_integer_value(format), LOAD_FORMAT);
	run->name = json_string_value(json_object_get(run->run, "name"));
	run->mode = json_string_value(json_object_get(run->run, "mode"));
	if (!run->name || !run->mode)
		return hb_error_set(e, -EINVAL, "\"name\" or \"mode\" is missing");
	if (!json_array_size(kernels))
		return hb_error_set(e, -EINVAL, "\"kernels\" is missing or empty");
	err = name_check(run->name, NAME_LONGEST, e);
	if (err)
		return hb_error_prefix(e, err, "\"name\"");
	if (!is_mode(run->mode))
		return hb_error_set(e, -EINVAL,
				    "\"mode\" is none of kvm, emulated, native, exact, metal: '%s'",
				    run->mode);
	if (json_array_size(kernels) > KERNELS_MOST)
		return hb_error_set(e, -EINVAL, "more than %d kernels", KERNELS_MOST);
	json_array_foreach (kernels, i, k) {
		const char *name = json_string_value(json_object_get(k, "name"));

		if (!name)
			return hb_error_set(e, -EINVAL, "kernel %zu has no name", i + 1);
		err = name_check(name, NAME_LONGEST, e);
		if (err)
			return hb_error_prefix(e, err, "\"kernels\": [%zu]: \"name\"", i);
	}
	return 0;
}

/* Boots that a finished run has: it may have ended early, and left out cells that needed no more.
 */
static unsigned int count_planned(const struct load_run *run, const json_t *plan)
{
	json_int_t last = json_integer_value(json_object_get(run->run, "repetitions"));
	const json_t *boot;
	unsigned int n = 0;
	size_t i;

	json_array_foreach (json_object_get(plan, "cells"), i, boot)
		n += !json_is_true(json_object_get(boot, "left_out")) &&
		     (!last || json_integer_value(json_object_get(boot, "rep")) <= last);
	return n;
}

static void read_plan(struct load_run *run)
{
	json_t *plan = NULL;
	struct hb_error e;

	if (runfile_json(run->dir, "plan.json", &plan, &e)) {
		load_problem(run, "%s", e.text);
		return;
	}
	run->planned = count_planned(run, plan);
	json_decref(plan);
}

static bool kernel_known(const struct load_run *run, const char *name)
{
	return json_find(json_object_get(run->run, "kernels"), "name", name);
}

/* Is the same boot there under another id? */
static int check_twice(struct load_run *run, const struct load_cell *c, struct hb_error *e)
{
	HB_FREE char *key = hb_strf("%s %s %u %d", c->kernel, c->cell, c->rep, c->warmup_boot);
	const char *other = key ? json_string_value(json_object_get(run->seen, key)) : NULL;

	if (other)
		return hb_error_set(e, -EEXIST,
				    "duplicate of %s (kernel %s, cell %s, repetition %u)", other,
				    c->kernel, c->cell, c->rep);
	return key && !json_object_set_new(run->seen, key, json_string(c->id))
		       ? 0
		       : hb_error_set(e, -ENOMEM, "no memory");
}

static int check_cell(struct load_run *run, const struct load_cell *c, const char *id,
		      struct hb_error *e)
{
	if (strcmp(c->id, id))
		return hb_error_set(e, -EINVAL, "is cell %s, in the directory of another", c->id);
	if (!kernel_known(run, c->kernel))
		return hb_error_set(e, -EINVAL, "kernel %s is not in run.json", c->kernel);
	return check_twice(run, c, e);
}

static int read_cell(struct load_run *run, const char *id)
{
	HB_FREE char *name = hb_strf("cells/%s/cell.json", id);
	struct load_cell *cell = &run->cells[run->ncells];
	json_t *j = NULL;
	struct hb_error e;
	int err;

	if (!name)
		return -ENOMEM;
	err = runfile_json(run->dir, name, &j, &e);
	if (err)
		return load_problem(run, "%s", e.text);
	err = load_cell_parse(run, j, cell, &e);
	err = err ?: check_cell(run, cell, id, &e);
	json_decref(j);
	if (!err) {
		run->ncells++;
		return 0;
	}
	load_cell_release(cell);
	return load_problem(run, "%s: %s", name, e.text);
}

/* Directories of finished cells; a name with a dot in front is one that is still being written. */
static int is_cell(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* By bytes: the order must not hang on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int by_sequence(const void *a, const void *b)
{
	const struct load_cell *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int read_cells(struct load_run *run, struct hb_error *e)
{
	struct dirent **names;
	int n = runfile_list(run->dir, "cells", is_cell, by_name, &names), err = 0;

	if (n < 0)
		return load_problem(run, "cells: %s", runfile_reason(n));
	if (n > BOOTS_MOST) {
		load_problem(run, "cells: %d boots, read are %d", n, BOOTS_MOST);
		while (n > BOOTS_MOST)
			free(names[--n]);
	}
	run->cells = calloc(n + 1, sizeof(*run->cells));
	run->seen = json_object();
	for (int i = 0; i < n; i++) {
		if (run->cells && !err)
			err = read_cell(run, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	json_decref(run->seen);
	run->seen = NULL;
	if (!run->cells || err)
		return hb_error_set(e, -ENOMEM, "no memory");
	qsort(run->cells, run->ncells, sizeof(*run->cells), by_sequence);
	return 0;
}

/* Boots of one kernel, cell and seed whose figures count. */
static bool same_arm(const struct load_cell *a, const struct load_cell *b)
{
	return a->kernel == b->kernel && a->cell == b->cell && a->seed == b->seed &&
	       a->verdict == CELL_OK && b->verdict == CELL_OK && !a->warmup_boot && !b->warmup_boot;
}

static const struct load_metric *metric_like(const struct load_cell *c, const struct load_metric *m)
{
	for (unsigned int i = 0; i < c->nmetrics; i++)
		if (c->metrics[i].source == m->source && c->metrics[i].name == m->name)
			return &c->metrics[i];
	return NULL;
}

/* The numbers that a metric is known by: those of a distribution have names of their own. */
static const char *const digit_suffix[] = {"", ".count", ".min", ".max"};

static double digit_of(const struct load_metric *m, size_t which)
{
	const double digits[ARRAY_SIZE(digit_suffix)] = {m ? m->value : NAN, m ? m->count : NAN,
							 m ? m->min : NAN, m ? m->max : NAN};

	return digits[which];
}

/* Boots of one arm and seed, in the order of the plan. */
struct arm {
	struct load_cell *const *boot;
	size_t n;
};

static bool has_moved(const struct arm *arm, const struct load_metric *m, size_t which)
{
	double wanted = digit_of(m, which);

	for (size_t i = 1; i < arm->n; i++) {
		double v = digit_of(metric_like(arm->boot[i], m), which);

		if (v != wanted && !(isnan(v) && isnan(wanted)))
			return true;
	}
	return false;
}

static void write_boots(const struct arm *arm, const struct load_metric *m, size_t which, FILE *out)
{
	fprintf(out, "%s.%s%s", m->source, m->name, digit_suffix[which]);
	for (size_t i = 0; i < arm->n; i++)
		fprintf(out, "%s %.17g (r%u)", i ? "," : "",
			digit_of(metric_like(arm->boot[i], m), which), arm->boot[i]->rep);
}

#define MOVED_SHOWN 3

/*
 * Which figures of the arm are not the same in all boots, the main ones first; *@reason is NULL
 * when all of them are.
 */
static int disagreement(const struct load_run *run, const struct arm *arm, const char **reason)
{
	const struct load_cell *first = arm->boot[0];
	HB_FREE char *text = NULL;
	unsigned int moved = 0;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	*reason = NULL;
	if (!out)
		return -ENOMEM;
	for (int primary = 1; primary >= 0; primary--)
		for (unsigned int k = 0; k < first->nmetrics; k++)
			for (size_t w = 0; w < ARRAY_SIZE(digit_suffix); w++) {
				const struct load_metric *m = &first->metrics[k];

				if (m->primary != primary || !has_moved(arm, m, w))
					continue;
				if (moved++ >= MOVED_SHOWN)
					continue;
				fputs(moved > 1 ? "; " : "boots do not agree: ", out);
				write_boots(arm, m, w, out);
			}
	if (moved > MOVED_SHOWN)
		fprintf(out, "; and %u more figures", moved - MOVED_SHOWN);
	if (fclose(out))
		return -ENOMEM;
	if (moved)
		*reason = strings_put(run->strings, text);
	return moved && !*reason ? -ENOMEM : 0;
}

/* Any order that has the boots of an arm and seed side by side, by seq. */
static int by_arm(const void *a, const void *b)
{
	const struct load_cell *x = *(struct load_cell *const *)a;
	const struct load_cell *y = *(struct load_cell *const *)b;

	if (x->kernel != y->kernel)
		return x->kernel < y->kernel ? -1 : 1;
	if (x->cell != y->cell)
		return x->cell < y->cell ? -1 : 1;
	if (x->seed != y->seed)
		return x->seed < y->seed ? -1 : 1;
	return by_sequence(x, y);
}

static int arm_check(struct load_run *run, const struct arm *arm)
{
	const char *reason = NULL;

	if (disagreement(run, arm, &reason))
		return -ENOMEM;
	for (size_t i = 0; reason && i < arm->n; i++) {
		arm->boot[i]->verdict = CELL_INVALID;
		arm->boot[i]->reason = reason;
		arm->boot[i]->expected = false;
		run->ndisagree++;
	}
	return 0;
}

static int check_agreement(struct load_run *run, struct hb_error *e)
{
	HB_FREE struct load_cell **boots = calloc(run->ncells + 1, sizeof(struct load_cell *));
	size_t n = 0, end;

	if (!boots)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < run->ncells; i++)
		if (same_arm(&run->cells[i], &run->cells[i]))
			boots[n++] = &run->cells[i];
	qsort(boots, n, sizeof(*boots), by_arm);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && same_arm(boots[i], boots[end]);)
			end++;
		if (arm_check(run, &(struct arm){boots + i, end - i}))
			return hb_error_set(e, -ENOMEM, "no memory");
	}
	return 0;
}

/* Are the figures counts of instructions? */
static bool is_counted(const struct load_run *run)
{
	for (size_t i = 0; i < run->ncells; i++)
		for (unsigned int k = 0; k < run->cells[i].nmetrics; k++)
			if (run->cells[i].metrics[k].kind == METRIC_EXACT)
				return !strcmp(run->mode, "exact");
	return false;
}

int load_run(const char *dir, struct load_run **out, struct hb_error *e)
{
	struct load_run *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return hb_error_set(e, -ENOMEM, "no memory");
	run->dir = strdup(dir);
	run->strings = strings_new();
	err = run->dir && run->strings ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	err = err ?: runfile_json(dir, "run.json", &run->run, e);
	if (err) {
		hb_error_prefix(e, err, "%s", dir);
		goto fail;
	}
	err = check_run(run, e);
	if (err) {
		hb_error_prefix(e, err, "%s/run.json", dir);
		goto fail;
	}
	run->environment = load_environment(run->run);
	read_plan(run);
	err = read_cells(run, e);
	if (!err && !strcmp(run->mode, "exact"))
		err = check_agreement(run, e);
	if (!err && (load_repeated(run) || load_strata(run)))
		err = hb_error_set(e, -ENOMEM, "no memory");
	if (err)
		goto fail;
	run->counted = is_counted(run);
	*out = run;
	return 0;
fail:
	load_free(run);
	return err;
}

void load_free(struct load_run *run)
{
	if (!run)
		return;
	for (size_t i = 0; i < run->ncells; i++)
		load_cell_release(&run->cells[i]);
	for (size_t i = 0; i < run->nproblems; i++)
		free(run->problems[i]);
	free(run->problems);
	free(run->cells);
	json_decref(run->environment);
	json_decref(run->run);
	strings_free(run->strings);
	free(run->dir);
	free(run);
}

int load_hist(const struct load_run *run, const struct load_cell *cell, const struct load_metric *m,
	      struct hist *h, struct hb_error *e)
{
	HB_FREE char *name = hb_strf("cells/%s/%s", cell->id, m->file);
	int err = name ? runfile_hist(run->dir, name, h, e) : hb_error_set(e, -ENOMEM, "no memory");

	if (err)
		return err;
	if (h->count != m->count)
		return hb_error_set(e, -EINVAL, "%s: holds %llu values, cell.json says %.0f", name,
				    (unsigned long long)h->count, m->count);
	return 0;
}

static int walk_line(const char *line, size_t len, load_interval fn, void *arg, struct hb_error *e)
{
	json_error_t where;
	json_t *j = json_loadb(line, len, 0, &where), *t, *length, *counters;
	int err;

	if (!j)
		return hb_error_set(e, -EINVAL, "not valid JSON: %s", where.text);
	t = json_object_get(j, "t_ns");
	length = json_object_get(j, "length_ns");
	counters = json_object_get(j, "counters");
	if (!json_is_number(t) || !json_is_number(length) || !(json_number_value(t) >= 0) ||
	    !(json_number_value(length) > 0) || !json_is_object(counters))
		err = hb_error_set(e, -EINVAL,
				   "t_ns, length_ns or counters is missing or negative");
	else
		err = fn(arg, json_number_value(t), json_number_value(length), counters);
	json_decref(j);
	return err;
}

int load_intervals(const struct load_run *run, const struct load_cell *cell, load_interval fn,
		   void *arg, struct hb_error *e)
{
	HB_FREE char *name = hb_strf("cells/%s/intervals.jsonl", cell->id);
	HB_FREE char *line = malloc(LINE_MOST);
	HB_FCLOSE FILE *f = NULL;
	int fd = name && line ? runfile_open(run->dir, name) : -ENOMEM;

	if (fd == -ENOENT)
		return 0;
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f)
		return hb_error_set(e, fd < 0 ? fd : -ENOMEM, "%s: %s", name, runfile_reason(fd));
	for (unsigned int n = 1; fgets(line, LINE_MOST, f); n++) {
		int err = walk_line(line, strlen(line), fn, arg, e);

		if (err)
			return hb_error_prefix(e, err, "%s:%u", name, n);
	}
	return 0;
}
