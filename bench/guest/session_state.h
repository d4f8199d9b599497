/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One cell while it runs: what the files session*.c share; not for others. */
#ifndef HB_SESSION_STATE_H
#define HB_SESSION_STATE_H

#include <stdio.h>

#include "bench/base/wire.h"
#include "bench/host/native.h"
#include "bench/guest/session.h"

#define SEC NSEC_PER_SEC

enum session_step {
	STEP_BOOT,
	STEP_SETUP,
	STEP_WARMUP,
	STEP_MEASURE,
	STEP_DRAIN,
	STEP_COLLECT,
	STEPS
};

struct session {
	const struct session_config *c;
	const json_t *spec;
	struct vm *vm;
	struct native native;
	struct wire_reader reader;
	FILE *intervals;
	int initrd_fd;	 /* exact: agent and specification in one initramfs */
	json_t *machine; /* exact_machine(), else NULL */
	char *console_path;
	char *boot_warning; /* the first of the console before the agent's start marker, or NULL */

	enum session_step step;
	uint64_t started, step_started, deadline;
	uint64_t step_waited; /* session_waited_ns() when the step began */
	uint64_t took[STEPS];
	uint64_t shutdown_ns;
	bool have_hello, stalled, ended;
	json_t *hello, *result, *evidence;
	json_t *files; /* "SOURCE.NAME" -> file of the histogram */

	const char *verdict; /* the host's own, NULL: the agent's */
	char reason[1024];
};

extern const char *const session_steps[STEPS]; /* names, as in the agent's phase frames */

/* Settle the verdict; the first one stands. Returns 1: the cell is over. */
int session_settle(struct session *s, const char *verdict, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Add @text, or the strings of @lines, line by line; what is there already is not said twice. */
void session_evidence(struct session *s, const char *text);
void session_evidence_array(struct session *s, const json_t *lines);
/* Begin @step: what the one before took is known. */
void session_enter(struct session *s, enum session_step step);
/* child_waited_ns() of QEMU or the native agent; 0 when it is not there. */
uint64_t session_waited_ns(const struct session *s);
/* Tell the user's display of @frame. */
void session_tell(struct session *s, const json_t *frame);
/* A phase's length out of the specification ("measure_ns", "measure_insn"); 0 when it is not there.
 */
uint64_t session_spec(const struct session *s, const char *key);
bool session_is_exact(const struct session *s);
/*
 * How long the cell may take once its guest runs: what is planned, and for the guest's memory what
 * filling that takes; in mode exact by its instructions. 0: as long as it likes.
 */
uint64_t session_most_ns(const struct session *s);
/* The stream to the agent. */
int session_fd(const struct session *s);

/* Act on the whole frames that have come. 1: the cell is over; 0: go on; negative: the host failed.
 */
int session_take_frames(struct session *s, struct hb_error *e);
/* cell.json of a session that is over and began at @started; new reference. */
json_t *session_cell(struct session *s, const char *started);

#endif
