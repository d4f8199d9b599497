// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/scenario/describe.h"

#define DESCRIBE_ABI 1

static pid_t agent_spawn(const char *agent, int *out)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		pid = -errno;
		close(fd[0]);
		close(fd[1]);
		return pid;
	}
	if (!pid) {
		if (dup2(fd[1], STDOUT_FILENO) >= 0)
			execl(agent, agent, "--describe", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	*out = fd[0];
	return pid;
}

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
	json_error_t je;
	json_t *doc, *workloads = NULL;
	int fd = -1, status = 0;
	pid_t pid;

	if (access(agent, X_OK)) {
		hb_error_set(e, -errno, "cannot run the agent %s: %s (run `make`)", agent,
			     strerror(errno));
		return NULL;
	}
	pid = agent_spawn(agent, &fd);
	if (pid < 0) {
		hb_error_set(e, pid, "cannot start %s: %s", agent, strerror(-pid));
		return NULL;
	}
	doc = json_loadfd(fd, JSON_REJECT_DUPLICATES, &je);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
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
	size_t i;
	json_t *w;

	json_array_foreach (workloads, i, w)
		if (!strcmp(json_string_value(json_object_get(w, "name")), name))
			return w;
	return NULL;
}

bool describe_is_antagonist(const json_t *workload)
{
	return !strcmp(json_string_value(json_object_get(workload, "role")), "antagonist");
}
