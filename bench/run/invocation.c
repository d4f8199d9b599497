// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "bench/host/paths.h"
#include "bench/run/invocation.h"

/* Environment variables that decide what is built, booted and where it is written. */
static const char *const variables[] = {"HUGEBENCH_KERNELS", "HUGEBENCH_RESULTS", "KERNEL_SRC",
					"QEMU", "XDG_CACHE_HOME"};

/* From @directory, where it lies below it. */
static char *executable_from(const char *directory)
{
	HB_FREE char *path = paths_beside("hugebench");
	size_t len = strlen(directory);

	if (path && !strncmp(path, directory, len) && path[len] == '/')
		return strdup(path + len + 1);
	return HB_STEAL(path);
}

json_t *invocation(const char *results, const char *name)
{
	char directory[PATH_MAX];
	HB_FREE char *root = paths_root(NULL);
	HB_FREE char *run = results ? hb_strf("%s/%s", results, name) : strdup(name);
	HB_FREE char *executable = NULL;
	json_t *environment = json_object(), *j;

	if (!getcwd(directory, sizeof(directory)))
		strcpy(directory, "/");
	executable = executable_from(directory);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (getenv(variables[i]) && *getenv(variables[i]))
			json_object_set_new(environment, variables[i],
					    json_string(getenv(variables[i])));
	j = json_pack("{s:s*, s:s*, s:o}", "executable", executable, "run", run, "environment",
		      environment);
	/* The clone may lie elsewhere for another reader; any other place is named. */
	if (j && (!root || strcmp(root, directory)))
		json_object_set_new(j, "directory", json_string(directory));
	return j;
}
