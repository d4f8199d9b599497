// SPDX-License-Identifier: GPL-2.0-or-later
/* Groups, comparisons and verdicts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/compare.h"

/* Reasons of an unclear verdict that the data itself does not tell. */
static const char why_few[] = "too few boots for the rank test";
static const char why_one[] = "one boot has no spread";
static const char why_zero[] = "boots at zero have no ratio, and the ranks alone do not tell";
static const char why_sparse[] = "fewer than 10 values above the percentile in a boot";
static const char why_repeated[] = "repetitions within one boot are no boots";
static const char why_apart[] = "a machine by itself differs by more than what is the same";
static const char why_look[] = "before the first planned look";

static struct compare_group *find_group(struct compare_model *m, const char *cell)
{
	for (unsigned int i = 0; i < m->ngroups; i++)
		if (!strcmp(m->groups[i].cell, cell))
			return &m->groups[i];
	return NULL;
}

static int join_group(struct compare_model *m, struct load_run *run, const struct load_cell *c,
		      bool force)
{
	struct compare_group *g = find_group(m, c->cell);
	bool described = *c->parameters;

	if (!g) {
		g = &m->groups[m->ngroups++];
		*g = (struct compare_group){.cell = c->cell,
					    .workloads = c->workloads,
					    .antagonists = c->antagonists,
					    .parameters = c->parameters,
					    .tasks = c->tasks};
		g->tally = calloc(m->narms, sizeof(*g->tally));
		return g->tally ? 0 : -ENOMEM;
	}
	/* A boot that never said hello has no parameters: any other boot's may stand. */
	if (!*g->parameters && described) {
		g->parameters = c->parameters;
		g->tasks = c->tasks;
	}
	if (described && strcmp(g->parameters, c->parameters) && !g->refused) {
		load_problem(run,
			     "cells/%s/cell.json: parameters differ from those of other boots of "
			     "cell %s",
			     c->id, c->cell);
		if (!force)
			g->refused = strdup("parameters differ between boots");
	}
	return 0;
}

static int build_groups(struct compare_model *m, bool force)
{
	size_t most = m->runs[0]->ncells + (m->runs[1] ? m->runs[1]->ncells : 0);

	m->groups = calloc(most + 1, sizeof(*m->groups));
	if (!m->groups)
		return -ENOMEM;
	for (unsigned int r = 0; r < 2 && m->runs[r]; r++)
		for (size_t i = 0; i < m->runs[r]->ncells; i++)
			if (join_group(m, m->runs[r], &m->runs[r]->cells[i], force))
				return -ENOMEM;
	return 0;
}

/* The order of the scenario, not the seeded order of the boots: by first repetition is not enough.
 */
static int by_cell_name(const void *a, const void *b)
{
	const struct compare_group *x = a, *y = b;
	int order = strcmp(x->workloads, y->workloads);

	order = order ?: strcmp(x->antagonists, y->antagonists);
	if (order)
		return order;
	if (x->tasks != y->tasks)
		return x->tasks < y->tasks ? -1 : 1;
	return strverscmp(x->cell, y->cell);
}

static double look_level(const struct compare_model *m, size_t boots)
{
	if (!m->sequential.max_boots)
		return m->rule.alpha;
	if (boots < m->sequential.min_boots)
		boots = m->sequential.min_boots;
	if (boots > m->sequential.max_boots)
		boots = m->sequential.max_boots;
	return stats_sequential_level(&m->sequential, boots);
}

static size_t fewer(const struct compare_figure *a, const struct compare_figure *b)
{
	return a->arm.n < b->arm.n ? a->arm.n : b->arm.n;
}

/* Why a comparison is not tested whatever its figures say, or NULL. */
static const char *untested(const struct compare_model *m, const struct comparison *c)
{
	const struct compare_figure *a = compare_figure(m, c, false);
	const struct compare_figure *b = compare_figure(m, c, true);
	const struct compare_pair *p = &m->pairs[c->pair];

	if (a->sparse || b->sparse)
		return why_sparse;
	if (fewer(a, b) < 2)
		return why_one;
	if (m->arms[p->a].one_boot || m->arms[p->b].one_boot)
		return why_repeated;
	return fewer(a, b) < m->sequential.min_boots ? why_look : NULL;
}

static void without_interval(struct stats_change *c)
{
	c->log_low = c->log_high = c->log_mde = NAN;
}

/* Estimate, interval and raw p; the verdict waits for the correction over the family. @blocks: room
 * for all machines. */
static void compare_one(struct compare_model *m, struct comparison *c, struct stats_block *blocks)
{
	const struct compare_figure *a = compare_figure(m, c, false);
	const struct compare_figure *b = compare_figure(m, c, true);
	const struct compare_metric *metric = compare_metric(m, c);
	size_t n;

	c->raw = c->adjusted = (struct stats_evidence){NAN, NAN, NAN};
	c->rank_floor = 1;
	c->verdict = STATS_UNCLEAR;
	if (compare_is_exact(m)) {
		compare_exact(m, c);
		return;
	}
	n = compare_blocks(m, c, blocks);
	stats_blocks_compare(blocks, n, look_level(m, fewer(a, b)), &c->change);
	if (metric->quantile == 1) {
		/* One value of one boot: no resampling of boots gives it an interval. */
		without_interval(&c->change);
		return;
	}
	if (!a->arm.n || !b->arm.n)
		return;
	c->why = untested(m, c);
	if (c->why == why_repeated)
		without_interval(&c->change);
	if (!metric->judged) {
		c->why = NULL;
		return;
	}
	if (c->why == why_sparse)
		stats_blocks_compare(NULL, 0, m->rule.alpha, &c->change);
	if (c->why)
		return;
	stats_blocks_test(&c->change, blocks, n, m->rule.margin, &c->raw);
	c->raw.rank = stats_blocks_rank_p(blocks, n);
	c->rank_floor = stats_blocks_rank_floor(blocks, n);
	c->apart = compare_machine_leaves(blocks, n, m->rule.margin);
}

static int enumerate(struct compare_model *m)
{
	HB_FREE struct stats_block *blocks = calloc(m->nmachines + 1, sizeof(*blocks));
	size_t n = 0;

	for (unsigned int g = 0; g < m->ngroups; g++)
		n += (size_t)m->groups[g].nmetrics * m->npairs;
	m->comparisons = calloc(n + 1, sizeof(*m->comparisons));
	if (!m->comparisons || !blocks)
		return -ENOMEM;
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int p = 0; p < m->npairs; p++)
			for (unsigned int k = 0; k < m->groups[g].nmetrics; k++) {
				struct comparison *c = &m->comparisons[m->ncomparisons];

				if (m->groups[g].refused || m->pairs[p].refused)
					continue;
				*c = (struct comparison){.group = g, .metric = k, .pair = p};
				compare_one(m, c, blocks);
				m->ncomparisons++;
			}
	return 0;
}

static void judge(struct compare_model *m, struct comparison *c, size_t family)
{
	const struct compare_figure *a = compare_figure(m, c, false);
	const struct compare_figure *b = compare_figure(m, c, true);
	const struct stats_rule rule = {look_level(m, fewer(a, b)), m->rule.margin};
	const double scale = m->rule.alpha / rule.alpha;

	c->verdict = stats_judge(&c->change, &c->adjusted, &rule, compare_metric(m, c)->better);
	/* Machines that cancel out are not the same. */
	if (c->verdict == STATS_SAME && c->apart) {
		c->verdict = STATS_UNCLEAR;
		c->why = why_apart;
	} else if (c->verdict == STATS_UNCLEAR && c->rank_floor > STATS_ALPHA)
		c->why = why_few;
	else if (c->verdict == STATS_UNCLEAR && isnan(c->change.se))
		c->why = why_zero;
	/* What would be found if nothing else differed: the first step of either correction. */
	if (c->change.se > 0)
		c->change.log_mde =
			stats_mde(c->change.se, c->change.df, rule.alpha / family, STATS_POWER);
	/* Shown on the scale of alpha, whatever the level of the look. */
	c->adjusted.differ = fmin(1, c->adjusted.differ * scale);
	if (!isnan(c->adjusted.same))
		c->adjusted.same = fmin(1, c->adjusted.same * scale);
}

/* The two hypotheses of every comparison, and what a family of them makes of their p. */
struct hypotheses {
	double *p, *adjusted; /* of 2 * ncomparisons: those of "nothing differs" first */
};

/* One family. Control pairs are no claims, so apart. */
static int correct_family(struct compare_model *m, bool control, enum compare_family family,
			  const struct hypotheses *h)
{
	size_t *tested = &m->tested[control][family];
	const size_t n = m->ncomparisons;

	for (size_t i = 0; i < n; i++) {
		const struct comparison *c = &m->comparisons[i];
		bool member = m->pairs[c->pair].control == control &&
			      compare_metric(m, c)->family == family;

		h->p[i] = member ? c->raw.differ : NAN;
		h->p[n + i] = member ? c->raw.same : NAN;
		*tested += !isnan(h->p[i]);
	}
	/* A figure cannot both not differ and differ by the margin. */
	if (family == COMPARE_MAIN ? stats_holm(h->p, h->adjusted, 2 * n, *tested)
				   : stats_false_discovery(h->p, h->adjusted, 2 * n, *tested))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!isnan(h->p[i])) {
			m->comparisons[i].adjusted = (struct stats_evidence){
				h->adjusted[i], h->adjusted[n + i], m->comparisons[i].raw.rank};
			judge(m, &m->comparisons[i], *tested);
		}
	return 0;
}

static int correct(struct compare_model *m)
{
	HB_FREE double *p = calloc(2 * m->ncomparisons + 1, sizeof(*p));
	HB_FREE double *adjusted = calloc(2 * m->ncomparisons + 1, sizeof(*adjusted));
	const struct hypotheses h = {p, adjusted};

	if (!p || !adjusted)
		return -ENOMEM;
	for (int control = 0; control < 2; control++)
		for (int family = 0; family < COMPARE_FAMILIES; family++)
			if (correct_family(m, control, family, &h))
				return -ENOMEM;
	return 0;
}

const char *compare_family_name(enum compare_family family)
{
	return family == COMPARE_MAIN ? "main" : "secondary";
}

/* run.json "stopping": the looks that were fixed before the first boot. */
static void read_stopping(struct compare_model *m)
{
	const json_t *s = json_object_get(m->runs[0]->run, "stopping");
	json_int_t min = json_integer_value(json_object_get(s, "min_boots"));
	json_int_t max = json_integer_value(json_object_get(s, "max_boots"));

	if (m->runs[1] || min < 2 || max < min || max > STATS_EXACT_BOOTS)
		return;
	m->sequential = (struct stats_sequential){min, max, m->rule.alpha};
}

char *compare_label(const struct compare_model *m, unsigned int group, unsigned int metric)
{
	const struct compare_group *g = &m->groups[group];
	const struct compare_metric *k = &g->metrics[metric];
	bool alone = !strcmp(k->source, g->workloads);

	return hb_strf("%s %s%s%s", g->cell, alone ? "" : k->source, alone ? "" : ".", k->label);
}

unsigned int compare_find_metric(const struct compare_group *g, const char *source,
				 const char *label)
{
	unsigned int k = 0;

	while (k < g->nmetrics &&
	       (strcmp(g->metrics[k].source, source) || strcmp(g->metrics[k].label, label)))
		k++;
	return k;
}

unsigned int compare_section_end(const struct compare_model *m, unsigned int first)
{
	unsigned int end = first + 1;

	while (end < m->ngroups && !strcmp(m->groups[end].workloads, m->groups[first].workloads) &&
	       !strcmp(m->groups[end].antagonists, m->groups[first].antagonists))
		end++;
	return end;
}

double compare_scale(const struct compare_group *g, const char **across)
{
	static const char key[] = "postgres.clients=";
	const char *at = g->parameters;

	/* At the start of the text or behind a separator: no other name may end like this one. */
	while ((at = strstr(at, key)) && at != g->parameters && at[-1] != ' ')
		at++;
	*across = at ? "clients" : "tasks";
	return at ? strtod(at + sizeof(key) - 1, NULL) : g->tasks;
}

bool compare_arm_interval(const struct compare_figure *f, double alpha, double *low, double *high)
{
	double half;

	*low = *high = f->arm.estimate;
	if (isnan(f->arm.log_se))
		return false;
	half = stats_half_width(f->arm.log_se, f->arm.n - 1, alpha);
	*low = f->arm.estimate * exp(-half);
	*high = f->arm.estimate * exp(half);
	return true;
}

int compare_build(struct load_run *first, struct load_run *second, const struct compare_options *o,
		  struct compare_model **out, struct hb_error *e)
{
	struct compare_model *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return hb_error_set(e, -ENOMEM, "no memory");
	m->runs[0] = first;
	m->runs[1] = second;
	m->rule.alpha = STATS_ALPHA;
	m->rule.margin = o->margin > 0 ? o->margin : STATS_MARGIN;
	m->limit = o->limit;
	read_stopping(m);
	err = compare_pairs(m, o, e);
	if (!err && (compare_machines(m) || build_groups(m, o->force)))
		err = hb_error_set(e, -ENOMEM, "no memory");
	if (!err) {
		qsort(m->groups, m->ngroups, sizeof(*m->groups), by_cell_name);
		err = compare_figures(m, e);
	}
	if (!err && (enumerate(m) || correct(m)))
		err = hb_error_set(e, -ENOMEM, "no memory");
	if (err) {
		compare_free(m);
		return err;
	}
	*out = m;
	return 0;
}

static void figure_free(struct compare_figure *f)
{
	free(f->boot);
	free(f->seed);
	free(f->of_machine);
}

void compare_free(struct compare_model *m)
{
	if (!m)
		return;
	for (unsigned int i = 0; i < m->narms; i++)
		free(m->arms[i].label);
	for (unsigned int i = 0; i < m->npairs; i++)
		free(m->pairs[i].refused);
	for (unsigned int i = 0; i < m->ngroups; i++) {
		struct compare_group *g = &m->groups[i];

		for (unsigned int k = 0; k < g->nmetrics; k++)
			free(g->metrics[k].label);
		for (size_t k = 0; g->figures && k < (size_t)g->nmetrics * m->narms; k++)
			figure_free(&g->figures[k]);
		free(g->metrics);
		free(g->figures);
		free(g->tally);
		free(g->refused);
	}
	free(m->groups);
	free(m->arms);
	free(m->pairs);
	free(m->comparisons);
	free(m->machines);
	free(m->forced);
	free(m);
}
