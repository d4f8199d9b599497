// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"
#include "tests/fuzz/fuzz.h"

const struct fuzz_target fuzz_targets[] = {
	{"frames", fuzz_frames},   {"stream", fuzz_stream},
	{"qmp", fuzz_qmp},	   {"console", fuzz_console},
	{"cell", fuzz_cell},	   {"hist", fuzz_hist},
	{"run", fuzz_run},	   {"scenario", fuzz_scenario},
	{"keyfile", fuzz_keyfile}, {"summary", fuzz_summary},
	{"pglog", fuzz_pglog},	   {"elf", fuzz_elf},
	{"bzimage", fuzz_bzimage}, {NULL, NULL},
};

const struct fuzz_target *fuzz_find(const char *name)
{
	for (const struct fuzz_target *t = fuzz_targets; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

char *fuzz_text(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		abort();
	memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

static char directory[] = "/dev/shm/hugebench-fuzz-XXXXXX";

static void directory_remove(void)
{
	hb_remove_all(directory);
}

const char *fuzz_directory(void)
{
	static bool made;

	if (!made) {
		if (!mkdtemp(directory))
			abort();
		atexit(directory_remove);
	}
	made = true;
	return directory;
}

char *fuzz_file(const char *name, const uint8_t *data, size_t len)
{
	char *path = hb_strf("%s/%s", fuzz_directory(), name);
	FILE *f = path ? fopen(path, "we") : NULL;

	if (!f || fwrite(data, 1, len, f) != len || fclose(f))
		abort();
	return path;
}
