/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a step of hugebench takes, for benchmarks of hugebench itself. */
#ifndef HB_TESTS_COST_H
#define HB_TESTS_COST_H

#include <stddef.h>

struct cost {
	double processor, wall; /* s */
	long kib;		/* the most memory that it had */
};

/*
 * Carry out @step in a process of its own, so that its peak of memory is not the caller's. 0; 1: it
 * failed, or could not be started.
 */
int cost_measure(int (*step)(void), struct cost *c);
/*
 * What `hugebench report` does with the run in @dir, to the last byte but the screen. *@cells: the
 * boots, *@comparisons: of the model. 0 or -errno, which is told on stderr.
 */
int cost_report(const char *dir, size_t *cells, size_t *comparisons);

#endif
