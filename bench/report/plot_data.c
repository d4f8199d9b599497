// SPDX-License-Identifier: GPL-2.0-or-later
/* The .dat files: blocks of lines, one block per arm with its label as the head, two blank lines
 * between. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/capacity.h"
#include "bench/report/plot.h"

bool plot_forest_row(const struct compare_model *m, const struct comparison *c,
		     enum compare_family family)
{
	const struct compare_metric *metric = compare_metric(m, c);

	return metric->family == family && metric->primary && metric->judged &&
	       compare_is_shown(m, c->pair) && !isnan(c->change.log_low);
}

static bool is_workload(const struct compare_metric *metric)
{
	return strcmp(metric->role, "antagonist") != 0;
}

const struct compare_metric *plot_workload_rate(const struct compare_group *g)
{
	const struct compare_metric *found = NULL;

	for (unsigned int k = 0; k < g->nmetrics; k++) {
		const struct compare_metric *metric = &g->metrics[k];

		if (metric->kind != METRIC_RATE || !is_workload(metric))
			continue;
		if (metric->primary)
			return metric;
		found = found ?: metric;
	}
	return found;
}

const struct compare_metric *plot_next_antagonist(const struct compare_group *g,
						  const struct compare_metric *previous)
{
	unsigned int from = previous ? previous - g->metrics + 1 : 0;

	for (unsigned int k = from; k < g->nmetrics; k++) {
		const struct compare_metric *metric = &g->metrics[k];

		if (metric->kind == METRIC_RATE && !is_workload(metric) &&
		    (!previous || strcmp(metric->source, previous->source)))
			return metric;
	}
	return NULL;
}

/* Operations in time, or in what mode exact has in its place. */
static bool is_throughput(const char *unit)
{
	return !strcmp(unit, "1/s") || !strcmp(unit, "1/Minsn");
}

const struct compare_metric *plot_throughput(const struct compare_group *g)
{
	for (unsigned int k = 0; k < g->nmetrics; k++) {
		const struct compare_metric *metric = &g->metrics[k];

		if (metric->primary && is_workload(metric) && is_throughput(metric->unit) &&
		    (metric->kind == METRIC_RATE || metric->kind == METRIC_GAUGE))
			return metric;
	}
	return NULL;
}

/* The boot that a time line shows: the first good one of the arm, NULL: none. */
static const struct load_cell *timeline_boot(const struct compare_model *m,
					     const struct compare_group *g, unsigned int arm)
{
	const struct load_run *run = m->arms[arm].run;

	for (size_t i = 0; i < run->ncells; i++)
		if (run->cells[i].kernel == m->arms[arm].name && !run->cells[i].warmup_boot &&
		    run->cells[i].verdict == CELL_OK && !strcmp(run->cells[i].cell, g->cell))
			return &run->cells[i];
	return NULL;
}

/* Labels go between quotes: the others' characters are harmless. */
static void label(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fputc(*text == '"' || *text == '\\' || *text == '\n' ? ' ' : *text, out);
	fputc('"', out);
}

static void block(FILE *out, const struct compare_model *m, unsigned int arm)
{
	if (ftell(out) > 0)
		fputs("\n\n", out);
	label(out, m->arms[arm].label);
	fputc('\n', out);
}

/* 1 / (1 - q) in 20 steps per factor of ten, while a boot's worth of values lies above. */
static int percentile_rows(FILE *out, const struct hist *h, bool cdf)
{
	enum { STEPS = 200 };
	double q[STEPS], value[STEPS];
	size_t n = 0;

	for (; n < STEPS; n++) {
		q[n] = cdf ? (n + 0.5) / STEPS : 1 - pow(10, -(double)n / 20);
		if (!cdf && h->count * (1 - q[n]) < 1)
			break;
	}
	stats_merged_quantiles(&h, 1, q, n, value, NULL);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%.8g %.6g\n", cdf ? q[i] : 1 / (1 - q[i]), value[i]);
	return 0;
}

static int distribution(const struct compare_model *m, const struct plot *p, FILE *out)
{
	const struct compare_group *g = &m->groups[p->first];
	HB_FREE struct hist *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	for (unsigned int arm = 0; arm < m->narms; arm++) {
		int err = compare_merged(m, g, arm, &g->metrics[p->metric], h);

		if (err)
			return err;
		block(out, m, arm);
		percentile_rows(out, h, p->kind == PLOT_CDF);
	}
	return 0;
}

static void estimate(FILE *out, const struct compare_model *m, const struct compare_group *g,
		     const char *source, const char *name, unsigned int arm)
{
	unsigned int k = compare_find_metric(g, source, name);
	const struct compare_figure *f = NULL;
	double low, high;

	if (k < g->nmetrics)
		f = &g->figures[k * m->narms + arm];
	if (!f || !f->arm.n || f->sparse) {
		fputs(" NaN NaN NaN", out);
		return;
	}
	compare_arm_interval(f, m->rule.alpha, &low, &high);
	fprintf(out, " %.8g %.8g %.8g", f->arm.estimate, low, high);
}

/* Scale, then estimate, low, high of one metric, or of two. */
static void sweep(const struct compare_model *m, const struct plot *p, FILE *out,
		  const char *second)
{
	const struct compare_metric *metric = &m->groups[p->first].metrics[p->metric];
	const char *across;

	for (unsigned int arm = 0; arm < m->narms; arm++) {
		block(out, m, arm);
		for (unsigned int g = p->first; g < p->end; g++) {
			fprintf(out, "%g", compare_scale(&m->groups[g], &across));
			estimate(out, m, &m->groups[g], metric->source, metric->label, arm);
			if (second)
				estimate(out, m, &m->groups[g], metric->source, second, arm);
			fputc('\n', out);
		}
	}
}

static void forest(const struct compare_model *m, const struct plot *p, FILE *out)
{
	size_t at = 0, row = 0;

	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		const struct compare_pair *pair = &m->pairs[c->pair];
		HB_FREE char *name = NULL, *text = NULL;
		int gain = c->verdict == STATS_BETTER ? 1 : c->verdict == STATS_WORSE ? -1 : 0;

		if (!plot_forest_row(m, c, p->family) || at++ < p->row || row == p->rows)
			continue;
		name = compare_label(m, c->group, c->metric);
		text = name && m->npairs > 1 ? hb_strf("%s, %s", name, m->arms[pair->b].label)
					     : HB_STEAL(name);
		fprintf(out, "%zu %.6g %.6g %.6g %d ", ++row, stats_percent(c->change.log_ratio),
			stats_percent(c->change.log_low), stats_percent(c->change.log_high), gain);
		label(out, text ? text : "");
		fputc('\n', out);
	}
}

struct timeline {
	FILE *out;
	const struct compare_group *g;
	double unit_ns; /* of the guest's clock: a second, in mode exact a million instructions */
};

static void counter(FILE *out, const json_t *counters, const struct compare_metric *metric,
		    double length)
{
	char key[256];
	const json_t *v;

	snprintf(key, sizeof(key), "%s.%s", metric->source, metric->name);
	v = json_object_get(counters, key);
	if (json_is_number(v))
		fprintf(out, " %.6g", json_number_value(v) / length);
	else
		fputs(" NaN", out);
}

static int timeline_row(void *arg, double t_ns, double length_ns, const json_t *counters)
{
	struct timeline *t = arg;
	const struct compare_metric *metric = plot_workload_rate(t->g);

	fprintf(t->out, "%.6g", (t_ns + length_ns / 2) / t->unit_ns);
	counter(t->out, counters, metric, length_ns / t->unit_ns);
	for (metric = plot_next_antagonist(t->g, NULL); metric;
	     metric = plot_next_antagonist(t->g, metric))
		counter(t->out, counters, metric, length_ns / t->unit_ns);
	fputc('\n', t->out);
	return 0;
}

static void timeline(const struct compare_model *m, const struct plot *p, FILE *out)
{
	for (unsigned int arm = 0; arm < m->narms; arm++) {
		struct timeline t = {.out = out, .g = &m->groups[p->first]};
		const struct load_cell *c = timeline_boot(m, t.g, arm);
		struct hb_error e;

		block(out, m, arm);
		/* A damaged line has been named when the figures were made; what is before it is
		 * drawn. */
		t.unit_ns = c && plot_in_instructions(m) ? c->minsn_ns : 1e9;
		if (c)
			load_intervals(m->arms[arm].run, c, timeline_row, &t, &e);
	}
}

/* The points of every arm, then the curve of every arm up to the largest number measured. */
static int capacity(const struct compare_model *m, const struct plot *p, FILE *out)
{
	enum { STEPS = 60 };

	sweep(m, p, out, NULL);
	for (unsigned int arm = 0; arm < m->narms; arm++) {
		struct capacity_fit fit;
		int err = capacity_of_section(m, p->first, p->end, p->metric, arm, &fit);

		if (err)
			return err;
		block(out, m, arm);
		for (unsigned int i = 0; fit.usable && i <= STEPS; i++) {
			double n = 1 + (fit.largest - 1) * i / STEPS;

			fprintf(out, "%.6g %.8g\n", n, capacity_usl(&fit.usl, n));
		}
	}
	return 0;
}

int plot_data(const struct compare_model *m, const struct plot *p, FILE *out)
{
	switch (p->kind) {
	case PLOT_PERCENTILE:
	case PLOT_CDF:
		return distribution(m, p, out);
	case PLOT_SCALING:
	case PLOT_PAGE_TABLES:
		sweep(m, p, out, NULL);
		return 0;
	case PLOT_CLIENTS:
		sweep(m, p, out, "latency.p99");
		return 0;
	case PLOT_FOREST:
		forest(m, p, out);
		return 0;
	case PLOT_TIMELINE:
		timeline(m, p, out);
		return 0;
	case PLOT_CAPACITY:
		return capacity(m, p, out);
	case PLOT_KINDS:
		break;
	}
	return -EINVAL;
}
