// SPDX-License-Identifier: GPL-2.0-or-later
/* The document of a report, and its tables: figures per workload, bad verdicts as rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/* The most frequent verdict that is not OK. */
static enum cell_verdict worst(const struct compare_tally *t)
{
	enum cell_verdict v = CELL_DIRTY;

	for (unsigned int i = CELL_DIRTY; i < CELL_VERDICTS; i++)
		if (t->by[i] > t->by[v])
			v = i;
	return v;
}

/* The figure of an arm, or what happened instead of one. */
static char *arm_text(const struct compare_model *m, struct report_notes *n, unsigned int group,
		      unsigned int metric, unsigned int arm)
{
	const struct compare_group *g = &m->groups[group];
	const struct compare_tally *t = &g->tally[arm];
	unsigned int mark = report_note(m, n, group, arm);

	if (metric < g->nmetrics && report_is_sparse(m, g, metric, arm))
		return strdup("too few");
	if (metric < g->nmetrics && g->figures[metric * m->narms + arm].arm.n)
		return report_figure(&g->figures[metric * m->narms + arm], g->metrics[metric].unit);
	if (mark && report_bad_boots(t) == t->boots)
		return hb_strf("%s %u/%u [%u]", cell_verdict_name(worst(t)), t->by[worst(t)],
			       t->boots, mark);
	return strdup(t->boots ? "no figure" : "not run");
}

static char *verdict_text(const struct compare_model *m, unsigned int group,
			  const struct compare_pair *pair, const struct comparison *c)
{
	const struct compare_group *g = &m->groups[group];
	const struct compare_tally *a = &g->tally[pair->a], *b = &g->tally[pair->b];
	bool lost = (a->boots && report_bad_boots(a) == a->boots) ||
		    (b->boots && report_bad_boots(b) == b->boots);

	if (g->refused || pair->refused)
		return strdup("refused");
	if (lost)
		return strdup(a->expected + b->expected == report_bad_boots(a) + report_bad_boots(b)
				      ? "expected"
				      : "bad");
	return c ? report_judged(m, c) : strdup("-");
}

/*
 * Cells under one heading are named by what was swept, tasks or clients, when that tells them
 * apart; else by their own names.
 */
static bool scale_tells(const struct compare_model *m, unsigned int first, unsigned int last,
			const char **head)
{
	for (unsigned int i = first; i < last; i++)
		for (unsigned int k = first; k < i; k++)
			if (compare_scale(&m->groups[i], head) ==
			    compare_scale(&m->groups[k], head)) {
				*head = "cell";
				return false;
			}
	compare_scale(&m->groups[first], head);
	return true;
}

/* Instructions per operation of one source stand in one table, a row each. */
static bool is_count(const struct compare_metric *metric)
{
	return metric->kind == METRIC_EXACT;
}

/* "24", "faults-24", or with the percentile in front: "p99 24"; of a count its name alone, where
 * that tells. */
static char *row_label(const struct compare_group *g, const struct compare_metric *metric,
		       bool by_scale)
{
	const char *across;
	const char *suffix = is_count(metric)	       ? metric->label
			     : isnan(metric->quantile) ? ""
						       : metric->label + strlen(metric->name) + 1;

	if (by_scale && is_count(metric))
		return strdup(suffix);
	if (by_scale)
		return hb_strf("%s%s%g", suffix, *suffix ? " " : "", compare_scale(g, &across));
	return hb_strf("%s%s%s", suffix, *suffix ? " " : "", g->cell);
}

/* "5+5", with the marks of the arms that lost boots. */
static char *boots_text(const struct compare_model *m, struct report_notes *n, unsigned int group,
			const struct compare_metric *like, unsigned int pair)
{
	const struct compare_group *g = &m->groups[group];
	unsigned int metric = compare_find_metric(g, like->source, like->label);
	const unsigned int arms[2] = {m->pairs[pair].a, m->pairs[pair].b};
	size_t boots[2];
	char text[64] = "";

	for (unsigned int i = 0; i < 2; i++) {
		unsigned int mark = report_note(m, n, group, arms[i]);

		boots[i] = metric < g->nmetrics ? g->figures[metric * m->narms + arms[i]].arm.n
						: g->tally[arms[i]].by[CELL_OK];
		if (mark && boots[i])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " [%u]", mark);
	}
	return hb_strf("%zu+%zu%s", boots[0], boots[1], text);
}

static void metric_row(const struct compare_model *m, struct doc *d, struct report_notes *n,
		       unsigned int group, const struct compare_metric *like, unsigned int pair,
		       bool by_scale, bool boots)
{
	const struct compare_group *g = &m->groups[group];
	const struct compare_pair *p = &m->pairs[pair];
	unsigned int metric = compare_find_metric(g, like->source, like->label);
	const struct comparison *c = compare_find(m, group, metric, pair);
	const struct stats_change none = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	char *cells[DOC_COLUMNS] = {
		row_label(g, like, by_scale),
		arm_text(m, n, group, metric, p->a),
		arm_text(m, n, group, metric, p->b),
		report_percent(c ? c->change.log_ratio : NAN),
		report_spread(m, c ? &c->change : &none, c),
		verdict_text(m, group, p, c),
		boots ? boots_text(m, n, group, like, pair) : NULL,
	};

	doc_row(d, cells);
}

static const char *table_name(const struct compare_metric *metric)
{
	return is_count(metric) ? "instructions per operation" : metric->name;
}

/* The number of boots when all rows of a table have the same, or NULL; every mark is numbered. */
static char *common_boots(const struct compare_model *m, struct report_notes *n, unsigned int first,
			  unsigned int last, const struct compare_metric *metric, unsigned int rows,
			  unsigned int pair)
{
	HB_FREE char *common = NULL;
	bool differ = false;

	for (unsigned int r = 0; r < rows; r++)
		for (unsigned int g = first; g < last; g++) {
			HB_FREE char *text = NULL;

			if (!report_row_wanted(m, g, &metric[r]))
				continue;
			text = boots_text(m, n, g, &metric[r], pair);
			differ = differ || !text || (common && strcmp(common, text));
			if (!common)
				common = HB_STEAL(text);
		}
	return differ ? NULL : HB_STEAL(common);
}

/* A row per cell, of a distribution one per cell and percentile: @rows metrics from @metric on. */
static void metric_table(const struct compare_model *m, struct doc *d, struct report_notes *n,
			 unsigned int first, unsigned int last, const struct compare_metric *metric,
			 unsigned int rows, unsigned int pair)
{
	HB_FREE char *boots = common_boots(m, n, first, last, metric, rows, pair);
	const char *head;
	bool by_scale = scale_tells(m, first, last, &head);
	const struct compare_pair *p = &m->pairs[pair];

	doc_table(d, "%s %s (%s%s%s%s%s)", metric->source, table_name(metric), report_unit(metric),
		  metric->better == METRIC_NEITHER ? "" : ", better: ",
		  metric->better == METRIC_NEITHER ? "" : metric_better_name(metric->better),
		  boots ? "; boots: " : "", boots ? boots : "");
	report_pair_columns(m, d, p, is_count(metric) ? "operation" : head, !by_scale || rows > 1);
	if (!boots)
		doc_column(d, "boots", true);
	for (unsigned int r = 0; r < rows; r++)
		for (unsigned int g = first; g < last; g++)
			if (report_row_wanted(m, g, &metric[r]))
				metric_row(m, d, n, g, &metric[r], pair, by_scale, !boots);
}

/* No arm of these cells has a figure: a table of verdicts alone. */
static void verdict_table(const struct compare_model *m, struct doc *d, struct report_notes *n,
			  unsigned int first, unsigned int last)
{
	const char *head;
	bool by_scale = scale_tells(m, first, last, &head);

	doc_table(d, "verdicts (no boot of these cells gave figures)");
	report_arm_columns(m, d, head, !by_scale);
	for (unsigned int g = first; g < last; g++) {
		char *cells[DOC_COLUMNS] = {
			by_scale ? hb_strf("%g", compare_scale(&m->groups[g], &head))
				 : strdup(m->groups[g].cell)};

		for (unsigned int a = 0; a < m->narms && a + 1 < DOC_COLUMNS; a++)
			cells[a + 1] = arm_text(m, n, g, m->groups[g].nmetrics, a);
		doc_row(d, cells);
	}
}

/* One arm alone: figures without a change. */
static void single_table(const struct compare_model *m, struct doc *d, struct report_notes *n,
			 unsigned int first, unsigned int last, const struct compare_metric *metric,
			 unsigned int rows)
{
	const char *head;
	bool by_scale = scale_tells(m, first, last, &head);

	doc_table(d, "%s %s (%s)", metric->source, table_name(metric), report_unit(metric));
	doc_column(d, is_count(metric) ? "operation" : head, !by_scale || rows > 1);
	doc_column(d, m->arms[0].label, false);
	doc_column(d, "boots", true);
	for (unsigned int r = 0; r < rows; r++)
		for (unsigned int g = first; g < last; g++) {
			const struct compare_group *group = &m->groups[g];
			unsigned int k =
				compare_find_metric(group, metric[r].source, metric[r].label);

			if (report_row_wanted(m, g, &metric[r]))
				doc_row(d, (char *const[]){
						   row_label(group, &metric[r], by_scale),
						   arm_text(m, n, g, k, 0),
						   hb_strf("%u", group->tally[0].by[CELL_OK]),
					   });
		}
}

static bool in_one_table(const struct compare_metric *a, const struct compare_metric *b)
{
	if (a->kind != b->kind || a->source != b->source)
		return false;
	return is_count(a) ? a->unit == b->unit && a->better == b->better
			   : a->kind == METRIC_HIST && a->name == b->name;
}

/* The percentiles of one distribution stand one after the other, as do the counts of a source. */
static unsigned int rows_of(const struct compare_group *g, unsigned int metric)
{
	unsigned int rows = 1;

	while (metric + rows < g->nmetrics &&
	       in_one_table(&g->metrics[metric], &g->metrics[metric + rows]))
		rows++;
	return rows;
}

static bool seen_before(const struct compare_model *m, unsigned int first, unsigned int group,
			const struct compare_metric *metric)
{
	for (unsigned int g = first; g < group; g++)
		if (compare_find_metric(&m->groups[g], metric->source, metric->label) <
		    m->groups[g].nmetrics)
			return true;
	return false;
}

/* Every main metric of the cells first..last-1, in the order of the first cell that has it. */
static void section_tables(const struct compare_model *m, struct doc *d, struct report_notes *n,
			   unsigned int first, unsigned int last)
{
	bool any = false;

	for (unsigned int g = first; g < last; g++)
		for (unsigned int k = 0, rows; k < m->groups[g].nmetrics; k += rows) {
			const struct compare_metric *metric = &m->groups[g].metrics[k];

			rows = rows_of(&m->groups[g], k);
			if (!metric->primary || seen_before(m, first, g, metric))
				continue;
			any = true;
			for (unsigned int p = 0; p < m->npairs; p++)
				if (compare_is_shown(m, p))
					metric_table(m, d, n, first, last, metric, rows, p);
			if (m->narms == 1)
				single_table(m, d, n, first, last, metric, rows);
		}
	if (!any)
		verdict_table(m, d, n, first, last);
}

#define UNEQUAL 0.10

/*
 * An arm beside which the antagonists achieved less was disturbed less: that belongs to what the
 * kernels do, and the reader of the workload's figures must know it.
 */
static void unequal_work(const struct compare_model *m, struct doc *d, unsigned int group)
{
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		const struct compare_metric *metric = compare_metric(m, c);
		const struct compare_pair *p = &m->pairs[c->pair];
		const struct stats_change *change = &c->change;
		HB_FREE char *percent = NULL;

		if (c->group != group || strcmp(metric->role, "antagonist") ||
		    metric->kind != METRIC_RATE || !metric->primary || p->control ||
		    !(fabs(change->log_ratio) > UNEQUAL) ||
		    (change->log_low <= 0 && change->log_high >= 0))
			continue;
		percent = report_percent(change->log_ratio);
		doc_paragraph(d,
			      "Unequal disturbance: %s.%s %s from %s to %s in cell %s. The "
			      "workload's figures beside it hold that too.",
			      metric->source, metric->label, percent ? percent : "?",
			      m->arms[p->a].label, m->arms[p->b].label, m->groups[c->group].cell);
	}
}

static void sections(const struct compare_model *m, struct doc *d, struct report_notes *n,
		     const struct plot_set *pictures)
{
	for (unsigned int first = 0, last; first < m->ngroups; first = last) {
		const struct compare_group *g = &m->groups[first];

		last = compare_section_end(m, first);
		doc_heading(d, 2, "%s%s%s", g->workloads, *g->antagonists ? " beside " : "",
			    g->antagonists);
		section_tables(m, d, n, first, last);
		report_pictures(d, pictures, first, last, false);
	}
}

static char *main_label(const struct compare_model *m, unsigned int group, unsigned int metric)
{
	const char *unit = m->groups[group].metrics[metric].unit;
	HB_FREE char *label = compare_label(m, group, metric);
	bool time = !strcmp(unit, "ns");

	return label ? hb_strf("%s%s%s", label, time ? "" : ", ", time ? "" : unit) : NULL;
}

static void main_row(const struct compare_model *m, struct doc *d, struct report_notes *n,
		     const struct comparison *c)
{
	const struct compare_metric *metric = compare_metric(m, c);
	const struct compare_pair *p = &m->pairs[c->pair];

	if (!report_row_wanted(m, c->group, metric))
		return;
	doc_row(d, (char *const[]){
			   main_label(m, c->group, c->metric),
			   arm_text(m, n, c->group, c->metric, p->a),
			   arm_text(m, n, c->group, c->metric, p->b),
			   report_percent(c->change.log_ratio),
			   report_spread(m, &c->change, c),
			   verdict_text(m, c->group, p, c),
			   boots_text(m, n, c->group, metric, c->pair),
		   });
}

/* The main figures of all cells in one table; cells without any figure have their verdicts. */
static void main_table(const struct compare_model *m, struct doc *d, struct report_notes *n,
		       unsigned int pair)
{
	const struct compare_pair *p = &m->pairs[pair];

	doc_table(d, "Main figures of %s and %s", m->arms[p->a].label, m->arms[p->b].label);
	report_pair_columns(m, d, p, "cell and figure", true);
	doc_column(d, "boots", true);
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		const struct compare_metric *metric = compare_metric(m, c);

		if (c->pair == pair && metric->family == COMPARE_MAIN && metric->judged)
			main_row(m, d, n, c);
	}
	for (unsigned int g = 0; g < m->ngroups; g++)
		if (!m->groups[g].nmetrics)
			doc_row(d, (char *const[]){
					   strdup(m->groups[g].cell),
					   arm_text(m, n, g, 0, p->a),
					   arm_text(m, n, g, 0, p->b),
					   strdup("-"),
					   strdup("-"),
					   verdict_text(m, g, p, NULL),
					   strdup("0+0"),
				   });
}

static void main_row_of_one(const struct compare_model *m, struct doc *d, struct report_notes *n,
			    unsigned int group, unsigned int metric)
{
	doc_row(d, (char *const[]){
			   main_label(m, group, metric),
			   arm_text(m, n, group, metric, 0),
			   hb_strf("%zu", m->groups[group].figures[metric].arm.n),
		   });
}

/* The main figures of a kernel that is alone. */
static void main_table_of_one(const struct compare_model *m, struct doc *d, struct report_notes *n)
{
	doc_table(d, "Main figures of %s", m->arms[0].label);
	report_arm_columns(m, d, "cell and figure", true);
	doc_column(d, "boots", false);
	for (unsigned int g = 0; g < m->ngroups; g++) {
		const struct compare_group *group = &m->groups[g];

		for (unsigned int k = 0; k < group->nmetrics; k++)
			if (group->metrics[k].family == COMPARE_MAIN && group->metrics[k].judged &&
			    report_row_wanted(m, g, &group->metrics[k]))
				main_row_of_one(m, d, n, g, k);
		if (!group->nmetrics)
			doc_row(d, (char *const[]){strdup(group->cell), arm_text(m, n, g, 0, 0),
						   strdup("0")});
	}
}

static void summary(const struct compare_model *m, struct doc *d, struct report_notes *n,
		    const struct plot_set *pictures)
{
	report_steps(m, d);
	for (unsigned int p = 0; p < m->npairs; p++)
		if (compare_is_shown(m, p) && !report_is_step(m, p))
			main_table(m, d, n, p);
	if (m->narms == 1)
		main_table_of_one(m, d, n);
	report_forest(d, pictures, COMPARE_MAIN);
	for (unsigned int g = 0; g < m->ngroups; g++)
		unequal_work(m, d, g);
	report_disagreement(m, d);
	report_not_compared(m, d);
	report_unclear(m, d);
}

void report_build(const struct compare_model *m, struct doc *d, bool only_summary)
{
	struct report_notes n = {
		.number = calloc((size_t)m->ngroups * m->narms + 1, sizeof(unsigned int))};
	struct plot_set pictures = {0};

	d->failed = d->failed || plot_plan(m, &pictures) || !n.number;
	if (!d->failed) {
		d->main = true;
		report_title(m, d);
		summary(m, d, &n, &pictures);
		report_introduce(m, d);
		report_machines(m, d);
		d->main = true;
		if (!only_summary)
			sections(m, d, &n, &pictures);
		report_published(m, d);
		report_capacity(m, d, &pictures);
		report_waits(m, d);
		report_boots(m, d, &n);
		d->main = false;
		report_findings(m, d, &pictures);
		report_no_pictures(d, &pictures);
		report_closing(m, d);
	}
	plot_free(&pictures);
	free(n.number);
}
