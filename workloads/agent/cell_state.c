// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "workloads/agent/cell_state.h"

void cell_verdict(struct run *r, const char *verdict, const char *reason)
{
	if (r->verdict)
		return;
	r->verdict = verdict;
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

void cell_failed(struct run *r, int rc, const struct hb_error *e)
{
	cell_verdict(r, rc == -EOPNOTSUPP ? "SKIP" : "INVALID",
		     e->text[0] ? e->text : strerror(-rc));
}

void cell_note(struct run *r, const char *key, const char *text)
{
	json_array_append_new(r->notes, json_pack("{s:s, s:s, s:s}", "source", "agent", "key", key,
						  "text", text));
}
