// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench bisect`: `git bisect run` on a bare clone that shares the tree's objects, so that the
 * tree stays as it is. The judge is this command again, with --judge.
 */
#include <argp.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/build/cache.h"
#include "bench/build/gittree.h"
#include "bench/commands/bisect_step.h"
#include "bench/commands/commands.h"
#include "bench/host/child.h"
#include "bench/host/paths.h"

#define GIT_ONLY_SKIPPED 2 /* exit status of git bisect run */

enum {
	KEY_JUDGE = 256,
	KEY_BETWEEN,
};

struct bisect_args {
	struct bisect step;
	const char *good, *bad; /* as given */
	const char *judge;	/* --judge: be one step of the search */
	const char *between;	/* GOOD:BAD figures, for the judge */
};

static const struct argp_option options[] = {
	{"scenario", 's', "FILE|NAME", 0, "what to measure; of mode exact one boot decides a step",
	 0},
	{"metric", 'm', "FIGURE", 0,
	 "the figure, as the report calls it: 'faults-4 fault_latency.p99', or without the cell",
	 0},
	{"cells", 'c', "A,B", 0, "only these cells; shell patterns", 0},
	{"option", 'o', "KEY=VALUE", 0, "change the scenario, such as repeat=1; may be repeated",
	 0},
	{"tree", 't', "DIR", 0,
	 "the git tree, or a directory in it (default: the working directory)", 0},
	{"judge", KEY_JUDGE, "LOG", OPTION_HIDDEN, NULL, 0},
	{"between", KEY_BETWEEN, "GOOD:BAD", OPTION_HIDDEN, NULL, 0},
	{0}};

static error_t take_commit(struct bisect_args *a, char *arg, struct argp_state *state)
{
	if (a->bad)
		argp_error(state, "'%s': GOOD and BAD are all that is wanted", arg);
	else if (a->good)
		a->bad = arg;
	else
		a->good = arg;
	return 0;
}

static error_t take_option(struct bisect *b, const char *arg, struct argp_state *state)
{
	for (size_t i = 0; i < OWN_RUN_OPTIONS; i++)
		if (!b->options[i]) {
			b->options[i] = arg;
			return 0;
		}
	argp_error(state, "-o %s: %d options are taken, no more", arg, OWN_RUN_OPTIONS);
	return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bisect_args *a = state->input;

	switch (key) {
	case 's':
		a->step.scenario = arg;
		return 0;
	case 'm':
		a->step.figure = arg;
		return 0;
	case 'c':
		a->step.cells = arg;
		return 0;
	case 'o':
		return take_option(&a->step, arg, state);
	case 't':
		a->step.tree = arg;
		return 0;
	case KEY_JUDGE:
		a->judge = arg;
		return 0;
	case KEY_BETWEEN:
		a->between = arg;
		return 0;
	case ARGP_KEY_ARG:
		return take_commit(a, arg, state);
	case ARGP_KEY_END:
		if (!a->step.scenario || !a->step.figure || (!a->judge && !a->bad))
			argp_error(state, "-s, -m, GOOD and BAD are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* "abc123 subject" of @commit; owned by the caller. */
static char *title(const char *tree, const char *commit)
{
	char *argv[] = {"git", "log", "-1", "--format=%h %s", (char *)commit, NULL};
	char *text = NULL;

	return git_ask(tree, argv, &text, NULL) ? strdup(commit) : text;
}

static void print_step(const char *tree, const char *commit, const char *verdict, const char *text)
{
	HB_FREE char *line = title(tree, commit);

	printf("%-5s %12s  %.72s\n", verdict, text, line ? line : commit);
	fflush(stdout);
}

static void print_figure(const char *tree, const char *commit, const char *verdict, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", value);
	print_step(tree, commit, verdict, text);
}

/* --judge: measure the commit that git bisect points at; which of the two figures is nearer? */
static int judge(struct bisect_args *a)
{
	char *argv[] = {"git", "rev-parse", "BISECT_HEAD", NULL};
	HB_FREE char *commit = NULL;
	struct hb_error e = {.text = ""};
	enum bisect_status status = BISECT_STOP;
	double good, bad, value;

	a->step.log = a->judge;
	if (!a->between || sscanf(a->between, "%lf:%lf", &good, &bad) != 2)
		hb_error_set(&e, -EINVAL, "--between is wrong");
	else if (!git_ask(getenv("GIT_DIR"), argv, &commit, &e))
		status = bisect_measure(&a->step, commit, &value, &e);
	if (status != BISECT_GOOD) {
		fprintf(stderr, "hugebench bisect: %s\n", e.text);
		if (status == BISECT_SKIP)
			print_step(a->step.tree, commit, "skip", "-");
		return status;
	}
	if (fabs(value - bad) < fabs(value - good))
		status = BISECT_BAD;
	print_figure(a->step.tree, commit, status == BISECT_BAD ? "bad" : "good", value);
	return status;
}

static int commit_of(const char *tree, const char *name, char **commit, struct hb_error *e)
{
	HB_FREE char *what = hb_strf("%s^{commit}", name);
	char *argv[] = {"git", "rev-parse", "--verify", what, NULL};
	int rc = what ? git_ask(tree, argv, commit, e) : -ENOMEM;

	return rc ? hb_error_prefix(e, -EINVAL, "%s", name) : 0;
}

/* The top of the git tree that @given (NULL: the working directory) is in. */
static int find_tree(const char *given, char **tree, struct hb_error *e)
{
	char *argv[] = {"git", "rev-parse", "--show-toplevel", NULL};
	HB_FREE char *path = realpath(given ? given : ".", NULL);
	int rc =
		path ? 0 : hb_error_set(e, -EINVAL, "%s: %s", given ? given : ".", strerror(errno));

	if (rc)
		return rc;
	if (git_is_tree(path))
		*tree = HB_STEAL(path);
	else if (git_ask(path, argv, tree, e))
		return -EINVAL;
	return strchr(*tree, ',')
		       ? hb_error_set(e, -EINVAL, "%s: a comma in its name parts names of kernels",
				      *tree)
		       : 0;
}

/* Whoever has the ends the wrong way round hears it before kernels are built. */
static int check_order(const char *tree, char *const commits[2], struct hb_error *e)
{
	char *argv[] = {"git", "merge-base", "--is-ancestor", commits[1], commits[0], NULL};

	return git_ask(tree, argv, NULL, NULL)
		       ? 0
		       : hb_error_set(e, -EINVAL,
				      "BAD is not later than GOOD, but one of its ancestors; to "
				      "find what mended something, call the later one BAD all the "
				      "same");
}

static int make_clone(const char *tree, const char *clone, struct hb_error *e)
{
	char *argv[] = {"git",	  "clone",	"-q",	       "--shared",
			"--bare", (char *)tree, (char *)clone, NULL};
	int rc = hb_remove_all(clone);

	if (rc)
		return hb_error_set(e, rc, "cannot remove %s: %s", clone, strerror(-rc));
	return git_ask(tree, argv, NULL, e);
}

/* Measure the two ends; they must differ. */
static int measure_ends(const struct bisect *b, char *const commits[2], double ends[2],
			struct hb_error *e)
{
	static const char *const names[] = {"good", "bad"};

	for (int i = 0; i < 2; i++) {
		if (bisect_measure(b, commits[i], &ends[i], e) != BISECT_GOOD)
			return hb_error_prefix(e, -EIO, "the %s commit has no figure", names[i]);
		print_figure(b->tree, commits[i], names[i], ends[i]);
	}
	if (ends[0] != ends[1])
		return 0;
	return hb_error_set(e, -EINVAL, "%s is %.6g at both ends: there is nothing to look for",
			    b->figure, ends[0]);
}

/* Our own lines of what git bisect and the judges print; of git's, why it cannot go on. */
static void pass_on(void *arg, const char *line)
{
	static const char *const ours[] = {"good ",	     "bad  ",	"skip ",
					   "hugebench",	     "kernel ", "The merge base ",
					   "This means the "};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strncmp(line, ours[i], strlen(ours[i]))) {
			puts(line);
			fflush(stdout);
		}
}

static void add(char **argv, size_t *n, const char *key, const char *value)
{
	if (!value)
		return;
	argv[(*n)++] = (char *)key;
	argv[(*n)++] = (char *)value;
}

static int search(const struct bisect *b, const char *clone, char *const commits[2],
		  const double ends[2], struct hb_error *e)
{
	/* The judges stay in the working directory: a scenario may be named from there. */
	HB_FREE char *where = hb_strf("GIT_DIR=%s", clone);
	HB_FREE char *between = hb_strf("%.17g:%.17g", ends[0], ends[1]);
	HB_FREE char *self = realpath("/proc/self/exe", NULL);
	char *start[] = {"git", "bisect", "start", "--no-checkout", commits[1], commits[0], NULL};
	char *argv[24 + 2 * OWN_RUN_OPTIONS] = {"git", "bisect", "run", self, "bisect"};
	const char *env[] = {where, NULL};
	const struct child c = {.env = env};
	size_t n = 5;
	int rc;

	if (!between || !self || !where)
		return hb_error_set(e, -ENOMEM, "no memory");
	add(argv, &n, "--judge", b->log);
	add(argv, &n, "--between", between);
	add(argv, &n, "-s", b->scenario);
	add(argv, &n, "-m", b->figure);
	add(argv, &n, "-c", b->cells);
	for (size_t i = 0; i < OWN_RUN_OPTIONS; i++)
		add(argv, &n, "-o", b->options[i]);
	add(argv, &n, "-t", b->tree);
	rc = git_ask(clone, start, NULL, e);
	if (rc)
		return rc;
	/* Programs of git's own stand between us and the judges. */
	rc = child_run_all(&c, argv, pass_on, NULL);
	return rc < 0 ? hb_error_set(e, rc, "git: %s", strerror(-rc)) : rc;
}

/* The commit that git bisect ended at, and by what the figure changed there. */
static int print_end(const struct bisect *b, const char *clone, const char *good,
		     struct hb_error *e)
{
	char *bad_argv[] = {"git", "rev-parse", "--verify", "refs/bisect/bad", NULL};
	HB_FREE char *bad = NULL, *parent = NULL, *before_name = NULL, *line = NULL;
	double before = NAN, after = NAN;
	int rc = git_ask(clone, bad_argv, &bad, e);

	if (rc)
		return rc;
	before_name = hb_strf("%s^", bad);
	if (before_name && !commit_of(b->tree, before_name, &parent, NULL))
		bisect_find(b->log, parent, &before);
	if (isnan(before))
		bisect_find(b->log, good, &before);
	bisect_find(b->log, bad, &after);
	line = title(b->tree, bad);
	printf("\nfirst bad commit: %.72s\n%s: %.6g before, %.6g after (%+.3g%%)\n",
	       line ? line : bad, b->figure, before, after, 100 * (after / before - 1));
	return 0;
}

/* What is left when no other commit of it has a figure. */
static void print_candidates(const char *clone)
{
	char *argv[] = {"git",
			"log",
			"--format=  %h %s",
			"refs/bisect/bad",
			"--not",
			"--glob=refs/bisect/good-*",
			NULL};
	HB_FREE char *text = NULL;

	if (!git_ask(clone, argv, &text, NULL))
		printf("\nthe first bad commit is one of these:\n%s\n", text);
	fflush(stdout);
}

static int bisect_all(struct bisect_args *a, struct hb_error *e)
{
	HB_FREE char *cache = paths_cache(e), *clone = NULL, *log = NULL, *tree = NULL;
	HB_CLOSE int lock = -1;
	char *commits[2] = {NULL};
	double ends[2];
	int rc = cache ? cache_lock(cache, "bisect", &lock, e) : -ENOENT;

	if (rc)
		return rc;
	clone = hb_strf("%s/bisect/tree.git", cache);
	log = hb_strf("%s/bisect/figures", cache);
	if (!clone || !log)
		return hb_error_set(e, -ENOMEM, "no memory");
	rc = find_tree(a->step.tree, &tree, e);
	if (!rc)
		rc = commit_of(tree, a->good, &commits[0], e);
	if (!rc)
		rc = commit_of(tree, a->bad, &commits[1], e);
	if (!rc)
		rc = check_order(tree, commits, e);
	/* Of one that was killed. */
	unlink(log);
	if (!rc)
		rc = make_clone(tree, clone, e);
	a->step.tree = tree;
	a->step.log = log;
	if (!rc)
		rc = measure_ends(&a->step, commits, ends, e);
	if (!rc)
		rc = search(&a->step, clone, commits, ends, e);
	if (!rc)
		rc = print_end(&a->step, clone, commits[0], e);
	if (rc == GIT_ONLY_SKIPPED)
		print_candidates(clone);
	if (rc > 0)
		rc = hb_error_set(e, -EIO, "the search did not come to an end");
	free(commits[0]);
	free(commits[1]);
	unlink(log);
	hb_remove_all(clone);
	return rc;
}

static const char doc[] = "Find the commit between GOOD and BAD that changed a figure, by git "
			  "bisect run on a git tree. "
			  "The tree is not touched.\v"
			  "GOOD and BAD are measured first; each commit in between is bad when its "
			  "figure is nearer to "
			  "that of BAD. Commits that do not build, or whose boot ends without the "
			  "figure, are skipped. In "
			  "mode exact every boot has the same digits, so that one decides: -o "
			  "repeat=1. The runs stay in "
			  "results/.";

int cmd_bisect(int argc, char **argv)
{
	const struct argp argp = {options, parse, "GOOD BAD", doc, NULL, NULL, NULL};
	struct bisect_args a = {.good = NULL};
	struct hb_error e = {.text = ""};
	int rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	if (a.judge)
		return judge(&a);
	rc = bisect_all(&a, &e);
	if (!rc)
		return EXIT_OK;
	fprintf(stderr, "hugebench bisect: %s\n", e.text);
	return rc == -EINVAL ? EXIT_USAGE : EXIT_HOST;
}
