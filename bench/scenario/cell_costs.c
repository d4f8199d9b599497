// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/scenario/cell_costs.h"
#include "bench/host/paths.h"

/* "KERNEL/pmdshare+truncate", owned by the caller. */
static char *cost_key(const json_t *planned)
{
	const json_t *spec = json_object_get(planned, "spec"), *in;
	char *key = hb_strf("%s/", json_text(planned, "kernel"));
	size_t i;

	json_array_foreach (json_object_get(spec, "instances"), i, in) {
		char *longer = key ? hb_strf("%s%s%s", key, i ? "+" : "", json_text(in, "workload"))
				   : NULL;

		hb_cleanup_free(&key);
		key = longer;
	}
	return key;
}

static double phase_seconds(const json_t *planned, const char *key)
{
	const json_t *phases = json_object_get(json_object_get(planned, "spec"), "phases");

	return json_number_value(json_object_get(phases, key)) / NSEC_PER_SEC;
}

/* Where nothing was measured: seconds beyond the phases, on the slow side. */
static double overhead_guess(const char *mode)
{
	static const struct {
		const char *mode;
		double seconds;
	} guesses[] = {{"kvm", 6}, {"emulated", 15}, {"exact", 30}, {"native", 3}, {"metal", 300}};

	for (size_t i = 0; i < ARRAY_SIZE(guesses); i++)
		if (!strcmp(mode, guesses[i].mode))
			return guesses[i].seconds;
	return 15;
}

/* Mean over the cells of the mode; @guess when there is none. */
static double overhead_mean(const json_t *known, double guess)
{
	double sum = 0;
	size_t n = json_object_size(known);
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)known, key, value)
		sum += json_number_value(value);
	return n ? sum / n : guess;
}

/* A cell that is expected to hang runs until the watchdog speaks. */
static double hang_seconds(const json_t *planned)
{
	return json_has_text(json_object_get(planned, "expect"), "HANG")
		       ? phase_seconds(planned, "stall_ns")
		       : 0;
}

double costs_estimate(const json_t *costs, const json_t *planned, int *measured)
{
	const char *mode = json_text(json_object_get(planned, "spec"), "mode");
	const json_t *known = json_object_get(costs, mode), *mine;
	double phases = phase_seconds(planned, "warmup_ns") + phase_seconds(planned, "measure_ns");
	HB_FREE char *key = cost_key(planned);

	mine = key ? json_object_get(known, key) : NULL;
	*measured = json_is_number(mine);
	if (*measured)
		return phases + fmax(0, json_number_value(mine));
	return phases + overhead_mean(known, overhead_guess(mode)) + hang_seconds(planned);
}

void costs_learn(json_t *costs, const json_t *planned, const json_t *cell)
{
	const char *mode = json_text(json_object_get(planned, "spec"), "mode");
	const json_t *total = json_object_get(json_object_get(cell, "times"), "total_ns");
	/* Below 0 for a cell that ended before its phases did. */
	double seconds = fmax(0, json_number_value(total) / NSEC_PER_SEC -
					 phase_seconds(planned, "warmup_ns") -
					 phase_seconds(planned, "measure_ns"));
	HB_FREE char *key = cost_key(planned);
	json_t *known = json_object_get(costs, mode);
	const json_t *before;

	if (!json_is_number(total) || !key)
		return;
	if (!known) {
		known = json_object();
		json_object_set_new(costs, mode, known);
	}
	before = json_object_get(known, key);
	if (json_is_number(before)) /* one slow boot is not the rule */
		seconds = (json_number_value(before) + seconds) / 2;
	json_object_set_new(known, key, json_real(seconds));
}

static char *costs_path(struct hb_error *e)
{
	HB_FREE char *cache = paths_cache(e);

	return cache ? hb_strf("%s/costs.json", cache) : NULL;
}

json_t *costs_load(void)
{
	HB_FREE char *path = costs_path(NULL);
	json_t *costs = path ? json_load_file(path, JSON_REJECT_DUPLICATES, NULL) : NULL, *mode;
	const char *key;

	json_object_foreach (costs, key, mode) {
		if (!json_is_object(mode)) {
			json_decref(costs);
			costs = NULL;
			break;
		}
	}
	if (json_is_object(costs))
		return costs;
	json_decref(costs);
	return json_object();
}

int costs_save(const json_t *costs, struct hb_error *e)
{
	HB_FREE char *path = costs_path(e);
	int rc;

	if (!path)
		return -ENOENT;
	rc = json_write(path, costs, JSON_INDENT(1) | JSON_SORT_KEYS);
	return rc ? hb_error_set(e, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}
