// SPDX-License-Identifier: GPL-2.0-or-later
/* Where boots come from several machines: which, and whether they say the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

static char *with_comma(char *list, const char *text)
{
	char *more = list && text ? hb_strf("%s%s%s", list, *list ? ", " : "", text) : NULL;

	free(list);
	return more;
}

static char *machine_names(const struct compare_model *m)
{
	char *list = strdup("");

	for (unsigned int i = 0; i < m->nmachines; i++) {
		const struct compare_machine *machine = &m->machines[i];
		HB_FREE char *text =
			hb_strf("%s (%s; %u boot%s)", machine->name,
				*machine->cpu_model ? machine->cpu_model : "an unknown CPU",
				machine->boots, machine->boots == 1 ? "" : "s");

		list = with_comma(list, text);
	}
	return list;
}

/* Machines on which a change goes the other way, with it; "" where there is none. */
static char *others(const struct compare_model *m, const struct comparison *c,
		    const struct stats_block *blocks)
{
	char *list = strdup("");

	for (unsigned int i = 0; i < m->nmachines; i++) {
		double ratio = stats_block_ratio(&blocks[i]);
		HB_FREE char *percent = NULL, *text = NULL;

		if (!(ratio * c->change.log_ratio < 0))
			continue;
		percent = report_percent(ratio);
		text = percent ? hb_strf("%s %s", m->machines[i].name, percent) : NULL;
		list = with_comma(list, text);
	}
	return list;
}

/* More than one machine gave it. */
static bool is_blocked(const struct compare_model *m, const struct comparison *c,
		       struct stats_block *blocks)
{
	if (!compare_is_main(m, c) && !m->only_controls)
		return false;
	compare_blocks(m, c, blocks);
	return !isnan(stats_blocks_spread(blocks, m->nmachines));
}

static void spread_table(const struct compare_model *m, struct doc *d, struct stats_block *blocks)
{
	doc_table(d, "Main figures by machine");
	doc_column(d, "cell and figure", true);
	doc_column(d, "change", false);
	doc_column(d, "spread between machines", false);
	doc_column(d, "the other way", true);
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];
		double spread;
		char *names;

		if (compare_metric(m, c)->family != COMPARE_MAIN || !is_blocked(m, c, blocks))
			continue;
		spread = stats_blocks_spread(blocks, m->nmachines);
		names = others(m, c, blocks);
		if (names && !*names) {
			free(names);
			names = strdup("-");
		}
		doc_row(d, (char *const[]){compare_label(m, c->group, c->metric),
					   report_percent(c->change.log_ratio),
					   hb_strf("±%.*f%%", spread < 0.0995 ? 1 : 0,
						   stats_percent(spread)),
					   names});
	}
}

/*
 * Machines of which each has a change beyond its own interval, with it; *@both: some up, some down.
 * The intervals are of Bonferroni's width, or one of many machines would differ by chance.
 */
static char *apart(const struct compare_model *m, const struct stats_block *blocks, bool *both)
{
	bool up = false, down = false;
	char *list = strdup("");

	for (unsigned int i = 0; i < m->nmachines; i++) {
		HB_FREE char *percent = NULL, *text = NULL;
		struct stats_change own;

		stats_compare(&blocks[i].a, &blocks[i].b, STATS_ALPHA / m->nmachines, &own);
		if (!(own.log_low * own.log_high > 0))
			continue;
		up = up || own.log_low > 0;
		down = down || own.log_low < 0;
		percent = report_percent(own.log_ratio);
		text = percent ? hb_strf("%s on %s", percent, m->machines[i].name) : NULL;
		list = with_comma(list, text);
	}
	*both = up && down;
	return list;
}

/* What the machines do not share of @c, as the end of a sentence; "": nothing. */
static char *disagreement(const struct compare_model *m, const struct comparison *c,
			  const struct stats_block *blocks)
{
	bool both, clear = c->change.log_low * c->change.log_high > 0;
	HB_FREE char *names = clear ? others(m, c, blocks) : NULL;
	HB_FREE char *each = apart(m, blocks, &both);

	if (!each || (clear && !names))
		return NULL;
	if (both)
		return hb_strf("but %s", each);
	return clear && *names ? hb_strf("and goes the other way on %s", names) : strdup("");
}

/*
 * A change that not all machines share; also where they cancel out and none is left. Where the
 * verdict is "same" none of them leaves what that means, or it would be another one.
 */
void report_disagreement(const struct compare_model *m, struct doc *d)
{
	HB_FREE struct stats_block *blocks = calloc(m->nmachines + 1, sizeof(*blocks));

	d->failed = d->failed || !blocks;
	for (size_t i = 0; i < m->ncomparisons && !d->failed && m->nmachines > 1; i++) {
		const struct comparison *c = &m->comparisons[i];
		HB_FREE char *label = NULL, *what = NULL, *percent = NULL;

		if (c->verdict == STATS_SAME || !is_blocked(m, c, blocks))
			continue;
		percent = report_percent(c->change.log_ratio);
		what = disagreement(m, c, blocks);
		label = compare_label(m, c->group, c->metric);
		if (what && label && percent && *what)
			doc_paragraph(d, "Machines disagree: %s is %s over all of them (%s), %s.",
				      label, percent, stats_verdict_name(c->verdict), what);
	}
}

static int order(const void *a, const void *b)
{
	return (a > b) - (a < b);
}

/* Boots that must give the same digits stand together, by machine. */
static int by_work(const void *a, const void *b)
{
	const struct load_cell *x = *(const struct load_cell *const *)a;
	const struct load_cell *y = *(const struct load_cell *const *)b;
	int first = order(x->kernel, y->kernel) ?: order(x->cell, y->cell);

	first = first ?: (x->seed > y->seed) - (x->seed < y->seed);
	return first ?: order(x->machine, y->machine);
}

/* Boots of mode exact that repeat one of another machine: kernel, cell and seed alike. */
static size_t repeated_elsewhere(const struct load_run *run)
{
	HB_FREE const struct load_cell **cells = calloc(run->ncells + 1, sizeof(*cells));
	size_t n = 0, found = 0;

	for (size_t i = 0; cells && i < run->ncells; i++)
		if (run->cells[i].verdict == CELL_OK && !run->cells[i].warmup_boot)
			cells[n++] = &run->cells[i];
	if (n)
		qsort(cells, n, sizeof(*cells), by_work);
	for (size_t i = 1; i < n; i++)
		found += cells[i]->kernel == cells[i - 1]->kernel &&
			 cells[i]->cell == cells[i - 1]->cell &&
			 cells[i]->seed == cells[i - 1]->seed &&
			 cells[i]->machine != cells[i - 1]->machine;
	return found;
}

static void exact_machines(const struct compare_model *m, struct doc *d)
{
	size_t n = repeated_elsewhere(m->runs[0]) + m->runs[0]->nrepeated;

	if (n)
		doc_paragraph(d, "%zu boot%s one that another machine made, with the same digits.",
			      n, n == 1 ? " repeats" : "s repeat");
	else
		doc_paragraph(d, "No boot repeats one that another machine made: that the digits "
				 "are the same on all of them was not looked at.");
}

void report_machines(const struct compare_model *m, struct doc *d)
{
	HB_FREE struct stats_block *blocks = calloc(m->nmachines + 1, sizeof(*blocks));
	HB_FREE char *names = machine_names(m);

	if (m->nmachines < 2 && !m->runs[0]->nrepeated)
		return;
	if (!blocks || !names) {
		d->failed = true;
		return;
	}
	doc_heading(d, 2, "Machines");
	doc_paragraph(d, "Boots come from %u machine%s: %s.", m->nmachines,
		      m->nmachines == 1 ? "" : "s", names);
	if (!strcmp(m->runs[0]->mode, "exact")) {
		exact_machines(m, d);
		return;
	}
	doc_paragraph(d,
		      "Differences are taken within machines, which are weighted by their boots; "
		      "what is said holds for these machines. Different models of CPU are never "
		      "one mean: each has cells of its own.");
	spread_table(m, d, blocks);
}
