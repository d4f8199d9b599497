// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench replay`: a cell of mode exact once more. */
#include <argp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/commands/commands.h"
#include "bench/host/paths.h"
#include "bench/run/run.h"
#include "bench/run/workers.h"

#define MOVED_SHOWN 5
/* With a debugger there is none. */
#define NO_DEADLINE_S 1e9

struct replay {
	const char *run, *cell, *results;
	const char *kernel; /* NULL: the planned one */
	uint64_t gdb;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct replay *a = state->input;

	switch (key) {
	case 'k':
		a->kernel = arg;
		return 0;
	case 'g':
		if (hb_parse_u64(arg, &a->gdb) || !a->gdb || a->gdb > USHRT_MAX)
			argp_error(state, "--gdb %s: a port from 1 to %d is wanted", arg,
				   USHRT_MAX);
		return 0;
	case 'r':
		a->results = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			return ARGP_ERR_UNKNOWN;
		*(state->arg_num ? &a->cell : &a->run) = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->cell)
			argp_error(state, "which run, and which of its cells? A cell is named as "
					  "its directory in the run's cells/");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The boot of the plan; new reference, NULL with the reason. */
static json_t *find_boot(const struct run *r, const struct replay *a, struct hb_error *e)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *cell;
	size_t i;

	json_array_foreach (cells, i, cell) {
		json_t *boot;

		if (strcmp(json_text(cell, "id"), a->cell))
			continue;
		boot = plan_boot(r->plan, i);
		if (boot && a->gdb)
			json_object_set_new(boot, "deadline_s", json_real(NO_DEADLINE_S));
		return boot;
	}
	hb_error_set(e, -ENOENT, "the run %s has no cell '%s'", r->store.name, a->cell);
	return NULL;
}

static int kernel_other(const struct replay *a, const struct run *r, struct kernel *k,
			struct hb_error *e)
{
	int rc = kernel_resolve(a->kernel, k, e);

	return rc || !run_takes_turns(r) ? rc : kernel_exact(k, e);
}

/* Boot it in a directory of its own; *@cell is what became of it. */
static int boot_again(const struct run *r, const struct replay *a, json_t **cell,
		      struct hb_error *e)
{
	HB_FREE char *dir = NULL;
	json_t *planned = find_boot(r, a, e);
	struct kernel other = {0};
	struct run_boot b = {.planned = planned,
			     .interrupted = workers_interrupt_flag(),
			     .kernel = a->kernel ? &other : NULL,
			     .gdb = a->gdb};
	int rc = planned ? 0 : -ENOENT;

	if (!rc && a->kernel)
		rc = kernel_other(a, r, &other, e);
	if (!rc && !(dir = paths_temporary("replay", e)))
		rc = -EIO;
	if (!rc && a->gdb)
		fprintf(stderr,
			"hugebench: the guest waits for gdb: target remote 127.0.0.1:%llu, then "
			"continue\n",
			(unsigned long long)a->gdb);
	if (!rc)
		rc = run_measure(r, &b, dir, cell, e);
	if (!rc)
		printf("%s: %s %s\nits console and histograms: %s\n", a->cell,
		       json_text(*cell, "verdict"), json_text(*cell, "reason"), dir);
	kernel_free(&other);
	json_decref(planned);
	return rc;
}

/* How many figures of @was are others in @now; the first are named. */
static size_t count_moved(const json_t *was, const json_t *now)
{
	const json_t *list = json_object_get(was, "metrics"), *m;
	size_t i, moved = 0;

	json_array_foreach (list, i, m) {
		if (json_equal(m, json_array_get(json_object_get(now, "metrics"), i)))
			continue;
		if (moved++ < MOVED_SHOWN)
			printf("  %s.%s is another\n", json_text(m, "source"),
			       json_text(m, "name"));
	}
	return moved;
}

/* EXIT_OK when the cell ended as it did in the run, to the digit. */
static int same_again(const struct run *r, const struct replay *a, const json_t *now)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", a->cell);
	json_t *was = file ? store_read(&r->store, file, NULL) : NULL;
	bool same = json_equal(json_object_get(was, "verdict"), json_object_get(now, "verdict"));
	size_t figures = json_array_size(json_object_get(was, "metrics"));
	size_t moved = was ? count_moved(was, now) : 0;

	if (!was)
		printf("the run has not carried this cell out; nothing to compare with\n");
	else
		printf("in the run: %s %s; %zu of %zu figures are the same to the digit\n",
		       json_text(was, "verdict"), json_text(was, "reason"), figures - moved,
		       figures);
	json_decref(was);
	return same && !moved ? EXIT_OK : EXIT_CELLS;
}

static int replay(struct run *r, const struct replay *a, int *status, struct hb_error *e)
{
	json_t *cell = NULL;
	int rc = workers_signals(e);

	if (!rc)
		rc = run_open(r, e);
	if (!rc)
		rc = run_take_up(r, e);
	if (!rc && strcmp(r->mode, "exact"))
		rc = hb_error_set(e, -EINVAL,
				  "the run %s is of mode %s; only mode exact does the same again",
				  r->store.name, r->mode);
	if (!rc)
		rc = boot_again(r, a, &cell, e);
	if (!rc)
		*status = same_again(r, a, cell);
	json_decref(cell);
	return rc;
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"kernel", 'k', "NAME", 0,
		 "another kernel in the cell's place, for instance one with more checks", 0},
		{"gdb", 'g', "PORT", 0, "have the guest wait for gdb at this port, then obey it",
		 0},
		{"results", 'r', "DIR", 0, "where runs are (results/)", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "RUN CELL",
		.doc = "Boot a cell of a run in mode exact again: a hang, a panic, a warning "
		       "happens again at the same instruction.\v"
		       "Exit status: 0 as in the run, to the digit; 1 not so; 2 no such run or "
		       "cell; 3 the host lacks something."};
	struct replay a = {0};
	struct run r = {.args = {.block = RUN_WHOLE}};
	struct hb_error e = {""};
	int status = EXIT_OK, rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	r.args.name = a.run;
	r.args.results = a.results;
	rc = replay(&r, &a, &status, &e);
	run_close(&r);
	if (!rc)
		return status;
	fprintf(stderr, "hugebench replay: %s\n", e.text);
	return rc == -EINTR ? EXIT_INT : rc == -ENODEV || rc == -EIO ? EXIT_HOST : EXIT_USAGE;
}
