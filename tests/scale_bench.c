// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a run of 100,000 blocks costs: its plan, their joining, and a report over 100,000 boots,
 * which must take less than 60 s and 1 GiB. `make bench-scale`; wants 2.5 GiB of disk in /tmp.
 * BLOCKS=N has N of each, a multiple of 40, to look for what takes long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/run/merge.h"
#include "bench/run/store.h"
#include "bench/scenario/plan.h"
#include "tests/cost.h"
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
	size_t cells, comparisons;

	return cost_report(dir, &cells, &comparisons) ?: cells == blocks ? 0 : -EPROTO;
}

/* @limited: by the limits above. */
static int measure(const char *what, int (*step)(void), bool limited)
{
	struct cost c;

	if (cost_measure(step, &c)) {
		printf("%s: failed\n", what);
		return 1;
	}
	printf("%-10s %7u blocks %7.2f s of processor time %7.2f s by the clock %8ld KiB\n", what,
	       blocks, c.processor, c.wall, c.kib);
	return limited && (c.processor > MAX_SECONDS || c.kib > MAX_KIB);
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
