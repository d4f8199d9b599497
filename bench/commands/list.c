// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench list`: what there is to choose from, out of the same tables that check a scenario. */
#include <argp.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/commands/commands.h"
#include "bench/scenario/describe.h"
#include "bench/build/kernel.h"
#include "bench/host/paths.h"
#include "bench/scenario/spec.h"

static void print_kernels(void)
{
	json_t *list = kernel_list(), *k;
	size_t i;

	puts("Kernels (--kernels A,B)");
	json_array_foreach (list, i, k)
		printf("  %-16s %s%s\n", json_text(k, "name"), json_text(k, "description"),
		       json_is_true(json_object_get(k, "cached")) ? " [built]" : "");
	json_decref(list);
}

/* "1G [2M .. 64G]" or "shared [shared|private]" */
static void format_values(const json_t *option, char *buf, size_t len)
{
	const json_t *choices = json_object_get(option, "choices"), *c;
	const char *min = json_text(option, "min"), *max = json_text(option, "max");
	const char *dflt = json_text(option, "default");
	size_t i;

	snprintf(buf, len, "%s", *dflt ? dflt : "\"\"");
	if (*min || *max)
		snprintf(buf + strlen(buf), len - strlen(buf), " [%s .. %s]", min, max);
	json_array_foreach (choices, i, c)
		snprintf(buf + strlen(buf), len - strlen(buf), "%s%s%s", i ? "|" : " [",
			 json_string_value(c), i + 1 == json_array_size(choices) ? "]" : "");
}

static void print_options(const json_t *options)
{
	const json_t *option;
	size_t i;

	json_array_foreach (options, i, option) {
		char values[256];

		format_values(option, values, sizeof(values));
		printf("      %-18s %-28s %s\n", json_text(option, "name"), values,
		       json_text(option, "help"));
	}
}

static void print_metrics(const json_t *metrics)
{
	const json_t *metric;
	size_t i;

	json_array_foreach (metrics, i, metric)
		printf("      %-18s %-6s %-21s %s%s\n", json_text(metric, "name"),
		       json_text(metric, "unit"), json_text(metric, "better"),
		       json_is_true(json_object_get(metric, "primary")) ? "* " : "  ",
		       json_text(metric, "help"));
}

static void print_needs(const json_t *needs)
{
	const json_t *symbol;
	size_t i;

	if (json_array_size(needs))
		fputs("    needs:", stdout);
	json_array_foreach (needs, i, symbol)
		printf(" %s", json_string_value(symbol));
	if (json_array_size(needs))
		putchar('\n');
}

static void print_workloads(const json_t *workloads, const char *title, bool antagonists)
{
	const json_t *w;
	size_t i;

	printf("\n%s\n", title);
	json_array_foreach (workloads, i, w) {
		if (describe_is_antagonist(w) != antagonists)
			continue;
		printf("  %s: %s\n", json_text(w, "name"), json_text(w, "summary"));
		print_needs(json_object_get(w, "needs"));
		if (json_array_size(json_object_get(w, "options")))
			puts("    options: default [allowed]");
		print_options(json_object_get(w, "options"));
		if (json_array_size(json_object_get(w, "metrics")))
			puts("    metrics: unit, better (* in every table)");
		print_metrics(json_object_get(w, "metrics"));
	}
}

static int print_scenario(const char *name, const json_t *workloads)
{
	struct hb_error e = {""};
	HB_FREE char *path = spec_find(name, &e);
	struct spec spec = {0};
	int rc = path ? spec_load(path, workloads, NULL, SPEC_VCPUS, &spec, &e) : -ENOENT;

	if (rc) {
		printf("  %s: not usable: %s\n", name, e.text);
	} else {
		printf("  %s: %s\n    cells:", name, spec.scenario.description);
		for (size_t i = 0; i < spec.ncells; i++)
			printf(" %s", spec.cells[i].name);
		putchar('\n');
	}
	spec_free(&spec);
	return rc;
}

static int print_scenarios(const json_t *workloads, struct hb_error *e)
{
	HB_FREE char *root = paths_root(e);
	HB_FREE char *dir = root ? hb_strf("%s/workloads/scenarios", root) : NULL;
	struct dirent **entries;
	int n = dir ? scandir(dir, &entries, NULL, alphasort) : -1;

	if (n < 0)
		return dir ? hb_error_set(e, -errno, "cannot read %s: %s", dir, strerror(errno))
			   : -ENODEV;
	puts("\nScenarios (-s NAME)");
	for (int i = 0; i < n; i++) {
		size_t len = strlen(entries[i]->d_name);

		if (len > 4 && !strcmp(entries[i]->d_name + len - 4, ".ini")) {
			entries[i]->d_name[len - 4] = 0;
			print_scenario(entries[i]->d_name, workloads);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static void print_keys(void)
{
	json_t *scenario = option_describe(spec_scenario_rows);

	puts("\nKeys of [scenario] (-o KEY=VALUE)");
	print_options(scenario);
	puts("  Keys of [cell NAME] (-o NAME:KEY=VALUE): workload, antagonists, tasks, "
	     "WORKLOAD.tasks,\n"
	     "      WORKLOAD.OPTION, sweep.KEY = v1, v2, expect.KERNEL = VERDICT, and of the above "
	     "warmup,\n"
	     "      measure, interval, stall, deadline, work");
	json_decref(scenario);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **agent = state->input;

	switch (key) {
	case 'a':
		*agent = arg;
		return 0;
	case ARGP_KEY_ARG:
		fprintf(stderr, "hugebench: list takes no '%s'\n", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{"agent", 'a', "FILE", 0, "the agent to ask (default: beside hugebench)", 0}, {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Kernels, workloads, antagonists and scenarios, with options and metrics.",
};

int cmd_list(int argc, char **argv)
{
	const char *agent = NULL;
	HB_FREE char *beside = paths_beside("hugebench-agent");
	struct hb_error e = {""};
	json_t *workloads;
	int rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &agent))
		return EXIT_USAGE;
	if (!agent)
		agent = beside ? beside : "hugebench-agent";
	workloads = describe_agent(agent, &e);
	if (!workloads) {
		fprintf(stderr, "hugebench: %s\n", e.text);
		return EXIT_HOST;
	}
	print_kernels();
	print_workloads(workloads, "Workloads", false);
	print_workloads(workloads, "Antagonists", true);
	rc = print_scenarios(workloads, &e);
	print_keys();
	json_decref(workloads);
	if (rc)
		fprintf(stderr, "hugebench: %s\n", e.text);
	return rc ? EXIT_HOST : EXIT_OK;
}
