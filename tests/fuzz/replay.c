// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every kept seed through its target, as TAP; a sanitizer ends the program where one finds a fault.
 *
 *	replay			the seeds of all targets
 *	replay TARGET FILE...	these files
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"
#include "tests/fuzz/fuzz.h"

#define SEEDS "tests/fuzz/seeds"

static int replay_file(const struct fuzz_target *t, const char *path)
{
	HB_FREE char *text = NULL;
	size_t len;

	if (hb_file_read(path, &text, &len))
		return -1;
	/* To the byte: what reads past the end is found. */
	HB_FREE uint8_t *exact = malloc(len ? len : 1);

	if (!exact)
		return -1;
	memcpy(exact, text, len);
	t->run(exact, len);
	return 0;
}

static int is_seed(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* The number of seeds, or -1. */
static int replay_target(const struct fuzz_target *t)
{
	HB_FREE char *dir = hb_strf(SEEDS "/%s", t->name);
	struct dirent **entries;
	int n = dir ? scandir(dir, &entries, is_seed, alphasort) : -1, failed = 0;

	for (int i = 0; i < n; i++) {
		HB_FREE char *path = hb_strf("%s/%s", dir, entries[i]->d_name);

		fprintf(stderr, "# %s\n", path);
		failed += !path || replay_file(t, path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return failed ? -1 : n;
}

int main(int argc, char **argv)
{
	const struct fuzz_target *t = argc > 1 ? fuzz_find(argv[1]) : NULL;
	unsigned int number = 0;
	int bad = 0;

	if (argc > 1 && !t) {
		fprintf(stderr, "usage: replay [TARGET FILE...]\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		bad += replay_file(t, argv[i]) != 0;
	if (argc > 1)
		return bad != 0;
	for (t = fuzz_targets; t->name; t++)
		number++;
	printf("1..%u\n", number);
	number = 0;
	for (t = fuzz_targets; t->name; t++) {
		int n = replay_target(t);

		bad += n <= 0;
		printf("%sok %u - %s: %d seeds\n", n > 0 ? "" : "not ", ++number, t->name, n);
		fflush(stdout);
	}
	return bad != 0;
}
