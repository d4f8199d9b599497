// SPDX-License-Identifier: GPL-2.0-or-later
/* A session that is over becomes cell.json. */
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/verdict.h"
#include "bench/scenario/plan.h"
#include "bench/guest/session_state.h"

static void fill_times(const struct session *s, json_t *cell)
{
	/* The names of results/FORMAT.md; draining belongs to the collecting. */
	static const struct {
		const char *key;
		enum session_step first, last;
	} rows[] = {
		{"boot_ns", STEP_BOOT, STEP_BOOT},
		{"setup_ns", STEP_SETUP, STEP_SETUP},
		{"warmup_ns", STEP_WARMUP, STEP_WARMUP},
		{"measure_ns", STEP_MEASURE, STEP_MEASURE},
		{"collect_ns", STEP_DRAIN, STEP_COLLECT},
	};
	json_t *times = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 0;

		for (enum session_step step = rows[i].first; step <= rows[i].last; step++)
			ns += s->took[step];
		if (ns)
			json_object_set_new(times, rows[i].key, json_integer(ns));
	}
	json_object_set_new(times, "shutdown_ns", json_integer(s->shutdown_ns));
	json_object_set_new(times, "total_ns", json_integer(hb_now_ns() - s->started));
	json_object_set_new(cell, "times", times);
}

static void fill_planned(const struct session *s, json_t *cell)
{
	static const char *const keys[] = {"id", "seq", "kernel", "cell", "rep", "warmup_boot"};
	json_t *workloads = json_array(), *antagonists = json_array(), *instance;
	size_t i;

	json_object_set_new(cell, "format", json_integer(1));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(s->c->planned, keys[i]))
			json_object_set(cell, keys[i], json_object_get(s->c->planned, keys[i]));
	json_object_set_new(
		cell, "mode",
		json_string(s->c->native ? s->c->native_mode : vm_mode_name(s->c->vm.mode)));
	json_object_set(cell, "seed", json_object_get(s->spec, "seed"));
	if (s->machine)
		json_object_set(cell, "machine", s->machine);
	json_array_foreach (json_object_get(s->spec, "instances"), i, instance) {
		const char *role = json_string_value(json_object_get(instance, "role"));
		bool antagonist = role && !strcmp(role, "antagonist");

		json_array_append(antagonist ? antagonists : workloads,
				  json_object_get(instance, "workload"));
		if (!antagonist && !json_object_get(cell, "tasks"))
			json_object_set(cell, "tasks", json_object_get(instance, "tasks"));
	}
	json_object_set_new(cell, "workloads", workloads);
	json_object_set_new(cell, "antagonists", antagonists);
}

/* Name the file of each histogram that came. */
static json_t *metrics(const struct session *s)
{
	json_t *list = json_deep_copy(json_object_get(s->result, "metrics")), *m;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(list);
		return json_array();
	}
	json_array_foreach (list, i, m) {
		const char *source = json_string_value(json_object_get(m, "source"));
		const char *name = json_string_value(json_object_get(m, "name"));
		const char *kind = json_string_value(json_object_get(m, "kind"));
		HB_FREE char *key = source && name ? hb_strf("%s.%s", source, name) : NULL;
		json_t *file = key ? json_object_get(s->files, key) : NULL;

		if (file)
			json_object_set(m, "file", file);
		else if (kind && !strcmp(kind, "hist"))
			json_array_remove(list, i--); /* nothing was recorded: absent */
	}
	return list;
}

/*
 * Did the workloads do nothing that their rates count? A phase of mode exact is as short as its
 * scenario says, whatever an operation takes.
 */
static bool measured_nothing(const struct session *s)
{
	const json_t *m;
	bool counted = false;
	size_t i;

	json_array_foreach (json_object_get(s->result, "metrics"), i, m) {
		if (strcmp(json_text(m, "role"), "workload") ||
		    strcmp(json_text(m, "kind"), "rate"))
			continue;
		if (json_number_value(json_object_get(m, "count")) > 0)
			return false;
		counted = true;
	}
	return counted && session_is_exact(s);
}

/* What the agent says of its cell, or what must be said of that. */
static void settle_result(struct session *s)
{
	const char *verdict = json_string_value(json_object_get(s->result, "verdict"));
	const char *reason = json_string_value(json_object_get(s->result, "reason"));

	if (cell_verdict_find(verdict) == CELL_OK && measured_nothing(s))
		session_settle(s, "INVALID",
			       "no workload did anything in the measured phase: one operation "
			       "takes longer than it; a larger insn makes it longer");
	else
		session_settle(s, verdict, "%s", reason ? reason : "");
}

static json_t *make_cell(struct session *s, const char *started)
{
	static const char *const objects[] = {"parameters", "conservation"};
	json_t *cell = json_object(), *notes;
	const char *verdict;

	if (!s->verdict)
		settle_result(s);
	verdict = s->verdict;
	fill_planned(s, cell);
	json_object_set_new(cell, "verdict", json_string(verdict));
	json_object_set_new(cell, "reason", json_string(s->reason));
	json_object_set_new(cell, "expected", json_boolean(plan_expects(s->c->planned, verdict)));
	json_object_set(cell, "evidence", s->evidence);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		if (json_is_object(json_object_get(s->result, objects[i])))
			json_object_set(cell, objects[i], json_object_get(s->result, objects[i]));
	if (s->hello)
		json_object_set(cell, "hello", s->hello);
	json_object_set_new(cell, "metrics", metrics(s));
	notes = json_object_get(s->result, "notes");
	json_object_set_new(cell, "notes",
			    json_is_array(notes) ? json_deep_copy(notes) : json_array());
	if (json_is_array(json_object_get(s->result, "waits")))
		json_object_set(cell, "waits", json_object_get(s->result, "waits"));
	fill_times(s, cell);
	json_object_set_new(cell, "started", json_string(started));
	return cell;
}

/* The cell that no reader would take is INVALID with @why, unless it ended badly anyway. */
static void refuse(struct session *s, const char *why)
{
	enum cell_verdict verdict = cell_verdict_find(s->verdict);

	s->verdict = verdict <= CELL_DIRTY ? NULL : cell_verdict_name(verdict);
	session_settle(s, "INVALID", "what the agent says: %s", why);
}

json_t *session_cell(struct session *s, const char *started)
{
	json_t **said[] = {&s->result, &s->hello};
	json_t *cell = make_cell(s, started);
	struct hb_error why;

	for (size_t i = 0; i < ARRAY_SIZE(said) && s->c->accept && s->c->accept(cell, &why); i++) {
		refuse(s, why.text);
		json_decref(*said[i]);
		*said[i] = NULL;
		json_decref(cell);
		cell = make_cell(s, started);
	}
	return cell;
}
