// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench image` */
#include <argp.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bench/base/units.h"
#include "bench/build/image.h"
#include "bench/commands/commands.h"

/* What fills shared buffers of 2 GiB. */
#define DEFAULT_SCALE "16"

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct image_wants *w = state->input;
	uint64_t number;

	switch (key) {
	case 's':
		if (hb_parse_u64(arg, &number) || number > 1000)
			argp_error(state, "--scale %s: a number from 0 to 1000 is wanted", arg);
		w->scale = number;
		return 0;
	case 'p':
		if (hb_parse_u64(arg, &number) || !number || number > 99)
			argp_error(state, "--postgres %s: a major version is wanted", arg);
		w->version = number;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_file(const char *what, const char *path)
{
	struct stat st;
	char size[32];

	if (path && !stat(path, &st))
		printf("%-10s %-8s %s\n", what,
		       hb_format_size(size, sizeof(size), (uint64_t)st.st_blocks * 512), path);
}

int cmd_image(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"scale", 's', "N", 0,
		 "pgbench scale of the database, 131 MiB each (" DEFAULT_SCALE
		 "); 0: no PostgreSQL",
		 0},
		{"postgres", 'p', "VERSION", 0,
		 "major version of the server, fetched where it is not installed (the host's)", 0},
		{0},
	};
	const struct argp argp = {.options = options,
				  .parser = parse_option,
				  .doc = "Make the guest's images, or find them in the cache, and "
					 "print what, size on disk and path."};
	struct image_wants w = {.scale = strtoul(DEFAULT_SCALE, NULL, 10)};
	struct hb_error e = {.text = ""};
	struct image img;
	int rc;

	if (argp_parse(&argp, argc, argv, 0, NULL, &w))
		return EXIT_USAGE;
	rc = image_resolve(&w, &img, &e);
	if (rc) {
		fprintf(stderr, "hugebench image: %s\n", e.text);
		return EXIT_HOST;
	}
	print_file("initramfs", img.initramfs);
	print_file("root", img.root);
	if (img.postgres)
		printf("postgres   %s\n", img.postgres);
	image_free(&img);
	return EXIT_OK;
}
