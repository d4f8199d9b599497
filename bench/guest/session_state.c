// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known of a cell while it runs: its step, its evidence, its verdict. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/base/plain.h"
#include "bench/guest/session_state.h"
#include "bench/host/child.h"

#define EVIDENCE_LINES 500
#define EVIDENCE_BYTES 1000 /* of a line */

const char *const session_steps[STEPS] = {"boot", "setup", "warmup", "measure", "drain", "collect"};

/* What the agent or QEMU says becomes one line; a text cut in a character is no JSON string. */
static void plain_line(char *text)
{
	plain_make(text);
	for (; *text; text++)
		if (isspace((unsigned char)*text))
			*text = ' ';
}

int session_settle(struct session *s, const char *verdict, const char *fmt, ...)
{
	va_list ap;

	if (s->verdict)
		return 1;
	s->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(s->reason, sizeof(s->reason), fmt, ap);
	va_end(ap);
	plain_line(s->reason);
	return 1;
}

void session_evidence(struct session *s, const char *text)
{
	while (*text && json_array_size(s->evidence) < EVIDENCE_LINES) {
		size_t n = strcspn(text, "\n");
		HB_FREE char *line = strndup(text, n < EVIDENCE_BYTES ? n : EVIDENCE_BYTES);

		if (line)
			plain_make(line);
		if (line && n && !json_has_text(s->evidence, line))
			json_array_append_new(s->evidence, json_string(line));
		text += n + (text[n] == '\n');
	}
}

void session_evidence_array(struct session *s, const json_t *lines)
{
	size_t i;
	json_t *line;

	json_array_foreach (lines, i, line)
		if (json_is_string(line))
			session_evidence(s, json_string_value(line));
}

void session_tell(struct session *s, const json_t *frame)
{
	if (s->c->progress)
		s->c->progress(s->c->progress_arg, session_steps[s->step], frame);
}

uint64_t session_spec(const struct session *s, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(json_object_get(s->spec, "phases"), key));

	return v > 0 ? v : 0;
}

bool session_is_exact(const struct session *s)
{
	return !s->c->native && s->c->vm.mode == VM_EXACT;
}

void session_enter(struct session *s, enum session_step step)
{
	uint64_t now = hb_now_ns();

	s->took[s->step] += now - s->step_started;
	s->step = step;
	s->step_started = now;
	s->step_waited = session_waited_ns(s);
}

uint64_t session_waited_ns(const struct session *s)
{
	if (s->vm)
		return vm_waited_ns(s->vm);
	return s->native.pid > 0 && !s->native.reaped ? child_waited_ns(s->native.pid) : 0;
}

int session_fd(const struct session *s)
{
	return s->vm ? vm_data_fd(s->vm) : s->native.fd;
}
