// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench report` */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/units.h"
#include "bench/commands/commands.h"
#include "bench/report/report.h"

enum section {
	SECTION_ALL,
	SECTION_MAIN,
	SECTION_SUMMARY,
};

struct arguments {
	const char *runs[2];
	unsigned int nruns;
	enum report_format format;
	enum section section;
	bool force, write;
	double margin, limit;
};

static const struct argp_option options[] = {
	{"format", 'f', "FORMAT", 0, "text (default), md, html, csv or json", 0},
	{"section", 's', "SECTION", 0,
	 "of text and md: all (default); main: the tables without the appendices; summary: the "
	 "main figures in one table",
	 0},
	{"margin", 'm', "PERCENT", 0, "two arms are the same within this change (default 2)", 0},
	{"limit", 'l', "DURATION", 0,
	 "capacity: how many tasks or connections keep p99 below this (default: what suits the "
	 "data)",
	 0},
	{"write", 'w', NULL, 0, "write the run's summary.csv, report.* and plots/ again", 0},
	{"force", 'F', NULL, 0, "compare what may not be compared, and mark the report", 0},
	{0},
};

static const char *const formats[] = {"text", "md", "html", "csv", "json"};
static const char *const sections[] = {"all", "main", "summary"};

/* The index of @arg among @names. */
static error_t parse_name(const char *arg, const char *const *names, size_t n, unsigned int *at)
{
	for (*at = 0; *at < n; ++*at)
		if (!strcmp(arg, names[*at]))
			return 0;
	return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	unsigned int name = 0;
	uint64_t limit;
	char *end;

	switch (key) {
	case 'f':
		if (parse_name(arg, formats, ARRAY_SIZE(formats), &name))
			argp_error(state, "no format '%s': text, md, html, csv or json", arg);
		a->format = name;
		return 0;
	case 's':
		if (parse_name(arg, sections, ARRAY_SIZE(sections), &name))
			argp_error(state, "no section '%s': all, main or summary", arg);
		a->section = name;
		return 0;
	case 'm':
		a->margin = strtod(arg, &end) / 100;
		if (end == arg || *end || !(a->margin > 0) || a->margin > 0.5)
			argp_error(state,
				   "margin '%s' is not a number of per cent above 0, at most 50",
				   arg);
		return 0;
	case 'l':
		if (hb_parse_duration(arg, &limit) || !limit)
			argp_error(state, "limit '%s' is not a duration such as 10ms", arg);
		a->limit = limit;
		return 0;
	case 'F':
		a->force = true;
		return 0;
	case 'w':
		a->write = true;
		return 0;
	case ARGP_KEY_END:
		if (a->section && a->format > REPORT_MARKDOWN)
			argp_error(state, "--section goes with the formats text and md");
		if (a->write && (a->nruns > 1 || a->format || a->section || a->force ||
				 a->margin > 0 || a->limit > 0))
			argp_error(state, "--write writes the files of one run as the run did: no "
					  "other option goes with it");
		return 0;
	case ARGP_KEY_ARG:
		if (a->nruns == ARRAY_SIZE(a->runs))
			argp_error(state, "at most two runs can be compared");
		a->runs[a->nruns++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which run? Give a directory or a name in results/");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int report(const struct arguments *a, struct hb_error *e)
{
	struct compare_options o = {.force = a->force, .margin = a->margin, .limit = a->limit};
	struct load_run *runs[2] = {NULL, NULL};
	struct compare_model *m = NULL;
	struct doc d = {0};
	int err = 0;

	for (unsigned int i = 0; i < a->nruns && !err; i++)
		err = load_open(a->runs[i], &runs[i], e);
	if (!err && a->write) {
		err = report_run(runs[0]->dir, e);
		load_free(runs[0]);
		return err;
	}
	err = err ?: compare_build(runs[0], runs[1], &o, &m, e);
	if (!err) {
		report_build(m, &d, a->section == SECTION_SUMMARY);
		err = report_render(m, &d, a->format, a->section != SECTION_ALL, stdout);
		/* What could not be written main() tells. */
		err = err == -EIO ? 0 : err;
		if (err)
			hb_error_set(e, err, "%s", strerror(-err));
	}
	doc_free(&d);
	compare_free(m);
	load_free(runs[0]);
	load_free(runs[1]);
	return err;
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = {options,
					 parse,
					 "RUN [RUN2]",
					 "Report on a run, or compare two native runs, from their "
					 "raw data. Nothing is booted.",
					 NULL,
					 NULL,
					 NULL};
	struct arguments a = {0};
	struct hb_error e = {""};

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	if (!report(&a, &e))
		return EXIT_OK;
	fprintf(stderr, "hugebench report: %s\n", e.text);
	return EXIT_USAGE;
}
