// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench run`: the command line and the order of things. */
#include <argp.h>
#include <string.h>

#include "bench/commands/commands.h"
#include "bench/commands/plan_options.h"
#include "bench/commands/print_report.h"
#include "bench/result/load.h"
#include "bench/run/run.h"

#define EXTEND_MAX 1000000

enum {
	KEY_RESUME = 512, /* beyond those of plan_options_argp */
	KEY_DRY_RUN,
	KEY_YES,
	KEY_BLOCK,
	KEY_PREPARE,
	KEY_EXTEND,
};

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

	if (!takes_up(a))
		return plan_usage_check(a);
	if (a->extend && extend_parse(a))
		wrong = "--extend RUN wants -o repeat=N, the boots per cell and kernel that it "
			"shall "
			"have then, and no other -o";
	else if (a->scenario || json_array_size(a->overrides) || a->cells)
		wrong = "--resume, --extend, --block and --prepare take the plan as it stands; "
			"leave -s, -o, -c, -k and --mode out";
	else if (a->resume + a->prepare + a->dry_run + !!a->extend + (a->block != RUN_WHOLE) > 1)
		wrong = "--resume, --extend, --block, --prepare and --dry-run exclude one another";
	else if (!a->resume && !a->name)
		wrong = "which run? give --name RUN";
	else if (a->name && store_name_check(a->name, &e))
		wrong = e.text;
	if (!wrong)
		return 0;
	fprintf(stderr, "hugebench: %s\n", wrong);
	return -EINVAL;
}

static int begin(struct run *r, struct hb_error *e)
{
	int rc = run_open(r, e);

	if (rc)
		return rc;
	if (takes_up(&r->args))
		return run_take_up(r, e);
	rc = run_read(r, e);
	if (rc)
		return rc;
	return r->args.dry_run ? run_show(r, e) : run_prepare(r, e);
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
		return plan_exit_status(rc);
	if (unexpected)
		fprintf(stderr, "hugebench: %u cell%s ended otherwise than the scenario expects\n",
			unexpected, unexpected == 1 ? "" : "s");
	if (report_rc)
		return EXIT_HOST;
	return unexpected ? EXIT_CELLS : EXIT_OK;
}

int cmd_run(int argc, char **argv)
{
	struct run r = {.args = plan_args("run", argc, argv), .store = {.lock = -1}};
	struct hb_error e = {""};
	int rc = EXIT_USAGE;

	if (!argp_parse(&run_argp, argc, argv, 0, NULL, &r.args) && !usage_check(&r.args)) {
		rc = begin(&r, &e);
		if (rc)
			rc = plan_fail(rc, &e);
		else if (!r.args.dry_run && !r.args.prepare)
			rc = carry_out(&r);
	}
	run_close(&r);
	plan_args_free(&r.args);
	return rc;
}
