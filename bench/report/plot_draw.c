// SPDX-License-Identifier: GPL-2.0-or-later
/* gnuplot over the .dat files. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/host/paths.h"
#include "bench/report/plot.h"

/*
 * name = 'text'; for gnuplot, in whose single quotes only the quote itself is special: no other way
 * leads from a run into a program.
 */
static void assign(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%s = '", name);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
	fputs("'; ", out);
}

static int assign_names(FILE *out, const struct compare_model *m, const struct plot *p)
{
	const struct compare_metric *a = NULL;
	HB_FREE char *arms = NULL, *antagonists = NULL;
	size_t len;
	FILE *list = open_memstream(&arms, &len);

	if (!list)
		return -ENOMEM;
	for (unsigned int i = 0; i < m->narms; i++)
		fprintf(list, "%s%s", i ? " " : "", m->arms[i].label);
	fclose(list);
	list = open_memstream(&antagonists, &len);
	if (!list || !arms)
		return -ENOMEM;
	for (unsigned int i = 0; (a = plot_next_antagonist(&m->groups[p->first], a)); i++)
		fprintf(list, "%s%s.%s", i ? " " : "", a->source, a->name);
	fclose(list);
	assign(out, "names", arms);
	assign(out, "antagonists", antagonists ? antagonists : "");
	return 0;
}

/* What the script has to know beside the data. */
static char *settings(const struct compare_model *m, const struct plot *p, const char *stem,
		      const char *plots)
{
	const char *mode = m->runs[0]->mode, *across = "tasks";
	HB_FREE char *note = hb_strf("%s%s", mode, m->forced ? ", FORCED" : "");
	HB_FREE char *ylab = NULL;
	char *text = NULL;
	size_t len;
	int err = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out || !note)
		return NULL;
	assign(out, "plots", plots);
	assign(out, "stem", stem);
	assign(out, "note", note);
	assign(out, "heading", p->heading);
	fprintf(out, "arms = %u; rows = %zu; margin = %g; instructions = %d; ", m->narms, p->rows,
		100 * m->rule.margin, plot_in_instructions(m));
	if (p->kind != PLOT_FOREST) {
		const struct compare_group *g = &m->groups[p->first];
		const struct compare_metric *metric =
			p->kind == PLOT_TIMELINE ? plot_workload_rate(g) : &g->metrics[p->metric];

		compare_scale(g, &across);
		ylab = hb_strf("%s (%s)", metric->name, metric->unit);
		assign(out, "across", across);
		assign(out, "ylab", ylab ? ylab : "");
		err = assign_names(out, m, p);
	}
	if (fclose(out) || err) {
		free(text);
		return NULL;
	}
	return text;
}

static int write_data(const struct compare_model *m, const struct plot *p, const char *stem,
		      struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s.dat", stem);
	FILE *out = path ? fopen(path, "we") : NULL;
	int err;

	if (!out)
		return hb_error_set(e, -errno, "%s: %s", path ? path : stem, strerror(errno));
	err = plot_data(m, p, out);
	if (fclose(out) && !err)
		err = -errno;
	return err ? hb_error_set(e, err, "%s: %s", path, strerror(-err)) : 0;
}

static int draw_one(const struct compare_model *m, const struct plot *p, const char *dir,
		    const char *plots, struct hb_error *e)
{
	HB_FREE char *stem = hb_strf("%s/%s", dir, p->stem);
	HB_FREE char *script = hb_strf("%s/%s.gp", plots, plot_script(p->kind));
	HB_FREE char *log = hb_strf("%s/gnuplot.log", dir);
	HB_FREE char *set = NULL;
	HB_CLOSE int fd = -1;
	int status;

	if (!stem || !script || !log)
		return hb_error_set(e, -ENOMEM, "no memory");
	status = write_data(m, p, stem, e);
	if (status)
		return status;
	set = settings(m, p, stem, plots);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (!set || fd < 0)
		return hb_error_set(e, set ? -errno : -ENOMEM, "%s", log);
	status = child_do((char *const[]){"gnuplot", "-e", set, script, NULL}, fd);
	if (status == -ENOENT || status == 127)
		return hb_error_set(e, -ENOENT, "gnuplot is missing: apt-get install gnuplot-nox");
	if (status)
		return hb_error_set(e, -EIO, "gnuplot %s.gp failed (status %d), see %s",
				    plot_script(p->kind), status, log);
	return 0;
}

int plot_draw(const struct compare_model *m, const struct plot_set *set, struct hb_error *e)
{
	/* Absolute: gnuplot takes a file whose name begins with '<' or '|' for a command. */
	HB_FREE char *run = realpath(m->runs[0]->dir, NULL);
	HB_FREE char *dir = run ? hb_strf("%s/plots", run) : NULL;
	HB_FREE char *log = dir ? hb_strf("%s/gnuplot.log", dir) : NULL;
	HB_FREE char *root = paths_root(e);
	HB_FREE char *plots = root ? hb_strf("%s/plots", root) : NULL;
	int err = 0;

	if (!root)
		return -ENOENT;
	if (!run)
		return hb_error_set(e, -errno, "%s: %s", m->runs[0]->dir, strerror(errno));
	if (!dir || !log || !plots)
		return hb_error_set(e, -ENOMEM, "no memory");
	err = hb_mkdir_empty(dir, e);
	if (err)
		return err;
	/* One picture that fails does not cost the others; without gnuplot the data is still
	 * written. */
	for (size_t i = 0; i < set->n; i++) {
		struct hb_error one = {""};
		int failed = set->plots[i].why ? 0 : draw_one(m, &set->plots[i], dir, plots, &one);

		if (failed && !err) {
			err = failed;
			hb_error_set(e, err, "%s", one.text);
		}
	}
	if (!err)
		unlink(log);
	return err;
}
