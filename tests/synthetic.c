// SPDX-License-Identifier: GPL-2.0-or-later
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/hist.h"
#include "bench/base/util.h"
#include "tests/synthetic.h"

struct synthetic synthetic_default(const char *dir)
{
	return (struct synthetic){
		.dir = dir,
		.name = "synthetic",
		.mode = "emulated",
		.kernels = {"base", "hinode"},
		.antagonists = {"truncate", "migrate"},
		.tasks = {1, 2, 4},
		.boots = 6,
		.intervals = 10,
		.samples = 20000,
		.effect = 1.25,
		.noise = 0.02,
		.seed = 1,
	};
}

/* splitmix64 (Steele, Lea and Flood 2014): uniform in (0, 1). */
static double uniform(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return ((z ^ (z >> 31)) >> 11) * 0x1p-53 + 0x1p-54;
}

/* Box and Muller 1958. */
static double normal(uint64_t *state)
{
	double u = uniform(state), v = uniform(state);

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* @flags: jansson's; a histogram is JSON_COMPACT, as in a run. */
static int write_json(json_t *j, size_t flags, const char *dir, const char *name)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);
	HB_FREE char *text = json_dumps(j, flags);

	json_decref(j);
	return path && text ? hb_file_write(path, text) : -ENOMEM;
}

static bool is_control(const char *kernel)
{
	return strstr(kernel, "-control");
}

static json_t *kernel_json(const struct synthetic *s, unsigned int k)
{
	const char *name = s->kernels[k];
	json_t *j = json_pack(
		"{s:s s:s s:s s:s s:[] s:s s:s s:s s:s}", "name", name, "version", "5.10.262",
		"build_id",
		k && !is_control(name) ? "b1b1b1b1b1b1b1b1b1b1" : "a0a0a0a0a0a0a0a0a0a0", "source",
		"linux-source-5.10 5.10.262-1", "series", "config_sha256", "cafe", "config_file",
		"config", "bzimage", "bzImage", "description", "synthetic");

	if (is_control(name))
		json_object_set_new(j, "control_of",
				    json_stringn(name, strstr(name, "-control") - name));
	else if (k)
		json_array_append_new(json_object_get(j, "series"),
				      json_string("hinode/0001-example.patch"));
	return j;
}

static json_t *run_json(const struct synthetic *s)
{
	json_t *kernels = json_array();

	for (unsigned int k = 0; k < ARRAY_SIZE(s->kernels) && s->kernels[k]; k++)
		json_array_append_new(kernels, kernel_json(s, k));
	return json_pack(
		"{s:i s:s s:s s:[sssss] s:{s:s s:s s:[]} s:s s:s s:i s:i s:s s:o s:[{s:s s:s s:[] "
		"s:b}]"
		" s:{s:i s:I s:i s:s s:I s:s s:s} s:{s:s s:i s:n}"
		" s:{s:s s:s s:i s:I s:s s:[]} s:s s:s s:s}",
		"format", 1, "name", s->name, "created", "2020-01-01T00:00:00Z", "command",
		"hugebench", "run", "-s", "synthetic", "--name=synthetic", "scenario", "name",
		"synthetic", "text", "[scenario]\n", "overrides", "mode", s->mode, "mode_reason",
		"asked for", "seed", 7, "repetitions", s->boots, "repetitions_reason",
		"as the scenario says", "kernels", kernels, "config_diff", "a", "base", "b",
		"hinode", "lines", "explained", 1, "guest", "vcpus", s->vcpus ?: 4, "memory",
		(json_int_t)4 << 30, "nodes", 2, "command_line", "console=ttyS0 quiet", "huge_page",
		(json_int_t)2 << 20, "qemu", "7.2.0", "accelerator", "tcg", "image", "id", "feed",
		"bytes", 1048576, "postgres", "host", "id", "host-1", "cpu_model", "Example CPU",
		"cpus", 2, "memory", (json_int_t)16 << 30, "kernel", "6.1.0", "doctor", "status",
		"finished", "started", "2020-01-01T00:00:00Z", "finished", "2020-01-01T01:00:00Z");
}

/* One boot: the state of the generator is its own, so that boots do not hang on each other. */
struct boot {
	const struct synthetic *s;
	unsigned int kernel, cell, rep, seq;
	char id[128], name[64];
	bool hang;
	double speed; /* operations per second of one task */
	uint64_t rng;
};

static bool is_exact(const struct synthetic *s)
{
	return !strcmp(s->mode, "exact");
}

static void plan_boot(const struct synthetic *s, struct boot *b)
{
	unsigned int last = 0;
	double ratio = 1;

	while (s->tasks[last + 1])
		last++;
	snprintf(b->name, sizeof(b->name), s->database ? "clients-%u" : "faults-%u",
		 s->tasks[b->cell]);
	snprintf(b->id, sizeof(b->id), "%04u-%s-%s-r%u", b->seq, s->kernels[b->kernel], b->name,
		 b->rep);
	b->hang =
		s->hang_kernel && !strcmp(s->hang_kernel, s->kernels[b->kernel]) && b->cell == last;
	b->rng = s->seed * 1000003 + b->kernel * 7919 + b->cell * 104729 + b->rep * 1299709;
	if (b->kernel && !is_control(s->kernels[b->kernel]))
		ratio = s->contrary && b->rep % s->machines == 1 ? 1 / s->effect : s->effect;
	b->speed = (s->speed ?: 10000) * ratio * exp(s->noise * normal(&b->rng)) /
		   (1 << (s->machines && !is_exact(s) ? b->rep % s->machines : 0));
}

static const char *source_of(const struct synthetic *s)
{
	return s->database ? "postgres" : is_exact(s) ? "exact" : "pmdshare";
}

/* Throughput with contention: Universal Scalability Law, sigma 0.05, kappa 0.002. */
static double throughput(const struct boot *b)
{
	double n = b->s->tasks[b->cell];

	return b->speed * n / (1 + 0.05 * (n - 1) + 0.002 * n * (n - 1));
}

static json_t *metric(const char *source, const char *role, const char *name, const char *kind,
		      const char *unit, const char *better, bool primary, unsigned int tasks)
{
	return json_pack("{s:s s:s s:s s:s s:s s:s s:b s:i}", "source", source, "role", role,
			 "name", name, "kind", kind, "unit", unit, "better", better, "primary",
			 primary, "tasks", tasks);
}

static json_t *rate_metric(const char *source, const char *role, const char *name, bool primary,
			   unsigned int tasks, double rate)
{
	json_t *j = metric(source, role, name, "rate", "1/s", "higher", primary, tasks);

	json_object_set_new(j, "value", json_real(round(rate * 10) / 10));
	json_object_set_new(j, "count", json_integer(round(rate * 10)));
	json_object_set_new(j, "seconds", json_real(10));
	return j;
}

/* The database has one driver task, whatever the number of its clients. */
static unsigned int tasks_of(const struct boot *b)
{
	return b->s->database ? 1 : b->s->tasks[b->cell];
}

/* Log-normal latencies with a tail a hundred times slower in one of 200. */
static int write_hist(const struct boot *b, json_t *metrics, const char *dir)
{
	const char *source = source_of(b->s);
	const char *name = b->s->database ? "latency" : "fault_latency";
	json_t *j = metric(source, "workload", name, "hist", "ns", "lower", true, tasks_of(b));
	HB_FREE char *file = hb_strf("%s.%s.hist", source, name);
	struct hist *h = malloc(sizeof(*h));
	uint64_t rng = b->rng;
	int err;

	if (!h || !j)
		return -ENOMEM;
	hist_reset(h);
	for (unsigned int i = 0; i < b->s->samples; i++) {
		double slow = uniform(&rng) < 0.005 ? 100 : 1;

		hist_record(h, slow * (b->s->database ? 5e9 * b->s->tasks[b->cell] : 5e7) /
				       b->speed * exp(0.4 * normal(&rng)));
	}
	json_object_set_new(j, "count", json_integer(h->count));
	json_object_set_new(j, "overflow", json_integer(h->overflow));
	json_object_set_new(j, "min", json_integer(h->min));
	json_object_set_new(j, "max", json_integer(h->max));
	json_object_set_new(j, "mean", json_real(hist_mean(h)));
	json_object_set_new(j, "file", json_string(file));
	json_array_append_new(metrics, j);
	err = write_json(hist_to_json(h, "ns"), JSON_COMPACT, dir, file);
	free(h);
	return err;
}

static int write_intervals(const struct boot *b, const char *dir)
{
	HB_FREE char *path = hb_strf("%s/intervals.jsonl", dir);
	HB_FCLOSE FILE *f = path ? fopen(path, "we") : NULL;
	uint64_t rng = b->rng + 1;

	if (!f)
		return -ENOMEM;
	for (unsigned int i = 0; i < b->s->intervals; i++) {
		double length = 10e9 / b->s->intervals;

		fprintf(f,
			"{\"t_ns\": %.0f, \"length_ns\": %.0f, \"counters\": {\"pmdshare.faults\": "
			"%.0f",
			i * length, length,
			throughput(b) * length / 1e9 * exp(0.05 * normal(&rng)));
		for (unsigned int a = 0; a < ARRAY_SIZE(b->s->antagonists) && b->s->antagonists[a];
		     a++)
			fprintf(f, ", \"%s.work\": %.0f", b->s->antagonists[a],
				100 * length / 1e9 * exp(0.2 * normal(&rng)));
		fprintf(f, "}}\n");
	}
	return 0;
}

static json_t *names(const char *const *list, size_t n)
{
	json_t *j = json_array();

	for (size_t i = 0; i < n && list[i]; i++)
		json_array_append_new(j, json_string(list[i]));
	return j;
}

static json_t *environment_json(const struct boot *b)
{
	unsigned int node = b->rep % b->s->machines;
	char id[32], name[32], model[32];

	snprintf(id, sizeof(id), "host-%u", node);
	snprintf(name, sizeof(name), "node%u", node);
	snprintf(model, sizeof(model), "Example CPU %u", b->s->models ? node : 0);
	return json_pack("{s:s s:s s:s}", "host_id", id, "host_name", name, "cpu_model", model);
}

static json_t *cell_json(const struct boot *b, json_t *metrics)
{
	const struct synthetic *s = b->s;
	const char *source = source_of(s);
	char tasks[16];
	json_t *j;

	snprintf(tasks, sizeof(tasks), "%u", s->tasks[b->cell]);
	j = json_pack("{s:i s:s s:i s:s s:s s:i s:b s:s s:s s:s s:b s:[] s:[s] s:o s:i s:{s:s s:s} "
		      "s:o s:[{s:s s:s s:s}]"
		      " s:{s:I s:I s:I s:I} s:{s:b} s:s}",
		      "format", 1, "id", b->id, "seq", b->seq, "kernel", s->kernels[b->kernel],
		      "cell", b->name, "rep", b->rep, "warmup_boot", 0, "mode", s->mode, "verdict",
		      b->hang ? "HANG" : "OK", "reason",
		      b->hang ? "no progress for 10 s, 4 tasks blocked" : "", "expected", 1,
		      "evidence", "workloads", source, "antagonists",
		      names(s->antagonists, ARRAY_SIZE(s->antagonists)), "tasks", tasks_of(b),
		      "parameters", "pmdshare.size", "1G",
		      s->database ? "postgres.clients" : "pmdshare.tasks", tasks, "metrics",
		      metrics, "notes", "source", source, "key", "proof", "text",
		      "HugetlbPages 0 kB of 1 GiB in 3 of 3 children", "times", "boot_ns",
		      (json_int_t)3000000000, "measure_ns", (json_int_t)10000000000, "warmup_ns",
		      (json_int_t)2000000000, "total_ns", (json_int_t)17000000000, "conservation",
		      "ok", 1, "started", "2020-01-01T00:00:00Z");
	if (s->machines)
		json_object_set_new(j, "environment", environment_json(b));
	if (b->hang) {
		json_array_append_new(json_object_get(j, "evidence"),
				      json_string("task:pmdshare state:D stack: __lock_page"));
		json_array_append_new(
			json_object_get(j, "evidence"),
			json_string("task:punchhole state:D stack: rwsem_down_write_slowpath"));
	}
	return j;
}

static void add_gauge(json_t *metrics, const char *name, const char *unit, const char *better,
		      double value)
{
	json_t *j = metric("postgres", "workload", name, "gauge", unit, better, true, 1);

	json_object_set_new(j, "value", json_real(value));
	json_array_append_new(metrics, j);
}

/* Instructions of an operation, and a detail beside it. */
static void add_instructions(const struct boot *b, json_t *metrics)
{
	static const char *const metric_names[] = {"first_fault", "first_fault_mean"};

	for (unsigned int i = 0; i < ARRAY_SIZE(metric_names); i++) {
		json_t *j = metric("exact", "workload", metric_names[i], "exact", "insn", "lower",
				   !i, 1);

		json_object_set_new(j, "value", json_real(round(1e7 / b->speed) + 10 * i));
		json_array_append_new(metrics, j);
	}
}

static void add_throughput(struct boot *b, json_t *metrics)
{
	if (!b->s->database) {
		json_array_append_new(metrics, rate_metric("pmdshare", "workload", "faults", true,
							   tasks_of(b), throughput(b)));
		return;
	}
	add_gauge(metrics, "tps", "1/s", "higher", throughput(b) / 10);
	add_gauge(metrics, "page_tables_per_connection", "KiB", "lower",
		  (b->kernel ? 120 : 8000) * exp(0.01 * normal(&b->rng)));
}

static int write_boot(struct boot *b)
{
	const struct synthetic *s = b->s;
	HB_FREE char *dir = NULL;
	json_t *metrics = json_array();
	int err;

	plan_boot(s, b);
	dir = hb_strf("%s/cells/%s", s->dir, b->id);
	err = dir ? hb_mkdir_all(dir) : -ENOMEM;
	if (is_exact(s)) {
		add_instructions(b, metrics);
	} else if (!b->hang) {
		add_throughput(b, metrics);
		err = err ?: write_hist(b, metrics, dir);
		for (unsigned int a = 0; a < ARRAY_SIZE(s->antagonists) && s->antagonists[a]; a++)
			json_array_append_new(
				metrics, rate_metric(s->antagonists[a], "antagonist", "work", false,
						     1, 100 * exp(0.05 * normal(&b->rng))));
		err = err ?: write_intervals(b, dir);
	}
	return err ?: write_json(cell_json(b, metrics), JSON_INDENT(1), dir, "cell.json");
}

int synthetic_write(const struct synthetic *s)
{
	json_t *planned = json_array();
	unsigned int seq = 0;
	int err = hb_remove_all(s->dir);

	err = err ?: hb_mkdir_all(s->dir);
	err = err ?: write_json(run_json(s), JSON_INDENT(1), s->dir, "run.json");
	for (unsigned int rep = 1; rep <= s->boots && !err; rep++)
		for (unsigned int c = 0; c < ARRAY_SIZE(s->tasks) && s->tasks[c] && !err; c++)
			for (unsigned int k = 0;
			     k < ARRAY_SIZE(s->kernels) && s->kernels[k] && !err; k++) {
				struct boot b = {
					.s = s, .kernel = k, .cell = c, .rep = rep, .seq = seq + 1};

				seq++;
				err = write_boot(&b);
				json_array_append_new(
					planned, json_pack("{s:i s:s}", "seq", b.seq, "id", b.id));
			}
	return err
		       ?: write_json(json_pack("{s:i s:i s:o}", "format", 1, "seed", 7, "cells",
					       planned),
				     JSON_INDENT(1), s->dir, "plan.json");
}
