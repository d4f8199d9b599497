// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench plots` */
#include <argp.h>
#include <string.h>

#include "bench/commands/commands.h"
#include "bench/report/plot.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **run = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*run)
			argp_error(state, "one run at a time");
		*run = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which run? Give a directory or a name in results/");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int plots(const char *name, struct hb_error *e)
{
	struct compare_options o = {0};
	struct compare_model *m = NULL;
	struct plot_set set = {0};
	struct load_run *run = NULL;
	int err = load_open(name, &run, e);

	err = err ?: compare_build(run, NULL, &o, &m, e);
	if (!err && plot_plan(m, &set))
		err = hb_error_set(e, -ENOMEM, "no memory");
	err = err ?: plot_draw(m, &set, e);
	for (size_t i = 0; i < set.n && !err; i++) {
		const struct plot *p = &set.plots[i];

		if (p->why)
			printf("no picture: %s: %s\n", p->heading, p->why);
		else
			printf("%s/plots/%s.svg: %s\n", run->dir, p->stem, p->heading);
	}
	plot_free(&set);
	compare_free(m);
	load_free(run);
	return err;
}

int cmd_plots(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "RUN",
		.doc = "Draw the pictures of a run from its raw data.",
	};
	const char *run = NULL;
	struct hb_error e = {""};
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &run))
		return EXIT_USAGE;
	err = plots(run, &e);
	if (!err)
		return EXIT_OK;
	fprintf(stderr, "hugebench plots: %s\n", e.text);
	return err == -ENOENT && strstr(e.text, "gnuplot") ? EXIT_HOST : EXIT_USAGE;
}
