// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/guest/console.h"
#include "bench/run/metal_state.h"

#define FORMAT	  1
#define FILE_NAME "state.json"
#define WORD	  "hugebench.metal="
/* Boots of an arm that do not happen, before the run is given up. */
#define TRIES_MOST 3

int metal_state_load(const char *directory, struct metal_state *s, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/" FILE_NAME, directory), *text = NULL;
	json_t *j;
	int rc = path ? hb_file_read(path, &text, NULL) : -ENOMEM;

	*s = (struct metal_state){0};
	if (rc == -ENOENT)
		return hb_error_set(e, rc, "no run of `hugebench metal` is under way");
	if (rc)
		return hb_error_set(e, rc, "%s: %s", path, strerror(-rc));
	j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	*s = (struct metal_state){
		.results = json_text_dup(j, "results"),
		.run = json_text_dup(j, "run"),
		.agent = json_text_dup(j, "agent"),
		.arms = json_incref(json_object_get(j, "arms")),
		.environment = json_incref(json_object_get(j, "environment")),
		.stopped = json_text_dup(j, "stopped"),
		.pause = json_integer_value(json_object_get(j, "pause_ns")),
		.cell = json_text_dup(j, "cell"),
		.boot_id = json_text_dup(j, "boot_id"),
		.error = json_text_dup(j, "error"),
		.measuring = json_is_true(json_object_get(j, "measuring")),
		.tries = json_integer_value(json_object_get(j, "tries")),
		.since = json_integer_value(json_object_get(j, "since")),
	};
	rc = json_integer_value(json_object_get(j, "format")) == FORMAT && s->results && s->run &&
			     json_is_object(s->arms)
		     ? 0
		     : hb_error_set(e, -EPROTO, "%s is no state of format %d", path, FORMAT);
	json_decref(j);
	return rc;
}

int metal_state_store(const char *directory, const struct metal_state *s, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/" FILE_NAME, directory);
	json_t *j = json_pack("{s:i, s:s, s:s, s:s*, s:O, s:O*, s:s*, s:I, s:s*, s:s*, s:s*, s:b, "
			      "s:i, s:I}",
			      "format", FORMAT, "results", s->results, "run", s->run, "agent",
			      s->agent, "arms", s->arms, "environment", s->environment, "stopped",
			      s->stopped, "pause_ns", (json_int_t)s->pause, "cell", s->cell,
			      "boot_id", s->boot_id, "error", s->error, "measuring", s->measuring,
			      "tries", s->tries, "since", (json_int_t)s->since);
	int rc = hb_mkdir_all(directory);

	if (!rc)
		rc = json_write(path, j, JSON_INDENT(1));
	json_decref(j);
	return rc ? hb_error_set(e, rc, "%s: %s", path ? path : directory, strerror(-rc)) : 0;
}

int metal_state_remove(const char *directory, struct hb_error *e)
{
	int rc = hb_remove_all(directory);

	return rc ? hb_error_set(e, rc, "cannot remove %s: %s", directory, strerror(-rc)) : 0;
}

void metal_state_free(struct metal_state *s)
{
	free(s->results);
	free(s->run);
	free(s->agent);
	json_decref(s->arms);
	json_decref(s->environment);
	free(s->stopped);
	free(s->cell);
	free(s->boot_id);
	free(s->error);
	*s = (struct metal_state){0};
}

char *metal_booted_cell(const char *command_line)
{
	const char *word = command_line;
	size_t len;

	for (; *(word += strspn(word, " \n")); word += len) {
		len = strcspn(word, " \n");
		if (len > strlen(WORD) && !strncmp(word, WORD, strlen(WORD)))
			return strndup(word + strlen(WORD), len - strlen(WORD));
	}
	return NULL;
}

enum metal_step metal_next(const struct metal_state *s, const char *booted, bool stored,
			   const char *boot_id)
{
	bool same = s->boot_id && !strcmp(s->boot_id, boot_id);

	if (booted)
		return s->cell && !strcmp(s->cell, booted) && !stored && !s->measuring
			       ? METAL_MEASURE
			       : METAL_RETURN;
	if (!s->cell || stored)
		return METAL_NEXT;
	if (!same)
		return METAL_LOST;
	return s->tries < TRIES_MOST ? METAL_AGAIN : METAL_STUCK;
}

static bool mentions(const json_t *lines, const char *what)
{
	const json_t *line;
	size_t i;

	json_array_foreach (lines, i, line)
		if (strstr(json_string_value(line), what))
			return true;
	return false;
}

/* A kernel that finds itself hung panics by these words. */
static bool is_hang(const json_t *lines)
{
	return mentions(lines, "softlockup: hung tasks") || mentions(lines, "hung_task: blocked") ||
	       mentions(lines, "Hard LOCKUP") || mentions(lines, "hard LOCKUP");
}

/* Nothing was left behind. */
static void judge_without_trace(const struct metal_state *s, bool watchdog, struct metal_end *end)
{
	const char *when = s->measuring ? "while the cell was measured" : "before the cell began";

	if (s->error) {
		end->verdict = "INVALID";
		snprintf(end->reason, sizeof(end->reason), "%s", s->error);
	} else if (watchdog) {
		end->verdict = "HANG";
		snprintf(end->reason, sizeof(end->reason), "the watchdog reset the machine %s",
			 when);
	} else {
		end->verdict = "INVALID";
		snprintf(end->reason, sizeof(end->reason),
			 "the machine started again %s and left no trace in pstore or its "
			 "watchdog: a panic or a hang unrecorded, a reset, a power cut",
			 when);
	}
}

int metal_judge(const struct metal_state *s, const char *dmesg, bool watchdog,
		struct metal_end *end)
{
	struct console_scan scan;
	int rc = console_scan_text(dmesg, strlen(dmesg), &scan);

	*end = (struct metal_end){.evidence = json_incref(scan.evidence)};
	if (!rc && scan.count[CONSOLE_PANIC]) {
		end->verdict = is_hang(scan.evidence) ? "HANG" : "PANIC";
		snprintf(end->reason, sizeof(end->reason), "%s",
			 scan.count[CONSOLE_OOPS] ? scan.first[CONSOLE_OOPS]
						  : scan.first[CONSOLE_PANIC]);
	} else if (!rc) {
		judge_without_trace(s, watchdog, end);
	}
	console_scan_free(&scan);
	return rc;
}
