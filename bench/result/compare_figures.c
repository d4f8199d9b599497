// SPDX-License-Identifier: GPL-2.0-or-later
/* A figure per group, metric and arm, from the boots whose verdict is OK. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/compare.h"

/* What a distribution is reported by. The maximum is one value of one boot: shown, never judged. */
static const struct {
	double q;
	const char *suffix;
	bool judged;
} quantiles[] = {
	{0.5, "p50", true},
	{0.99, "p99", true},
	{0.999, "p99.9", true},
	{1, "max", false},
};

/* A percentile with fewer values above it in a boot says more about luck than about the kernel. */
#define MIN_ABOVE 10

static bool belongs(const struct compare_model *m, const struct compare_group *g, unsigned int arm,
		    const struct load_run *run, const struct load_cell *c)
{
	return m->arms[arm].run == run && c->kernel == m->arms[arm].name &&
	       !strcmp(c->cell, g->cell) && !c->warmup_boot;
}

static int by_machine(const void *a, const void *b)
{
	const struct load_cell *x = *(const struct load_cell *const *)a;
	const struct load_cell *y = *(const struct load_cell *const *)b;

	return compare_machine_order(x, y) ?: (x->seq > y->seq) - (x->seq < y->seq);
}

/*
 * The boots of a group and arm whose figures count, machine by machine; @cells is of run->ncells
 * pointers.
 */
static size_t good_boots(const struct compare_model *m, const struct compare_group *g,
			 unsigned int arm, const struct load_cell **cells)
{
	const struct load_run *run = m->arms[arm].run;
	size_t n = 0;

	for (size_t i = 0; i < run->ncells; i++)
		if (run->cells[i].verdict == CELL_OK && belongs(m, g, arm, run, &run->cells[i]))
			cells[n++] = &run->cells[i];
	if (m->nmachines > 1)
		qsort(cells, n, sizeof(*cells), by_machine);
	return n;
}

static const struct load_metric *find_metric(const struct load_cell *c,
					     const struct compare_metric *metric)
{
	for (unsigned int i = 0; i < c->nmetrics; i++)
		if (!strcmp(c->metrics[i].source, metric->source) &&
		    !strcmp(c->metrics[i].name, metric->name))
			return &c->metrics[i];
	return NULL;
}

/* The tail percentile that stands for a distribution among the main figures. */
#define MAIN_QUANTILE 0.99

/* See enum compare_family. Two figures of one unit (faults, touches) tell one story: the first. */
static enum compare_family family_of(const struct compare_group *g, const struct load_metric *lm,
				     double quantile)
{
	if (!lm->primary || !strcmp(lm->role, "antagonist"))
		return COMPARE_SECONDARY;
	if (lm->kind == METRIC_HIST)
		return quantile == MAIN_QUANTILE ? COMPARE_MAIN : COMPARE_SECONDARY;
	for (unsigned int k = 0; k < g->nmetrics && lm->kind != METRIC_EXACT; k++)
		if (g->metrics[k].primary && !strcmp(g->metrics[k].source, lm->source) &&
		    g->metrics[k].kind != METRIC_HIST && !strcmp(g->metrics[k].unit, lm->unit))
			return COMPARE_SECONDARY;
	return COMPARE_MAIN;
}

static int add_metric(struct compare_group *g, const struct load_metric *lm)
{
	size_t rows = lm->kind == METRIC_HIST ? ARRAY_SIZE(quantiles) : 1;
	struct compare_metric *more = realloc(g->metrics, (g->nmetrics + rows) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	g->metrics = more;
	for (size_t i = 0; i < rows; i++) {
		struct compare_metric *metric = &g->metrics[g->nmetrics];
		bool hist = lm->kind == METRIC_HIST;

		*metric = (struct compare_metric){
			.source = lm->source,
			.name = lm->name,
			.unit = lm->unit,
			.role = lm->role,
			.kind = lm->kind,
			.better = lm->better,
			.primary = lm->primary,
			.family = family_of(g, lm, hist ? quantiles[i].q : NAN),
			.judged = lm->better != METRIC_NEITHER && (!hist || quantiles[i].judged),
			.quantile = hist ? quantiles[i].q : NAN,
			.label = hist ? hb_strf("%s.%s", lm->name, quantiles[i].suffix)
				      : strdup(lm->name),
		};
		if (!metric->label)
			return -ENOMEM;
		g->nmetrics++;
	}
	return 0;
}

/* The union of what the good boots of all arms measured, in the order of the first boot. */
static int collect_metrics(struct compare_model *m, struct compare_group *g,
			   const struct load_cell **cells)
{
	for (unsigned int arm = 0; arm < m->narms; arm++) {
		size_t n = good_boots(m, g, arm, cells);

		for (size_t i = 0; i < n; i++)
			for (unsigned int k = 0; k < cells[i]->nmetrics; k++) {
				const struct load_metric *lm = &cells[i]->metrics[k];
				bool known = false;

				for (unsigned int r = 0; r < g->nmetrics; r++)
					known = known ||
						(!strcmp(g->metrics[r].source, lm->source) &&
						 !strcmp(g->metrics[r].name, lm->name));
				if (!known && add_metric(g, lm))
					return -ENOMEM;
			}
	}
	return 0;
}

/* The boots of one machine among those of a figure: @from to @end - 1. */
struct stretch {
	unsigned int machine;
	size_t from, end;
};

/* The next machine's boots among @n of them; false: there are no more. Begin with {0}. */
static bool next_stretch(const struct compare_model *m, const struct load_cell *const *cells,
			 size_t n, struct stretch *s)
{
	s->from = s->end;
	if (s->from == n)
		return false;
	s->machine = compare_machine_of(m, cells[s->from]);
	while (s->end < n && cells[s->end]->machine == cells[s->from]->machine)
		s->end++;
	return true;
}

/* Variation between boots of the same machine: what one differs by from the next is none. */
static double variation_within(const struct compare_model *m, const struct compare_figure *f)
{
	double squares = 0, freedom = 0;
	size_t from = 0;

	for (unsigned int i = 0; i < m->nmachines; i++) {
		size_t n = f->of_machine[i].n;
		double v = stats_variation(f->boot + from, n);

		from += n;
		if (isnan(v))
			continue;
		squares += (n - 1) * v * v;
		freedom += n - 1;
	}
	return freedom > 0 ? sqrt(squares / freedom) : NAN;
}

/* @deleted: room for @n. */
static void plain_arm(struct stats_arm *arm, const struct compare_metric *metric,
		      const double *boots, const double *seconds, size_t n, double *deleted)
{
	double estimate =
		stats_mean(boots, metric->kind == METRIC_RATE ? seconds : NULL, n, deleted);

	/* Of several layouts of memory the one in which it takes least. */
	if (metric->kind == METRIC_EXACT)
		estimate = gsl_stats_min(boots, 1, n);
	stats_arm_set(arm, estimate, deleted, 1, n);
}

/* Rates, counts, gauges and exact figures: a number per boot. */
static int plain_figure(const struct compare_model *m, struct compare_figure *f,
			const struct compare_metric *metric, const struct load_cell **cells,
			size_t n)
{
	HB_FREE const struct load_cell **used = calloc(n + 1, sizeof(*used));
	HB_FREE double *seconds = calloc(n + 1, sizeof(*seconds));
	HB_FREE double *deleted = calloc(n + 1, sizeof(*deleted));
	struct stretch s = {0};
	size_t nused = 0;

	f->boot = calloc(n + 1, sizeof(*f->boot));
	f->seed = calloc(n + 1, sizeof(*f->seed));
	if (!used || !seconds || !deleted || !f->boot || !f->seed)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct load_metric *lm = find_metric(cells[i], metric);

		if (!lm || lm->kind != metric->kind)
			continue;
		f->boot[nused] = lm->value;
		f->seed[nused] = cells[i]->seed;
		seconds[nused] = lm->seconds;
		used[nused++] = cells[i];
	}
	plain_arm(&f->arm, metric, f->boot, seconds, nused, deleted);
	while (next_stretch(m, used, nused, &s))
		plain_arm(&f->of_machine[s.machine], metric, f->boot + s.from, seconds + s.from,
			  s.end - s.from, deleted);
	f->variation = variation_within(m, f);
	return 0;
}

/* The histograms of the boots; a damaged one is named and left out, with its boot. Returns how
 * many, or -ENOMEM. */
static ssize_t read_hists(struct load_run *run, const struct compare_metric *metric,
			  const struct load_cell *const *cells, size_t n, struct hist **hists,
			  const struct load_cell **used_cells)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		const struct load_metric *lm = find_metric(cells[i], metric);
		struct hb_error e;

		if (!lm || lm->kind != METRIC_HIST)
			continue;
		hists[used] = malloc(sizeof(**hists));
		if (!hists[used])
			return -ENOMEM;
		if (!load_hist(run, cells[i], lm, hists[used], &e) && hists[used]->count) {
			used_cells[used++] = cells[i];
			continue;
		}
		if (lm->count > 0)
			load_problem(run, "%s", e.text);
		free(HB_STEAL(hists[used]));
	}
	return used;
}

int compare_merged(const struct compare_model *m, const struct compare_group *g, unsigned int arm,
		   const struct compare_metric *metric, struct hist *merged)
{
	struct load_run *run = m->arms[arm].run;
	HB_FREE const struct load_cell **cells = calloc(run->ncells + 1, sizeof(*cells));
	HB_FREE struct hist *one = malloc(sizeof(*one));
	struct hb_error e;
	size_t n;

	hist_reset(merged);
	if (!cells || !one)
		return -ENOMEM;
	n = good_boots(m, g, arm, cells);
	for (size_t i = 0; i < n; i++) {
		const struct load_metric *lm = find_metric(cells[i], metric);

		/* Damage has been named when the figures were made. */
		if (lm && lm->kind == METRIC_HIST && !load_hist(run, cells[i], lm, one, &e))
			hist_merge(merged, one);
	}
	return 0;
}

enum { NQ = ARRAY_SIZE(quantiles) };

/* The figures of the percentiles of one distribution. */
struct percentiles {
	struct compare_figure *figure[NQ];
	double q[NQ];
};

/* Estimates of @n boots and what the jackknife makes of them: of all (@machine < 0) or of one
 * machine. */
static int hist_arms(struct percentiles *p, int machine, struct hist *const *hists, size_t n)
{
	const struct hist *const *boots = (const struct hist *const *)hists;
	HB_FREE double *deleted = calloc(n + 1, NQ * sizeof(*deleted));
	double estimate[NQ];

	if (!deleted)
		return -ENOMEM;
	stats_merged_quantiles(boots, n, p->q, NQ, estimate, deleted);
	for (unsigned int k = 0; k < NQ; k++)
		stats_arm_set(machine < 0 ? &p->figure[k]->arm : &p->figure[k]->of_machine[machine],
			      estimate[k], deleted + k, NQ, n);
	return 0;
}

static int hist_boots(struct percentiles *p, struct hist *const *hists, size_t n)
{
	double own[NQ];

	for (unsigned int k = 0; k < NQ; k++) {
		p->figure[k]->boot = calloc(n + 1, sizeof(double));
		if (!p->figure[k]->boot)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		stats_merged_quantiles((const struct hist *const *)&hists[i], 1, p->q, NQ, own,
				       NULL);
		for (unsigned int k = 0; k < NQ; k++) {
			struct compare_figure *f = p->figure[k];

			f->boot[i] = own[k];
			f->sparse = f->sparse || hists[i]->count * (1 - p->q[k]) < MIN_ABOVE;
		}
	}
	return 0;
}

/* The percentiles of one distribution: ARRAY_SIZE(quantiles) metrics from @first on. */
static int hist_figures(const struct compare_model *m, struct compare_group *g, unsigned int arm,
			unsigned int first, struct hist *const *hists,
			const struct load_cell *const *cells, size_t n)
{
	struct percentiles p;
	struct stretch s = {0};
	int err;

	for (unsigned int k = 0; k < NQ; k++) {
		p.figure[k] = &g->figures[(first + k) * m->narms + arm];
		p.q[k] = quantiles[k].q;
	}
	err = hist_boots(&p, hists, n) ?: hist_arms(&p, -1, hists, n);
	while (!err && next_stretch(m, cells, n, &s))
		err = hist_arms(&p, s.machine, hists + s.from, s.end - s.from);
	for (unsigned int k = 0; k < NQ && !err; k++)
		p.figure[k]->variation = variation_within(m, p.figure[k]);
	return err;
}

static int hist_arm(struct compare_model *m, struct compare_group *g, unsigned int arm,
		    unsigned int first, const struct load_cell **cells, size_t n)
{
	HB_FREE struct hist **hists = calloc(n + 1, sizeof(*hists));
	HB_FREE const struct load_cell **used_cells = calloc(n + 1, sizeof(*used_cells));
	ssize_t used;
	int err;

	if (!hists || !used_cells)
		return -ENOMEM;
	used = read_hists(m->arms[arm].run, &g->metrics[first], cells, n, hists, used_cells);
	err = used < 0 ? used : hist_figures(m, g, arm, first, hists, used_cells, used);
	for (size_t i = 0; i < n; i++)
		free(hists[i]);
	return err;
}

/* Sums for the variation between the intervals of one boot, per metric of the group. */
struct within {
	const struct compare_group *g;
	double *sum, *squares;
	size_t n;
};

static int add_interval(void *arg, double t_ns, double length_ns, const json_t *counters)
{
	struct within *w = arg;

	(void)t_ns;
	for (unsigned int k = 0; k < w->g->nmetrics; k++) {
		const struct compare_metric *metric = &w->g->metrics[k];
		char key[256];
		const json_t *v;

		if (metric->kind != METRIC_RATE || !metric->primary)
			continue;
		snprintf(key, sizeof(key), "%s.%s", metric->source, metric->name);
		v = json_object_get(counters, key);
		if (json_is_number(v)) {
			double rate = json_number_value(v) / length_ns;

			w->sum[k] += rate;
			w->squares[k] += rate * rate;
		}
	}
	w->n++;
	return 0;
}

static int within_arm(struct compare_model *m, struct compare_group *g, unsigned int arm,
		      const struct load_cell **cells, size_t n)
{
	HB_FREE double *sum = calloc(g->nmetrics + 1, sizeof(*sum));
	HB_FREE double *squares = calloc(g->nmetrics + 1, sizeof(*squares));
	struct hb_error e;

	if (!sum || !squares)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct within w = {g, sum, squares, 0};

		memset(sum, 0, g->nmetrics * sizeof(*sum));
		memset(squares, 0, g->nmetrics * sizeof(*squares));
		if (load_intervals(m->arms[arm].run, cells[i], add_interval, &w, &e))
			load_problem(m->arms[arm].run, "%s", e.text);
		for (unsigned int k = 0; k < g->nmetrics; k++) {
			struct compare_figure *f = &g->figures[k * m->narms + arm];
			double mean = w.n ? sum[k] / w.n : 0;
			double cv;

			if (w.n < 2 || !(mean > 0))
				continue;
			cv = sqrt(fmax(0, (squares[k] - w.n * mean * mean) / (w.n - 1))) / mean;
			f->within = (isnan(f->within) ? 0 : f->within) + cv / n;
		}
	}
	return 0;
}

static void tally(struct compare_model *m, struct compare_group *g)
{
	double overhead = 0;
	size_t timed = 0;

	for (unsigned int arm = 0; arm < m->narms; arm++) {
		const struct load_run *run = m->arms[arm].run;
		struct compare_tally *t = &g->tally[arm];

		for (size_t i = 0; i < run->ncells; i++) {
			const struct load_cell *c = &run->cells[i];

			if (c->kernel != m->arms[arm].name || strcmp(c->cell, g->cell))
				continue;
			if (c->warmup_boot) {
				t->warmup_boots++;
				continue;
			}
			t->boots++;
			t->by[c->verdict]++;
			t->expected += c->verdict != CELL_OK && c->expected;
			t->surprises += c->verdict == CELL_OK && !c->expected;
			if (c->verdict != CELL_OK || isnan(c->total_ns))
				continue;
			overhead += c->total_ns - (isnan(c->measure_ns) ? 0 : c->measure_ns) -
				    (isnan(c->warmup_ns) ? 0 : c->warmup_ns);
			timed++;
		}
	}
	g->overhead_ns = timed ? overhead / timed : NAN;
}

static int figure_begin(const struct compare_model *m, struct compare_figure *f)
{
	static const struct stats_arm none = {0, NAN, NAN};

	*f = (struct compare_figure){.arm = none, .variation = NAN, .within = NAN};
	f->of_machine = calloc(m->nmachines + 1, sizeof(*f->of_machine));
	for (unsigned int i = 0; f->of_machine && i < m->nmachines; i++)
		f->of_machine[i] = none;
	return f->of_machine ? 0 : -ENOMEM;
}

static int group_figures(struct compare_model *m, struct compare_group *g,
			 const struct load_cell **cells)
{
	int err = collect_metrics(m, g, cells);

	tally(m, g);
	g->figures = calloc((size_t)g->nmetrics * m->narms + 1, sizeof(*g->figures));
	if (err || !g->figures)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)g->nmetrics * m->narms; i++)
		if (figure_begin(m, &g->figures[i]))
			return -ENOMEM;
	for (unsigned int arm = 0; arm < m->narms && !err; arm++) {
		size_t n = good_boots(m, g, arm, cells);

		for (unsigned int k = 0; k < g->nmetrics && !err; k++) {
			if (g->metrics[k].kind != METRIC_HIST)
				err = plain_figure(m, &g->figures[k * m->narms + arm],
						   &g->metrics[k], cells, n);
			else if (g->metrics[k].quantile == quantiles[0].q)
				err = hist_arm(m, g, arm, k, cells, n);
		}
		err = err ?: within_arm(m, g, arm, cells, n);
	}
	return err;
}

int compare_figures(struct compare_model *m, struct hb_error *e)
{
	size_t most = m->runs[0]->ncells + (m->runs[1] ? m->runs[1]->ncells : 0);
	HB_FREE const struct load_cell **cells = calloc(most + 1, sizeof(*cells));

	if (!cells)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < m->ngroups; i++)
		if (group_figures(m, &m->groups[i], cells))
			return hb_error_set(e, -ENOMEM, "no memory");
	return 0;
}
