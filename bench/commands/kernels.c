// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench kernels` */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/build/kernel.h"
#include "bench/commands/commands.h"
#include "bench/host/kernel_place.h"
#include "bench/scenario/spec.h"

static int print_kernel(const char *name, struct hb_error *e)
{
	struct kernel k;
	int rc = kernel_resolve(name, &k, e);

	if (rc)
		return rc;
	printf("%-20s %-12s %s %s %s\n", k.name, k.version, k.build_id, k.bzimage, k.config);
	fflush(stdout);
	kernel_free(&k);
	return 0;
}

static const char kernels_doc[] =
	"Build kernels, or find them in the cache, and print a line for each: name, version, "
	"build-id, "
	"path of bzImage, path of .config.\v"
	"A KERNEL is a variant (`hugebench list` shows them) or a place: a git tree with or "
	"without a "
	"ref (~/linux@v6.6), a directory, a tarball, a bzImage; several may be parted by commas. "
	"Without "
	"one: base and hinode. FROM..TO is every step from one variant to another. In the "
	"environment: HUGEBENCH_KERNELS (a directory of variants of "
	"one's "
	"own), KERNEL_SRC (a tarball or tree instead of the pinned package), CC and LLVM=1 (the "
	"compiler), KEEP=1 (keep sources and objects).";

/* Append @name, or the variants that FROM..TO stands for. */
static int name_add(json_t *names, const char *name, struct hb_error *e)
{
	if (!place_is(name) && strstr(name, ".."))
		return kernel_steps(name, names, e);
	return json_array_append_new(names, json_string(name)) ? -ENOMEM : 0;
}

/* All names of the arguments; new reference. */
static int names_of(char **args, json_t **names, struct hb_error *e)
{
	int rc = 0;

	*names = *args ? json_array() : json_pack("[s, s]", "base", "hinode");
	for (; *args && !rc; args++) {
		json_t *some = NULL, *name;
		size_t i;

		rc = spec_split(*args, &some, e);
		json_array_foreach (some, i, name)
			if (!rc)
				rc = name_add(*names, json_string_value(name), e);
		json_decref(some);
	}
	return rc;
}

static int build_all(json_t *names, struct hb_error *e)
{
	json_t *name;
	size_t i;
	int rc = 0;

	json_array_foreach (names, i, name)
		if (!rc)
			rc = kernel_check(json_string_value(name), e);
	json_array_foreach (names, i, name)
		if (!rc)
			rc = print_kernel(json_string_value(name), e);
	return rc;
}

int cmd_kernels(int argc, char **argv)
{
	const struct argp argp = {.args_doc = "[KERNEL...]", .doc = kernels_doc};
	struct hb_error e = {.text = ""};
	json_t *names = NULL;
	int first = argc, rc;

	if (argp_parse(&argp, argc, argv, ARGP_NO_ARGS | ARGP_IN_ORDER, &first, NULL))
		return EXIT_USAGE;
	rc = names_of(argv + first, &names, &e);
	if (!rc)
		rc = build_all(names, &e);
	json_decref(names);
	if (!rc)
		return EXIT_OK;
	fprintf(stderr, "hugebench kernels: %s\n", e.text);
	return rc == -ENOENT || rc == -EINVAL ? EXIT_USAGE : EXIT_HOST;
}
