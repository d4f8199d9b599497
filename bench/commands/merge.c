// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench merge`: what several machines have done of a run becomes one run, and is reported. */
#include <argp.h>
#include <string.h>

#include "bench/commands/commands.h"
#include "bench/commands/print_report.h"
#include "bench/host/paths.h"
#include "bench/run/merge.h"

struct merge_args {
	const char *results, *name;
	char **dirs;
	size_t ndirs;
};

static const struct argp_option options[] = {
	{"results", 'r', "DIR", 0, "directory of the run (default: results/ of the clone)", 0},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct merge_args *a = state->input;

	switch (key) {
	case 'r':
		a->results = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (a->name)
			return ARGP_ERR_UNKNOWN;
		a->name = arg;
		return 0;
	case ARGP_KEY_ARGS:
		a->dirs = state->argv + state->next;
		a->ndirs = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which run?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void say(const struct merge_count *c)
{
	fprintf(stderr, "hugebench: %u blocks taken", c->taken);
	if (c->known)
		fprintf(stderr, ", %u left where they are (the run has them)", c->known);
	if (c->partial)
		fprintf(stderr, ", %u left out (not finished there)", c->partial);
	fputc('\n', stderr);
	if (c->repeated)
		fprintf(stderr,
			"hugebench: boots made twice: %u with the same digits, %u with others\n",
			c->repeated - c->differing, c->differing);
	if (c->missing)
		fprintf(stderr, "hugebench: %u blocks are missing\n", c->missing);
	if (c->unexpected)
		fprintf(stderr, "hugebench: %u cells ended otherwise than the scenario expects\n",
			c->unexpected);
}

static int merge(const struct merge_args *a, struct merge_count *count, struct hb_error *e)
{
	HB_FREE char *results = a->results ? strdup(a->results) : paths_results(e);
	HB_FREE char *dir = NULL;
	int rc = results ? merge_run(results, a->name, a->dirs, a->ndirs, count, &dir, e) : -ENOENT;

	if (rc)
		return rc;
	say(count);
	return print_report(dir, e);
}

int cmd_merge(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "RUN [DIR...]",
		.doc = "Join the blocks of the planned run RUN that were carried out into "
		       "directories of their own, and report. Without DIR: report what is in the "
		       "run's own directory.\v"
		       "A DIR is a copy of the run's directory, or has one in it. One of another "
		       "plan, kernel, image or agent is refused, and then nothing is taken. A "
		       "block is taken once, and whole. One of mode exact that the run has as well "
		       "is "
		       "compared with it, to the digit.\n"
		       "Exit status: 0; 1 some cell is not as the scenario expects, or blocks are "
		       "missing, or digits differ; 2 bad usage, or a DIR that does not belong; 3 "
		       "the host lacks "
		       "something.",
	};
	struct merge_args a = {.name = NULL};
	struct merge_count count;
	struct hb_error e = {""};
	int rc;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a))
		return EXIT_USAGE;
	rc = merge(&a, &count, &e);
	if (!rc)
		return count.missing || count.unexpected || count.differing ? EXIT_CELLS : EXIT_OK;
	fprintf(stderr, "hugebench: %s\n", e.text);
	return rc == -EXDEV || rc == -ENOENT || rc == -EPROTO || rc == -EBUSY || rc == -EINVAL
		       ? EXIT_USAGE
		       : EXIT_HOST;
}
