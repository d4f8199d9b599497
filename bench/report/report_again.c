// SPDX-License-Identifier: GPL-2.0-or-later
/* How to run a run again, as a shell takes it. */
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/* Text of a command, broken with backslashes before it gets wider than a mail. */
struct command {
	FILE *f;
	size_t column;
};

static void shell_word(struct command *c, const char *word)
{
	if (c->column && c->column + strlen(word) > DOC_WIDTH - 8) {
		fputs(" \\\n   ", c->f);
		c->column = 3;
	}
	c->column += fprintf(c->f, "%s", c->column ? " " : "");
	c->column += hb_shell_word(c->f, word);
}

static void shell_text(struct command *c, const json_t *word, const char *otherwise)
{
	shell_word(c, json_is_string(word) ? json_string_value(word) : otherwise);
}

/* hugebench as it was called, with the environment that it had. */
static void shell_call(struct command *c, const json_t *run)
{
	json_t *invocation = json_object_get(run, "invocation"), *value;
	const char *key;

	c->column = 0;
	if (json_object_size(json_object_get(invocation, "environment")))
		shell_word(c, "env");
	json_object_foreach (json_object_get(invocation, "environment"), key, value) {
		HB_FREE char *setting = hb_strf("%s=%s", key, json_string_value(value) ?: "");

		shell_word(c, setting ? setting : "?");
	}
	shell_text(c, json_object_get(invocation, "executable"), "build/hugebench");
}

/* The commands of run number @r, and of the report. */
static char *commands(const struct compare_model *m, unsigned int r)
{
	const json_t *run = m->runs[r]->run, *invocation = json_object_get(run, "invocation");
	const json_t *directory = json_object_get(invocation, "directory"), *word;
	char *text = NULL;
	size_t len, i;
	struct command c = {open_memstream(&text, &len), 0};

	if (!c.f)
		return NULL;
	if (directory) {
		shell_word(&c, "cd");
		shell_text(&c, directory, "?");
		fputc('\n', c.f);
	}
	shell_call(&c, run);
	json_array_foreach (json_object_get(run, "command"), i, word)
		if (i)
			shell_text(&c, word, "?");
	fputc('\n', c.f);
	shell_call(&c, run);
	shell_word(&c, "report");
	for (unsigned int k = 0; k < 2 && m->runs[k]; k++)
		shell_text(&c,
			   json_object_get(json_object_get(m->runs[k]->run, "invocation"), "run"),
			   m->runs[k]->name);
	fputc('\n', c.f);
	fclose(c.f);
	return text;
}

void report_again(const struct compare_model *m, struct doc *d)
{
	doc_heading(d, 2, "To run it again");
	for (unsigned int r = 0; r < 2 && m->runs[r]; r++) {
		const json_t *run = m->runs[r]->run;
		const char *reason = json_string_value(json_object_get(run, "repetitions_reason"));
		HB_FREE char *text = commands(m, r);

		if (!text) {
			d->failed = true;
			return;
		}
		if (!json_object_get(json_object_get(run, "invocation"), "directory"))
			doc_paragraph(d, "In the clone of hugebench:");
		doc_verbatim(d, "%s", text);
		doc_paragraph(d, "Seed %lld; boots per arm and cell: %lld%s%s.",
			      (long long)json_integer_value(json_object_get(run, "seed")),
			      (long long)json_integer_value(json_object_get(run, "repetitions")),
			      reason ? ", " : "", reason ? reason : "");
	}
}
