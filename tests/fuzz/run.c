// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of a run that somebody else made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/plain.h"
#include "bench/report/plot.h"
#include "bench/report/report.h"
#include "tests/fuzz/fuzz.h"

void fuzz_cell(const uint8_t *data, size_t len)
{
	json_t *j = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
	struct hb_error e;

	if (json_is_object(j) && !plain_json_check(j, &e))
		load_cell_check(j, &e);
	json_decref(j);
}

void fuzz_hist(const uint8_t *data, size_t len)
{
	json_t *j = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
	HB_FREE struct hist *h = malloc(sizeof(*h));
	struct hb_error e;

	if (h && j)
		hist_from_json(h, j, &e);
	json_decref(j);
}

/*
 * A run in one text: every line "--- NAME" begins the file of that name, one of those below. Two
 * cells at most, so that two arms can be compared.
 */
static const char *const files[] = {
	"run.json",
	"plan.json",
	"cells/a/cell.json",
	"cells/a/w.l.hist",
	"cells/a/intervals.jsonl",
	"cells/b/cell.json",
	"cells/b/w.l.hist",
	"cells/b/intervals.jsonl",
};

static const char *known(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (strlen(files[i]) == len && !strncmp(files[i], name, len))
			return files[i];
	return NULL;
}

static void write_files(char *text)
{
	while ((text = strstr(text, "--- "))) {
		size_t n = strcspn(text + 4, "\n");
		const char *name = known(text + 4, n);
		char *body = text + 4 + n + (text[4 + n] == '\n');
		char *end = strstr(body, "--- ");
		size_t len = end ? (size_t)(end - body) : strlen(body);

		if (name)
			free(fuzz_file(name, (uint8_t *)body, len));
		text = body + len;
	}
}

static void report(struct load_run *run)
{
	const struct compare_options o = {0};
	struct compare_model *m = NULL;
	HB_FREE char *out = NULL;
	struct hb_error e;
	struct doc d = {0};
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		abort();
	if (!compare_build(run, NULL, &o, &m, &e)) {
		struct plot_set set = {0};

		plot_plan(m, &set);
		for (size_t i = 0; i < set.n; i++)
			if (!set.plots[i].why)
				plot_data(m, &set.plots[i], f);
		plot_free(&set);
		report_build(m, &d, false);
		for (enum report_format as = REPORT_TEXT; as <= REPORT_JSON; as++)
			report_render(m, &d, as, false, f);
		fclose(f);
		/* No sequence that a terminal obeys; the form for programs has its own escapes. */
		if (!plain_text(out))
			abort();
		doc_free(&d);
	} else {
		fclose(f);
	}
	compare_free(m);
}

void fuzz_run(const uint8_t *data, size_t len)
{
	HB_FREE char *text = fuzz_text(data, len);
	HB_FREE char *a = hb_strf("%s/cells/a", fuzz_directory());
	HB_FREE char *b = hb_strf("%s/cells/b", fuzz_directory());
	struct load_run *run;
	struct hb_error e;

	if (hb_mkdir_all(a) || hb_mkdir_all(b))
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		free(fuzz_file(files[i], (const uint8_t *)"", 0));
	write_files(text);
	if (load_run(fuzz_directory(), &run, &e))
		return;
	report(run);
	load_free(run);
}
