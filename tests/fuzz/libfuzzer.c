// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer's side: the target is the one that the environment variable TARGET names. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("TARGET");

	(void)argc, (void)argv;
	target = fuzz_find(name ? name : "");
	if (target)
		return 0;
	fprintf(stderr, "TARGET is none of:");
	for (const struct fuzz_target *t = fuzz_targets; t->name; t++)
		fprintf(stderr, " %s", t->name);
	fputc('\n', stderr);
	exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	target->run(data, len);
	return 0;
}
