// SPDX-License-Identifier: GPL-2.0-or-later
/* What a cell is to be, from WIRE_RUN (results/FORMAT.md, plan.json). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/base/json.h"
#include "workloads/agent/cell_state.h"

#define FORMAT	      1
#define TASKS_MAX     4096
#define INSTANCES_MAX 32

/* Of a file that came with its text: "NAME (crc32 89abcdef)". */
static json_t *parameter_text(const char *value)
{
	const char *text = strchr(value, '\n');

	return text ? json_sprintf("%.*s (crc32 %08lx)", (int)(text - value), value,
				   crc32(0, (const unsigned char *)text + 1, strlen(text + 1)))
		    : json_string(value);
}

static void put_parameter(struct run *r, const struct instance *in, const char *name,
			  const char *value)
{
	HB_FREE char *key = hb_strf("%s.%s", in->ops->name, name);

	if (key)
		json_object_set_new(r->parameters, key, parameter_text(value));
}

/* "workload.option" -> text of every option, the defaults included. */
static void put_parameters(struct run *r, const struct instance *in, const json_t *options)
{
	const char *name;
	json_t *value;

	for (const struct option_row *row = in->ops->options; row->name; row++)
		if (row->type != OPTION_SETTINGS)
			put_parameter(r, in, row->name, row->dflt);
	json_object_foreach ((json_t *)options, name, value)
		if (json_is_string(value))
			put_parameter(r, in, name, json_string_value(value));
}

/* Fixed work is counted in instructions; it has no phases that a rate could be of. */
static int ops_check_work(const struct workload_ops *ops, struct hb_error *e)
{
	for (const struct metric_row *m = ops->metrics; m->name; m++)
		if (m->kind != METRIC_EXACT)
			return hb_error_set(e, -EOPNOTSUPP,
					    "%s runs for a time, not for fixed work: leave 'work' "
					    "out, or use workload exact",
					    ops->name);
	return 0;
}

static int ops_check(const struct workload_ops *ops, struct hb_error *e)
{
	unsigned int rows = 0;

	if (ops->abi != WORKLOAD_ABI)
		return hb_error_set(e, -EINVAL, "%s: built for workload ABI %u, this is %d",
				    ops->name, ops->abi, WORKLOAD_ABI);
	if (!ops->options || !ops->metrics || !ops->setup || !ops->run)
		return hb_error_set(e, -EINVAL, "%s: a required member of workload_ops is missing",
				    ops->name);
	while (ops->metrics[rows].name)
		rows++;
	if (ops->role == ROLE_ANTAGONIST && (!rows || (ops->metrics[0].kind != METRIC_RATE &&
						       ops->metrics[0].kind != METRIC_COUNT)))
		return hb_error_set(e, -EINVAL, "%s: its first metric does not count its work",
				    ops->name);
	return rows <= TASK_COUNTERS ? 0
				     : hb_error_set(e, -EINVAL, "%s: more than %d metrics",
						    ops->name, TASK_COUNTERS);
}

static int parse_instance(struct run *r, struct instance *in, const json_t *spec,
			  struct hb_error *e)
{
	const char *name, *role = NULL;
	json_t *options = NULL;
	json_int_t tasks;
	json_error_t je;
	int rc;

	in->cell = &r->cell;
	in->gauges = json_object();
	in->notes = r->notes;
	if (json_unpack_ex((json_t *)spec, &je, JSON_STRICT, "{s:s, s?s, s:I, s?o}", "workload",
			   &name, "role", &role, "tasks", &tasks, "options", &options))
		return hb_error_set(e, -EINVAL, "an instance of the specification: %s", je.text);
	in->ops = workload_find(name);
	if (!in->ops)
		return hb_error_set(e, -ENOENT, "no workload \"%s\" in this agent", name);
	for (struct instance *other = r->cell.instances; other < in; other++)
		if (other->ops == in->ops)
			return hb_error_set(e, -EINVAL, "%s is named twice in one cell", name);
	if (tasks < 1 || tasks > TASKS_MAX)
		return hb_error_set(e, -ERANGE, "%s: %lld tasks; 1 to %d are possible", name,
				    (long long)tasks, TASKS_MAX);
	in->ntasks = tasks;
	rc = ops_check(in->ops, e);
	if (!rc && r->cell.work)
		rc = ops_check_work(in->ops, e);
	if (rc)
		return rc;
	in->options = calloc(1, in->ops->options_size + 1);
	if (!in->options)
		return hb_error_set(e, -ENOMEM, "no memory");
	rc = option_defaults(in->ops->options, in->options, e);
	if (!rc && options)
		rc = option_set_json(in->ops->options, in->options, options, e);
	if (rc)
		return hb_error_prefix(e, rc, "%s", name);
	put_parameters(r, in, options);
	return 0;
}

/* Lengths in ns of the guest's clock: given so, or in instructions of each CPU. */
static int parse_phases(struct run *r, const json_t *phases, struct hb_error *e)
{
	const char *unit = r->cell.exact ? "insn" : "ns";
	const struct {
		const char *name;
		uint64_t *ns;
		json_int_t least;
	} rows[] = {{"warmup", &r->warmup_ns, 0},
		    {"measure", &r->measure_ns, 1},
		    {"interval", &r->interval_ns, 1},
		    {"stall", &r->stall_ns, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char key[32];
		json_t *v;

		snprintf(key, sizeof(key), "%s_%s", rows[i].name, unit);
		v = json_object_get(phases, key);
		if (!json_is_integer(v) || json_integer_value(v) < rows[i].least)
			return hb_error_set(e, -ERANGE,
					    "the specification: phases.%s must be %d or more", key,
					    (int)rows[i].least);
		*rows[i].ns = json_integer_value(v) * task_clock.insn_ns;
	}
	return 0;
}

/* The numbers and texts of WIRE_RUN (results/FORMAT.md, plan.json); *@instances is borrowed. */
static int parse_values(struct run *r, const json_t **instances, struct hb_error *e)
{
	json_t *observe = NULL, *phases = NULL;
	const char *cell = NULL, *mode;
	json_int_t seed, work;
	json_error_t je;
	int format;

	if (json_unpack_ex((json_t *)r->c->spec, &je, JSON_STRICT,
			   "{s:i, s?s, s:s, s:I, s:o, s:I, s?o, s:s, s?o, s:o}", "format", &format,
			   "cell", &cell, "mode", &mode, "seed", &seed, "phases", &phases, "work",
			   &work, "observe", &observe, "nodes", &r->nodes, "machine", &r->machine,
			   "instances", instances))
		return hb_error_set(e, -EINVAL, "the specification: %s", je.text);
	if (format != FORMAT)
		return hb_error_set(e, -EPROTO, "the specification is of format %d, not %d", format,
				    FORMAT);
	r->cell.exact = !strcmp(mode, "exact");
	if (work < 0)
		return hb_error_set(e, -ERANGE, "the specification: work is negative");
	r->cell.seed = seed;
	r->cell.work = work;
	/* Kept to be joined with the trace of the kernel; a host's is not traced. */
	r->cell.logged = json_has_text(observe, "waits") && !r->c->native && !work;
	return parse_phases(r, phases, e);
}

int cell_spec_parse(struct run *r, struct hb_error *e)
{
	const json_t *instances, *one;
	int rc = parse_values(r, &instances, e);
	size_t i;

	if (rc)
		return rc;
	if (!json_array_size(instances) || json_array_size(instances) > INSTANCES_MAX)
		return hb_error_set(e, -EINVAL,
				    "the specification names no workload, or more than %d",
				    INSTANCES_MAX);
	r->cell.spec = (json_t *)r->c->spec;
	r->cell.native = r->c->native;
	r->cell.huge_page_bytes = hugetlb_default_page();
	r->cell.memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	r->cell.instances = calloc(json_array_size(instances), sizeof(*r->cell.instances));
	if (!r->cell.instances)
		return hb_error_set(e, -ENOMEM, "no memory");
	json_array_foreach (instances, i, one) {
		if (rc)
			break;
		r->cell.ninstances++;
		rc = parse_instance(r, &r->cell.instances[i], one, e);
	}
	return rc;
}
