/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One cell from its specification (WIRE_RUN) to its result (WIRE_RESULT). */
#ifndef HB_WORKLOADS_CELL_H
#define HB_WORKLOADS_CELL_H

#include <jansson.h>

#include "workloads/agent/link.h"

struct cell_config {
	const json_t *spec;
	struct link *link;
	int native; /* on the running kernel: the pool is grown only with @yes */
	int yes;    /* the user allows changes of the machine, which are noted and put back */
	int kmsg;   /* from kmsg_open(), or -1: the log cannot be read */
	/* Ends the agent (power off, or _exit()) when tasks hang that nobody can kill. */
	__attribute__((noreturn)) void (*end)(void);
};

/*
 * Run it and send phases, intervals, histograms and the result. A bad verdict is a result: 0. 1:
 * the host asked to end altogether (WIRE_QUIT came while the cell ran). An error only when the host
 * is gone.
 */
int cell_run(const struct cell_config *c, struct hb_error *e);

#endif
