// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench report` and the files of a finished run. */
#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/commands/commands.h"
#include "bench/host/paths.h"
#include "bench/report/plot.h"
#include "bench/report/report.h"

/* Write into memory, then to the file in one step: a report is whole or absent. */
struct sink {
	char *data;
	size_t len;
	FILE *f;
};

static int sink_open(struct sink *s)
{
	*s = (struct sink){0};
	s->f = open_memstream(&s->data, &s->len);
	return s->f ? 0 : -ENOMEM;
}

static int sink_write(struct sink *s, const char *dir, const char *name, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);
	int err = fclose(s->f) || !path ? -ENOMEM : 0;

	err = err ?: hb_file_write_atomic(path, s->data, s->len);
	free(s->data);
	return err ? hb_error_set(e, err, "%s/%s: %s", dir, name, strerror(-err)) : 0;
}

enum format {
	FORMAT_TEXT,
	FORMAT_MARKDOWN,
	FORMAT_HTML,
	FORMAT_CSV,
	FORMAT_JSON,
};

static int render(const struct compare_model *m, const struct doc *d, enum format format,
		  bool only_main, FILE *out)
{
	HB_FREE char *pictures = hb_strf("%s/plots", m->runs[0]->dir);
	json_t *j;
	int err;

	switch (format) {
	case FORMAT_TEXT:
		return doc_text(d, out, only_main);
	case FORMAT_MARKDOWN:
		return doc_markdown(d, out, only_main);
	case FORMAT_HTML:
		return doc_html(d, out, m->runs[0]->name, pictures);
	case FORMAT_CSV:
		return report_csv(m, out);
	case FORMAT_JSON:
		break;
	}
	j = report_json(m);
	if (!j)
		return -ENOMEM;
	err = json_dumpf(j, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) ? -EIO : 0;
	json_decref(j);
	fputc('\n', out);
	return err;
}

static int write_all(const struct compare_model *m, const struct doc *d, struct hb_error *e)
{
	static const struct {
		const char *name;
		enum format format;
	} files[] = {
		{"summary.csv", FORMAT_CSV},
		{"report.txt", FORMAT_TEXT},
		{"report.md", FORMAT_MARKDOWN},
		{"report.html", FORMAT_HTML},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct sink s;
		int err = sink_open(&s);

		err = err ?: render(m, d, files[i].format, false, s.f);
		if (err) {
			free(s.data);
			return hb_error_set(e, err, "%s: %s", files[i].name, strerror(-err));
		}
		err = sink_write(&s, m->runs[0]->dir, files[i].name, e);
		if (err)
			return err;
	}
	return 0;
}

int report_run(const char *run_dir, struct hb_error *e)
{
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run;
	struct plot_set set = {0};
	struct doc d = {0};
	int err = load_run(run_dir, &run, e);

	if (err)
		return err;
	err = compare_build(run, NULL, &options, &m, e);
	if (!err && plot_plan(m, &set))
		err = hb_error_set(e, -ENOMEM, "no memory");
	if (!err) {
		/* Without gnuplot the reports stand; the HTML says that the picture is not there.
		 */
		struct hb_error undrawn = {""};

		if (plot_draw(m, &set, &undrawn))
			fprintf(stderr, "hugebench: %s\n", undrawn.text);
		report_build(m, &d, false);
		err = write_all(m, &d, e);
	}
	plot_free(&set);
	doc_free(&d);
	compare_free(m);
	load_free(run);
	return err;
}

int report_decided(const char *run_dir, bool *decided, struct hb_error *e)
{
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run;
	int err = load_run(run_dir, &run, e);

	*decided = false;
	if (err)
		return err;
	err = compare_build(run, NULL, &options, &m, e);
	for (size_t i = 0; !err && i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];

		/*
		 * What has no change gets none by more boots: all boots of an arm hang, or each has
		 * too few values for the percentile.
		 */
		if (!compare_is_main(m, c) || isnan(c->change.log_ratio))
			continue;
		*decided = c->verdict != STATS_UNCLEAR;
		if (!*decided)
			break;
	}
	compare_free(m);
	load_free(run);
	return err;
}

static bool is_run(const char *dir)
{
	HB_FREE char *path = hb_strf("%s/run.json", dir);

	return path && !access(path, F_OK);
}

int report_open(const char *name, struct load_run **run, struct hb_error *e)
{
	HB_FREE char *results = paths_results(NULL);
	HB_FREE char *named = results ? hb_strf("%s/%s", results, name) : NULL;

	if (is_run(name))
		return load_run(name, run, e);
	if (named && is_run(named))
		return load_run(named, run, e);
	return hb_error_set(e, -ENOENT,
			    "no run '%s': it is neither a directory with a run.json nor the name "
			    "of one in %s",
			    name, results ? results : "results/");
}

enum section {
	SECTION_ALL,
	SECTION_MAIN,
	SECTION_SUMMARY,
};

struct arguments {
	const char *runs[2];
	unsigned int nruns;
	enum format format;
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
		if (a->section && a->format > FORMAT_MARKDOWN)
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
		err = report_open(a->runs[i], &runs[i], e);
	if (!err && a->write) {
		err = report_run(runs[0]->dir, e);
		load_free(runs[0]);
		return err;
	}
	err = err ?: compare_build(runs[0], runs[1], &o, &m, e);
	if (!err) {
		report_build(m, &d, a->section == SECTION_SUMMARY);
		err = render(m, &d, a->format, a->section != SECTION_ALL, stdout);
		if (!err && fflush(stdout))
			err = -errno;
		if (err)
			hb_error_set(e, err, "standard output: %s", strerror(-err));
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
