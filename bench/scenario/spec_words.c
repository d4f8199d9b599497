// SPDX-License-Identifier: GPL-2.0-or-later
/* What a scenario may say: the keys of its sections, names, lists, and the word that was meant. */
#include <ctype.h>
#include <stdlib.h>

#include "bench/base/json.h"
#include "bench/scenario/spec_read.h"

const char *const spec_modes[] = {"auto",   "parallel", "kvm",	 "emulated",
				  "native", "exact",	"metal", NULL};

/* @base: offset of the struct spec_timing that the rows fill. */
/* clang-format off */
#define TIMING_ROWS(base)                                                                          \
	{ "warmup", OPTION_DURATION, (base) + offsetof(struct spec_timing, warmup), "2s", "0", "1h",   \
	  NULL, "time that runs before the measured phase and is dropped" },                           \
	{ "measure", OPTION_DURATION, (base) + offsetof(struct spec_timing, measure), "8s", "100ms",   \
	  "24h", NULL, "length of the measured phase" },                                               \
	{ "interval", OPTION_DURATION, (base) + offsetof(struct spec_timing, interval), "1s", "50ms",  \
	  "1h", NULL, "an interval record and a progress figure this often" },                         \
	{ "stall", OPTION_DURATION, (base) + offsetof(struct spec_timing, stall), "20s", "1s", "1h",   \
	  NULL, "no progress of a task for this long is a HANG" },                                     \
	{ "deadline", OPTION_DURATION, (base) + offsetof(struct spec_timing, deadline), "0", "0",      \
	  "48h", NULL, "of the whole cell; 0: derived from the phases and the mode" },                 \
	{ "insn", OPTION_U64, (base) + offsetof(struct spec_timing, insn), "16000000", "100000",       \
	  "1000000000000", NULL,                                                                       \
	  "mode exact: length of the measured phase in instructions of each CPU" },                    \
	{ "turn", OPTION_U64, (base) + offsetof(struct spec_timing, turn), "200", "20", "1000000",     \
	  NULL,                                                                                        \
	  "mode exact: about as many instructions are a CPU's turn; of more than 8 CPUs 30 to 60" },   \
	{ "work", OPTION_U64, (base) + offsetof(struct spec_timing, work), "0", "0", "1000000000",     \
	  NULL, "operations per task, instead of phases: mode exact with one vCPU" }
/* clang-format on */

/* clang-format off */
#define OBSERVE_ROW(base)                                                                          \
	{ "observe", OPTION_STRING, base, "vmstat", NULL, NULL, NULL,                                  \
	  "what is read around the measured phase: vmstat, status, kprobes, locks, pmu; empty: nothing" }
/* clang-format on */

const struct option_row spec_scenario_rows[] = {
	{"description", OPTION_STRING, offsetof(struct spec_scenario, description), "", NULL, NULL,
	 NULL, "one line for `hugebench list`"},
	{"kernels", OPTION_STRING, offsetof(struct spec_scenario, kernels), "base,hinode", NULL,
	 NULL, NULL, "variants or places to compare, the reference first"},
	{"repeat", OPTION_U64, offsetof(struct spec_scenario, repeat), "0", "0", "1000", NULL,
	 "fresh boots per cell and kernel; 0: as many as the budget holds"},
	TIMING_ROWS(offsetof(struct spec_scenario, timing)),
	{"memory", OPTION_SIZE, offsetof(struct spec_scenario, memory), "0", "0", "1T", NULL,
	 "of the guest; 0: from the host"},
	{"vcpus", OPTION_U64, offsetof(struct spec_scenario, vcpus), "0", "0", "254", NULL,
	 "of the guest; 0: from the host"},
	{"nodes", OPTION_U64, offsetof(struct spec_scenario, nodes), "2", "1", "8", NULL,
	 "NUMA nodes of the guest"},
	{"mode", OPTION_ENUM, offsetof(struct spec_scenario, mode), "auto", NULL, NULL, spec_modes,
	 "how it is measured; auto: kvm where it works, else exact, else emulated; parallel: kvm "
	 "where it works, else emulated"},
	OBSERVE_ROW(offsetof(struct spec_scenario, observe)),
	{"command_line", OPTION_STRING, offsetof(struct spec_scenario, command_line), "", NULL,
	 NULL, NULL,
	 "appended to the guest's kernel command line, the same for every arm; "
	 "mitigations=auto, for instance, where off is the rule"},
	{"control", OPTION_BOOL, offsetof(struct spec_scenario, control), "no", NULL, NULL, NULL,
	 "a second arm of the first kernel: what the method finds where nothing differs"},
	{"sequential", OPTION_BOOL, offsetof(struct spec_scenario, sequential), "no", NULL, NULL,
	 NULL,
	 "end as soon as every main figure has a verdict, with error control that allows for "
	 "looking"},
	{"warmup_boot", OPTION_BOOL, offsetof(struct spec_scenario, warmup_boot), "no", NULL, NULL,
	 NULL, "a first boot of every kernel that is not counted"},
	{"seed", OPTION_U64, offsetof(struct spec_scenario, seed), "0", "0", "4503599627370495",
	 NULL, "of the order and of the workloads; 0: a new one, recorded"},
	OPTION_END};

/* Defaults are not used: a cell starts from the scenario's values. */
const struct option_row spec_cell_rows[] = {TIMING_ROWS(offsetof(struct spec_cell, timing)),
					    OBSERVE_ROW(offsetof(struct spec_cell, observe)),
					    OPTION_END};

void spec_nearest_try(struct spec_nearest *n, const char *wanted, const char *candidate)
{
	unsigned int distance = option_name_distance(wanted, candidate);

	if (*n->name && distance >= n->distance)
		return;
	n->distance = distance;
	snprintf(n->name, sizeof(n->name), "%s", candidate);
}

const struct option_row *spec_row_find(const struct option_row *rows, const char *name)
{
	for (; rows->name; rows++)
		if (!strcmp(rows->name, name))
			return rows;
	return NULL;
}

int spec_split(const char *value, json_t **items, struct hb_error *e)
{
	HB_FREE char *copy = strdup(value);
	json_t *array = json_array();
	char *rest = copy, *item;
	int rc = copy && array ? 0 : -ENOMEM;

	while (!rc && (item = strsep(&rest, ","))) {
		item += strspn(item, " \t");
		for (size_t n = strlen(item); n && isspace((unsigned char)item[n - 1]); n--)
			item[n - 1] = 0;
		if (!*item)
			rc = hb_error_set(e, -EINVAL, "the list '%s' has an empty item", value);
		if (json_has_text(array, item))
			rc = hb_error_set(e, -EINVAL, "'%s' stands in the list twice", item);
		if (!rc && json_array_append_new(array, json_string(item)))
			rc = hb_error_set(e, -EINVAL, "the list is not UTF-8, or no memory");
	}
	if (rc) {
		json_decref(array);
		return rc;
	}
	*items = array;
	return 0;
}
