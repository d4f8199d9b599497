/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the stacks of blocked tasks out of kernel log lines. */
#ifndef HB_STACKS_H
#define HB_STACKS_H

#include <jansson.h>

/*
 * The distinct call chains of tasks in state D in @lines (an array of strings, as sysrq w writes
 * them): [{"tasks": N, "chain": "innermost < ... < outermost"}], most frequent first; new
 * reference, NULL without memory. Unreliable entries ("? "), the scheduler and what lies above the
 * fault or system call are left out.
 */
json_t *stacks_chains(const json_t *lines);

#endif
