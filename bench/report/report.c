// SPDX-License-Identifier: GPL-2.0-or-later
/* The forms of a report, and the files of a finished run. */
#include <stdlib.h>
#include <string.h>

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

int report_render(const struct compare_model *m, const struct doc *d, enum report_format format,
		  bool only_main, FILE *out)
{
	json_t *j;
	int err;

	switch (format) {
	case REPORT_TEXT:
		return doc_text(d, out, only_main);
	case REPORT_MARKDOWN:
		return doc_markdown(d, out, only_main);
	case REPORT_HTML:
		return doc_html(d, out, m->runs[0]->name, m->runs[0]->dir);
	case REPORT_CSV:
		return report_csv(m, out);
	case REPORT_JSON:
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
		enum report_format format;
	} files[] = {
		{"summary.csv", REPORT_CSV},
		{"report.txt", REPORT_TEXT},
		{"report.md", REPORT_MARKDOWN},
		{"report.html", REPORT_HTML},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct sink s;
		int err = sink_open(&s);

		err = err ?: report_render(m, d, files[i].format, false, s.f);
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
