/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one boot of the machine does for a run of `hugebench metal`: on an arm's kernel it measures
 * a cell, on the own kernel it looks how the last boot ended and begins the next.
 */
#ifndef HB_METAL_BOOTS_H
#define HB_METAL_BOOTS_H

#include "bench/run/metal.h"
#include "bench/run/metal_state.h"
#include "bench/run/metal_unit.h"

/* There when somebody wants the run to end. */
#define METAL_ABORT_FILE METAL_DIRECTORY "/abort"

bool metal_abort_asked(void);
/* @r as the state says it, with nothing opened yet; borrows from @s. */
void metal_run_init(struct run *r, const struct metal_state *s);
/* Index of the first boot that has no result, or -1; *@done: those that have one. */
int metal_boot_missing(const struct run *r, size_t *done);
/* Of the boots without a result; "20 m" into @buf, which is returned. */
const char *metal_time_left(const struct run *r, char *buf, size_t size);

/* In an arm's kernel: measure where @step says so, and start the machine again. */
int metal_be_an_arm(struct metal_state *s, enum metal_step step, struct hb_error *e);
/* In the machine's own kernel, for a run under way; results as of metal_continue(). */
int metal_be_the_own(struct metal_state *s, enum metal_outcome *outcome, char **dir,
		     unsigned int *unexpected, struct hb_error *e);
/* The same for a run that is open; @step is of the own kernel. */
int metal_go_on(struct run *r, struct metal_state *s, enum metal_step step,
		enum metal_outcome *outcome, struct hb_error *e);
/* Remove unit and state; the run stays. */
int metal_leave_nothing(struct hb_error *e);

#endif
