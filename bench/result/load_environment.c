// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of a run, wherever its run.json has it. */
#include "bench/result/load.h"

/* Where the members stood before they were one object. */
static const struct {
	const char *object, *key, *member;
} earlier[] = {
	{"host", "id", "host_id"},
	{"host", "cpu_model", "cpu_model"},
	{"host", "cpus", "cpus"},
	{"host", "memory", "host_memory"},
	{"host", "kernel", "host_kernel"},
	{"guest", "qemu", "qemu"},
	{"guest", "accelerator", "accelerator"},
	{"image", "id", "image"},
};

json_t *load_environment(const json_t *run)
{
	json_t *environment = json_object_get(run, "environment");

	if (json_is_object(environment))
		return json_incref(environment);
	environment = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(earlier); i++) {
		json_t *v =
			json_object_get(json_object_get(run, earlier[i].object), earlier[i].key);

		if (v)
			json_object_set(environment, earlier[i].member, v);
	}
	return environment;
}
