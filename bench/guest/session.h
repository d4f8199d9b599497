/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One cell: boot, hello, run, collect, verdict. A bad verdict is a result, not an error. */
#ifndef HB_SESSION_H
#define HB_SESSION_H

#include <jansson.h>
#include <stdint.h>

#include "bench/build/kernel.h"
#include "bench/guest/vm.h"

/* Live progress: called for each phase and interval; @frame is borrowed. */
typedef void (*session_progress)(void *arg, const char *phase, const json_t *frame);

struct session_config {
	const json_t *planned;	     /* the cell's entry of plan.json */
	const struct kernel *kernel; /* NULL in mode native */
	const char *agent;	     /* path of hugebench-agent, native mode */
	struct vm_config vm; /* not used in native mode, console_path never: it is in directory */
	int native;
	const char *native_mode; /* what its cells call the mode: "native" or "metal" */
	int native_yes; /* native: the agent may change the machine (its huge page pool), and puts
			   it back */
	const char *directory; /* existing directory that receives intervals.jsonl, *.hist,
				  console.log */
	const volatile int *interrupted; /* set by a signal handler: end the guest, return -EINTR */
	/* Would a reader take this cell.json? What it refuses of the agent's is left out, and the
	 * cell is INVALID with the reason; NULL: everything is taken. */
	int (*accept)(const json_t *cell, struct hb_error *e);
	session_progress progress;
	void *progress_arg;
	uint64_t boot_timeout_ns;  /* until the hello; 0: by mode */
	uint64_t phase_timeout_ns; /* what a phase may take beyond its planned length; 0: by mode */
};

/*
 * Run one cell and return cell.json's object in *@cell (new reference). 0 also for PANIC, HANG,
 * ...; -EINTR when interrupted; other errors only when the host itself failed (no QEMU, disk full).
 *
 * The verdict is the agent's unless the host knows better, the first of these that holds:
 * PANIC (pvpanic, or a panic on the console), HANG (the agent's stall event, or before a result a
 * hung task or blocked stacks on the console), INVALID (another kernel than planned, no frames,
 * QEMU gone), TIMEOUT (a deadline passed without evidence of a hang), DIRTY (an OK with trouble on
 * the console after the agent's start marker; a warning before it becomes a note of the cell).
 *
 * QEMU's emulation of several vCPUs now and then loses an interrupt while the kernel boots. An
 * emulated guest that ends in TIMEOUT or HANG before the agent's hello is booted once more; the
 * cell then says so in a note, and the first console is kept in console.lost.log.
 */
int session_run(const struct session_config *c, json_t **cell, struct hb_error *e);

#endif
