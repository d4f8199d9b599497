// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/base/metric.h"

const char *metric_kind_name(enum metric_kind kind)
{
	static const char *const names[] = {
		[METRIC_RATE] = "rate", [METRIC_COUNT] = "count", [METRIC_GAUGE] = "gauge",
		[METRIC_HIST] = "hist", [METRIC_EXACT] = "exact",
	};

	return names[kind];
}

const char *metric_better_name(enum metric_better better)
{
	static const char *const names[] = {
		[METRIC_LOWER] = "lower",
		[METRIC_HIGHER] = "higher",
		[METRIC_NEITHER] = "neither",
	};

	return names[better];
}

json_t *metric_describe(const struct metric_row *rows)
{
	json_t *list = json_array();

	for (const struct metric_row *m = rows; m->name; m++)
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s,s:b,s:s}", "name", m->name,
						"kind", metric_kind_name(m->kind), "unit", m->unit,
						"better", metric_better_name(m->better), "primary",
						m->primary, "help", m->help));
	return list;
}
