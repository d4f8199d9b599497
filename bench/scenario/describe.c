// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/host/child.h"
#include "bench/scenario/describe.h"

#define DESCRIBE_ABI 1

/* Is every entry of the form that the rest of the host side relies on? */
static int workloads_check(const json_t *workloads, const char *agent, struct hb_error *e)
{
	size_t i;
	json_t *w;

	if (!json_is_array(workloads))
		return hb_error_set(e, -EPROTO, "%s --describe: no array 'workloads'", agent);
	json_array_foreach (workloads, i, w) {
		const char *name = json_string_value(json_object_get(w, "name"));
		const char *role = json_string_value(json_object_get(w, "role"));

		if (!name || !role || (strcmp(role, "workload") && strcmp(role, "antagonist")) ||
		    !json_is_array(json_object_get(w, "options")) ||
		    !json_is_array(json_object_get(w, "metrics")))
			return hb_error_set(e, -EPROTO, "%s --describe: workload %zu is malformed",
					    agent, i);
	}
	return 0;
}

json_t *describe_agent(const char *agent, struct hb_error *e)
{
	char *argv[] = {(char *)agent, "--describe", NULL};
	struct child c = {.err = STDERR_FILENO};
	HB_FREE char *text = NULL;
	json_error_t je = {.text = "no memory"};
	json_t *doc, *workloads = NULL;
	int status;

	if (access(agent, X_OK)) {
		hb_error_set(e, -errno, "cannot run the agent %s: %s (run `make`)", agent,
			     strerror(errno));
		return NULL;
	}
	status = child_capture(&c, argv, &text);
	doc = text ? json_loads(text, JSON_REJECT_DUPLICATES, &je) : NULL;
	if (!doc || status) {
		hb_error_set(e, -EPROTO, "%s --describe: %s", agent,
			     status ? "the agent failed" : je.text);
	} else if (json_integer_value(json_object_get(doc, "abi")) != DESCRIBE_ABI) {
		hb_error_set(e, -EPROTO,
			     "%s --describe: abi is not %d; run `make` to build both anew", agent,
			     DESCRIBE_ABI);
	} else {
		workloads = json_object_get(doc, "workloads");
		if (workloads_check(workloads, agent, e))
			workloads = NULL;
		json_incref(workloads);
	}
	json_decref(doc);
	return workloads;
}

const json_t *describe_find(const json_t *workloads, const char *name)
{
	return json_find(workloads, "name", name);
}

bool describe_is_antagonist(const json_t *workload)
{
	return !strcmp(json_text(workload, "role"), "antagonist");
}
