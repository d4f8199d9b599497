// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench oracle`: does fault x migrate x punch x memory failure deadlock? Fresh boots until a
 * budget is spent; then the hang with its chain, or how rare it must be for not having been seen.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result/rarity.h"
#include "bench/commands/commands.h"
#include "bench/commands/evidence.h"
#include "bench/commands/own_run.h"

#define LEVEL 0.95

struct oracle_args {
	struct own_run_args run;
	char repeat[48];
};

static const struct argp_option options[] = {
	{"boots", 'n', "N", 0, "boots per kernel (default: as many as the time allows)", 0},
	{"budget", 'b', "TIME", 0, "time for all boots, e.g. 20m (default: 10m)", 0},
	{"mode", 'm', "MODE", 0,
	 "exact: search over seeds, each a schedule that can be replayed (default: what runs "
	 "vCPUs at the same time)",
	 0},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct oracle_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->run;
		return 0;
	case 'n':
		snprintf(a->repeat, sizeof(a->repeat), "repeat=%s", arg);
		a->run.options[0] = a->repeat;
		return 0;
	case 'b':
		a->run.budget = arg;
		return 0;
	case 'm':
		a->run.mode = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What one kernel showed. */
struct outcome {
	const char *kernel;
	unsigned int boots, hangs;     /* boots that say something: OK, DIRTY or HANG */
	unsigned int other;	       /* PANIC, INVALID, ...: the mix did not run to its end */
	double exposure;	       /* s in which a hang would have been seen */
	double host;		       /* s of the host that these boots took */
	const struct load_cell *first; /* hang; in mode exact the one of the smallest seed */
};

static void take(struct outcome *o, const struct load_cell *c, bool exact)
{
	double seconds = (isnan(c->measure_ns) ? 0 : c->measure_ns) / 1e9 +
			 (isnan(c->warmup_ns) ? 0 : c->warmup_ns) / 1e9;

	if (c->verdict != CELL_OK && c->verdict != CELL_DIRTY && c->verdict != CELL_HANG) {
		o->other++;
		return;
	}
	o->boots++;
	o->exposure += seconds;
	o->host += isnan(c->total_ns) ? 0 : c->total_ns / 1e9;
	if (c->verdict != CELL_HANG)
		return;
	o->hangs++;
	if (!o->first || (exact && c->seed < o->first->seed))
		o->first = c;
}

/* In mode exact a boot is a schedule, which its seed decides. */
static void print_schedules(const struct outcome *o, const char *run)
{
	double most = rarity_probability(o->hangs, o->boots, LEVEL);

	if (!o->boots)
		printf("%s: no schedule came to its end\n", o->kernel);
	else if (o->hangs)
		printf("%s: HANG in %u of %u schedules, the smallest seed %" PRIu64 ":\n"
		       "  hugebench replay %s %s\n",
		       o->kernel, o->hangs, o->boots, o->first->seed, run, o->first->id);
	else
		printf("%s: not seen in %u schedules; with 95 %% confidence in less than %.3g %% "
		       "of them\n",
		       o->kernel, o->boots, 100 * most);
	if (o->boots && o->host > 0)
		printf("  %.0f schedules per hour and CPU of this host\n",
		       o->boots / (o->host / 3600));
}

static void print_boots(const struct outcome *o)
{
	double per_boot = rarity_probability(o->hangs, o->boots, LEVEL);
	double per_hour = rarity_rate(o->hangs, o->exposure / 3600, LEVEL);

	if (!o->boots)
		printf("%s: no boot ran the mix to its end\n", o->kernel);
	else if (o->hangs)
		printf("%s: HANG in %u of %u boots, the first in %s\n", o->kernel, o->hangs,
		       o->boots, o->first->id);
	else
		printf("%s: not seen in %u boots of %.0f s; with 95 %% confidence fewer than %.3g "
		       "per hour of this load, and in less than %.3g %% of such boots\n",
		       o->kernel, o->boots, o->exposure / o->boots, per_hour, 100 * per_boot);
}

static void print_outcome(const struct outcome *o, const struct load_run *run, bool exact)
{
	if (exact)
		print_schedules(o, run->name);
	else
		print_boots(o);
	if (o->other)
		printf("  %u further boot%s ended in another verdict and are not counted\n",
		       o->other, o->other == 1 ? "" : "s");
	if (o->first)
		evidence_print(o->first);
}

static int outcome_compare(const void *a, const void *b)
{
	return strcmp(((const struct outcome *)a)->kernel, ((const struct outcome *)b)->kernel);
}

static int evaluate(const struct load_run *run, struct hb_error *e)
{
	HB_FREE struct outcome *o = calloc(run->ncells + 1, sizeof(*o));
	bool exact = !strcmp(run->mode, "exact");
	size_t n = 0;

	if (!o)
		return hb_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_cell *c = &run->cells[i];
		size_t k = 0;

		if (c->warmup_boot)
			continue;
		while (k < n && strcmp(o[k].kernel, c->kernel))
			k++;
		if (k == n)
			o[n++].kernel = c->kernel;
		take(&o[k], c, exact);
	}
	qsort(o, n, sizeof(*o), outcome_compare);
	for (size_t k = 0; k < n; k++)
		print_outcome(&o[k], run, exact);
	return 0;
}

int cmd_oracle(int argc, char **argv)
{
	static const struct argp common = {.options = own_run_options, .parser = own_run_parse};
	static const struct argp_child children[] = {{.argp = &common}, {0}};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Looks for a deadlock of page faults, migration, hole punch and memory "
		       "failure.",
		.children = children,
	};
	struct oracle_args a = {.repeat = ""};

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	if (!*a.run.options && !a.run.budget)
		a.run.budget = "10m";
	return own_run_show(&a.run, "oracle", evaluate);
}
