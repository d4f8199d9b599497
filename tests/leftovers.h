/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test leaves running, by failing in the middle, is ended before the next begins. The
 * processes are found as children of this one, to which orphans come, whatever their group.
 */
#ifndef HB_TESTS_LEFTOVERS_H
#define HB_TESTS_LEFTOVERS_H

#include "bench/base/util.h"

/* A guest's memory takes the kernel seconds to give back where much else is to be done. */
#define LEFTOVERS_GRACE_NS (15 * NSEC_PER_SEC)

/* Take in the orphans from now on; 0 or -1. */
int leftovers_adopt(void);
/*
 * Reap all children; those that do not end by themselves within @grace_ns are killed, with what
 * they started, and named on the standard error. The number of those.
 */
unsigned int leftovers_end(uint64_t grace_ns);

/* The two as fixtures of a cmocka test; the teardown fails when something was killed. */
int leftovers_setup(void **state);
int leftovers_teardown(void **state);

#endif
