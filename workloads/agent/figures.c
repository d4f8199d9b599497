// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NANOSECONDS "ns"

static bool is_counter(const struct metric_row *m)
{
	return m->kind == METRIC_RATE || m->kind == METRIC_COUNT;
}

uint64_t *figures_snapshot(const struct cell *cell)
{
	uint64_t *s = calloc(cell->ninstances * TASK_COUNTERS + 1, sizeof(*s));

	for (unsigned int i = 0; s && i < cell->ninstances; i++) {
		const struct instance *in = &cell->instances[i];

		for (unsigned int k = 0; k < in->ntasks; k++)
			for (unsigned int row = 0; row < TASK_COUNTERS; row++)
				s[i * TASK_COUNTERS + row] += atomic_load_explicit(
					&in->task[k]->counter[row], memory_order_relaxed);
	}
	return s;
}

json_t *figures_interval(const struct cell *cell, const uint64_t *before, const uint64_t *after)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < cell->ninstances; i++) {
		const struct workload_ops *ops = cell->instances[i].ops;
		unsigned int row = 0;

		for (const struct metric_row *m = ops->metrics; m->name; m++, row++) {
			HB_FREE char *name = hb_strf("%s.%s", ops->name, m->name);
			unsigned int at = i * TASK_COUNTERS + row;

			if (name && is_counter(m))
				json_object_set_new(o, name, json_integer(after[at] - before[at]));
		}
	}
	return o;
}

/* What rates are per, in ns of the guest's clock: a second, or a million instructions of a CPU. */
static double rate_ns(const struct cell *cell)
{
	return cell->exact ? 1e6 * task_clock.insn_ns : 1e9;
}

static bool is_rate(const char *unit)
{
	size_t n = strlen(unit);

	return n > 2 && !strcmp(unit + n - 2, "/s");
}

/* The task's own measured window, in what rates are per; 0 when it had none. */
static double window(const struct instance *in, unsigned int task)
{
	const struct task_shared *s = in->task[task];
	uint64_t begin = atomic_load(&s->begin_ns), end = atomic_load(&s->end_ns);

	return begin && end > begin ? (end - begin) / rate_ns(in->cell) : 0;
}

/*
 * A row's unit as it is measured here: in mode exact "1/s" is per million instructions, and "ns" is
 * instructions. Owned by the caller.
 */
static char *unit_here(const struct cell *cell, const char *unit)
{
	if (cell->exact && !strcmp(unit, NANOSECONDS))
		return strdup("insn");
	if (cell->exact && is_rate(unit))
		return hb_strf("%.*s/Minsn", (int)strlen(unit) - 2, unit);
	return strdup(unit);
}

/* Is the row counted in ns? A METRIC_HIST row's values have their unit already. */
static bool is_time(const struct metric_row *m)
{
	return m->kind != METRIC_HIST && !strcmp(m->unit, NANOSECONDS);
}

/* False: no task had a measured window, so there is no rate. */
static bool put_counter(json_t *j, const struct instance *in, unsigned int row)
{
	double rate = 0, seconds = 0;
	uint64_t total = 0;

	for (unsigned int k = 0; k < in->ntasks; k++) {
		uint64_t n = atomic_load(&in->task[k]->counter[row]);
		double s = window(in, k);

		total += n;
		seconds += s / in->ntasks;
		if (s > 0)
			rate += n / s;
	}
	if (in->ops->metrics[row].kind == METRIC_COUNT) {
		total = is_time(&in->ops->metrics[row]) ? task_latency_unit(total) : total;
		json_object_set_new(j, "value", json_integer(total));
		return true;
	}
	if (seconds <= 0)
		return false;
	json_object_set_new(j, "value", json_real(rate));
	json_object_set_new(j, "count", json_integer(total));
	json_object_set_new(j, in->cell->exact ? "minsn" : "seconds", json_real(seconds));
	return true;
}

static int put_hist(json_t *j, const struct instance *in, unsigned int row, struct link *link,
		    bool *measured, struct hb_error *e)
{
	const struct metric_row *m = &in->ops->metrics[row];
	HB_FREE char *file = hb_strf("%s.%s.hist", in->ops->name, m->name);
	HB_FREE char *unit = unit_here(in->cell, m->unit);
	HB_FREE struct hist *all = malloc(sizeof(*all));
	json_t *frame;

	if (!file || !unit || !all)
		return hb_error_set(e, -ENOMEM, "no memory");
	hist_reset(all);
	for (unsigned int k = 0; k < in->ntasks; k++)
		hist_merge(all, in->task[k]->hist[row]);
	*measured = all->count > 0;
	if (!*measured)
		return 0;
	json_object_set_new(j, "count", json_integer(all->count));
	json_object_set_new(j, "overflow", json_integer(all->overflow));
	json_object_set_new(j, "min", json_integer(all->min));
	json_object_set_new(j, "max", json_integer(all->max));
	json_object_set_new(j, "mean", json_real(hist_mean(all)));
	json_object_set_new(j, "file", json_string(file));
	frame = hist_to_json(all, unit);
	json_object_set_new(frame, "source", json_string(in->ops->name));
	json_object_set_new(frame, "name", json_string(m->name));
	return link_send(link, WIRE_HIST, frame, e);
}

static int put_metric(json_t *metrics, const struct instance *in, unsigned int row,
		      struct link *link, struct hb_error *e)
{
	const struct metric_row *m = &in->ops->metrics[row];
	json_t *gauge = json_object_get(in->gauges, m->name);
	HB_FREE char *unit = unit_here(in->cell, m->unit);
	bool measured = true;
	int rc = 0;
	json_t *j;

	if (!unit)
		return hb_error_set(e, -ENOMEM, "no memory");
	/* A figure that was not measured is absent. */
	if ((m->kind == METRIC_GAUGE || m->kind == METRIC_EXACT) && !gauge)
		return 0;
	j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i}", "source", in->ops->name, "role",
		      in->ops->role == ROLE_WORKLOAD ? "workload" : "antagonist", "name", m->name,
		      "kind", metric_kind_name(m->kind), "unit", unit, "better",
		      metric_better_name(m->better), "primary", m->primary, "tasks",
		      (int)in->ntasks);
	if (gauge && is_time(m))
		json_object_set_new(j, "value",
				    json_real(json_number_value(gauge) / task_clock.insn_ns));
	else if (gauge && is_rate(m->unit))
		json_object_set_new(
			j, "value",
			json_real(json_number_value(gauge) * (rate_ns(in->cell) / 1e9)));
	else if (gauge)
		json_object_set(j, "value", gauge);
	else if (m->kind == METRIC_HIST)
		rc = put_hist(j, in, row, link, &measured, e);
	else
		measured = put_counter(j, in, row);
	if (measured)
		json_array_append_new(metrics, j);
	else
		json_decref(j);
	return rc;
}

/* Tasks that had no measured window. */
static unsigned int starved_tasks(const struct instance *in)
{
	unsigned int n = 0;

	for (unsigned int k = 0; k < in->ntasks; k++)
		n += window(in, k) <= 0;
	return n;
}

/* A task that was in one operation from before the measured phase until after it did nothing in it:
 * that is a figure. */
static int check_windows(struct instance *in, struct hb_error *e)
{
	unsigned int starved = starved_tasks(in);

	if (starved == in->ntasks)
		return hb_error_set(e, -ENODATA,
				    "no task of %s was in the measured phase: one operation takes "
				    "longer than it",
				    in->ops->name);
	if (starved)
		instance_note(
			in, "starved",
			"%u of %u tasks were in one operation during the whole measured phase",
			starved, in->ntasks);
	return 0;
}

/* Its option "rate", operations per second and task; 0: it has none, or goes as fast as it can. */
static double rate_of(const struct instance *in)
{
	for (const struct option_row *o = in->ops->options; o->name; o++)
		if (!strcmp(o->name, "rate") && o->type == OPTION_DOUBLE)
			return *(const double *)(const void *)((const char *)in->options +
							       o->offset);
	return 0;
}

/* The longest window of a task, in what rates are per. */
static double longest_window(const struct instance *in)
{
	double longest = 0;

	for (unsigned int k = 0; k < in->ntasks; k++)
		longest = fmax(longest, window(in, k));
	return longest;
}

/* Why it may have done nothing. Owned by the caller, NULL: no memory. */
static char *idle_reason(const struct instance *in)
{
	double rate = rate_of(in), phase = longest_window(in);
	double every = rate > 0 ? cell_second_ns(in->cell) / rate / rate_ns(in->cell) : 0;

	if (starved_tasks(in) == in->ntasks)
		return strdup(": one operation takes longer than it");
	if (every <= phase / 2)
		return strdup("");
	return hb_strf(": at %s.rate = %g its turn comes once in %.3g %s, and the phase had %.3g; "
		       "a higher rate or a longer phase has some",
		       in->ops->name, rate, every, in->cell->exact ? "million instructions" : "s",
		       phase);
}

/* What an antagonist is for is its first metric: pages that moved, not calls that tried. */
static int check_work(const struct instance *in, struct hb_error *e)
{
	HB_FREE char *reason = NULL;
	uint64_t work = 0;

	for (unsigned int k = 0; k < in->ntasks; k++)
		work += atomic_load(&in->task[k]->counter[0]);
	if (work)
		return 0;
	reason = idle_reason(in);
	return hb_error_set(e, -ENODATA, "antagonist %s achieved nothing in the measured phase%s",
			    in->ops->name, reason ? reason : "");
}

int figures_metrics(struct cell *cell, struct link *link, json_t **metrics, struct hb_error *e)
{
	int rc = 0, checked = 0;

	*metrics = json_array();
	for (unsigned int i = 0; i < cell->ninstances && !rc; i++) {
		struct instance *in = &cell->instances[i];

		for (unsigned int row = 0; in->ops->metrics[row].name && !rc; row++)
			rc = put_metric(*metrics, in, row, link, e);
		if (!rc && !checked)
			checked = in->ops->role == ROLE_WORKLOAD ? check_windows(in, e)
								 : check_work(in, e);
	}
	return rc ? rc : checked;
}
