// SPDX-License-Identifier: GPL-2.0-or-later
/* One cell, from its planning to its place in the run. */
#include <string.h>
#include <time.h>

#include "bench/base/json.h"
#include "bench/guest/session.h"
#include "bench/host/environment.h"
#include "bench/result/load.h"
#include "bench/scenario/describe.h"
#include "bench/run/run.h"

static const struct kernel *kernel_of(const struct run *r, const json_t *planned)
{
	for (size_t i = 0; i < r->nkernels; i++)
		if (!strcmp(r->kernels[i].name, json_text(planned, "kernel")))
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
		const json_t *w = describe_find(r->workloads, json_text(in, "workload"));

		json_array_foreach (json_object_get(w, "needs"), s, symbol) {
			*user = json_text(in, "workload");
			if (!kernel_has(k, json_string_value(symbol)))
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
		if (!strcmp(json_text(in, "role"), role))
			json_array_append(names, json_object_get(in, "workload"));
	return names;
}

json_t *run_unmeasured(const struct run *r, const json_t *planned, const char *verdict,
		       const char *reason, json_t *evidence)
{
	const json_t *first =
		json_array_get(json_object_get(json_object_get(planned, "spec"), "instances"), 0);
	char started[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack(
		"{s:i, s:O, s:O, s:O, s:O, s:O, s:O, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:O, "
		"s:{}, s:[], s:[], s:{}, s:s}",
		"format", STORE_FORMAT, "id", json_object_get(planned, "id"), "seq",
		json_object_get(planned, "seq"), "kernel", json_object_get(planned, "kernel"),
		"cell", json_object_get(planned, "cell"), "rep", json_object_get(planned, "rep"),
		"warmup_boot", json_object_get(planned, "warmup_boot"), "mode", r->mode, "verdict",
		verdict, "reason", reason, "expected", plan_expects(planned, verdict), "evidence",
		evidence, "workloads", instance_names(planned, "workload"), "antagonists",
		instance_names(planned, "antagonist"), "tasks", json_object_get(first, "tasks"),
		"parameters", "metrics", "notes", "times", "started", started);
}

/* A cell that needs no boot to know that it cannot run. */
static json_t *cell_skip(const struct run *r, const json_t *planned, const char *reason)
{
	return run_unmeasured(r, planned, "SKIP", reason, json_array());
}

int run_measure(const struct run *r, const struct run_boot *b, const char *dir, json_t **cell,
		struct hb_error *e)
{
	const struct kernel *k = b->kernel ? b->kernel : kernel_of(r, b->planned);
	struct session_config c = {
		.planned = b->planned,
		.kernel = k,
		.agent = r->agent,
		.native = !run_has_guest(r),
		.native_mode = r->mode,
		.native_yes = r->args.yes,
		.directory = dir,
		.interrupted = b->interrupted,
		.accept = load_cell_check,
		.progress = b->progress,
		.progress_arg = b->progress_arg,
	};
	HB_FREE char *arguments = run_arguments(r);
	const char *symbol, *user;

	if (!arguments)
		return -ENOMEM;
	if (run_is_native(r))
		return session_run(&c, cell, e);
	if (!k)
		return hb_error_set(e, -EPROTO,
				    "plan.json names the kernel '%s', run.json does not",
				    json_text(b->planned, "kernel"));
	if (k->broken) {
		*cell = cell_skip(r, b->planned, k->broken);
		return *cell ? 0 : -ENOMEM;
	}
	symbol = symbol_missing(r, b->planned, k, &user);
	if (symbol) {
		HB_FREE char *reason = hb_strf("%s needs %s, which kernel %s does not have", user,
					       symbol, k->name);

		*cell = reason ? cell_skip(r, b->planned, reason) : NULL;
		return *cell ? 0 : -ENOMEM;
	}
	if (c.native)
		return session_run(&c, cell, e);
	c.vm = (struct vm_config){
		.mode = run_vm_mode(r),
		.bzimage = run_bzimage(r, k),
		.command_line = arguments,
		.memory_fd = b->memory_fd,
		.placement = &r->placement,
		.vcpus = r->size.vcpus,
		.gdb = b->gdb,
		.nodes = r->size.nodes,
		.tsc_khz = r->tsc_khz,
		.memory = r->size.memory,
	};
	run_image(r, &c.vm);
	return session_run(&c, cell, e);
}

int run_cell_commit(const struct run *r, const char *dir, json_t *cell, struct hb_error *e)
{
	json_object_set_new(
		cell, "environment",
		environment_news(json_object_get(r->record, "environment"), r->environment));
	return store_cell_commit(&r->store, json_text(cell, "id"), dir, cell, e);
}

int run_cell(const struct run *r, const struct run_boot *b, struct hb_error *e)
{
	const char *id = json_text(b->planned, "id");
	HB_FREE char *dir = store_cell_begin(&r->store, id, e);
	json_t *cell = NULL;
	int rc = dir ? 0 : -EIO;

	if (rc)
		return rc;
	rc = run_measure(r, b, dir, &cell, e);
	if (rc) {
		store_cell_abort(dir);
		return rc;
	}
	rc = run_cell_commit(r, dir, cell, e);
	json_decref(cell);
	return rc;
}
