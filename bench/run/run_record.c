// SPDX-License-Identifier: GPL-2.0-or-later
/* run.json: what is run, and where. */
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench/base/build_id.h"
#include "bench/base/kconfig.h"
#include "bench/build/cache.h"
#include "bench/run/doctor.h"
#include "bench/run/invocation.h"
#include "bench/run/run.h"
#include "bench/result/stats.h"
#include "bench/guest/vm_argv.h"

#define CONFIG_DIRECTORY "kernels"

static json_t *now_utc(void)
{
	char text[32];
	struct tm tm;
	time_t now = time(NULL);

	if (!gmtime_r(&now, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return json_string(text);
}

/* Copy the kernel's .config beside the run; *@file is relative to the run. */
static int config_keep(const struct run *r, const struct kernel *k, char **file, struct hb_error *e)
{
	HB_FREE char *text = NULL, *path = NULL, *directory = NULL;
	size_t len;
	int rc = hb_file_read(k->config, &text, &len);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", k->config, strerror(-rc));
	*file = hb_strf(CONFIG_DIRECTORY "/%s.config", k->name);
	directory = hb_strf("%s/" CONFIG_DIRECTORY, r->store.dir);
	path = *file ? hb_strf("%s/%s", r->store.dir, *file) : NULL;
	rc = path && directory ? hb_mkdir_all(directory) : -ENOMEM;
	if (!rc)
		rc = hb_file_write_atomic(path, text, len);
	return rc ? hb_error_set(e, rc, "cannot keep the .config of %s: %s", k->name, strerror(-rc))
		  : 0;
}

/* A step that did not build. */
static int broken_record(const struct kernel *k, json_t *list, struct hb_error *e)
{
	if (json_array_append_new(list,
				  json_pack("{s:s, s:s, s:O, s:s, s:s}", "name", k->name,
					    "build_id", k->build_id, "series", k->series,
					    "description", k->description, "broken", k->broken)))
		return hb_error_set(e, -ENOMEM, "no memory");
	return 0;
}

static int kernel_record(const struct run *r, const struct kernel *k, json_t *list,
			 struct hb_error *e)
{
	HB_FREE char *file = NULL;
	char sha[CACHE_KEY_LEN + 1];
	int rc = config_keep(r, k, &file, e);

	if (rc)
		return rc;
	rc = digest_of_file(k->config, sha);
	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", k->config, strerror(-rc));
	if (json_array_append_new(
		    list,
		    json_pack("{s:s, s:s, s:s, s:s, s:O, s:s, s:s, s:s, s:s, s:s*, s:O*, s:s*}",
			      "name", k->name, "version", k->version, "build_id", k->build_id,
			      "source", k->source, "series", k->series, "config_sha256", sha,
			      "config_file", file, "bzimage", k->bzimage, "description",
			      k->description, "note", k->note, "loaded", k->loaded, "compiler",
			      k->compiler)))
		return hb_error_set(e, -ENOMEM, "no memory");
	return 0;
}

/*
 * By which lines the .config of every arm differs from the first arm's. Kernels of one source that
 * differ in configuration too would compare two things at once: refused unless asked for.
 */
static int config_diffs(const struct run *r, json_t *list, struct hb_error *e)
{
	const struct kernel *a = &r->kernels[0];

	for (size_t i = 1; i < r->nkernels; i++) {
		const struct kernel *b = &r->kernels[i];
		json_t *lines;
		bool explained;

		if (b->broken)
			continue;
		lines = kconfig_diff(a->config, b->config, e);
		if (!lines)
			return -EIO;
		explained = !json_array_size(lines) || strcmp(a->source, b->source);
		if (!explained && !r->args.mixed_config) {
			hb_error_set(
				e, -EINVAL,
				"the configurations of %s and %s differ in %zu lines (%s, ...), "
				"which their patches do not explain; --mixed-config compares them "
				"all the same",
				a->name, b->name, json_array_size(lines),
				json_string_value(json_array_get(lines, 0)));
			json_decref(lines);
			return -EINVAL;
		}
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:o, s:b}", "a", a->name, "b", b->name,
						"lines", lines, "explained", explained));
	}
	return 0;
}

static json_t *guest_record(const struct run *r)
{
	HB_FREE char *arguments = run_arguments(r);
	struct vm_config vm = {
		.mode = run_vm_mode(r),
		.bzimage = run_bzimage(r, &r->kernels[0]),
		.command_line = arguments,
		.vcpus = r->size.vcpus,
		.nodes = r->size.nodes,
		.tsc_khz = r->tsc_khz,
		.memory = r->size.memory,
	};
	HB_FREE char *line = NULL;

	run_image(r, &vm);
	line = vm_command_line(&vm);
	return json_pack("{s:i, s:I, s:i, s:s, s:s, s:I}", "vcpus", r->size.vcpus, "memory",
			 (json_int_t)r->size.memory, "nodes", r->size.nodes, "command_line",
			 line ? line : "", "arguments", r->command_line, "huge_page",
			 (json_int_t)(2 << 20));
}

static json_t *image_record(const struct run *r)
{
	const char *file = r->image.root ? r->image.root : r->image.initramfs;
	struct stat st;

	if (stat(file, &st))
		return NULL;
	return json_pack("{s:I, s:s?, s:i, s:i, s:b}", "bytes", (json_int_t)st.st_size, "postgres",
			 r->image.postgres, "postgres_scale", r->postgres_scale, "postgres_version",
			 r->postgres_version, "selftests", r->selftests);
}

static int native_record(const struct run *r, json_t *list, struct hb_error *e)
{
	char build_id[BUILD_ID_HEX];
	struct utsname u;

	if (uname(&u))
		return hb_error_set(e, -errno, "uname: %s", strerror(errno));
	running_build_id(build_id, sizeof(build_id));
	if (json_array_append_new(list, json_pack("{s:O, s:s, s:s, s:s, s:[], s:s}", "name",
						  json_array_get(r->arms, 0), "version", u.release,
						  "build_id", build_id, "source", "running",
						  "series", "description", u.version)))
		return hb_error_set(e, -ENOMEM, "no memory");
	return 0;
}

/* Say of a control arm, which is always the second, what it repeats. */
static int control_record(const struct run *r, json_t *kernels)
{
	HB_FREE char *name = plan_control_name(json_string_value(json_array_get(r->arms, 0)));
	const char *second = json_string_value(json_array_get(r->arms, 1));

	if (!name)
		return -ENOMEM;
	return second && !strcmp(second, name)
		       ? json_object_set(json_array_get(kernels, 1), "control_of",
					 json_array_get(r->arms, 0))
		       : 0;
}

/* Kernels, their differences, guest and image: what is compared, and in what. */
static int arms_record(struct run *r, struct hb_error *e)
{
	json_t *kernels = json_array(), *diffs = json_array();
	int rc = json_object_set_new(r->record, "kernels", kernels);

	if (json_object_set_new(r->record, "config_diff", diffs) || rc)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (run_is_native(r))
		return native_record(r, kernels, e);
	for (size_t i = 0; i < r->nkernels && !rc; i++)
		rc = r->kernels[i].broken ? broken_record(&r->kernels[i], kernels, e)
					  : kernel_record(r, &r->kernels[i], kernels, e);
	if (!rc)
		rc = control_record(r, kernels);
	if (!rc)
		rc = config_diffs(r, diffs, e);
	if (!rc && run_has_guest(r) &&
	    (json_object_set_new(r->record, "guest", guest_record(r)) ||
	     json_object_set_new(r->record, "image", image_record(r))))
		rc = hb_error_set(e, -ENOMEM, "no memory");
	return rc;
}

static int host_record(struct run *r, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/topology.xml", r->store.dir);
	json_t *host = path ? doctor_host(path) : NULL;

	if (!host || json_object_set_new(r->record, "host", host))
		return hb_error_set(e, -EIO, "cannot record the host");
	return 0;
}

/* What run_record_arms() will replace: names and sizes, as far as they are planned. */
static int plan_record(struct run *r, struct hb_error *e)
{
	json_t *kernels = json_array(), *arm;
	size_t i;
	int rc = json_object_set_new(r->record, "kernels", kernels);

	json_array_foreach (r->arms, i, arm)
		rc = rc ?: json_array_append_new(kernels, json_pack("{s:O}", "name", arm));
	if (!rc && r->steps)
		rc = json_object_set(r->record, "steps", r->steps);
	if (!rc && r->args.mixed_config)
		rc = json_object_set_new(r->record, "mixed_config", json_true());
	if (!rc && run_has_guest(r))
		rc = json_object_update_new(
			r->record,
			json_pack("{s:{s:i, s:I, s:i, s:s}, s:{s:i, s:i, s:b}}", "guest", "vcpus",
				  r->size.vcpus, "memory", (json_int_t)r->size.memory, "nodes",
				  r->size.nodes, "arguments", r->command_line, "image",
				  "postgres_scale", r->postgres_scale, "postgres_version",
				  r->postgres_version, "selftests", r->selftests));
	return rc ? hb_error_set(e, -ENOMEM, "no memory") : 0;
}

int run_record_new(struct run *r, const struct plan_choice *choice, struct hb_error *e)
{
	unsigned int min_boots = stats_rank_min_boots(STATS_ALPHA);

	r->record = json_pack(
		"{s:i, s:s, s:o, s:O, s:{s:s, s:s, s:O}, s:s, s:s, s:O, s:i, s:s, s:i}", "format",
		STORE_FORMAT, "name", r->store.name, "created", now_utc(), "command",
		r->args.command, "scenario", "name", r->spec.name, "text", r->spec.text,
		"overrides", r->spec.overrides, "mode", r->mode, "mode_reason", r->mode_reason,
		"seed", json_object_get(r->plan, "seed"), "repetitions", choice->repetitions,
		"repetitions_reason", choice->reason, "jobs", r->jobs);
	if (!r->record || json_object_set_new(r->record, "invocation",
					      invocation(r->args.results, r->store.name)))
		return hb_error_set(e, -EINVAL, "%s is not UTF-8, or no memory", r->spec.path);
	/* With fewer boots per arm no verdict is possible, so there is nothing to look at. */
	if (r->spec.scenario.sequential && choice->repetitions >= min_boots &&
	    json_object_set_new(r->record, "stopping",
				json_pack("{s:s, s:i, s:i}", "method", "sequential", "min_boots",
					  min_boots, "max_boots", choice->repetitions)))
		return hb_error_set(e, -ENOMEM, "no memory");
	return plan_record(r, e);
}

static int environment_record(struct run *r, struct hb_error *e)
{
	return json_object_set(r->record, "environment", r->environment)
		       ? hb_error_set(e, -ENOMEM, "no memory")
		       : 0;
}

int run_record_arms(struct run *r, struct hb_error *e)
{
	return arms_record(r, e) ?: environment_record(r, e) ?: host_record(r, e);
}

bool run_is_prepared(const struct run *r)
{
	const json_t *first = json_array_get(json_object_get(r->record, "kernels"), 0);

	return json_object_get(first, "build_id");
}

int run_record_status(struct run *r, const char *status, struct hb_error *e)
{
	json_object_set_new(r->record, "status", json_string(status));
	if (!strcmp(status, "running") && !json_object_get(r->record, "started"))
		json_object_set_new(r->record, "started", now_utc());
	if (strcmp(status, "running"))
		json_object_set_new(r->record, "finished", now_utc());
	return store_write(&r->store, "run.json", r->record, e);
}
