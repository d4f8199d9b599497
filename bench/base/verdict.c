// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/verdict.h"

static const char *const verdict_names[CELL_VERDICTS] = {"OK",	    "DIRTY",   "PANIC", "HANG",
							 "TIMEOUT", "INVALID", "SKIP"};

const char *cell_verdict_name(enum cell_verdict v)
{
	return verdict_names[v];
}

enum cell_verdict cell_verdict_find(const char *name)
{
	enum cell_verdict v = 0;

	while (v < CELL_VERDICTS && strcmp(name, verdict_names[v]))
		v++;
	return v;
}
