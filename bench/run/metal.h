/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run on the machine itself. Its own kernel boots an arm by kexec; the arm, on the same root,
 * measures one cell, stores it and starts the machine again through its firmware, which brings back
 * the own kernel; and so on. What a boot ends like, the next one on the own kernel knows by the
 * state on disk (metal_state.h). So every arm has the same predecessor, and one that panics or
 * hangs ends in the same way, by panic= or the watchdog.
 */
#ifndef HB_METAL_H
#define HB_METAL_H

#include "bench/run/run.h"

struct metal_options {
	uint64_t pause; /* ns that the own kernel waits before each boot of an arm */
	bool no_unit;	/* something else calls `hugebench metal --continue` at every boot */
	bool as_init;	/* in an arm's kernel hugebench is process 1 */
};

enum metal_outcome {
	METAL_BOOTS,	/* the machine is about to leave this kernel */
	METAL_FINISHED, /* the plan is carried out, nothing is left behind */
	METAL_ABORTED,	/* the run was given up, nothing is left behind */
};

/*
 * Before anything is built: may this machine be used so? Root, kexec, systemd, no other run, a disk
 * for the run in @results. Errors have what to do.
 */
int metal_check(const char *results, const struct metal_options *o, struct hb_error *e);
/*
 * The run @r is prepared: see that every arm can be booted here, write the state, install the unit,
 * boot the first arm. METAL_ABORTED: by --abort or Ctrl-C before that. On an error nothing is left
 * behind, and the run's directory is removed.
 */
int metal_begin(struct run *r, const struct metal_options *o, enum metal_outcome *outcome,
		struct hb_error *e);
/*
 * What this boot of the machine is for, see above. *@dir: of the run, owned by the caller, not for
 * METAL_BOOTS; *@unexpected: its cells whose verdict the scenario does not expect.
 */
int metal_continue(enum metal_outcome *outcome, char **dir, unsigned int *unexpected,
		   struct hb_error *e);
/* Have the environment variables that the run was begun with. */
void metal_environment(void);
/*
 * Give the run up, keep what is measured. METAL_BOOTS: the machine is about to boot or does not run
 * its own kernel; the run ends as soon as it does.
 */
int metal_abort(enum metal_outcome *outcome, struct hb_error *e);
/* Print how far the run is. -ENOENT: there is none. */
int metal_status(FILE *out, struct hb_error *e);
/* One line on a run under way or on what one left behind; owned by the caller; NULL: neither. */
char *metal_left(const char **mend);
/* Remove what is left of a run that is not under way. 1: something was; 0: nothing. */
int metal_restore(struct hb_error *e);

#endif
