/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test leaves running, by failing in the middle, is ended before the next begins. The
 * processes are found as children of this one, to which orphans come, whatever their group.
 */
#ifndef HB_TESTS_LEFTOVERS_H
#define HB_TESTS_LEFTOVERS_H

/* Take in the orphans from now on; 0 or -1. */
int leftovers_adopt(void);
/*
 * Reap all children; those that do not end by themselves within two seconds are killed, with what
 * they started. The number of those.
 */
unsigned int leftovers_end(void);

/* The two as fixtures of a cmocka test; the teardown fails when something was killed. */
int leftovers_setup(void **state);
int leftovers_teardown(void **state);

#endif
