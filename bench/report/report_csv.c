// SPDX-License-Identifier: GPL-2.0-or-later
/* The model as tables for programs: CSV and JSON. A figure that does not exist is empty or absent.
 */
#include <math.h>
#include <string.h>

#include "bench/report/report.h"

static const char *const columns =
	"cell,workload,antagonists,tasks,metric,unit,better,kernel_a,kernel_b,"
	"n_a,n_b,estimate_a,estimate_b,delta_pct,ci_low_pct,ci_high_pct,"
	"p,p_adjusted,p_same_adjusted,verdict,mde_pct,mode,family";

/* RFC 4180: quoted when it holds a comma, quote or line end. */
static void text(FILE *out, const char *s)
{
	if (!strpbrk(s, ",\"\n\r")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void number(FILE *out, double v)
{
	fputc(',', out);
	if (isfinite(v))
		fprintf(out, "%.10g", v);
}

/* In per cent; NAN: not to be had, or beyond what makes sense. */
static double percent(double log_ratio)
{
	return report_sensible(log_ratio) ? stats_percent(log_ratio) : NAN;
}

/* Where and of what; the same for one arm and for two. */
static void begin_row(const struct compare_group *g, const struct compare_metric *metric, FILE *out)
{
	text(out, g->cell);
	fputc(',', out);
	text(out, g->workloads);
	fputc(',', out);
	text(out, g->antagonists);
	fprintf(out, ",%u,", g->tasks);
	text(out, metric->source);
	fputc('.', out);
	text(out, metric->label);
	fputc(',', out);
	text(out, metric->unit);
	fprintf(out, ",%s,", metric_better_name(metric->better));
}

/* One arm alone: its figures, and nothing of a second one. */
static void single_row(const struct compare_model *m, const struct compare_group *g, unsigned int k,
		       FILE *out)
{
	const struct compare_figure *f = &g->figures[k * m->narms];

	begin_row(g, &g->metrics[k], out);
	text(out, m->arms[0].label);
	fprintf(out, ",,%zu,", f->arm.n);
	number(out, f->arm.n ? f->arm.estimate : NAN);
	fprintf(out, ",,,,,,,,,,%s,%s\n", m->runs[0]->mode,
		compare_family_name(g->metrics[k].family));
}

static void row(const struct compare_model *m, const struct comparison *c, FILE *out)
{
	const struct compare_group *g = &m->groups[c->group];
	const struct compare_metric *metric = &g->metrics[c->metric];
	const struct compare_pair *pair = &m->pairs[c->pair];
	const struct compare_figure *a = compare_figure(m, c, false);
	const struct compare_figure *b = compare_figure(m, c, true);

	begin_row(g, metric, out);
	text(out, m->arms[pair->a].label);
	fputc(',', out);
	text(out, m->arms[pair->b].label);
	fprintf(out, ",%zu,%zu", a->arm.n, b->arm.n);
	number(out, a->arm.n ? a->arm.estimate : NAN);
	number(out, b->arm.n ? b->arm.estimate : NAN);
	number(out, stats_percent(c->change.log_ratio));
	number(out, percent(c->change.log_low));
	number(out, percent(c->change.log_high));
	number(out, c->raw.differ);
	number(out, c->adjusted.differ);
	number(out, c->adjusted.same);
	fprintf(out, ",%s", stats_verdict_name(c->verdict));
	number(out, percent(c->change.log_mde));
	fprintf(out, ",%s,%s\n", m->runs[0]->mode, compare_family_name(metric->family));
}

int report_csv(const struct compare_model *m, FILE *out)
{
	fprintf(out, "%s\n", columns);
	for (size_t i = 0; i < m->ncomparisons; i++)
		row(m, &m->comparisons[i], out);
	for (unsigned int g = 0; m->narms == 1 && g < m->ngroups; g++)
		for (unsigned int k = 0; k < m->groups[g].nmetrics; k++)
			single_row(m, &m->groups[g], k, out);
	return ferror(out) ? -EIO : 0;
}

static void set(json_t *o, const char *key, double v)
{
	if (isfinite(v))
		json_object_set_new(o, key, json_real(v));
}

static json_t *figure_json(const struct compare_figure *f)
{
	json_t *o = json_object(), *boots = json_array();

	json_object_set_new(o, "n", json_integer(f->arm.n));
	set(o, "estimate", f->arm.n ? f->arm.estimate : NAN);
	set(o, "log_se", f->arm.log_se);
	set(o, "variation_between_boots", f->variation);
	set(o, "variation_within_boots", f->within);
	for (size_t i = 0; i < f->arm.n; i++)
		json_array_append_new(boots, json_real(f->boot[i]));
	json_object_set_new(o, "boots", boots);
	return o;
}

static json_t *comparison_json(const struct compare_model *m, const struct comparison *c)
{
	const struct compare_group *g = &m->groups[c->group];
	const struct compare_metric *metric = &g->metrics[c->metric];
	const struct compare_pair *pair = &m->pairs[c->pair];
	json_t *o = json_object();

	json_object_set_new(o, "cell", json_string(g->cell));
	json_object_set_new(o, "source", json_string(metric->source));
	json_object_set_new(o, "metric", json_string(metric->label));
	json_object_set_new(o, "unit", json_string(metric->unit));
	json_object_set_new(o, "better", json_string(metric_better_name(metric->better)));
	json_object_set_new(o, "primary", json_boolean(metric->primary));
	json_object_set_new(o, "family", json_string(compare_family_name(metric->family)));
	json_object_set_new(o, "control", json_boolean(pair->control));
	json_object_set_new(o, "kernel_a", json_string(m->arms[pair->a].label));
	json_object_set_new(o, "kernel_b", json_string(m->arms[pair->b].label));
	json_object_set_new(o, "a", figure_json(compare_figure(m, c, false)));
	json_object_set_new(o, "b", figure_json(compare_figure(m, c, true)));
	set(o, "delta_pct", stats_percent(c->change.log_ratio));
	set(o, "ci_low_pct", percent(c->change.log_low));
	set(o, "ci_high_pct", percent(c->change.log_high));
	set(o, "mde_pct", percent(c->change.log_mde));
	set(o, "degrees_of_freedom", c->change.df);
	set(o, "p", c->raw.differ);
	set(o, "p_rank", c->raw.rank);
	set(o, "p_adjusted", c->adjusted.differ);
	set(o, "p_same", c->raw.same);
	set(o, "p_same_adjusted", c->adjusted.same);
	json_object_set_new(o, "verdict", json_string(stats_verdict_name(c->verdict)));
	if (c->why)
		json_object_set_new(o, "why", json_string(c->why));
	return o;
}

static json_t *group_json(const struct compare_model *m, const struct compare_group *g)
{
	json_t *o = json_object(), *arms = json_object();

	json_object_set_new(o, "cell", json_string(g->cell));
	json_object_set_new(o, "workloads", json_string(g->workloads));
	json_object_set_new(o, "antagonists", json_string(g->antagonists));
	json_object_set_new(o, "parameters", json_string(g->parameters));
	json_object_set_new(o, "tasks", json_integer(g->tasks));
	set(o, "overhead_ns", g->overhead_ns);
	if (g->refused)
		json_object_set_new(o, "refused", json_string(g->refused));
	for (unsigned int a = 0; a < m->narms; a++) {
		json_t *t = json_object();

		json_object_set_new(t, "boots", json_integer(g->tally[a].boots));
		json_object_set_new(t, "warmup_boots", json_integer(g->tally[a].warmup_boots));
		json_object_set_new(t, "expected", json_integer(g->tally[a].expected));
		for (unsigned int v = 0; v < CELL_VERDICTS; v++)
			json_object_set_new(t, cell_verdict_name(v),
					    json_integer(g->tally[a].by[v]));
		json_object_set_new(arms, m->arms[a].label, t);
	}
	json_object_set_new(o, "arms", arms);
	return o;
}

json_t *report_json(const struct compare_model *m)
{
	json_t *o = json_object(), *groups = json_array(), *comparisons = json_array();
	json_t *problems = json_array(), *families = json_object();

	for (unsigned int i = 0; i < m->ngroups; i++)
		json_array_append_new(groups, group_json(m, &m->groups[i]));
	for (size_t i = 0; i < m->ncomparisons; i++)
		json_array_append_new(comparisons, comparison_json(m, &m->comparisons[i]));
	for (unsigned int r = 0; r < 2 && m->runs[r]; r++)
		for (size_t i = 0; i < m->runs[r]->nproblems; i++)
			json_array_append_new(problems, json_string(m->runs[r]->problems[i]));
	json_object_set_new(o, "format", json_integer(LOAD_FORMAT));
	json_object_set_new(o, "run", json_string(m->runs[0]->name));
	json_object_set_new(o, "mode", json_string(m->runs[0]->mode));
	json_object_set_new(o, "alpha", json_real(m->rule.alpha));
	json_object_set_new(o, "margin", json_real(m->rule.margin));
	for (int f = 0; f < COMPARE_FAMILIES; f++)
		json_object_set_new(families, compare_family_name(f),
				    json_integer(m->tested[false][f]));
	json_object_set_new(o, "families", families);
	if (m->forced)
		json_object_set_new(o, "forced", json_string(m->forced));
	json_object_set_new(o, "cells", groups);
	json_object_set_new(o, "comparisons", comparisons);
	if (json_object_set_new(o, "problems", problems)) {
		json_decref(o);
		return NULL;
	}
	return o;
}
