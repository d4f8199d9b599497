// SPDX-License-Identifier: GPL-2.0-or-later
/* make_run DIR [CELLS [BOOTS [INTERVALS [db]]]]: a synthetic run, to look at a report or to time
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"
#include "tests/synthetic.h"

int main(int argc, char **argv)
{
	struct synthetic s;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: make_run DIR [CELLS [BOOTS [INTERVALS [db]]]]\n");
		return 2;
	}
	s = synthetic_default(argv[1]);
	for (int i = 0; argc > 2 && i < (int)ARRAY_SIZE(s.tasks) - 1; i++)
		s.tasks[i] = i < atoi(argv[2]) ? 1 + i : 0;
	if (argc > 3)
		s.boots = atoi(argv[3]);
	if (argc > 4)
		s.intervals = atoi(argv[4]);
	s.database = argc > 5;
	for (int i = 0; s.database && s.tasks[i]; i++)
		s.tasks[i] = 1u << i;
	err = synthetic_write(&s);
	if (err)
		fprintf(stderr, "make_run: %s: %s\n", s.dir, strerror(-err));
	return err ? 1 : 0;
}
