// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench kernels` */
#include <argp.h>

#include "bench/build/kernel.h"
#include "bench/commands/commands.h"

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
	"Build kernel variants, or find them in the cache, and print a line for each: name, "
	"version, "
	"build-id, path of bzImage, path of .config.\v"
	"Without a name: base and hinode. `hugebench list` shows all variants. In the environment: "
	"HUGEBENCH_KERNELS (a directory of variants of one's own), KERNEL_SRC (a tarball or tree "
	"instead of the pinned package), KEEP=1 (keep sources and objects).";

int cmd_kernels(int argc, char **argv)
{
	static char *dflt[] = {"base", "hinode"};
	const struct argp argp = {.args_doc = "[VARIANT...]", .doc = kernels_doc};
	struct hb_error e = {.text = ""};
	int first = argc, rc = 0;
	size_t n;
	char **names;

	if (argp_parse(&argp, argc, argv, ARGP_NO_ARGS | ARGP_IN_ORDER, &first, NULL))
		return EXIT_USAGE;
	names = first == argc ? dflt : argv + first;
	n = first == argc ? ARRAY_SIZE(dflt) : (size_t)(argc - first);
	for (size_t i = 0; i < n && !rc; i++)
		rc = kernel_check(names[i], &e);
	for (size_t i = 0; i < n && !rc; i++)
		rc = print_kernel(names[i], &e);
	if (!rc)
		return EXIT_OK;
	fprintf(stderr, "hugebench kernels: %s\n", e.text);
	return rc == -ENOENT || rc == -EINVAL ? EXIT_USAGE : EXIT_HOST;
}
