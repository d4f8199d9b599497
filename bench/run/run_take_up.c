// SPDX-License-Identifier: GPL-2.0-or-later
/* Going on with a run that is there: as its files say, or not at all. */
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/kconfig.h"
#include "bench/base/plain.h"
#include "bench/run/run.h"

static bool spec_is_there(const json_t *plan, const json_t *cell)
{
	const char *name = json_string_value(json_object_get(cell, "cell"));
	const json_t *common = json_object_get(json_object_get(plan, "common"), name);

	return name && (json_is_object(json_object_get(common, "spec")) ||
			json_is_object(json_object_get(cell, "spec")));
}

/* Has every cell of the plan what the run takes for granted? Its id is a directory's name. */
static bool plan_is_whole(const json_t *plan)
{
	const json_t *cells = json_object_get(plan, "cells"), *cell;
	size_t i;

	json_array_foreach (cells, i, cell) {
		const char *id = json_string_value(json_object_get(cell, "id"));

		if (!name_ok(id, NAME_LONGEST_ID) ||
		    !name_ok(json_string_value(json_object_get(cell, "kernel")), NAME_LONGEST) ||
		    !spec_is_there(plan, cell))
			return false;
	}
	return json_is_array(cells);
}

/* The run's settings out of run.json. */
static int record_settings(struct run *r, struct hb_error *e)
{
	const json_t *guest = json_object_get(r->record, "guest"), *kernels, *k;
	const char *mode = json_string_value(json_object_get(r->record, "mode"));
	const char *reason = json_string_value(json_object_get(r->record, "mode_reason"));
	const char *arguments = json_string_value(json_object_get(guest, "arguments"));
	const json_t *tsc = json_object_get(json_object_get(r->record, "environment"), "tsc_khz");
	size_t i;

	r->steps = json_incref(json_object_get(r->record, "steps"));
	kernels = json_object_get(r->record, "kernels");
	r->arms = json_array();
	json_array_foreach (kernels, i, k)
		if (name_ok(json_string_value(json_object_get(k, "name")), NAME_LONGEST))
			json_array_append(r->arms, json_object_get(k, "name"));
	if (!mode || !reason || !r->arms || !json_array_size(r->arms) ||
	    json_array_size(r->arms) != json_array_size(kernels) || !plan_is_whole(r->plan))
		return hb_error_set(e, -EPROTO, "%s/run.json or plan.json is damaged",
				    r->store.dir);
	r->size.vcpus = json_integer_value(json_object_get(guest, "vcpus"));
	r->size.nodes = json_integer_value(json_object_get(guest, "nodes"));
	r->size.memory = json_integer_value(json_object_get(guest, "memory"));
	r->selftests =
		json_is_true(json_object_get(json_object_get(r->record, "image"), "selftests"));
	r->postgres_scale = json_integer_value(
		json_object_get(json_object_get(r->record, "image"), "postgres_scale"));
	r->postgres_version = json_integer_value(
		json_object_get(json_object_get(r->record, "image"), "postgres_version"));
	/* All boots are told the same of the host's counter; another machine has its own. */
	if (tsc && r->args.block == RUN_WHOLE)
		r->tsc_khz = json_integer_value(tsc);
	r->args.mixed_config |= json_is_true(json_object_get(r->record, "mixed_config"));
	if (hb_set_text(&r->mode, strdup(mode), e) ||
	    hb_set_text(&r->mode_reason, strdup(reason), e) ||
	    hb_set_text(&r->command_line, strdup(arguments ? arguments : ""), e))
		return -ENOMEM;
	return 0;
}

/* Mode metal: the kernels as run.json has them. While an arm is booted nothing is built or found
 * anew. */
static int kernels_recorded(struct run *r, struct hb_error *e)
{
	const json_t *list = json_object_get(r->record, "kernels"), *k;
	size_t i;
	int rc;

	r->kernels = calloc(json_array_size(list), sizeof(*r->kernels));
	if (!r->kernels)
		return hb_error_set(e, -ENOMEM, "no memory");
	json_array_foreach (list, i, k) {
		struct kernel *mine = &r->kernels[r->nkernels++];
		HB_FREE char *file = json_text_dup(k, "config_file");

		*mine = (struct kernel){
			.name = json_text_dup(k, "name"),
			.build_id = json_text_dup(k, "build_id"),
			.compiler = json_text_dup(k, "compiler"),
			.broken = json_text_dup(k, "broken"),
			.config = file ? hb_strf("%s/%s", r->store.dir, file) : NULL,
		};
		if (!mine->name || !mine->build_id || (!mine->config && !mine->broken))
			return hb_error_set(e, -EPROTO, "%s/run.json has no kernel %zu",
					    r->store.dir, i);
		rc = mine->broken ? 0 : kconfig_read(mine->config, &mine->settings, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int same_native(const struct run *r, struct hb_error *e)
{
	HB_FREE char *now = run_native_arm();

	if (now && !strcmp(now, json_string_value(json_array_get(r->arms, 0))))
		return 0;
	return hb_error_set(e, -EINVAL,
			    "the run %s measures kernel %s, and %s is running; begin a new run",
			    r->store.name, json_string_value(json_array_get(r->arms, 0)), now);
}

/* Is everything here as it was when the run was prepared? */
static int same_everything(const struct run *r, struct hb_error *e)
{
	int rc = run_is_native(r) ? same_native(r, e) : 0;

	return rc ? rc : run_environment_same(r, e);
}

/* Only one of those that share a planned run writes down what it has found; the others compare. */
static int prepare_or_compare(struct run *r, struct hb_error *e)
{
	HB_CLOSE int lock = -1;
	int rc = store_lock_record(&r->store, &lock, e);

	if (rc)
		return rc;
	json_decref(r->record);
	r->record = store_read(&r->store, "run.json", e);
	if (!r->record)
		return -EPROTO;
	if (run_is_prepared(r))
		return same_everything(r, e);
	rc = run_record_arms(r, e);
	return rc ? rc : store_write(&r->store, "run.json", r->record, e);
}

/* Why the run may not be extended, or NULL. */
static const char *extend_refused(const struct run *r)
{
	const char *status = json_string_value(json_object_get(r->record, "status"));

	if (!status || strcmp(status, "finished"))
		return "it is not finished; go on with it by --resume";
	if (json_object_get(r->record, "stopping"))
		return "its error is spent: it looked at its results after each repetition, up to "
		       "a "
		       "number that was fixed before";
	if (!json_object_get(r->plan, "common"))
		return "an earlier hugebench planned it";
	if (r->args.extend <= json_integer_value(json_object_get(r->record, "repetitions")))
		return "it has as many boots per cell and kernel already";
	return NULL;
}

/* A finished run gets more boots; the record says from how many. */
static int extend(struct run *r, struct hb_error *e)
{
	const char *refused = extend_refused(r);
	json_int_t had = json_integer_value(json_object_get(r->record, "repetitions"));
	json_t *list = json_object_get(r->record, "extended");

	if (refused)
		return hb_error_set(e, -EINVAL, "run %s cannot be extended: %s", r->store.name,
				    refused);
	if (!list) {
		list = json_array();
		json_object_set_new(r->record, "extended", list);
	}
	if (plan_extend(r->plan, r->args.extend) ||
	    json_array_append_new(list,
				  json_pack("{s:I, s:i}", "from", had, "to", r->args.extend)) ||
	    json_object_set_new(r->record, "repetitions", json_integer(r->args.extend)) ||
	    json_object_set_new(
		    r->record, "repetitions_reason",
		    json_sprintf("asked for by --extend after the report of %lld", (long long)had)))
		return hb_error_set(e, -ENOMEM, "no memory");
	r->until = r->args.extend;
	return store_write(&r->store, "plan.json", r->plan, e)
		       ?: run_record_status(r, "running", e);
}

static int store_open(struct run *r, struct hb_error *e)
{
	HB_FREE char *name = r->args.name ? strdup(r->args.name) : store_unfinished(r->results, e);

	if (!name)
		return -ENOENT;
	return r->args.block == RUN_WHOLE && !r->args.prepare
		       ? store_resume(r->results, name, &r->store, e)
		       : store_join(r->results, name, r->args.block, &r->store, e);
}

int run_take_up(struct run *r, struct hb_error *e)
{
	int rc = store_open(r, e);

	if (rc)
		return rc;
	r->record = store_read(&r->store, "run.json", e);
	r->plan = r->record ? store_read(&r->store, "plan.json", e) : NULL;
	rc = r->plan ? record_settings(r, e) : -EPROTO;
	if (!rc)
		rc = run_args_check(r, e);
	if (!rc)
		rc = run_jobs_choose(r, e);
	if (rc)
		return rc;
	r->budget = r->args.budget;
	if (run_is_metal(r))
		rc = kernels_recorded(r, e);
	if (!rc && run_has_guest(r)) {
		rc = run_kernels(r, e) ?: run_kernels_exact(r, e);
		if (!rc)
			rc = run_image_resolve(r, e);
	}
	if (!rc)
		rc = run_environment(r, e);
	if (!rc)
		rc = prepare_or_compare(r, e);
	return rc || !r->args.extend ? rc : extend(r, e);
}

void run_close(struct run *r)
{
	for (size_t i = 0; i < r->nkernels; i++)
		kernel_free(&r->kernels[i]);
	free(r->kernels);
	image_free(&r->image);
	spec_free(&r->spec);
	store_close(&r->store);
	json_decref(r->workloads);
	json_decref(r->arms);
	json_decref(r->steps);
	json_decref(r->costs);
	json_decref(r->environment);
	json_decref(r->record);
	json_decref(r->plan);
	free(r->results);
	free(r->agent);
	free(r->mode);
	free(r->mode_reason);
	free(r->command_line);
}
