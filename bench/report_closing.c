// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a report: antagonists' work, configuration, cost, damage, how to run it again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/units.h"
#include "bench/report.h"

/* What the antagonists achieved, not what they tried; unequal work makes arms unlike. */
static void antagonists(const struct compare_model *m, struct doc *d)
{
	doc_table(d, "Work that the antagonists achieved");
	doc_column(d, "cell and figure", true);
	for (unsigned int a = 0; a < m->narms && a + 1 < DOC_COLUMNS; a++)
		doc_column(d, m->arms[a].label, false);
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int k = 0; k < m->groups[g].nmetrics; k++) {
			const struct compare_metric *metric = &m->groups[g].metrics[k];
			char *cells[DOC_COLUMNS] = {NULL};

			if (strcmp(metric->role, "antagonist") || metric->kind == METRIC_HIST)
				continue;
			cells[0] = hb_strf("%s: %s.%s (%s)", m->groups[g].cell, metric->source,
					   metric->label, report_unit(metric));
			for (unsigned int a = 0; a < m->narms && a + 1 < DOC_COLUMNS; a++)
				cells[a + 1] = report_figure(
					&m->groups[g].figures[k * m->narms + a], metric->unit);
			doc_row(d, cells);
		}
}

/* Proofs and facts that the guest recorded, once per cell and arm. */
static void proofs(const struct compare_model *m, struct doc *d)
{
	bool headed = false;

	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int a = 0; a < m->narms; a++) {
			const struct load_run *run = m->arms[a].run;
			const struct load_cell *c = NULL;

			for (size_t i = 0; i < run->ncells && !c; i++)
				if (run->cells[i].kernel == m->arms[a].name &&
				    !strcmp(run->cells[i].cell, m->groups[g].cell) &&
				    run->cells[i].verdict == CELL_OK && run->cells[i].nnotes)
					c = &run->cells[i];
			for (unsigned int k = 0; c && k < c->nnotes; k++) {
				HB_FREE char *term = NULL;

				if (strcmp(c->notes[k].key, "proof"))
					continue;
				if (!headed)
					doc_heading(d, 2, "Proofs of what was measured");
				headed = true;
				term = hb_strf("%s, %s:", m->groups[g].cell, m->arms[a].label);
				doc_item(d, term ? term : "", "%s: %s", c->notes[k].source,
					 c->notes[k].text);
			}
		}
}

static void config_diff(const struct compare_model *m, struct doc *d)
{
	const json_t *diff;
	size_t i, k;

	json_array_foreach (json_object_get(m->runs[0]->run, "config_diff"), i, diff) {
		const json_t *lines = json_object_get(diff, "lines"), *line;
		const char *a = json_string_value(json_object_get(diff, "a"));
		const char *b = json_string_value(json_object_get(diff, "b"));
		HB_FREE char *text = strdup("");

		json_array_foreach (lines, k, line) {
			char *more = hb_strf("%s%s\n", text ? text : "",
					     json_is_string(line) ? json_string_value(line) : "?");

			free(text);
			text = more;
		}
		if (!json_array_size(lines)) {
			doc_paragraph(d, "Kernel configurations of %s and %s: no difference.",
				      a ? a : "?", b ? b : "?");
			continue;
		}
		doc_paragraph(d, "Kernel configurations of %s (-) and %s (+), %s:", a ? a : "?",
			      b ? b : "?",
			      json_is_false(json_object_get(diff, "explained"))
				      ? "NOT explained by the series"
				      : "explained by the series");
		doc_verbatim(d, "%s", text ? text : "");
	}
}

static void configuration(const struct compare_model *m, struct doc *d)
{
	const json_t *run = m->runs[0]->run;
	const char *line =
		json_string_value(json_object_get(json_object_get(run, "guest"), "command_line"));
	const char *previous = "";

	doc_heading(d, 2, "Configuration");
	config_diff(m, d);
	if (line && *line) {
		doc_paragraph(d, "Guest kernel command line:");
		doc_verbatim(d, "%s", line);
	}
	for (unsigned int g = 0; g < m->ngroups; g++) {
		const struct compare_group *group = &m->groups[g];

		if (!*group->parameters || !strcmp(previous, group->parameters))
			continue;
		previous = group->parameters;
		doc_item(d, group->cell, "%u tasks; %s", group->tasks, group->parameters);
	}
}

/* What a boot costs beyond the phases that give figures. */
static void cost(const struct compare_model *m, struct doc *d)
{
	double sum = 0, most = 0;
	unsigned int n = 0, dearest = 0;
	char text[2][32];

	for (unsigned int g = 0; g < m->ngroups; g++) {
		double overhead = m->groups[g].overhead_ns;

		if (isnan(overhead))
			continue;
		sum += overhead;
		n++;
		if (overhead > most) {
			most = overhead;
			dearest = g;
		}
	}
	if (!n)
		return;
	doc_paragraph(
		d,
		"Cost of a boot beyond warm-up and measured phase: %s on average, %s in cell %s.",
		hb_format_duration(text[0], sizeof(text[0]), sum / n),
		hb_format_duration(text[1], sizeof(text[1]), most), m->groups[dearest].cell);
}

static void damage(const struct compare_model *m, struct doc *d)
{
	for (unsigned int r = 0; r < 2 && m->runs[r]; r++) {
		const struct load_run *run = m->runs[r];

		if (!run->nproblems)
			continue;
		doc_heading(d, 2, "Damaged files of run %s", run->name);
		doc_paragraph(d, "What they hold is left out; everything else stands.");
		for (size_t i = 0; i < run->nproblems; i++)
			doc_item(d, "-", "%s", run->problems[i]);
	}
}

/* A word of a command line as a shell would take it. */
static void shell_word(FILE *f, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_-+=./:,@%";

	if (*word && strspn(word, safe) == strlen(word)) {
		fputs(word, f);
		return;
	}
	fputc('\'', f);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", f);
		else
			fputc(*word, f);
	}
	fputc('\'', f);
}

static void again(const struct compare_model *m, struct doc *d)
{
	doc_heading(d, 2, "To run it again");
	for (unsigned int r = 0; r < 2 && m->runs[r]; r++) {
		const json_t *run = m->runs[r]->run, *word;
		HB_FREE char *text = NULL;
		size_t len, i;
		FILE *f = open_memstream(&text, &len);

		if (!f) {
			d->failed = true;
			return;
		}
		json_array_foreach (json_object_get(run, "command"), i, word) {
			if (i)
				fputc(' ', f);
			shell_word(f, json_is_string(word) ? json_string_value(word) : "?");
		}
		fprintf(f, "\nhugebench report %s\n", m->runs[r]->name);
		fclose(f);
		if (text)
			doc_verbatim(d, "%s", text);
		doc_paragraph(d, "Seed %lld; %lld boots per arm and cell%s%s.",
			      (long long)json_integer_value(json_object_get(run, "seed")),
			      (long long)json_integer_value(json_object_get(run, "repetitions")),
			      json_string_value(json_object_get(run, "repetitions_reason")) ? ": "
											    : "",
			      json_string_value(json_object_get(run, "repetitions_reason")) ?: "");
	}
}

void report_closing(const struct compare_model *m, struct doc *d)
{
	antagonists(m, d);
	proofs(m, d);
	configuration(m, d);
	cost(m, d);
	damage(m, d);
	again(m, d);
}
