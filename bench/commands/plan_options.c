// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/units.h"
#include "bench/commands/commands.h"
#include "bench/commands/plan_options.h"
#include "bench/host/kernel_place.h"

#define JOBS_MAX 1024

enum {
	KEY_MODE = 256,
	KEY_BUDGET,
	KEY_NAME,
	KEY_RESULTS,
	KEY_AGENT,
	KEY_MIXED,
};

static const struct argp_option options[] = {
	{"scenario", 's', "FILE|NAME", 0, "what to measure (`hugebench list` shows the names)", 0},
	{"option", 'o', "KEY=VALUE", 0,
	 "change the scenario: a key of [scenario], CELL:KEY of one cell, or KEY of every cell "
	 "that has it; may be repeated",
	 0},
	{"cells", 'c', "A,B", 0, "only these cells; shell patterns, e.g. 'faults-*'", 0},
	{"kernels", 'k', "A,B", 0,
	 "variants or places (~/linux@v6.6, /boot/vmlinuz-...) to compare, the reference first", 0},
	{"mode", KEY_MODE, "M", 0, "auto, parallel, kvm, emulated, native or exact", 0},
	{"budget", KEY_BUDGET, "TIME", 0,
	 "choose the number of boots so that the run takes at most this long, e.g. 20m (the "
	 "default where the scenario names no number)",
	 0},
	{"jobs", 'j', "N", 0,
	 "boots side by side (default: in mode exact as many as there are CPUs and memory for; "
	 "else 1)",
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

static error_t parse(int key, char *arg, struct argp_state *state)
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

const struct argp plan_options_argp = {.options = options, .parser = parse};

int plan_exit_status(int rc)
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
	return plan_exit_status(rc);
}

int plan_usage_check(const struct run_args *a)
{
	struct hb_error e = {""};

	if (a->scenario && (!a->name || !store_name_check(a->name, &e)))
		return 0;
	fprintf(stderr, "hugebench: %s\n",
		a->scenario ? e.text
			    : "no scenario; give -s NAME (`hugebench list` shows the names)");
	return -EINVAL;
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
