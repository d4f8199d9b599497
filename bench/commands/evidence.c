// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/json.h"
#include "bench/commands/evidence.h"
#include "bench/result/stacks.h"

/* Per cell, of each kind. */
#define LOG_LINES 6
#define CHAINS	  6
/* For a mail. */
#define LINE_WIDTH 72

/* What the actors achieved: a cell that is OK because nothing happened shows here. */
static void print_achieved(const struct load_cell *c)
{
	int column = 0;

	for (unsigned int i = 0; i < c->nmetrics; i++) {
		const struct load_metric *m = &c->metrics[i];
		char text[128];
		int n;

		if (m->kind != METRIC_COUNT || m->value <= 0)
			continue;
		n = snprintf(text, sizeof(text), "%s %.0f", m->name, m->value);
		if (!column)
			column = printf("  achieved: %s", text);
		else if (column + 2 + n < LINE_WIDTH)
			column += printf(", %s", text);
		else
			column = printf(",\n    %s", text) - 2;
	}
	if (column)
		putchar('\n');
}

static bool telling(const char *line)
{
	return strstr(line, "BUG") || strstr(line, "WARNING:") ||
	       strstr(line, "blocked for more") || strstr(line, "possible ") ||
	       strstr(line, "panic");
}

static void print_log(const json_t *evidence)
{
	unsigned int shown = 0;
	json_t *line;
	size_t i;

	json_array_foreach (evidence, i, line) {
		const char *text = json_string_value(line);

		if (text && telling(text) && shown++ < LOG_LINES)
			printf("  %s\n", text);
	}
	if (shown > LOG_LINES)
		printf("  ... and %u more such lines\n", shown - LOG_LINES);
}

static void print_chains(const json_t *evidence)
{
	json_t *chains = stacks_chains(evidence), *c;
	size_t i;

	json_array_foreach (chains, i, c) {
		json_int_t tasks = json_integer_value(json_object_get(c, "tasks"));

		if (i == CHAINS)
			break;
		printf("  blocked, %lld task%s: %s\n", (long long)tasks, tasks == 1 ? "" : "s",
		       json_text(c, "chain"));
	}
	json_decref(chains);
}

void evidence_print(const struct load_cell *c)
{
	if (c->verdict == CELL_HANG)
		print_chains(c->evidence);
	if (c->verdict != CELL_OK)
		print_log(c->evidence);
	print_achieved(c);
}
