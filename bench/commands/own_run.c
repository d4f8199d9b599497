// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "bench/commands/commands.h"
#include "bench/commands/own_run.h"

#define ARGV_MAX (16 + 2 * OWN_RUN_OPTIONS)

const struct argp_option own_run_options[] = {
	{"scenario", 's', "FILE|NAME", 0, "another scenario of the same kind", 0},
	{"kernels", 'k', "A,B", 0, "only these kernels", 0},
	{"cells", 'c', "A,B", 0, "only these cells; shell patterns", 0},
	{"show", 'S', "RUN", 0, "print an existing run, run nothing", 0},
	{0}};

error_t own_run_parse(int key, char *arg, struct argp_state *state)
{
	struct own_run_args *a = state->input;

	switch (key) {
	case 's':
		a->scenario = arg;
		return 0;
	case 'k':
		a->kernels = arg;
		return 0;
	case 'c':
		a->cells = arg;
		return 0;
	case 'S':
		a->show = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': no argument is wanted", arg);
		return EINVAL;
	case ARGP_KEY_END:
		if (a->show &&
		    (a->scenario || a->kernels || a->cells || a->budget || *a->options || a->mode))
			argp_error(state, "--show prints a run as it is; leave the others out");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void name_make(const char *prefix, char *name, size_t len)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	snprintf(name, len, "%s-%s", prefix, stamp);
}

static void add(char **argv, int *argc, const char *key, const char *value)
{
	if (!value)
		return;
	argv[(*argc)++] = (char *)key;
	argv[(*argc)++] = (char *)value;
}

/* Have stdout go nowhere; the descriptor that puts it back, or -1. */
static int stdout_silence(void)
{
	HB_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int saved;

	fflush(stdout);
	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (saved >= 0 && null >= 0)
		dup2(null, STDOUT_FILENO);
	return saved;
}

static void stdout_restore(int saved)
{
	fflush(stdout);
	if (saved < 0)
		return;
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

/* Make a run; *@run is its name. Returns the exit status of cmd_run(). */
static int make_run(const struct own_run_args *a, const char *name, char *run, size_t len)
{
	char *argv[ARGV_MAX] = {(char *)"hugebench run"};
	int argc = 1, saved, status;

	name_make(name, run, len);
	add(argv, &argc, "--name", run);
	add(argv, &argc, "-s", a->scenario ? a->scenario : name);
	add(argv, &argc, "-k", a->kernels);
	add(argv, &argc, "-c", a->cells);
	add(argv, &argc, "--budget", a->budget);
	for (size_t i = 0; i < OWN_RUN_OPTIONS; i++)
		add(argv, &argc, "-o", a->options[i]);
	add(argv, &argc, "--mode", a->mode);
	saved = stdout_silence();
	status = cmd_run(argc, argv);
	stdout_restore(saved);
	return status;
}

static int show_run(const char *name, own_run_print print)
{
	struct hb_error e = {.text = ""};
	struct load_run *run = NULL;
	int rc = load_open(name, &run, &e);

	if (!rc)
		rc = print(run, &e);
	load_free(run);
	if (rc >= 0)
		return rc ? EXIT_CELLS : EXIT_OK;
	fprintf(stderr, "hugebench: %s\n", e.text);
	return EXIT_USAGE;
}

int own_run_show(const struct own_run_args *a, const char *name, own_run_print print)
{
	int status, shown;
	char run[64];

	if (a->show)
		return show_run(a->show, print);
	status = make_run(a, name, run, sizeof(run));
	if (status != EXIT_OK && status != EXIT_CELLS)
		return status;
	shown = show_run(run, print);
	return shown == EXIT_OK ? status : shown;
}
