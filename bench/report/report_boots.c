// SPDX-License-Identifier: GPL-2.0-or-later
/* Boots whose verdict is not OK: their footnotes with the evidence, and good ones nobody expected.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/qemu.h"
#include "bench/report/report.h"
#include "bench/result/stacks.h"

unsigned int report_bad_boots(const struct compare_tally *t)
{
	return t->boots - t->by[CELL_OK];
}

unsigned int report_note(const struct compare_model *m, struct report_notes *n, unsigned int group,
			 unsigned int arm)
{
	unsigned int *at = &n->number[group * m->narms + arm];

	if (!report_bad_boots(&m->groups[group].tally[arm]))
		return 0;
	if (!*at)
		*at = ++n->last;
	return *at;
}

#define EVIDENCE_LINES 12

/* Where the tasks of a hang are blocked; false when the evidence has no stacks. */
static bool blocked_chains(struct doc *d, const struct load_cell *c)
{
	json_t *chains = stacks_chains(c->evidence), *chain;
	bool any = json_array_size(chains) > 0;
	size_t i;

	json_array_foreach (chains, i, chain) {
		json_int_t tasks = json_integer_value(json_object_get(chain, "tasks"));

		doc_item(d, "-", "%lld task%s blocked: %s", (long long)tasks, tasks == 1 ? "" : "s",
			 json_text(chain, "chain"));
	}
	json_decref(chains);
	return any;
}

static void evidence(struct doc *d, const struct load_cell *c)
{
	HB_FREE char *text = NULL;
	size_t len, i;
	const json_t *line;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		d->failed = true;
		return;
	}
	json_array_foreach (c->evidence, i, line) {
		if (i == EVIDENCE_LINES) {
			fprintf(f, "... (%zu more in cells/%s/cell.json)\n",
				json_array_size(c->evidence) - i, c->id);
			break;
		}
		if (json_is_string(line))
			fprintf(f, "%s\n", json_string_value(line));
	}
	fclose(f);
	if (text && *text)
		doc_verbatim(d, "%s", text);
}

/* An old QEMU hangs and breaks guests of its own accord. */
static void doubt(struct doc *d, const struct load_run *run, const struct compare_tally *t)
{
	HB_FREE char *text = NULL;

	if (strcmp(run->mode, "emulated") || !(t->by[CELL_HANG] + t->by[CELL_PANIC]))
		return;
	text = qemu_doubt(json_string_value(json_object_get(run->environment, "qemu")));
	if (text)
		doc_item(d, "-", "HANG and PANIC %s", text);
}

static void footnote(const struct compare_model *m, struct doc *d, unsigned int group,
		     unsigned int arm, unsigned int number)
{
	const struct compare_group *g = &m->groups[group];
	const struct compare_tally *t = &g->tally[arm];
	const struct load_run *run = m->arms[arm].run;
	const struct load_cell *shown = NULL;
	HB_FREE char *term = hb_strf("[%u]", number);
	char counts[256] = "";

	for (unsigned int v = CELL_DIRTY; v < CELL_VERDICTS; v++)
		if (t->by[v])
			snprintf(counts + strlen(counts), sizeof(counts) - strlen(counts),
				 "%s%s in %u of %u boots", *counts ? ", " : "",
				 cell_verdict_name(v), t->by[v], t->boots);
	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_cell *c = &run->cells[i];

		if (c->kernel == m->arms[arm].name && !strcmp(c->cell, g->cell) &&
		    c->verdict != CELL_OK && !c->warmup_boot &&
		    (!shown || (!shown->evidence && c->evidence)))
			shown = c;
	}
	if (!shown || !term)
		return;
	doc_item(d, term, "%s, cell %s: %s%s%s%s (cells/%s)", m->arms[arm].label, g->cell, counts,
		 t->expected == report_bad_boots(t) ? ", as the scenario expects"
		 : t->expected			    ? ", some as the scenario expects"
						    : "",
		 *shown->reason ? ": " : "", shown->reason, shown->id);
	doubt(d, run, t);
	if (shown->evidence && !blocked_chains(d, shown))
		evidence(d, shown);
}

static void footnotes(const struct compare_model *m, struct doc *d, struct report_notes *n)
{
	/* Arms of cells that no table has mentioned (a control arm, say) get their number now. */
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int a = 0; a < m->narms; a++)
			report_note(m, n, g, a);
	if (n->last)
		doc_heading(d, 2, "Boots whose verdict is not OK");
	for (unsigned int number = 1; number <= n->last; number++)
		for (unsigned int i = 0; i < m->ngroups * m->narms; i++)
			if (n->number[i] == number)
				footnote(m, d, i / m->narms, i % m->narms, number);
}

/* A boot that went well where the scenario says that it would not is news as well. */
static void surprises(const struct compare_model *m, struct doc *d)
{
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int a = 0; a < m->narms; a++) {
			const struct compare_tally *t = &m->groups[g].tally[a];

			if (t->surprises)
				doc_item(d, "Not as expected:",
					 "%s, cell %s: OK in %u of %u boots, where the scenario "
					 "expects another verdict",
					 m->arms[a].label, m->groups[g].cell, t->surprises,
					 t->boots);
		}
}

void report_boots(const struct compare_model *m, struct doc *d, struct report_notes *n)
{
	footnotes(m, d, n);
	surprises(m, d);
}
