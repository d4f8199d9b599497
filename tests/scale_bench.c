// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a run of 100,000 blocks costs: its plan, their joining, and a report over 100,000 boots,
 * which must take less than 60 s and 1 GiB. `make bench-scale`; wants 2.5 GiB of disk in /tmp.
 * BLOCKS=N has N of each, a multiple of 40, to look for what takes long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/report/report.h"
#include "bench/run/merge.h"
#include "bench/run/store.h"
#include "bench/scenario/plan.h"
#include "tests/synthetic.h"

#define CELLS	    20
#define MAX_SECONDS 60.0
#define MAX_KIB	    (1024 * 1024)

static char *top;		     /* our directory */
static unsigned int blocks = 100000; /* and as many boots in the report */

static struct spec spec_of_cells(void)
{
	static const char head[] = "[scenario]\nmode = emulated\n";
	HB_FREE char *text = NULL;
	json_t *workloads = json_loads("[{\"name\":\"w\",\"role\":\"workload\",\"options\":[],"
				       "\"metrics\":[]}]",
				       0, NULL);
	struct hb_error e = {""};
	struct spec spec;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs(head, out);
	for (int i = 0; i < CELLS; i++)
		fprintf(out, "[cell c%d]\nworkload = w\n", i);
	fclose(out);
	if (spec_parse("t.ini", text, workloads, NULL, 0, &spec, &e))
		fprintf(stderr, "scale_bench: %s\n", e.text);
	json_decref(workloads);
	return spec;
}

/* The plan of all blocks into run @name. */
static int plan(void)
{
	json_t *arms = json_pack("[s, s]", "base", "hinode"), *made;
	struct spec spec = spec_of_cells();
	struct store s;
	struct hb_error e = {""};
	json_t *record = json_pack("{s:i, s:s, s:[{s:s}, {s:s}], s:{s:s}}", "format", STORE_FORMAT,
				   "name", "plan", "kernels", "name", "base", "name", "hinode",
				   "environment", "host_id", "host");
	int rc = store_create(top, "plan", &s, &e);

	made = plan_make(&spec, "emulated", arms, 1, blocks / CELLS);
	rc = rc ?: store_write(&s, "run.json", record, &e) ?: store_write(&s, "plan.json", made, &e);
	if (rc)
		fprintf(stderr, "scale_bench: %s\n", e.text);
	json_decref(made);
	json_decref(arms);
	json_decref(record);
	spec_free(&spec);
	store_close(&s);
	return rc;
}

/* Reading it is what every block begins with. */
static int plan_read(void)
{
	struct store s;
	struct hb_error e = {""};
	int rc = store_join(top, "plan", 1, &s, &e);
	json_t *made = rc ? NULL : store_read(&s, "plan.json", &e);

	if (!made)
		fprintf(stderr, "scale_bench: %s\n", e.text);
	rc = made && plan_blocks(made) == blocks ? 0 : -EPROTO;
	json_decref(made);
	store_close(&s);
	return rc;
}

/* All boots of the plan, with nothing in them, in a copy of the run. */
static int boots_write(void)
{
	HB_FREE char *copy = hb_strf("mkdir %s/part && cp -r %s/plan %s/part/", top, top, top);
	struct store s = {.lock = -1, .name = strdup("plan"), .dir = hb_strf("%s/part/plan", top)};
	struct hb_error e = {""};
	json_t *made, *boot;
	size_t i;
	int rc = system(copy);

	made = store_read(&s, "plan.json", &e);
	json_array_foreach (json_object_get(made, "cells"), i, boot) {
		const char *id = json_string_value(json_object_get(boot, "id"));
		HB_FREE char *dir = hb_strf("%s/cells/%s", s.dir, id);
		HB_FREE char *file = hb_strf("%s/cell.json", dir);
		HB_FREE char *text = hb_strf("{\"format\":1,\"id\":\"%s\",\"environment\":{}}", id);
		FILE *out;

		rc = rc ?: hb_mkdir_all(dir);
		out = rc ? NULL : fopen(file, "we");
		if (!out || fputs(text, out) < 0 || fclose(out))
			rc = -EIO;
	}
	json_decref(made);
	store_close(&s);
	return rc;
}

static int merge(void)
{
	HB_FREE char *part = hb_strf("%s/part", top), *dir = NULL;
	struct merge_count count;
	struct hb_error e = {""};
	int rc = merge_run(top, "plan", &part, 1, &count, &dir, &e);

	if (rc)
		fprintf(stderr, "scale_bench: %s\n", e.text);
	return rc ?: count.taken == blocks && !count.missing ? 0 : -EPROTO;
}

static int run_write(void)
{
	HB_FREE char *dir = hb_strf("%s/run", top);
	struct synthetic s = synthetic_default(dir);

	for (unsigned int i = 0; i < CELLS; i++)
		s.tasks[i] = i + 1;
	s.boots = blocks / 2 / CELLS;
	s.intervals = 2;
	return synthetic_write(&s);
}

static int report(void)
{
	HB_FREE char *dir = hb_strf("%s/run", top);
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run = NULL;
	struct doc d = {0};
	struct hb_error e = {""};
	FILE *out = fopen("/dev/null", "we");
	int err = load_run(dir, &run, &e) ?: compare_build(run, NULL, &options, &m, &e);

	if (!err) {
		report_build(m, &d, false);
		err = doc_text(&d, out, false);
	}
	if (err)
		fprintf(stderr, "scale_bench: %s\n", *e.text ? e.text : strerror(-err));
	err = err ?: run->ncells == blocks ? 0 : -EPROTO;
	doc_free(&d);
	compare_free(m);
	load_free(run);
	fclose(out);
	return err;
}

/* In a process of its own, so that its peak of memory is not ours; @limited: by the limits above.
 */
static int measure(const char *what, int (*step)(void), bool limited)
{
	uint64_t begin = hb_now_ns();
	struct rusage usage;
	double processor;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(step() ? 1 : 0);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status) {
		printf("%s: failed\n", what);
		return 1;
	}
	processor = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("%-10s %7u blocks %7.2f s of processor time %7.2f s by the clock %8ld KiB\n", what,
	       blocks, processor, (hb_now_ns() - begin) / 1e9, usage.ru_maxrss);
	return limited && (processor > MAX_SECONDS || usage.ru_maxrss > MAX_KIB);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/hugebench-scale-XXXXXX";
	int failed;

	if (argc > 1)
		blocks = atoi(argv[1]);
	top = mkdtemp(dir);
	if (!top)
		return 1;
	failed = measure("plan", plan, false) || measure("plan read", plan_read, false) ||
		 boots_write() || measure("merge", merge, false) || run_write() ||
		 measure("report", report, true);
	hb_remove_all(top);
	if (failed)
		printf("scale_bench: over the limit, or failed\n");
	return failed;
}
