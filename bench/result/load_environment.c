// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of a run, wherever its run.json has it. */
#include "bench/base/json.h"
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

static json_t *of_earlier(const json_t *run)
{
	json_t *environment = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(earlier); i++) {
		json_t *v =
			json_object_get(json_object_get(run, earlier[i].object), earlier[i].key);

		if (v)
			json_object_set(environment, earlier[i].member, v);
	}
	return environment;
}

/* {NAME: member @key of the kernel}, of all that have it; new reference. */
static json_t *of_kernels(const json_t *run, const char *key)
{
	json_t *all = json_object(), *k;
	size_t i;

	json_array_foreach (json_object_get(run, "kernels"), i, k) {
		json_t *v = json_object_get(k, key);

		if (v)
			json_object_set(all, json_text(k, "name"), v);
	}
	return all;
}

json_t *load_environment(const json_t *run)
{
	json_t *environment = json_object_get(run, "environment");

	if (json_object_get(environment, "build_ids"))
		return json_incref(environment);
	environment = json_is_object(environment) ? json_copy(environment) : of_earlier(run);
	json_object_set_new(environment, "build_ids", of_kernels(run, "build_id"));
	json_object_set_new(environment, "compilers", of_kernels(run, "compiler"));
	return environment;
}
