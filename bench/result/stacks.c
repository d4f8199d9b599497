// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/util.h"
#include "bench/result/stacks.h"

#define CHAIN_MAX 640

/* One stack while it is read. */
struct stack {
	bool open; /* between the task's line and the end of its chain */
	char chain[CHAIN_MAX];
};

/* Past "[  12.345678] " and blanks. */
static const char *line_text(const char *line)
{
	const char *end;

	while (isspace((unsigned char)*line))
		line++;
	end = *line == '[' ? strchr(line, ']') : NULL;
	line = end ? end + 1 : line;
	while (isspace((unsigned char)*line))
		line++;
	return line;
}

/* "name.part.0+0x1a/0x2b" -> "name"; false: the line is no entry of a stack. */
static bool entry_name(const char *text, char *name, size_t len)
{
	size_t n = strcspn(text, "+ .");

	if (!n || n >= len || !strstr(text + n, "+0x") || strchr(text, ':'))
		return false;
	memcpy(name, text, n);
	name[n] = '\0';
	return true;
}

static void chain_add(struct stack *s, const char *name)
{
	static const char *const scheduler[] = {"__schedule",
						"schedule",
						"schedule_timeout",
						"io_schedule",
						"schedule_preempt_disabled",
						NULL};
	size_t used = strlen(s->chain);

	if (hb_is_one_of(name, scheduler) || used + strlen(name) + 4 > sizeof(s->chain))
		return;
	snprintf(s->chain + used, sizeof(s->chain) - used, "%s%s", used ? " < " : "", name);
}

static int chain_less(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	json_int_t m = json_integer_value(json_object_get(x, "tasks"));
	json_int_t n = json_integer_value(json_object_get(y, "tasks"));

	if (m != n)
		return m > n ? -1 : 1;
	return strcmp(json_text(x, "chain"), json_text(y, "chain"));
}

/* {chain: count} -> the sorted array. */
static json_t *chains_sorted(json_t *counts)
{
	HB_FREE json_t **entry = calloc(json_object_size(counts) + 1, sizeof(*entry));
	json_t *out = json_array(), *count;
	const char *chain;
	size_t n = 0;

	if (!entry || !out) {
		json_decref(out);
		return NULL;
	}
	json_object_foreach (counts, chain, count)
		entry[n++] = json_pack("{s:O, s:s}", "tasks", count, "chain", chain);
	qsort(entry, n, sizeof(*entry), chain_less);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, entry[i]);
	return out;
}

static void stack_close(struct stack *s, json_t *counts)
{
	if (s->open && s->chain[0]) {
		json_t *old = json_object_get(counts, s->chain);

		json_object_set_new(counts, s->chain, json_integer(json_integer_value(old) + 1));
	}
	s->open = false;
	s->chain[0] = '\0';
}

static void take_line(struct stack *s, const char *text, json_t *counts)
{
	static const char *const outside[] = {"asm_exc_page_fault", "do_syscall_64",
					      "entry_SYSCALL_64_after_hwframe", "ret_from_fork",
					      NULL};
	char name[128];

	if (!strncmp(text, "task:", 5)) {
		stack_close(s, counts);
		s->open = strstr(text, "state:D") != NULL;
	} else if (text[0] == '?') {
		return; /* an entry the unwinder is not sure of */
	} else if (s->open && entry_name(text, name, sizeof(name))) {
		if (hb_is_one_of(name, outside))
			stack_close(s, counts);
		else
			chain_add(s, name);
	} else if (s->open && strcmp(text, "Call Trace:")) {
		stack_close(s, counts);
	}
}

json_t *stacks_chains(const json_t *lines)
{
	json_t *counts = json_object(), *line, *sorted;
	struct stack s = {.open = false};
	size_t i;

	if (!counts)
		return NULL;
	json_array_foreach (lines, i, line)
		if (json_is_string(line))
			take_line(&s, line_text(json_string_value(line)), counts);
	stack_close(&s, counts);
	sorted = chains_sorted(counts);
	json_decref(counts);
	return sorted;
}
