// SPDX-License-Identifier: GPL-2.0-or-later
/* What each patch of a series costs: main figures from step to step. */
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/* The arm called @name; m->narms: there is none. */
static unsigned int arm_find(const struct compare_model *m, const char *name)
{
	unsigned int a = 0;

	while (a < m->narms && strcmp(m->arms[a].name, name))
		a++;
	return a;
}

static bool is_broken(const struct compare_model *m, unsigned int arm)
{
	return json_object_get(m->arms[arm].kernel, "broken");
}

static unsigned int pair_find(const struct compare_model *m, unsigned int a, unsigned int b)
{
	unsigned int p = 0;

	while (p < m->npairs && (m->pairs[p].a != a || m->pairs[p].b != b))
		p++;
	return p;
}

/* Arm @b against @a, the step before; @a == @b for the first. */
static void step_row(const struct compare_model *m, struct doc *d, unsigned int group,
		     unsigned int metric, unsigned int a, unsigned int b)
{
	const struct compare_group *g = &m->groups[group];
	const struct compare_figure *f = &g->figures[metric * m->narms + b];
	unsigned int p = pair_find(m, a, b);
	const struct comparison *c = p < m->npairs ? compare_find(m, group, metric, p) : NULL;
	char *figure = f->arm.n		 ? report_figure(f, g->metrics[metric].unit)
		       : is_broken(m, b) ? strdup("not built")
					 : strdup("no figure");

	doc_row(d, (char *const[]){
			   strdup(m->arms[b].label),
			   figure,
			   c ? report_percent(c->change.log_ratio) : strdup("-"),
			   c ? report_spread(m, &c->change, c) : strdup("-"),
			   c ? report_judged(m, c) : strdup("-"),
			   hb_strf("%zu", f->arm.n),
		   });
}

static void figure_table(const struct compare_model *m, struct doc *d, const json_t *steps,
			 unsigned int group, unsigned int metric)
{
	const struct compare_group *g = &m->groups[group];
	const json_t *step;
	unsigned int before = m->narms;
	size_t i;

	doc_table(d, "%s %s, %s, step by step: each kernel against the one before", g->cell,
		  g->metrics[metric].label, report_unit(&g->metrics[metric]));
	doc_column(d, "kernel", true);
	doc_column(d, "value", false);
	doc_column(d, "change", false);
	doc_column(d, compare_is_exact(m) ? "difference" : "interval %", false);
	doc_column(d, "verdict", true);
	doc_column(d, "boots", false);
	json_array_foreach (steps, i, step) {
		unsigned int arm = arm_find(m, json_string_value(step));

		if (arm == m->narms)
			continue;
		step_row(m, d, group, metric, before < m->narms ? before : arm, arm);
		before = is_broken(m, arm) ? before : arm;
	}
}

bool report_is_step(const struct compare_model *m, unsigned int pair)
{
	const json_t *steps = json_object_get(m->runs[0]->run, "steps");
	const char *b = m->arms[m->pairs[pair].b].name;
	size_t n = json_array_size(steps), i;
	const json_t *step;

	if (m->runs[1])
		return false;
	json_array_foreach (steps, i, step)
		if (i && !strcmp(json_string_value(step), b))
			return i + 1 < n || m->pairs[pair].a;
	return false;
}

void report_steps(const struct compare_model *m, struct doc *d)
{
	const json_t *steps = json_object_get(m->runs[0]->run, "steps");

	if (json_array_size(steps) < 2 || m->runs[1])
		return;
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int k = 0; k < m->groups[g].nmetrics; k++)
			if (m->groups[g].metrics[k].family == COMPARE_MAIN &&
			    m->groups[g].metrics[k].judged)
				figure_table(m, d, steps, g, k);
}
