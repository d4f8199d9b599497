// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptions by hand, and what other programs print. */
#include <stdlib.h>
#include <string.h>

#include "bench/build/keyfile.h"
#include "bench/scenario/plan.h"
#include "bench/scenario/spec.h"
#include "tests/fuzz/fuzz.h"
#include "workloads/postgres/log.h"
#include "workloads/postgres/summary.h"

static const char workloads_text[] =
	"[{\"name\":\"null\",\"summary\":\"-\",\"role\":\"workload\",\"needs\":[\"CONFIG_X\"],"
	"\"options\":[{\"name\":\"work\",\"type\":\"number\",\"default\":\"1\",\"min\":\"1\","
	"\"max\":"
	"\"9\",\"help\":\"-\"},{\"name\":\"kind\",\"type\":\"choice\",\"default\":\"a\","
	"\"choices\":["
	"\"a\",\"b\"],\"help\":\"-\"}],\"metrics\":[{\"name\":\"ops\",\"kind\":\"rate\",\"unit\":"
	"\"1/s\",\"better\":\"higher\",\"primary\":true,\"help\":\"-\"}]},{\"name\":\"hole\","
	"\"summary\":\"-\",\"role\":\"antagonist\",\"needs\":[],\"options\":[],\"metrics\":[]}]";

void fuzz_scenario(const uint8_t *data, size_t len)
{
	HB_FREE char *text = fuzz_text(data, len);
	json_t *workloads = json_loads(workloads_text, 0, NULL);
	struct spec spec;
	struct hb_error e;

	if (!spec_parse("fuzz.ini", text, workloads, NULL, 4, &spec, &e) && spec.ncells < 20)
		json_decref(plan_make(&spec, "emulated", spec.kernels, 1, 2));
	spec_free(&spec);
	json_decref(workloads);
}

void fuzz_keyfile(const uint8_t *data, size_t len)
{
	HB_FREE char *path = fuzz_file("kernel.ini", data, len);
	HB_FREE char *description = NULL, *tree = NULL, *patches = NULL;
	const struct keyfile_row rows[] = {
		{"description", &description},
		{"tree", &tree},
		{"patches", &patches},
		{NULL, NULL},
	};
	struct hb_error e;

	keyfile_read(path, "kernel", rows, &e);
}

/* The first byte says what pgbench was asked for. */
void fuzz_summary(const uint8_t *data, size_t len)
{
	HB_FREE char *text = len ? fuzz_text(data + 1, len - 1) : NULL;
	struct pg_expect x = {.clients = 4, .threads = 2, .nscripts = 1};
	HB_FREE struct pg_summary *s = malloc(sizeof(*s));
	struct hb_error e;

	if (!text || !s)
		return;
	x.connect = *data & 1;
	x.rate = *data & 2;
	x.latency_limit = *data & 4;
	x.stddev = *data & 8;
	x.statements = *data & 16;
	x.nscripts += *data >> 5 & 1;
	if (!pg_summary_parse(text, &x, s, &e))
		pg_summary_agrees(s, s->processed, s->latency_ms, &e);
}

static void entry(void *arg, const struct pg_log_entry *e)
{
	*(uint64_t *)arg += e->latency_us;
}

/* In two pieces, cut where the first byte says. */
void fuzz_pglog(const uint8_t *data, size_t len)
{
	struct pg_log_stream s = {.lag = len && *data & 1};
	size_t cut = len ? (*data < len ? *data : len) : 0;
	uint64_t sum = 0;
	struct hb_error e;

	if (!pg_log_feed(&s, (const char *)data, cut, entry, &sum, &e) &&
	    !pg_log_feed(&s, (const char *)data + cut, len - cut, entry, &sum, &e))
		pg_log_end(&s, &e);
}
