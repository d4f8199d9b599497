// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything before the first boot. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/build/hostpg.h"
#include "bench/scenario/cell_costs.h"
#include "bench/scenario/describe.h"
#include "bench/host/environment.h"
#include "bench/host/paths.h"
#include "bench/run/run.h"
#include "bench/host/placement.h"
#include "bench/host/tsc.h"

int run_open(struct run *r, struct hb_error *e)
{
	int rc = hb_set_text(&r->results,
			     r->args.results ? strdup(r->args.results) : paths_results(e), e);

	if (!rc)
		rc = hb_set_text(
			&r->agent,
			r->args.agent ? strdup(r->args.agent) : paths_beside("hugebench-agent"), e);
	if (rc)
		return rc;
	r->workloads = describe_agent(r->agent, e);
	if (!r->workloads)
		return -ENODEV;
	r->tsc_khz = tsc_khz();
	r->costs = costs_load();
	r->environment = environment_of_host();
	return r->costs && r->environment ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

/* The release, with what may not stand in a path replaced. */
char *run_native_arm(void)
{
	struct utsname u;
	char *name;

	if (uname(&u))
		return NULL;
	name = strndup(u.release, 40);
	for (char *c = name; c && *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+",
			    *c))
			*c = '_';
	return name;
}

/* Were kernels named on the command line? */
static bool kernels_given(const struct run *r)
{
	size_t i;
	json_t *text;

	json_array_foreach (r->args.overrides, i, text)
		if (!strncmp(json_string_value(text), "kernels=", strlen("kernels=")))
			return true;
	return false;
}

/* Are there variants of all the names? kernel_resolve() would say so too, but after building the
 * first. */
static int variants_check(const struct run *r, struct hb_error *e)
{
	json_t *name;
	size_t i;
	int rc = 0;

	json_array_foreach (r->arms, i, name)
		if (!rc)
			rc = kernel_check(spec_kernel(&r->spec, json_string_value(name)), e);
	return rc;
}

/* Arms in the place of "FROM..TO", of which there is one at most. */
static int steps_expand(struct run *r, const char *range, struct hb_error *e)
{
	if (r->steps)
		return hb_error_set(e, -EINVAL, "kernels: one FROM..TO is taken, no more");
	r->steps = json_array();
	return kernel_steps(range, r->steps, e) ?: json_array_extend(r->arms, r->steps);
}

static int arms_list(struct run *r, struct hb_error *e)
{
	json_t *name;
	size_t i;
	int rc = 0;

	r->arms = json_array();
	json_array_foreach (r->spec.kernels, i, name) {
		if (rc)
			break;
		rc = strstr(json_string_value(name), "..")
			     ? steps_expand(r, json_string_value(name), e)
			     : json_array_append(r->arms, name);
	}
	return rc;
}

/* r->arms from the scenario's kernels. */
static int arms_choose(struct run *r, struct hb_error *e)
{
	HB_FREE char *name = NULL;
	int rc;

	if (run_is_native(r)) {
		if (kernels_given(r))
			return hb_error_set(
				e, -EINVAL,
				"mode native measures the kernel that is running; leave "
				"--kernels out, and compare two runs by: hugebench report RUN "
				"RUN2");
		name = run_native_arm();
		r->arms = name ? json_pack("[s]", name) : NULL;
		return r->arms ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	}
	rc = arms_list(r, e) ?: variants_check(r, e);
	if (rc)
		return rc;
	if (r->arms && r->spec.scenario.control) {
		name = plan_control_name(json_string_value(json_array_get(r->arms, 0)));
		if (!name || json_array_insert_new(r->arms, 1, json_string(name)))
			return hb_error_set(e, -ENOMEM, "no memory");
	}
	return r->arms ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

int run_args_check(const struct run *r, struct hb_error *e)
{
	if (run_is_metal(r) && !r->args.metal)
		return hb_error_set(e, -EINVAL,
				    "mode metal boots this machine; that is for `hugebench metal`");
	return r->args.yes && run_has_guest(r)
		       ? hb_error_set(e, -EINVAL,
				      "--yes is for mode native; a guest's settings are its own")
		       : 0;
}

static int spec_read(struct run *r, const char *path, unsigned int vcpus, struct hb_error *e)
{
	int rc = spec_load(path, r->workloads, r->args.overrides, vcpus, &r->spec, e);

	if (!rc && r->args.cells)
		rc = spec_keep_cells(&r->spec, r->args.cells, e)
			     ? hb_error_prefix(e, -EINVAL, "--cells")
			     : 0;
	return rc;
}

/* Cells whose tasks are given in vCPUs, once their number is known. */
static int spec_again(struct run *r, unsigned int vcpus, struct hb_error *e)
{
	HB_FREE char *path = NULL;

	if (!r->spec.of_vcpus || r->spec.vcpus == vcpus)
		return 0;
	path = HB_STEAL(r->spec.path);
	spec_free(&r->spec);
	return spec_read(r, path, vcpus, e);
}

/* What the mode and the host's size decide; done again when mode auto is settled. */
static int mode_check(struct run *r, struct hb_error *e)
{
	int rc = spec_check_mode(&r->spec, r->mode, e);

	if (!rc)
		rc = run_jobs_check(r, e);
	r->jobs = 1;
	if (rc)
		return rc;
	if (!run_has_guest(r))
		return spec_again(r, placement_host().cpus, e);
	rc = run_size_choose(r, e);
	return rc ? rc : spec_again(r, r->size.vcpus, e);
}

/* The number that option @key of a PostgreSQL instance has, given or by default; 0: it has none. */
static uint64_t instance_number(const json_t *workloads, const json_t *in, const char *key)
{
	const char *name = json_text(in, "workload");
	const char *text = json_string_value(json_object_get(json_object_get(in, "options"), key));
	const json_t *w = describe_find(workloads, name);
	uint64_t number = 0;

	if (strncmp(name, "postgres", strlen("postgres")))
		return 0;
	if (!text)
		text = json_string_value(json_object_get(
			json_find(json_object_get(w, "options"), "name", key), "default"));
	return text && !hb_parse_u64(text, &number) ? number : 0;
}

/*
 * Scale of the prepared database: the largest that a cell wants, for the others use a part of it.
 * 0: no cell is of PostgreSQL.
 */
static unsigned int postgres_scale(const struct run *r)
{
	uint64_t scale = 0;

	for (size_t c = 0; c < r->spec.ncells; c++) {
		size_t i;
		json_t *in;

		json_array_foreach (r->spec.cells[c].instances, i, in) {
			uint64_t mine = instance_number(r->workloads, in, "scale");

			if (mine > scale)
				scale = mine;
		}
	}
	return scale;
}

/* The version of the server, which is in the image of all guests. */
static int postgres_version(const struct run *r, unsigned int *version, struct hb_error *e)
{
	const char *first = NULL;

	*version = 0;
	for (size_t c = 0; c < r->spec.ncells; c++) {
		size_t i;
		json_t *in;

		json_array_foreach (r->spec.cells[c].instances, i, in) {
			uint64_t mine = instance_number(r->workloads, in, "version");

			if (!instance_number(r->workloads, in, "scale"))
				continue;
			if (first && mine != *version)
				return hb_error_set(
					e, -EINVAL,
					"postgres.version is %u in cell %s and %lu in cell %s; all "
					"cells of a run have one server",
					*version, first, mine, r->spec.cells[c].name);
			first = r->spec.cells[c].name;
			*version = mine;
		}
	}
	return *version && run_has_guest(r) ? hostpg_check(*version, e) : 0;
}

/*
 * In mode exact the database is in the initramfs, which QEMU puts below the PC's hole at 3 GiB,
 * beside the kernel.
 */
#define EXACT_SCALE_MOST 16

static int database_check(const struct run *r, struct hb_error *e)
{
	if (strcmp(r->mode, "exact") || r->postgres_scale <= EXACT_SCALE_MOST)
		return 0;
	return hb_error_set(e, -EINVAL,
			    "postgres.scale = %u: mode exact has the database in memory, where "
			    "there is room for %d; the scenario postgres-exact has sizes for it",
			    r->postgres_scale, EXACT_SCALE_MOST);
}

static bool uses_workload(const struct run *r, const char *name)
{
	for (size_t c = 0; c < r->spec.ncells; c++)
		if (json_find(r->spec.cells[c].instances, "workload", name))
			return true;
	return false;
}

/* An expectation of a kernel that does not exist is a slip of the pen: worth a word, not a refusal.
 */
static void expectations_check(const struct run *r)
{
	for (size_t i = 0; i < r->spec.ncells; i++) {
		const char *kernel;
		json_t *verdicts;

		json_object_foreach (r->spec.cells[i].expect, kernel, verdicts)
			if (!run_is_native(r) && kernel_check(kernel, NULL) == -ENOENT)
				fprintf(stderr,
					"hugebench: %s: [cell %s] has expect.%s, and there is no "
					"kernel "
					"variant of that name\n",
					r->spec.path, r->spec.cells[i].name, kernel);
	}
}

int run_read(struct run *r, struct hb_error *e)
{
	HB_FREE char *path = spec_find(r->args.scenario, e);
	const char *mode;
	int rc = path ? spec_read(r, path, SPEC_VCPUS, e) : -ENOENT;

	if (rc)
		return rc;
	mode = spec_modes[r->spec.scenario.mode];
	r->budget = r->args.budget;
	if (!r->budget && !r->spec.scenario.repeat)
		r->budget = PLAN_BUDGET_DEFAULT;
	rc = hb_set_text(&r->mode,
			 strdup(r->spec.scenario.mode <= SPEC_MODE_PARALLEL ? "emulated" : mode),
			 e);
	if (!rc)
		rc = hb_set_text(&r->mode_reason, strdup("asked for"), e);
	if (!rc)
		rc = hb_set_text(&r->command_line, strdup(r->spec.scenario.command_line), e);
	if (!rc)
		rc = mode_check(r, e);
	if (!rc)
		rc = run_args_check(r, e);
	if (rc)
		return rc;
	r->postgres_scale = postgres_scale(r);
	rc = postgres_version(r, &r->postgres_version, e);
	if (rc)
		return rc;
	r->selftests = uses_workload(r, "selftests");
	rc = database_check(r, e);
	if (rc)
		return rc;
	expectations_check(r);
	return arms_choose(r, e);
}

/* Is arm @i one of FROM..TO, and not what everything is compared with? */
static bool is_step(const struct run *r, size_t i)
{
	const json_t *arm = json_array_get(r->arms, i), *step;
	size_t k;

	json_array_foreach (r->steps, k, step)
		if (i && json_equal(arm, step))
			return true;
	return false;
}

/* A step of a series that does not build is a result; it is not tried again for every block. */
static int arm_resolve(struct run *r, size_t i, const char *name, struct hb_error *e)
{
	const json_t *known = json_array_get(json_object_get(r->record, "kernels"), i);
	const char *broken = json_string_value(json_object_get(known, "broken"));
	struct hb_error why;
	int rc;

	if (broken)
		return kernel_broken(name, broken, &r->kernels[i], e);
	rc = kernel_resolve(spec_kernel(&r->spec, name), &r->kernels[i], e);
	if (rc != -EIO || !is_step(r, i))
		return rc;
	why = *e;
	fprintf(stderr, "hugebench: WARNING: %s: its cells will be SKIP\n", why.text);
	return kernel_broken(name, why.text, &r->kernels[i], e);
}

int run_kernels(struct run *r, struct hb_error *e)
{
	HB_FREE char *control = NULL;

	r->kernels = calloc(json_array_size(r->arms), sizeof(*r->kernels));
	control = plan_control_name(json_string_value(json_array_get(r->arms, 0)));
	if (!r->kernels || !control)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < json_array_size(r->arms); i++) {
		const char *arm = json_string_value(json_array_get(r->arms, i));
		const char *name = i && !strcmp(arm, control) ? r->kernels[0].name : arm;
		int rc = arm_resolve(r, i, name, e);

		if (rc)
			return rc;
		r->nkernels++;
		rc = r->kernels[i].broken || !run_has_guest(r)
			     ? 0
			     : kernel_check_guest(&r->kernels[i], e);
		if (rc)
			return rc;
		rc = hb_set_text(&r->kernels[i].name, strdup(arm), e);
		if (rc)
			return rc;
	}
	return 0;
}

int run_kernels_exact(struct run *r, struct hb_error *e)
{
	int rc = 0;

	for (size_t i = 0; i < r->nkernels && !rc && run_takes_turns(r); i++)
		rc = r->kernels[i].broken ? 0 : kernel_exact(&r->kernels[i], e);
	return rc;
}

/* A run without a name: scenario and time, "smoke-20251122-153000". */
static char *run_name(const struct run *r)
{
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);

	if (r->args.name)
		return strdup(r->args.name);
	if (!localtime_r(&now, &tm) || !strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm))
		return NULL;
	return hb_strf("%.24s-%s", r->spec.name, stamp);
}

static int repetitions_choose(const struct run *r, struct plan_choice *choice, struct hb_error *e)
{
	const struct plan_terms terms = {r->mode, r->arms, r->costs, r->budget, r->jobs};

	return plan_choose(&r->spec, &terms, choice, e);
}

/* Mode exact gives the same figures in every run, unless other seeds are asked for. */
#define EXACT_SEED 1

static int plan_write(struct run *r, struct plan_choice *choice, struct hb_error *e)
{
	uint64_t seed = r->spec.scenario.seed;
	int rc = repetitions_choose(r, choice, e);

	if (rc)
		return rc;
	r->most = choice->most;
	if (!seed && !strcmp(r->mode, "exact"))
		seed = EXACT_SEED;
	if (!seed && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return hb_error_set(e, -errno, "no random seed: %s", strerror(errno));
	r->plan = plan_make(&r->spec, r->mode, r->arms, seed & ((1ULL << 52) - 1),
			    choice->repetitions);
	return r->plan ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

/* The run's directory; @prepared: kernels and image are there, the boots begin at once. */
static int store_begin(struct run *r, const struct plan_choice *choice, bool prepared,
		       struct hb_error *e)
{
	HB_FREE char *name = run_name(r);
	int rc = name ? store_create(r->results, name, &r->store, e) : -ENOMEM;

	if (rc)
		return rc;
	if (strcmp(name, r->store.name))
		fprintf(stderr, "hugebench: there is a run %s already; this one is %s\n", name,
			r->store.name);
	rc = run_record_new(r, choice, e);
	if (!rc && prepared)
		rc = run_record_arms(r, e);
	if (!rc)
		rc = store_write(&r->store, "plan.json", r->plan, e);
	if (!rc)
		rc = run_record_status(r, prepared ? "running" : "planned", e);
	if (rc)
		store_discard(&r->store);
	return rc;
}

/* plan.json and run.json of a new run; what it will be is said. */
static int begin(struct run *r, bool prepared, struct hb_error *e)
{
	struct plan_choice choice;
	char text[32];
	int rc = plan_write(r, &choice, e);

	if (!rc)
		rc = store_begin(r, &choice, prepared, e);
	if (rc)
		return rc;
	hb_format_duration(text, sizeof(text), choice.seconds * NSEC_PER_SEC);
	fprintf(stderr,
		"hugebench: run %s, mode %s, %u boots per cell and kernel: %s; about %s in all\n",
		r->store.name, r->mode, choice.repetitions, choice.reason, text);
	return 0;
}

int run_prepare(struct run *r, struct hb_error *e)
{
	int rc = store_ready(r->results, e); /* known before kernels are built for minutes */

	if (!rc && run_is_metal(r))
		rc = run_kernels(r, e);
	if (!rc && run_has_guest(r)) {
		rc = run_kernels(r, e);
		if (!rc)
			rc = run_mode_settle(r, e);
		if (!rc)
			rc = mode_check(r, e);
		if (!rc)
			rc = run_kernels_exact(r, e);
		if (!rc)
			rc = run_image_resolve(r, e);
	}
	if (!rc)
		rc = run_environment(r, e);
	return rc ? rc : begin(r, true, e);
}

int run_plan(struct run *r, struct hb_error *e)
{
	int rc = store_ready(r->results, e);

	if (rc)
		return rc;
	if (r->spec.scenario.mode <= SPEC_MODE_PARALLEL)
		return hb_error_set(e, -EINVAL,
				    "a plan is for other machines than this one, so mode %s has "
				    "nothing to look at; name the mode with --mode",
				    spec_modes[r->spec.scenario.mode]);
	if (r->spec.scenario.sequential)
		return hb_error_set(
			e, -EINVAL,
			"sequential = yes looks at the results between repetitions, and "
			"the blocks of a plan are carried out in any order; leave it out");
	rc = begin(r, false, e);
	if (!rc)
		fprintf(stderr, "hugebench: %u blocks are planned in %s\n", plan_blocks(r->plan),
			r->store.dir);
	return rc;
}

int run_show(const struct run *r, struct hb_error *e)
{
	struct plan_choice choice;
	json_t *plan;
	char text[32];
	int rc = repetitions_choose(r, &choice, e);

	if (rc)
		return rc;
	plan = plan_make(&r->spec, r->mode, r->arms,
			 r->spec.scenario.seed ? r->spec.scenario.seed : 1, choice.repetitions);
	if (!plan)
		return hb_error_set(e, -ENOMEM, "no memory");
	printf("scenario  %s (%s)\n", r->spec.name, r->spec.scenario.description);
	printf("mode      %s%s\n", r->mode,
	       r->spec.scenario.mode == SPEC_MODE_AUTO ? ", or kvm or exact, as the probe finds"
						       : "");
	if (run_is_native(r))
		puts("guest     none: the running kernel is measured");
	else if (run_is_metal(r))
		puts("guest     none: this machine boots the kernels");
	else
		printf("guest     %u vCPUs, %s, %u NUMA nodes\n", r->size.vcpus,
		       hb_format_size(text, sizeof(text), r->size.memory), r->size.nodes);
	printf("boots     %u per cell and kernel: %s\n", choice.repetitions, choice.reason);
	printf("time      about %s, %u at a time\n\n",
	       hb_format_duration(text, sizeof(text), choice.seconds * NSEC_PER_SEC), r->jobs);
	for (size_t i = 0; i < json_array_size(json_object_get(plan, "cells")); i++) {
		json_t *boot = plan_boot(plan, i);
		HB_FREE char *expect = json_dumps(json_object_get(boot, "expect"), JSON_COMPACT);

		printf("%s  expects %s\n", json_text(boot, "id"), expect ? expect : "?");
		json_decref(boot);
	}
	if (!r->spec.scenario.seed)
		puts("\nThe order within a repetition is drawn anew for every run; -o seed=N fixes "
		     "it.");
	json_decref(plan);
	return 0;
}
