// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench slurm`: a planned run goes to a cluster. States are Slurm's own. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/commands/commands.h"
#include "bench/host/paths.h"
#include "bench/run/slurm.h"
#include "bench/scenario/cell_costs.h"
#include "bench/scenario/plan.h"

#define SCRIPT "slurm.sh"
#define JOBS   "slurm/jobs"

enum {
	KEY_RESULTS = 256,
	KEY_DRY_RUN,
	KEY_STATUS,
};

struct slurm_args {
	const char *results, *run;
	char *const *options; /* behind -- */
	int dry_run, status;
};

static const struct argp_option options[] = {
	{"results", KEY_RESULTS, "DIR", 0,
	 "directory of the run, which all nodes see (default: results/ of the clone)", 0},
	{"dry-run", KEY_DRY_RUN, NULL, 0, "print the script, submit nothing", 0},
	{"status", KEY_STATUS, NULL, 0, "what Slurm and the run say of it, change nothing", 0},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static char *const none[] = {NULL};
	struct slurm_args *a = state->input;

	switch (key) {
	case KEY_RESULTS:
		a->results = arg;
		return 0;
	case KEY_DRY_RUN:
		a->dry_run = 1;
		return 0;
	case KEY_STATUS:
		a->status = 1;
		return 0;
	case ARGP_KEY_INIT:
		a->options = none;
		return 0;
	case ARGP_KEY_ARG:
		if (a->run)
			return ARGP_ERR_UNKNOWN;
		a->run = arg;
		return 0;
	case ARGP_KEY_ARGS:
		a->options = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which run? `hugebench plan` makes one");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The run as its files say; nothing is locked, for nothing is changed. */
static int run_read(const struct slurm_args *a, struct store *s, json_t **plan, struct hb_error *e)
{
	HB_FREE char *given = a->results ? strdup(a->results) : paths_results(e);
	HB_FREE char *results = given ? realpath(given, NULL) : NULL;
	int rc = store_name_check(a->run, e);

	if (rc)
		return rc;
	if (!results)
		return hb_error_set(e, -ENOENT, "cannot read %s: %s", given ? given : "results/",
				    strerror(errno));
	s->name = strdup(a->run);
	s->dir = hb_strf("%s/%s", results, a->run);
	if (!s->name || !s->dir)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (access(s->dir, F_OK))
		return hb_error_set(e, -ENOENT, "there is no run %s in %s", a->run, results);
	*plan = store_read(s, "plan.json", e);
	if (!*plan)
		return -ENOENT;
	return plan_blocks(*plan) ? 0
				  : hb_error_set(e, -EINVAL,
						 "the plan of run %s has no blocks; an earlier "
						 "hugebench made it",
						 a->run);
}

static char *script_make(const struct slurm_args *a, const struct store *s, const json_t *plan,
			 int *rc, struct hb_error *e)
{
	HB_FREE char *hugebench = paths_beside("hugebench");
	HB_FREE char *results = strndup(s->dir, strrchr(s->dir, '/') - s->dir);
	json_t *costs = costs_load();
	struct slurm_terms t = {hugebench, results, a->run, a->options, plan, costs, s};
	char *script = NULL;

	*rc = hugebench && results && costs ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	if (!*rc)
		script = slurm_script(&t, rc, e);
	json_decref(costs);
	return script;
}

static int submit(const struct store *s, const char *script, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/" SCRIPT, s->dir);
	char *argv[] = {(char *)"sh", path, NULL};
	char *probe[] = {(char *)"sh", (char *)"-c", (char *)"command -v sbatch >/dev/null", NULL};
	int rc = path ? hb_file_write_atomic(path, script, strlen(script)) : -ENOMEM;

	if (rc)
		return hb_error_set(e, -EIO, "cannot write %s: %s", path ? path : SCRIPT,
				    strerror(-rc));
	if (child_do(probe, -1))
		return hb_error_set(e, -ENODEV,
				    "there is no sbatch here; go to a machine that submits to the "
				    "cluster, or apt-get install slurm-client. The script is %s",
				    path);
	rc = child_do(argv, -1);
	return rc ? hb_error_set(e, -EIO, "sbatch refused it (exit status %d); the script is %s",
				 rc, path)
		  : 0;
}

/* "1,2,3\\n4,5,6\\n": one list of all. */
static int show_status(const struct store *s, const json_t *plan, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/" JOBS, s->dir);
	HB_FREE char *jobs = NULL;
	char *queue[] = {(char *)"squeue", (char *)"--array", (char *)"--jobs", NULL, NULL};
	char *past[] = {(char *)"sacct", (char *)"-X", (char *)"--jobs", NULL, NULL};

	printf("%s: %u of %u blocks are done\n", s->name,
	       plan_blocks(plan) - slurm_blocks_left(plan, s, NULL, 0), plan_blocks(plan));
	if (!path || hb_file_read(path, &jobs, NULL))
		return hb_error_set(e, -ENOENT, "run %s was not submitted from here", s->name);
	for (char *c = jobs; (c = strchr(c, '\n'));)
		*c = c[1] ? ',' : 0;
	queue[3] = past[3] = jobs;
	fflush(stdout);
	/* Neither knows a job for ever; what they have to say of that goes to stderr. */
	child_do(queue, -1);
	child_do(past, -1);
	return 0;
}

static int carry_out(const struct slurm_args *a, struct hb_error *e)
{
	struct store s = {.lock = -1};
	HB_FREE char *script = NULL;
	json_t *plan = NULL;
	int rc = run_read(a, &s, &plan, e);

	if (!rc && a->status)
		rc = show_status(&s, plan, e);
	else if (!rc)
		script = script_make(a, &s, plan, &rc, e);
	if (script && a->dry_run)
		fputs(script, stdout);
	else if (script)
		rc = submit(&s, script, e);
	json_decref(plan);
	store_close(&s);
	return rc;
}

int cmd_slurm(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "RUN [-- OPTION OF SBATCH...]",
		.doc = "Have a cluster carry out the planned run RUN: a job builds kernels and "
		       "image, an array of jobs does the blocks that are missing, each on a node "
		       "of "
		       "its own, and one merges and reports.\v"
		       "The run's directory, hugebench and the cache (XDG_CACHE_HOME) must be on "
		       "what all nodes see. The script is kept as RUN/slurm.sh, logs in "
		       "RUN/slurm/. "
		       "Blocks that were killed or lost are done by the same command again.\n"
		       "Exit status: 0; 2 bad usage, no such run, or nothing left to do; 3 no "
		       "sbatch, or it refused.",
	};
	struct slurm_args a = {.run = NULL};
	struct hb_error e = {""};
	int rc;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a))
		return EXIT_USAGE;
	rc = carry_out(&a, &e);
	if (!rc)
		return EXIT_OK;
	fprintf(stderr, "hugebench: %s\n", e.text);
	return rc == -EINVAL || rc == -ENOENT || rc == -EEXIST ? EXIT_USAGE : EXIT_HOST;
}
