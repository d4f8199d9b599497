// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the time goes: what operations waited for, and what held up those above p99.9. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"
#include "bench/result/load_waits.h"

/* What takes less of an operation is left out, and of slow ones what held up none. */
#define SHARE_SHOWN	 0.01
#define SHARE_SHOWN_SLOW 0.05

/* A row of one group and arm, added up over its good boots. */
struct waits_row {
	struct load_waits w;
	char *label; /* "fault_latency, base" */
	const char *unit;
};

struct waits_rows {
	struct waits_row *row;
	unsigned int n;
};

static bool counts(const struct compare_model *m, const struct compare_group *g, unsigned int arm,
		   const struct load_cell *c)
{
	return c->kernel == m->arms[arm].name && c->verdict == CELL_OK && !c->warmup_boot &&
	       !strcmp(c->cell, g->cell);
}

/* The main distribution of a group that is called so, or NULL. */
static const struct compare_metric *find_metric(const struct compare_group *g, const char *source,
						const char *name)
{
	for (unsigned int k = 0; k < g->nmetrics; k++)
		if (g->metrics[k].primary && !strcmp(g->metrics[k].source, source) &&
		    !strcmp(g->metrics[k].name, name))
			return &g->metrics[k];
	return NULL;
}

static struct waits_row *row_of(const struct compare_model *m, const struct compare_group *g,
				unsigned int arm, const struct load_waits *w,
				struct waits_rows *rows)
{
	const struct compare_metric *metric = find_metric(g, w->source, w->name);
	bool own = !strcmp(w->source, g->workloads);
	struct waits_row *more;

	for (unsigned int i = 0; i < rows->n; i++)
		if (!strcmp(rows->row[i].w.source, w->source) &&
		    !strcmp(rows->row[i].w.name, w->name))
			return &rows->row[i];
	more = metric ? reallocarray(rows->row, rows->n + 1, sizeof(*more)) : NULL;
	if (!more)
		return NULL;
	rows->row = more;
	more += rows->n++;
	*more = (struct waits_row){.label = hb_strf("%s%s%s, %s", own ? "" : w->source,
						    own ? "" : ".", w->name, m->arms[arm].label),
				   .unit = metric->unit};
	return more;
}

static void gather_arm(const struct compare_model *m, const struct compare_group *g,
		       unsigned int arm, struct waits_rows *rows, bool *failed)
{
	const struct load_run *run = m->arms[arm].run;

	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_cell *c = &run->cells[i];

		for (unsigned int k = 0; counts(m, g, arm, c) && k < c->nwaits; k++) {
			struct waits_row *r = row_of(m, g, arm, &c->waits[k], rows);

			*failed = *failed ||
				  (r && (!r->label || load_waits_add(&r->w, &c->waits[k])));
		}
	}
}

static void rows_free(struct waits_rows *rows)
{
	for (unsigned int i = 0; i < rows->n; i++) {
		load_waits_free(&rows->row[i].w);
		free(rows->row[i].label);
	}
	free(rows->row);
}

/* "455", of each operation; "-": none of it. */
static char *each(double sum, const struct waits_row *r)
{
	double v = sum / r->w.count;

	if (!(sum > 0))
		return strdup("-");
	return report_value(v < 10 ? v : round(v), r->unit);
}

static char *share(double part, double whole)
{
	return whole > 0 ? hb_strf("%.0f%%", 100 * part / whole) : strdup("-");
}

static void time_row(struct doc *d, const struct waits_row *r)
{
	double spun = 0, asleep = 0, cpu = 0;

	for (unsigned int i = 0; i < r->w.nwaits; i++) {
		const struct load_wait *w = &r->w.waits[i];

		spun += w->spun;
		*(strcmp(w->kind, "cpu") ? &asleep : &cpu) += w->asleep;
	}
	doc_row(d, (char *const[]){strdup(r->label), hb_strf("%.0f", r->w.count),
				   each(r->w.total, r), each(r->w.executed, r), each(spun, r),
				   each(asleep, r), each(cpu, r)});
}

static void time_table(struct doc *d, const struct compare_group *g, const struct waits_rows *rows)
{
	doc_table(d, "%s: what an operation takes, on average (%s)", g->cell,
		  strcmp(rows->row[0].unit, "ns") ? rows->row[0].unit : "time");
	doc_column(d, "operation, kernel", true);
	doc_column(d, "operations", false);
	doc_column(d, "each", false);
	doc_column(d, "executed", false);
	doc_column(d, "spun", false);
	doc_column(d, "asleep", false);
	doc_column(d, "no CPU", false);
	for (unsigned int i = 0; i < rows->n; i++)
		time_row(d, &rows->row[i]);
}

static void waits_table(struct doc *d, const struct compare_group *g, const struct waits_rows *rows)
{
	doc_table(d, "%s: what they waited for, by lock and the function that wanted it", g->cell);
	doc_column(d, "operation, kernel", true);
	doc_column(d, "waited for", true);
	doc_column(d, "in", true);
	doc_column(d, "spun", false);
	doc_column(d, "asleep", false);
	doc_column(d, "share", false);
	for (unsigned int i = 0; i < rows->n; i++) {
		const struct waits_row *r = &rows->row[i];

		for (unsigned int k = 0; k < r->w.nwaits; k++) {
			const struct load_wait *w = &r->w.waits[k];
			double sum = w->spun + w->asleep;

			if (sum < SHARE_SHOWN * r->w.total)
				continue;
			doc_row(d, (char *const[]){strdup(r->label), strdup(w->kind),
						   strdup(*w->function ? w->function : "-"),
						   each(w->spun, r), each(w->asleep, r),
						   share(sum, r->w.total)});
		}
	}
}

static void held_table(struct doc *d, const struct compare_group *g, const struct waits_rows *rows)
{
	doc_table(d,
		  "%s: held up by, of the operations above p99.9 (at least one of each boot): what "
		  "took most of them; share: of their length, whatever took most",
		  g->cell);
	doc_column(d, "operation, kernel", true);
	doc_column(d, "held up by", true);
	doc_column(d, "in", true);
	doc_column(d, "operations", false);
	doc_column(d, "share", false);
	for (unsigned int i = 0; i < rows->n; i++) {
		const struct waits_row *r = &rows->row[i];
		double total = 0;

		for (unsigned int k = 0; k < r->w.nheld; k++)
			total += r->w.held[k].asleep;
		for (unsigned int k = 0; k < r->w.nheld; k++) {
			const struct load_wait *w = &r->w.held[k];

			if (!w->count && w->asleep < SHARE_SHOWN_SLOW * total)
				continue;
			doc_row(d, (char *const[]){strdup(r->label),
						   strdup(strcmp(w->kind, "own") ? w->kind
										 : "its own work"),
						   strdup(*w->function ? w->function : "-"),
						   hb_strf("%.0f of %.0f", w->count, r->w.slow),
						   share(w->asleep, total)});
		}
	}
}

/* The same cell without the observation, or NULL. */
static const struct compare_group *untraced(const struct compare_model *m,
					    const struct compare_group *g)
{
	for (unsigned int i = 0; i < m->ngroups; i++) {
		const struct compare_group *other = &m->groups[i];
		bool traced = false;

		for (unsigned int a = 0; a < m->narms; a++)
			for (size_t c = 0; c < m->arms[a].run->ncells; c++)
				traced =
					traced || (counts(m, other, a, &m->arms[a].run->cells[c]) &&
						   m->arms[a].run->cells[c].nwaits);
		if (!traced && other->tasks == g->tasks &&
		    !strcmp(other->workloads, g->workloads) &&
		    !strcmp(other->antagonists, g->antagonists) &&
		    !strcmp(other->parameters, g->parameters))
			return other;
	}
	return NULL;
}

static void cost_table(const struct compare_model *m, struct doc *d, const struct compare_group *g)
{
	const struct compare_group *plain = untraced(m, g);

	if (!plain) {
		doc_paragraph(
			d,
			"%s: what tracing cost is not known, since no cell is the same without "
			"it; the scenario `waits` has such pairs.",
			g->cell);
		return;
	}
	doc_table(d, "%s: what tracing cost: %s is the same without it", g->cell, plain->cell);
	doc_column(d, "figure, kernel", true);
	doc_column(d, "without", false);
	doc_column(d, "traced", false);
	doc_column(d, "change", false);
	for (unsigned int k = 0; k < g->nmetrics; k++) {
		const struct compare_metric *metric = &g->metrics[k];
		unsigned int p = compare_find_metric(plain, metric->source, metric->label);

		if (metric->family != COMPARE_MAIN || !metric->judged || p == plain->nmetrics)
			continue;
		for (unsigned int a = 0; a < m->narms; a++) {
			const struct compare_figure *f = &g->figures[k * m->narms + a],
						    *without = &plain->figures[p * m->narms + a];

			if (f->arm.n && without->arm.n)
				doc_row(d,
					(char *const[]){
						hb_strf("%s, %s", metric->label, m->arms[a].label),
						report_figure(without, metric->unit),
						report_figure(f, metric->unit),
						report_percent(log(f->arm.estimate /
								   without->arm.estimate))});
		}
	}
}

static void explain(struct doc *d)
{
	doc_heading(d, 2, "Where the time goes");
	doc_paragraph(
		d,
		"From the kernel's trace (observe = waits), joined with each operation. Executed: "
		"what is left, the kernel's and the program's own instructions, spinlocks, "
		"interrupts "
		"and tracing among them. Spun: in the slow path of a mutex or semaphore, on the "
		"CPU. Asleep: off "
		"the CPU, until it was woken up and had one again. No CPU: could have gone on, but "
		"others ran there. All figures of these cells, verdicts too, are of a kernel that "
		"traces.");
}

void report_waits(const struct compare_model *m, struct doc *d)
{
	bool any = false;

	for (unsigned int g = 0; g < m->ngroups; g++) {
		struct waits_rows rows = {0};

		for (unsigned int a = 0; a < m->narms; a++) {
			struct waits_rows of_arm = {0};
			struct waits_row *more;

			gather_arm(m, &m->groups[g], a, &of_arm, &d->failed);
			more = reallocarray(rows.row, rows.n + of_arm.n + 1, sizeof(*more));
			if (!more) {
				d->failed = true;
				rows_free(&of_arm);
				break;
			}
			rows.row = more;
			if (of_arm.n)
				memcpy(more + rows.n, of_arm.row, of_arm.n * sizeof(*more));
			rows.n += of_arm.n;
			free(of_arm.row);
		}
		if (rows.n) {
			if (!any)
				explain(d);
			any = true;
			time_table(d, &m->groups[g], &rows);
			waits_table(d, &m->groups[g], &rows);
			held_table(d, &m->groups[g], &rows);
			cost_table(m, d, &m->groups[g]);
		}
		rows_free(&rows);
	}
}
