// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench check`: the scenario check through the ordinary run, and its outcome as a table, bug
 * by kernel, with the evidence. What is expected of a kernel stands in the scenario.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/commands/commands.h"
#include "bench/commands/evidence.h"
#include "bench/commands/own_run.h"

#define TEXT_MAX   128
#define COLUMN_GAP 2

/* Distinct names of cells or kernels, in order of name. */
struct names {
	const char **name;
	size_t n;
};

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int names_collect(const struct load_run *run, bool kernels, struct names *out)
{
	out->n = 0;
	out->name = calloc(run->ncells + 1, sizeof(*out->name));
	if (!out->name)
		return -ENOMEM;
	for (size_t i = 0; i < run->ncells; i++) {
		const char *name = kernels ? run->cells[i].kernel : run->cells[i].cell;
		size_t k = 0;

		while (k < out->n && strcmp(out->name[k], name))
			k++;
		if (k == out->n)
			out->name[out->n++] = name;
	}
	qsort(out->name, out->n, sizeof(*out->name), name_compare);
	return 0;
}

/* The boots of one kernel and cell: "OK", "HANG*" (expected), "4 OK, 1 DIRTY!" (not expected). */
static void entry_text(const struct load_run *run, const char *cell, const char *kernel, char *text)
{
	unsigned int count[CELL_VERDICTS] = {0}, boots = 0, unexpected = 0;
	size_t used = 0;

	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_cell *c = &run->cells[i];

		if (c->warmup_boot || strcmp(c->cell, cell) || strcmp(c->kernel, kernel))
			continue;
		count[c->verdict]++;
		boots++;
		unexpected += !c->expected;
	}
	snprintf(text, TEXT_MAX, "-");
	for (unsigned int v = 0; v < CELL_VERDICTS && used < TEXT_MAX; v++) {
		if (count[v] && boots == 1)
			used += snprintf(text, TEXT_MAX, "%s", cell_verdict_name(v));
		else if (count[v])
			used += snprintf(text + used, TEXT_MAX - used, "%s%u %s", used ? ", " : "",
					 count[v], cell_verdict_name(v));
	}
	if (used < TEXT_MAX && (unexpected || count[CELL_OK] < boots))
		snprintf(text + used, TEXT_MAX - used, unexpected ? "!" : "*");
}

/* Length of what the names of all kernels begin with, up to a '-': "debug-". A lone one keeps it.
 */
static size_t common_prefix(const struct names *kernels)
{
	size_t same = 0, prefix = 0;

	for (; kernels->n > 1 && kernels->name[0][same]; same++) {
		for (size_t k = 1; k < kernels->n; k++)
			if (kernels->name[k][same] != kernels->name[0][same])
				return prefix;
		if (kernels->name[0][same] == '-')
			prefix = same + 1;
	}
	return prefix;
}

/* The longest of the head of a column and its entries. */
static int column_width(const struct load_run *run, const struct names *cells, const char *kernel,
			size_t prefix)
{
	size_t width = strlen(kernel + prefix);

	for (size_t c = 0; c < cells->n; c++) {
		char text[TEXT_MAX];

		entry_text(run, cells->name[c], kernel, text);
		width = strlen(text) > width ? strlen(text) : width;
	}
	return (int)width;
}

static void print_legend(const struct names *kernels, size_t prefix)
{
	printf("\n*: bad, and expected of that kernel.  !: NOT EXPECTED.\n");
	if (prefix)
		printf("The kernels' names begin with %.*s.\n", (int)prefix, kernels->name[0]);
}

/* @text at the start of a column; @owed: spaces that the columns before left unprinted. */
static void put_column(const char *text, int width, int *owed)
{
	printf("%*s%s", *owed, "", text);
	*owed = width - (int)strlen(text) + COLUMN_GAP;
}

static void print_table(const struct load_run *run, const struct names *cells,
			const struct names *kernels)
{
	size_t prefix = common_prefix(kernels);
	int first = 0, owed = 0;

	for (size_t c = 0; c < cells->n; c++)
		first = (int)strlen(cells->name[c]) > first ? (int)strlen(cells->name[c]) : first;
	put_column("", first, &owed);
	for (size_t k = 0; k < kernels->n; k++)
		put_column(kernels->name[k] + prefix,
			   column_width(run, cells, kernels->name[k], prefix), &owed);
	putchar('\n');
	for (size_t c = 0; c < cells->n; c++) {
		owed = 0;
		put_column(cells->name[c], first, &owed);
		for (size_t k = 0; k < kernels->n; k++) {
			char text[TEXT_MAX];

			entry_text(run, cells->name[c], kernels->name[k], text);
			put_column(text, column_width(run, cells, kernels->name[k], prefix), &owed);
		}
		putchar('\n');
	}
	print_legend(kernels, prefix);
}

static void print_evidence(const struct load_run *run)
{
	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_cell *c = &run->cells[i];

		printf("\n%s, %s: %s%s%s%s\n", c->cell, c->kernel, cell_verdict_name(c->verdict),
		       c->reason && *c->reason ? ": " : "", c->reason ? c->reason : "",
		       c->expected ? "" : " (NOT EXPECTED)");
		evidence_print(c);
	}
}

static int print_run(const struct load_run *run, struct hb_error *e)
{
	struct names cells = {NULL, 0}, kernels = {NULL, 0};
	int rc = names_collect(run, false, &cells);

	if (!rc)
		rc = names_collect(run, true, &kernels);
	if (rc) {
		hb_error_set(e, rc, "out of memory");
	} else {
		print_table(run, &cells, &kernels);
		print_evidence(run);
	}
	free(cells.name);
	free(kernels.name);
	return rc;
}

int cmd_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = own_run_options,
		.parser = own_run_parse,
		.doc = "Checks the kernels' correctness and prints the table of bugs and kernels.",
	};
	struct own_run_args a = {.scenario = NULL};

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	return own_run_show(&a, "check", print_run);
}
