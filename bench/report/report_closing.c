// SPDX-License-Identifier: GPL-2.0-or-later
/* The end of a report: antagonists' work, configuration, cost, damage. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/report/report.h"

/* What the antagonists achieved, not what they tried. */
static void antagonists(const struct compare_model *m, struct doc *d)
{
	bool any = false;

	for (unsigned int g = 0; g < m->ngroups; g++)
		any = any || *m->groups[g].antagonists;
	if (!any)
		return;
	doc_heading(d, 2, "Antagonists");
	doc_table(d, "Further figures of their work; the main ones stand in the tables above");
	report_arm_columns(m, d, "cell and figure", true);
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int k = 0; k < m->groups[g].nmetrics; k++) {
			const struct compare_metric *metric = &m->groups[g].metrics[k];
			char *cells[DOC_COLUMNS] = {NULL};

			/* Primary ones stand in the tables above, with their change. */
			if (strcmp(metric->role, "antagonist") || metric->kind == METRIC_HIST ||
			    metric->primary)
				continue;
			cells[0] = hb_strf("%s: %s.%s (%s)", m->groups[g].cell, metric->source,
					   metric->label, report_unit(metric));
			for (unsigned int a = 0; a < m->narms && a + 1 < DOC_COLUMNS; a++)
				cells[a + 1] = report_figure(
					&m->groups[g].figures[k * m->narms + a], metric->unit);
			doc_row(d, cells);
		}
}

/* A proof as the guest recorded it, and how many cells and arms gave the same one. */
struct proof {
	const char *source, *text;
	const char *cell, *arm; /* the first */
	unsigned int times;
};

static int add_proof(struct proof **list, size_t *n, const struct load_note *note, const char *cell,
		     const char *arm)
{
	struct proof *more;

	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*list)[i].source, note->source) &&
		    !strcmp((*list)[i].text, note->text)) {
			(*list)[i].times++;
			return 0;
		}
	more = realloc(*list, (*n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	*list = more;
	more[(*n)++] = (struct proof){note->source, note->text, cell, arm, 1};
	return 0;
}

static const struct load_cell *first_with_notes(const struct compare_arm *arm, const char *cell)
{
	for (size_t i = 0; i < arm->run->ncells; i++) {
		const struct load_cell *c = &arm->run->cells[i];

		if (c->kernel == arm->name && c->verdict == CELL_OK && c->nnotes &&
		    !strcmp(c->cell, cell))
			return c;
	}
	return NULL;
}

/* Notes of one boot per cell and arm whose key is one of @keys (NULL at the end). */
static void facts(const struct compare_model *m, struct doc *d, const char *heading,
		  const char *const *keys)
{
	HB_FREE struct proof *list = NULL;
	size_t n = 0;

	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int a = 0; a < m->narms; a++) {
			const struct load_cell *c =
				first_with_notes(&m->arms[a], m->groups[g].cell);

			for (unsigned int k = 0; c && k < c->nnotes; k++)
				if (hb_is_one_of(c->notes[k].key, keys) &&
				    add_proof(&list, &n, &c->notes[k], m->groups[g].cell,
					      m->arms[a].label))
					d->failed = true;
		}
	if (n)
		doc_heading(d, 2, "%s", heading);
	for (size_t i = 0; i < n; i++) {
		HB_FREE char *term = hb_strf("%s, %s:", list[i].cell, list[i].arm);

		if (list[i].times > 1)
			doc_item(d, term ? term : "", "%s: %s (and %u more cells and arms)",
				 list[i].source, list[i].text, list[i].times - 1);
		else
			doc_item(d, term ? term : "", "%s: %s", list[i].source, list[i].text);
	}
}

/* What shows that the claimed thing was measured. */
static void proofs(const struct compare_model *m, struct doc *d)
{
	static const char *const keys[] = {"proof", NULL};

	facts(m, d, "Proofs of what was measured", keys);
}

/* What the operations are whose instructions were counted. */
static void operations(const struct compare_model *m, struct doc *d)
{
	const struct load_cell *c = NULL;
	bool any = false;

	for (unsigned int i = 0; i < m->ngroups * m->narms && !c; i++)
		c = first_with_notes(&m->arms[i % m->narms], m->groups[i / m->narms].cell);
	for (unsigned int k = 0; c && k < c->nnotes; k++) {
		if (strcmp(c->notes[k].key, "operation"))
			continue;
		if (!any)
			doc_heading(d, 2, "What was counted");
		any = true;
		doc_item(d, "-", "%s", c->notes[k].text);
	}
}

/* The programs under test, as they told the version and settings themselves. */
static void programs(const struct compare_model *m, struct doc *d)
{
	static const char *const keys[] = {"version", "settings", "script", "database", NULL};

	facts(m, d, "Programs in the guest", keys);
}

/*
 * What was read around the measured phase of one boot per cell and arm, where it was asked for.
 * The counters of /proc/vmstat, which always are, stay in cell.json.
 */
static void observed(const struct compare_model *m, struct doc *d)
{
	bool any = false;

	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int a = 0; a < m->narms; a++) {
			const struct load_cell *c =
				first_with_notes(&m->arms[a], m->groups[g].cell);
			HB_FREE char *term =
				hb_strf("%s, %s:", m->groups[g].cell, m->arms[a].label);

			for (unsigned int k = 0; c && k < c->nnotes; k++) {
				const struct load_note *note = &c->notes[k];

				if (strcmp(note->source, "observe") ||
				    !strncmp(note->key, "vmstat.", 7))
					continue;
				if (!any)
					doc_heading(d, 2, "Observed in one boot of each");
				any = true;
				doc_item(d, term ? term : "", "%s: %s", note->key, note->text);
			}
		}
}

/* What the kernel @name was made from; "" where the run does not say. */
static const char *source_of(const struct compare_model *m, const char *name)
{
	return json_text(json_find(json_object_get(m->runs[0]->run, "kernels"), "name", name),
			 "source");
}

static void config_diff(const struct compare_model *m, struct doc *d)
{
	const json_t *diff;
	size_t i, k;

	json_array_foreach (json_object_get(m->runs[0]->run, "config_diff"), i, diff) {
		const json_t *lines = json_object_get(diff, "lines"), *line;
		const char *a = json_text(diff, "a"), *b = json_text(diff, "b");
		HB_FREE char *text = NULL;

		/* Thousands of lines, in which nobody would find one. */
		if (strcmp(source_of(m, a), source_of(m, b))) {
			doc_paragraph(
				d,
				"Kernel configurations of %s and %s: their sources differ, and "
				"%zu lines. kernels/ of the run has both.",
				a, b, json_array_size(lines));
			continue;
		}
		text = strdup("");
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

/* Is "name=value" one of the "; "-separated entries of @list? */
static bool has_entry(const char *list, const char *entry, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ";");

		if (n == len && !strncmp(list, entry, len))
			return true;
		list += n;
		list += strspn(list, "; ");
	}
	return false;
}

/* The entries of @parameters that @list has, or those that it has not. */
static char *entries(const char *parameters, const char *list, bool has)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool any = false;

	if (!f)
		return NULL;
	while (*parameters) {
		size_t n = strcspn(parameters, ";");

		if (has_entry(list, parameters, n) == has) {
			fprintf(f, "%s%.*s", any ? "; " : "", (int)n, parameters);
			any = true;
		}
		parameters += n;
		parameters += strspn(parameters, "; ");
	}
	fclose(f);
	return text;
}

/* The entries of the first cell that every other one has too; a cell that never ran has none. */
static char *common_entries(const struct compare_model *m)
{
	char *common = strdup(m->groups[0].parameters);

	for (unsigned int g = 1; g < m->ngroups && common; g++) {
		const char *others = m->groups[g].parameters;
		char *kept = *others ? entries(common, others, true) : strdup(common);

		free(common);
		common = kept;
	}
	return common;
}

/* Every option of every cell; those that all have in common once. */
static void parameters(const struct compare_model *m, struct doc *d)
{
	HB_FREE char *common = m->ngroups ? common_entries(m) : NULL;

	if (!common)
		return;
	if (*common && m->ngroups > 1)
		doc_item(d, "All cells:", "%s", common);
	for (unsigned int g = 0; g < m->ngroups; g++) {
		const struct compare_group *group = &m->groups[g];
		HB_FREE char *own = entries(group->parameters, m->ngroups > 1 ? common : "", false);

		if (own && *group->parameters)
			doc_item(d, group->cell, "%u task%s%s%s", group->tasks,
				 group->tasks == 1 ? "" : "s", *own ? "; " : "", own);
	}
}

/* What the host's check found amiss; nothing of it touches a count of guest instructions. */
/* What only guests need. */
static bool check_of_guests(const char *name)
{
	static const char *const names[] = {"packages", "QEMU", "KVM", "memory"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static void host(const struct compare_model *m, struct doc *d)
{
	bool guest = json_object_get(m->runs[0]->run, "guest");
	const json_t *checks = json_object_get(json_object_get(m->runs[0]->run, "host"), "doctor");
	const json_t *check;
	size_t i;

	if (compare_is_exact(m))
		return;
	json_array_foreach (checks, i, check) {
		const char *state = json_string_value(json_object_get(check, "state"));
		const char *name = json_string_value(json_object_get(check, "check"));
		const char *detail = json_string_value(json_object_get(check, "detail"));
		HB_FREE char *term = hb_strf("Host, %s:", name ? name : "?");

		if (!guest && name && check_of_guests(name))
			continue;
		if (state && (!strcmp(state, "warn") || !strcmp(state, "bad")))
			doc_item(d, term ? term : "", "%s", detail ? detail : "");
	}
}

/* Mode metal: as the machine itself booted the arms. */
static void command_lines(const struct compare_model *m, struct doc *d)
{
	const json_t *arms = json_object_get(json_object_get(m->runs[0]->run, "metal"), "arms");
	const json_t *arm;
	const char *name;

	json_object_foreach ((json_t *)arms, name, arm) {
		const char *line = json_string_value(json_object_get(arm, "command_line"));
		HB_FREE char *term = hb_strf("Command line of %s:", name);

		if (line)
			doc_item(d, term ? term : "", "%s", line);
	}
}

static void configuration(const struct compare_model *m, struct doc *d)
{
	const char *line = json_string_value(
		json_object_get(json_object_get(m->runs[0]->run, "guest"), "command_line"));

	doc_heading(d, 2, "Configuration");
	config_diff(m, d);
	if (line && *line)
		doc_item(d, "Guest kernel command line:", "%s", line);
	command_lines(m, d);
	parameters(m, d);
	host(m, d);
}

/* Where the noise comes from tells whether more boots or longer ones would help. */
static void spread(const struct compare_model *m, struct doc *d)
{
	HB_FREE double *between = NULL, *within = NULL;
	size_t most = 0, n = 0;

	for (unsigned int g = 0; g < m->ngroups; g++)
		most += (size_t)m->groups[g].nmetrics * m->narms;
	between = calloc(most + 1, sizeof(*between));
	within = calloc(most + 1, sizeof(*within));
	if (!between || !within) {
		d->failed = true;
		return;
	}
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (size_t i = 0; i < (size_t)m->groups[g].nmetrics * m->narms; i++) {
			const struct compare_figure *f = &m->groups[g].figures[i];

			if (isnan(f->within) || isnan(f->variation))
				continue;
			between[n] = f->variation;
			within[n++] = f->within;
		}
	if (n)
		doc_paragraph(
			d,
			"Spread of the main rates, median over cells and arms: %.1f %% between "
			"boots, %.1f %% between the intervals of a boot.",
			100 * stats_median(between, n), 100 * stats_median(within, n));
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

void report_closing(const struct compare_model *m, struct doc *d)
{
	antagonists(m, d);
	operations(m, d);
	proofs(m, d);
	programs(m, d);
	observed(m, d);
	configuration(m, d);
	spread(m, d);
	cost(m, d);
	damage(m, d);
	report_again(m, d);
}
