// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench run` and `hugebench plan`: the command line and the order of things. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/units.h"
#include "bench/host/place.h"
#include "bench/commands/commands.h"
#include "bench/commands/plan_options.h"
#include "bench/commands/print_report.h"
#include "bench/result/load.h"
#include "bench/run/run.h"

#define JOBS_MAX   1024
#define EXTEND_MAX 1000000

enum {
	KEY_MODE = 256,
	KEY_BUDGET,
	KEY_RESUME,
	KEY_NAME,
	KEY_DRY_RUN,
	KEY_RESULTS,
	KEY_AGENT,
	KEY_MIXED,
	KEY_YES,
	KEY_BLOCK,
	KEY_PREPARE,
	KEY_EXTEND,
};

/* What makes a run, or a plan of one. */
static const struct argp_option plan_options[] = {
	{"scenario", 's', "FILE|NAME", 0, "what to measure (`hugebench list` shows the names)", 0},
	{"option", 'o', "KEY=VALUE", 0,
	 "change the scenario: a key of [scenario], CELL:KEY of one cell, or KEY of every cell "
	 "that has "
	 "it; may be repeated",
	 0},
	{"cells", 'c', "A,B", 0, "only these cells; shell patterns, e.g. 'faults-*'", 0},
	{"kernels", 'k', "A,B", 0,
	 "variants or places (~/linux@v6.6, /boot/vmlinuz-...) to compare, the reference first", 0},
	{"mode", KEY_MODE, "M", 0, "auto, parallel, kvm, emulated, native or exact", 0},
	{"budget", KEY_BUDGET, "TIME", 0,
	 "choose the number of boots so that the run takes at most this long, e.g. 20m (the "
	 "default "
	 "where the scenario names no number)",
	 0},
	{"jobs", 'j', "N", 0,
	 "boots side by side (default: in mode exact as many as there are CPUs and memory for; "
	 "else "
	 "1)",
	 0},
	{"name", KEY_NAME, "RUN", 0, "of the run (default: scenario and time)", 0},
	{"results", KEY_RESULTS, "DIR", 0, "directory of the runs (default: results/ of the clone)",
	 0},
	{"agent", KEY_AGENT, "FILE", 0,
	 "the agent to ask for workloads, and to run in mode native (default: beside hugebench)",
	 0},
	{"mixed-config", KEY_MIXED, NULL, 0,
	 "compare kernels of one source although their configurations differ", 0},
	{0}};

static const struct argp_option run_options[] = {
	{"resume", KEY_RESUME, NULL, 0,
	 "go on with run --name, or with the newest one that is not finished", 0},
	{"extend", KEY_EXTEND, "RUN", 0,
	 "add boots to a finished run, so that it has as many per cell and kernel as -o repeat=N "
	 "says",
	 0},
	{"block", KEY_BLOCK, "K", 0,
	 "carry out block K of the planned run --name and nothing else: a boot of every kernel of "
	 "a "
	 "cell; several may be under way at once, on one machine or many",
	 0},
	{"prepare", KEY_PREPARE, NULL, 0,
	 "build kernels and image of the planned run --name, and boot nothing", 0},
	{"dry-run", KEY_DRY_RUN, NULL, 0, "print what would be done, and do nothing", 0},
	{"yes", KEY_YES, NULL, 0,
	 "mode native: change this machine's huge page pool (it is put back afterwards), and run "
	 "antagonists on its kernel, which a bug of that kernel may hang",
	 0},
	{0}};

static int override_add(struct run_args *a, const char *key, const char *value)
{
	HB_FREE char *text = key ? hb_strf("%s=%s", key, value) : strdup(value);
	json_t *j = text ? json_string(text) : NULL;

	if (!json_array_append_new(a->overrides, j))
		return 0;
	fprintf(stderr, "hugebench: '%s' is not UTF-8\n", value);
	return -EINVAL;
}

/* Places are recorded so that they can be found from any directory. */
static int kernels_add(struct run_args *a, const char *list)
{
	HB_FREE char *text = NULL;
	struct hb_error e = {.text = ""};
	json_t *names = NULL, *name;
	size_t i;
	int rc = spec_split(list, &names, &e);

	json_array_foreach (names, i, name) {
		const char *one = json_string_value(name);
		HB_FREE char *place = place_is(one) ? place_absolute(one) : strdup(one);
		char *longer = hb_strf("%s%s%s", text ? text : "", text ? "," : "", place);

		free(text);
		text = longer;
	}
	json_decref(names);
	if (!rc)
		return override_add(a, "kernels", text);
	fprintf(stderr, "hugebench: --kernels: %s\n", e.text);
	return rc;
}

static error_t parse_plan(int key, char *arg, struct argp_state *state)
{
	struct run_args *a = state->input;

	switch (key) {
	case 's':
		a->scenario = arg;
		return 0;
	case 'o':
		return override_add(a, NULL, arg) ? EINVAL : 0;
	case 'c':
		a->cells = arg;
		return 0;
	case 'k':
		return kernels_add(a, arg) ? EINVAL : 0;
	case KEY_MODE:
		return override_add(a, "mode", arg) ? EINVAL : 0;
	case KEY_BUDGET:
		if (!hb_parse_duration(arg, &a->budget) && a->budget)
			return 0;
		fprintf(stderr,
			"hugebench: --budget %s is not a duration; write it like 90s or 20m\n",
			arg);
		return EINVAL;
	case 'j':
		if (!hb_parse_u64(arg, &a->jobs) && a->jobs && a->jobs <= JOBS_MAX)
			return 0;
		fprintf(stderr, "hugebench: -j %s: a number from 1 to %d is wanted\n", arg,
			JOBS_MAX);
		return EINVAL;
	case KEY_NAME:
		a->name = arg;
		return 0;
	case KEY_RESULTS:
		a->results = arg;
		return 0;
	case KEY_AGENT:
		a->agent = arg;
		return 0;
	case KEY_MIXED:
		a->mixed_config = 1;
		return 0;
	case ARGP_KEY_ARG:
		fprintf(stderr,
			"hugebench: '%s' is not understood here; a scenario is given by -s %s\n",
			arg, arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct run_args *a = state->input;
	uint64_t block;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = a;
		return 0;
	case KEY_RESUME:
		a->resume = 1;
		return 0;
	case KEY_BLOCK:
		if (!hb_parse_u64(arg, &block) && block <= INT32_MAX) {
			a->block = block;
			return 0;
		}
		fprintf(stderr, "hugebench: --block %s: a block's number is wanted\n", arg);
		return EINVAL;
	case KEY_EXTEND:
		a->name = arg;
		a->extend = 1;
		return 0;
	case KEY_PREPARE:
		a->prepare = 1;
		return 0;
	case KEY_DRY_RUN:
		a->dry_run = 1;
		return 0;
	case KEY_YES:
		a->yes = 1;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp plan_argp = {
	.options = plan_options,
	.parser = parse_plan,
	.doc = "Write the plan of a run: every boot, in seeded order, in blocks of one boot of "
	       "every kernel. Nothing is built or booted; that is for `hugebench run --name RUN "
	       "--block K`, on any machine that sees the directory or has a copy of it, and "
	       "`hugebench merge RUN`. `hugebench slurm RUN` has a cluster do all of it.\v"
	       "The guest's size is chosen here: give -o memory= and -o vcpus= where the machines "
	       "that boot are smaller than this one. Exit status: 0; 2 bad usage or scenario; 3 "
	       "the host lacks something.",
};

const struct argp plan_options_argp = {.options = plan_options, .parser = parse_plan};
static const struct argp_child run_children[] = {{.argp = &plan_options_argp}, {0}};
static const struct argp run_argp = {
	.options = run_options,
	.parser = parse_run,
	.children = run_children,
	.doc = "Boot the kernels, run the scenario's cells on each, and report.\v"
	       "Exit status: 0 all cells OK or as the scenario expects; 1 the run finished, some "
	       "cell is not; 2 bad usage or scenario; 3 the host lacks something; 130 interrupted "
	       "(finished cells are kept, --resume goes on).",
};

/* Does the command line go on with a run that is there? */
static bool takes_up(const struct run_args *a)
{
	return a->resume || a->prepare || a->extend || a->block != RUN_WHOLE;
}

/* --extend wants -o repeat=N and nothing else of a scenario. */
static int extend_parse(struct run_args *a)
{
	const char *text = json_string_value(json_array_get(a->overrides, 0));
	uint64_t n;

	if (json_array_size(a->overrides) != 1 || strncmp(text, "repeat=", strlen("repeat=")) ||
	    hb_parse_u64(text + strlen("repeat="), &n) || !n || n > EXTEND_MAX)
		return -EINVAL;
	a->extend = n;
	json_array_clear(a->overrides);
	return 0;
}

static int usage_check(struct run_args *a)
{
	struct hb_error e = {""};
	const char *wrong = NULL;

	if (!a->scenario && !takes_up(a))
		wrong = "no scenario; give -s NAME (`hugebench list` shows the names)";
	else if (a->extend && extend_parse(a))
		wrong = "--extend RUN wants -o repeat=N, the boots per cell and kernel that it "
			"shall "
			"have then, and no other -o";
	else if (takes_up(a) && (a->scenario || json_array_size(a->overrides) || a->cells))
		wrong = "--resume, --extend, --block and --prepare take the plan as it stands; "
			"leave -s, -o, -c, -k and --mode out";
	else if (a->resume + a->prepare + a->dry_run + !!a->extend + (a->block != RUN_WHOLE) > 1)
		wrong = "--resume, --extend, --block, --prepare and --dry-run exclude one another";
	else if (takes_up(a) && !a->resume && !a->name)
		wrong = "which run? give --name RUN";
	else if (a->name && store_name_check(a->name, &e))
		wrong = e.text;
	if (!wrong)
		return 0;
	fprintf(stderr, "hugebench: %s\n", wrong);
	return -EINVAL;
}

/* The documented exit status of an error. */
static int exit_status(int rc)
{
	switch (rc) {
	case -EINTR:
		return EXIT_INT;
	case -EINVAL:
	case -ERANGE:
	case -ENOENT:
	case -EPROTO:
	case -EBUSY:
	case -EEXIST:
		return EXIT_USAGE;
	default:
		return EXIT_HOST;
	}
}

int plan_fail(int rc, const struct hb_error *e)
{
	fprintf(stderr, "hugebench: %s\n", e->text);
	return exit_status(rc);
}

/* argv[0] is a name for messages. */
struct run_args plan_args(const char *name, int argc, char **argv)
{
	struct run_args a = {
		.overrides = json_array(), .command = json_array(), .block = RUN_WHOLE};

	json_array_append_new(a.command, json_string("hugebench"));
	json_array_append_new(a.command, json_string(name));
	for (int i = 1; i < argc; i++)
		json_array_append_new(a.command, json_string(argv[i]));
	return a;
}

void plan_args_free(struct run_args *a)
{
	json_decref(a->overrides);
	json_decref(a->command);
}

static int begin(struct run *r, bool plan, struct hb_error *e)
{
	int rc = run_open(r, e);

	if (rc)
		return rc;
	if (takes_up(&r->args))
		return run_take_up(r, e);
	rc = run_read(r, e);
	if (rc)
		return rc;
	if (r->args.dry_run)
		return run_show(r, e);
	return plan ? run_plan(r, e) : run_prepare(r, e);
}

/* Boots of mode exact that are INVALID beside one another, while each was OK by itself. */
static unsigned int disagreeing(const struct run *r)
{
	struct load_run *loaded;
	unsigned int n;

	if (load_run(r->store.dir, &loaded, NULL))
		return 0;
	n = loaded->ndisagree;
	load_free(loaded);
	return n;
}

static void say_how_to_go_on(const struct run *r, const char *what)
{
	fprintf(stderr, "hugebench: %s; finished cells are kept, go on with: ", what);
	hb_shell_word(stderr, program_invocation_name);
	if (r->args.block == RUN_WHOLE)
		fputs(" run --resume", stderr);
	else
		fprintf(stderr, " run --block %jd", (intmax_t)r->args.block);
	fprintf(stderr, " --name %s", r->store.name);
	if (r->args.results) {
		fputs(" --results ", stderr);
		hb_shell_word(stderr, r->args.results);
	}
	fputc('\n', stderr);
}

static int carry_out(struct run *r)
{
	struct hb_error e = {""}, report_error = {""};
	unsigned int unexpected = 0;
	int rc = run_cells(r, &unexpected, &e), report_rc = 0;

	if (r->args.block == RUN_WHOLE && run_has_cells(r)) {
		report_rc = print_report(r->store.dir, &report_error);
		if (report_rc)
			fprintf(stderr, "hugebench: no report: %s\n", report_error.text);
		else
			unexpected += disagreeing(r);
	}
	if (rc && rc != -EINTR)
		fprintf(stderr, "hugebench: %s\n", e.text);
	if (rc)
		say_how_to_go_on(r, rc == -EINTR ? "interrupted" : "stopped");
	if (rc)
		return exit_status(rc);
	if (unexpected)
		fprintf(stderr, "hugebench: %u cell%s ended otherwise than the scenario expects\n",
			unexpected, unexpected == 1 ? "" : "s");
	if (report_rc)
		return EXIT_HOST;
	return unexpected ? EXIT_CELLS : EXIT_OK;
}

static int run_main(int argc, char **argv, bool plan)
{
	struct run r = {.args = plan_args(plan ? "plan" : "run", argc, argv),
			.store = {.lock = -1}};
	struct hb_error e = {""};
	int rc = EXIT_USAGE;

	if (!argp_parse(plan ? &plan_argp : &run_argp, argc, argv, 0, NULL, &r.args) &&
	    !usage_check(&r.args)) {
		rc = begin(&r, plan, &e);
		if (rc)
			rc = plan_fail(rc, &e);
		else if (!plan && !r.args.dry_run && !r.args.prepare)
			rc = carry_out(&r);
	}
	run_close(&r);
	plan_args_free(&r.args);
	return rc;
}

int cmd_run(int argc, char **argv)
{
	return run_main(argc, argv, false);
}

int cmd_plan(int argc, char **argv)
{
	return run_main(argc, argv, true);
}
