// SPDX-License-Identifier: GPL-2.0-or-later
/* Carrying out a plan, cell after cell. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/exit_status.h"
#include "bench/base/restore.h"
#include "bench/base/units.h"
#include "bench/scenario/costs.h"
#include "bench/run/describe.h"
#include "bench/host/memory.h"
#include "bench/result/compare.h"
#include "bench/run/progress.h"
#include "bench/run/run.h"
#include "bench/guest/session.h"

/* Written by the signal handler alone. */
static volatile int interrupted;

static void on_signal(int sig)
{
	(void)sig;
	if (interrupted++)
		_exit(EXIT_INT); /* the guest dies with us */
}

static int signals_take(struct hb_error *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		if (sigaction(signals[i], &sa, &old))
			return hb_error_set(e, -errno, "sigaction: %s", strerror(errno));
		/* nohup has its way. */
		if (signals[i] == SIGHUP && old.sa_handler == SIG_IGN)
			signal(SIGHUP, SIG_IGN);
	}
	/* Who reads our output may go before the run is written down. */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const struct kernel *kernel_of(const struct run *r, const json_t *planned)
{
	for (size_t i = 0; i < r->nkernels; i++)
		if (!strcmp(r->kernels[i].name, text(planned, "kernel")))
			return &r->kernels[i];
	return NULL;
}

/* The first CONFIG_ symbol that a workload of the cell needs and the kernel lacks, with its user;
 * or NULL. */
static const char *symbol_missing(const struct run *r, const json_t *planned,
				  const struct kernel *k, const char **user)
{
	const json_t *instances = json_object_get(json_object_get(planned, "spec"), "instances");
	const json_t *in, *symbol;
	size_t i, s;

	json_array_foreach (instances, i, in) {
		const json_t *w = describe_find(r->workloads, text(in, "workload"));

		json_array_foreach (json_object_get(w, "needs"), s, symbol) {
			*user = text(in, "workload");
			if (!kernel_has_symbol(k, json_string_value(symbol)))
				return json_string_value(symbol);
		}
	}
	return NULL;
}

/* Names of the instances of @role. */
static json_t *instance_names(const json_t *planned, const char *role)
{
	json_t *names = json_array(), *in;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(planned, "spec"), "instances"), i, in)
		if (!strcmp(text(in, "role"), role))
			json_array_append(names, json_object_get(in, "workload"));
	return names;
}

/* cell.json of a cell that needs no boot to know that it cannot run. */
static json_t *cell_skip(const struct run *r, const json_t *planned, const char *reason)
{
	const json_t *first =
		json_array_get(json_object_get(json_object_get(planned, "spec"), "instances"), 0);
	char started[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack(
		"{s:i, s:O, s:O, s:O, s:O, s:O, s:O, s:s, s:s, s:s, s:b, s:[], s:o, s:o, s:O, "
		"s:{}, s:[], s:[], s:{}, s:s}",
		"format", STORE_FORMAT, "id", json_object_get(planned, "id"), "seq",
		json_object_get(planned, "seq"), "kernel", json_object_get(planned, "kernel"),
		"cell", json_object_get(planned, "cell"), "rep", json_object_get(planned, "rep"),
		"warmup_boot", json_object_get(planned, "warmup_boot"), "mode", r->mode, "verdict",
		"SKIP", "reason", reason, "expected", plan_expects(planned, "SKIP"), "evidence",
		"workloads", instance_names(planned, "workload"), "antagonists",
		instance_names(planned, "antagonist"), "tasks", json_object_get(first, "tasks"),
		"parameters", "metrics", "notes", "times", "started", started);
}

/* Carry the cell out in @dir; *@cell is its cell.json. */
static int cell_measure(const struct run *r, const json_t *planned, const char *dir,
			struct progress *p, const int *memory_fd, json_t **cell, struct hb_error *e)
{
	const struct kernel *k = kernel_of(r, planned);
	struct session_config c = {
		.planned = planned,
		.kernel = k,
		.agent = r->agent,
		.native = run_is_native(r),
		.native_yes = r->args.yes,
		.directory = dir,
		.interrupted = &interrupted,
		.progress = progress_frame,
		.progress_arg = p,
	};
	const char *symbol, *user;

	if (c.native)
		return session_run(&c, cell, e);
	if (!k)
		return hb_error_set(e, -EPROTO,
				    "plan.json names the kernel '%s', run.json does not",
				    text(planned, "kernel"));
	symbol = symbol_missing(r, planned, k, &user);
	if (symbol) {
		HB_FREE char *reason = hb_strf("%s needs %s, which kernel %s does not have", user,
					       symbol, k->name);

		*cell = reason ? cell_skip(r, planned, reason) : NULL;
		return *cell ? 0 : -ENOMEM;
	}
	c.vm = (struct vm_config){
		.mode = run_vm_mode(r),
		.bzimage = k->bzimage,
		.command_line = "",
		.memory_fd = memory_fd,
		.vcpus = r->size.vcpus,
		.nodes = r->size.nodes,
		.tsc_khz = r->tsc_khz,
		.memory = r->size.memory,
	};
	run_image(r, &c.vm);
	return session_run(&c, cell, e);
}

/* One cell from its planning to its place in the run; *@cell is a new reference. */
static int cell_run(const struct run *r, const json_t *planned, struct progress *p,
		    const int *memory_fd, json_t **cell, struct hb_error *e)
{
	HB_FREE char *dir = store_cell_begin(&r->store, text(planned, "id"), e);
	int rc = dir ? 0 : -EIO;

	*cell = NULL;
	if (rc)
		return rc;
	progress_begin(p, planned);
	rc = cell_measure(r, planned, dir, p, memory_fd, cell, e);
	if (rc) {
		store_cell_abort(dir);
		return rc;
	}
	rc = store_cell_commit(&r->store, text(planned, "id"), dir, *cell, e);
	if (rc)
		json_decref(*cell);
	return rc;
}

static double estimate(const struct run *r, const json_t *planned)
{
	int measured;

	return costs_estimate(r->costs, planned, &measured);
}

/* What is left to do from cell @first of the plan on: seconds, and boots of repetition @rep. */
static double seconds_left(const struct run *r, size_t first)
{
	const json_t *cells = json_object_get(r->plan, "cells");
	double seconds = 0;

	for (size_t i = first; i < json_array_size(cells); i++) {
		const json_t *planned = json_array_get(cells, i);

		if (!store_has_cell(&r->store, text(planned, "id")))
			seconds += estimate(r, planned);
	}
	return seconds;
}

bool run_has_cells(const struct run *r)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	size_t i;

	json_array_foreach (cells, i, planned)
		if (store_has_cell(&r->store, text(planned, "id")))
			return true;
	return false;
}

static int rep_of(const json_t *planned)
{
	return json_integer_value(json_object_get(planned, "rep"));
}

/* Seconds of the repetition that begins with cell @first. */
static double repetition_seconds(const struct run *r, size_t first)
{
	const json_t *cells = json_object_get(r->plan, "cells");
	int rep = rep_of(json_array_get(cells, first));
	double seconds = 0;

	for (size_t i = first; i < json_array_size(cells); i++)
		if (rep_of(json_array_get(cells, i)) == rep)
			seconds += estimate(r, json_array_get(cells, i));
	return seconds;
}

/* A repetition is complete and cell @next would begin another one. */
static bool between_repetitions(const struct run *r, size_t next)
{
	const json_t *cells = json_object_get(r->plan, "cells");

	return next && rep_of(json_array_get(cells, next)) >= 2 &&
	       rep_of(json_array_get(cells, next)) != rep_of(json_array_get(cells, next - 1));
}

/*
 * The costs were estimates: before a further repetition, would it end beyond the budget? Whole
 * repetitions only, and by the clock alone, so that no result has a say in when the run ends.
 */
static bool budget_spent(const struct run *r, size_t next, uint64_t began)
{
	double spent = (hb_now_ns() - began) / (double)NSEC_PER_SEC;
	double budget = r->budget / (double)NSEC_PER_SEC;

	if (!r->budget || !between_repetitions(r, next))
		return false;
	return spent + repetition_seconds(r, next) > budget * 1.05;
}

/*
 * A look at the results, at the ends of repetitions that were fixed for it before the first boot
 * (run.json "stopping"): has every main figure its verdict? A run that cannot be read goes on.
 */
static bool decided(const struct run *r, size_t next)
{
	const json_t *stopping = json_object_get(r->record, "stopping");
	int done = rep_of(json_array_get(json_object_get(r->plan, "cells"), next)) - 1;
	bool all;

	if (!stopping || !between_repetitions(r, next) ||
	    done < json_integer_value(json_object_get(stopping, "min_boots")))
		return false;
	return !compare_decided(r->store.dir, &all, NULL) && all;
}

static void record_stop(struct run *r, int repetitions, const char *why)
{
	json_int_t planned = json_integer_value(json_object_get(r->record, "repetitions"));
	HB_FREE char *reason = hb_strf("of %lld planned (%s): %s", (long long)planned,
				       text(r->record, "repetitions_reason"), why);

	json_object_set_new(r->record, "repetitions", json_integer(repetitions));
	if (reason)
		json_object_set_new(r->record, "repetitions_reason", json_string(reason));
}

/* A cell of an earlier sitting: count it. */
static void cell_count(const struct run *r, const json_t *planned, unsigned int *unexpected)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", text(planned, "id"));
	json_t *cell = file ? store_read(&r->store, file, NULL) : NULL;

	if (!json_is_true(json_object_get(planned, "warmup_boot")) &&
	    json_is_false(json_object_get(cell, "expected")))
		++*unexpected;
	json_decref(cell);
}

/* A guest is thrown away; the running kernel with tasks that hang is no place for more cells. */
static int kernel_usable(const struct run *r, const json_t *cell, struct hb_error *e)
{
	if (!run_is_native(r) || strcmp(text(cell, "verdict"), "HANG"))
		return 0;
	return hb_error_set(e, -EIO, "the running kernel hangs: %s; reboot before anything else",
			    text(cell, "reason"));
}

/* The agent was killed before it could put this machine's settings back. */
static void settings_check(struct progress *p)
{
	HB_FREE char *path = restore_path(), *what = NULL;

	if (path && restore_pending(path, NULL) > 0 && (what = restore_text(path)))
		progress_note(p, "settings were left behind, %s; mend: hugebench doctor --restore",
			      what);
}

static int cells_walk(struct run *r, struct progress *p, const int *memory_fd,
		      unsigned int *unexpected, struct hb_error *e)
{
	json_t *cells = json_object_get(r->plan, "cells"), *planned;
	uint64_t began = hb_now_ns();
	size_t i;

	json_array_foreach (cells, i, planned) {
		json_t *cell;
		int rc;

		p->done = i;
		if (store_has_cell(&r->store, text(planned, "id"))) {
			cell_count(r, planned, unexpected);
			continue;
		}
		if (budget_spent(r, i, began)) {
			progress_note(
				p, "the budget is spent after %d repetitions of %lld",
				rep_of(planned) - 1,
				json_integer_value(json_object_get(r->record, "repetitions")));
			record_stop(r, rep_of(planned) - 1,
				    "the cells took longer than estimated and the next would not "
				    "have fitted the budget");
			return 0;
		}
		if (decided(r, i)) {
			progress_note(p, "every main figure has a verdict after %d repetitions",
				      rep_of(planned) - 1);
			record_stop(r, rep_of(planned) - 1, "every main figure has a verdict");
			return 0;
		}
		p->seconds_left = seconds_left(r, i);
		rc = interrupted ? -EINTR : cell_run(r, planned, p, memory_fd, &cell, e);
		if (rc)
			return rc;
		costs_learn(r->costs, planned, cell);
		rc = kernel_usable(r, cell, e);
		p->done = i + 1;
		p->seconds_left = seconds_left(r, i + 1);
		progress_end(p, cell);
		json_decref(cell);
		cell_count(r, planned, unexpected);
		if (rc)
			return rc;
	}
	return 0;
}

int run_cells(struct run *r, unsigned int *unexpected, struct hb_error *e)
{
	struct progress p = {
		.out = stderr,
		.terminal = isatty(STDERR_FILENO),
		.workloads = r->workloads,
		.total = json_array_size(json_object_get(r->plan, "cells")),
	};
	struct hb_error ignored = {""};
	struct vm_config vm = {
		.vcpus = r->size.vcpus, .nodes = r->size.nodes, .memory = r->size.memory};
	struct memory memory = {0};
	int rc = signals_take(e);

	*unexpected = 0;
	if (!rc && !run_is_native(r)) {
		rc = memory_open(&vm, &interrupted, &memory, e);
		if (!rc)
			progress_note(&p, "guest memory: %s", memory.text);
		json_object_set_new(json_object_get(r->record, "guest"), "memory_backing",
				    json_string(memory.text));
	}
	if (!rc)
		rc = cells_walk(r, &p, memory.fd, unexpected, e);
	progress_clear(&p);
	if (run_is_native(r))
		settings_check(&p);
	else
		memory_close(&memory);
	if (costs_save(r->costs, &ignored))
		progress_note(&p, "%s", ignored.text);
	if (run_record_status(r, rc ? "interrupted" : "finished", rc ? &ignored : e) && !rc)
		return -EIO;
	return rc;
}
