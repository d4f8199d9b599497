/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run in the making: what `hugebench run` prepares, carries out and records. */
#ifndef HB_RUN_H
#define HB_RUN_H

#include <jansson.h>
#include <stdint.h>

#include "bench/build/image.h"
#include "bench/build/kernel.h"
#include "bench/host/memory.h"
#include "bench/scenario/plan.h"
#include "bench/run/guest_size.h"
#include "bench/scenario/spec.h"
#include "bench/run/store.h"
#include "bench/guest/session.h"

/* The command line. */
struct run_args {
	const char *scenario, *name, *agent, *results, *cells;
	json_t *overrides; /* array of "key=value" */
	json_t *command;   /* array: the command line as given */
	uint64_t budget;   /* ns; 0: not given */
	uint64_t jobs;	   /* boots side by side; 0: not given */
	int64_t block;	   /* the only one to be carried out; RUN_WHOLE: all */
	int resume, dry_run, mixed_config, yes, prepare;
	bool metal; /* by `hugebench metal`, which alone carries out a run of that mode */
	unsigned int
		extend; /* a finished run's boots per cell and kernel, more than it has; 0: - */
};

#define RUN_WHOLE (-1)

struct run {
	struct run_args args;
	char *results, *agent;
	json_t *workloads; /* describe_agent() */
	struct spec spec;
	char *mode,
		*mode_reason; /* until run_prepare() has settled it, mode auto stands as emulated */
	json_t *arms;	      /* names in order, the control arm included */
	json_t *steps;	      /* arms that FROM..TO stands for, in order; NULL: none was given */
	struct kernel *kernels; /* one per arm; the control arm's is the first again; NULL in mode
				   native */
	size_t nkernels;
	struct image image;
	unsigned int postgres_scale;   /* of the prepared database; 0: no cell is of PostgreSQL */
	unsigned int postgres_version; /* major version of the server; 0: the host's */
	bool selftests;		       /* some cell runs the kernel's selftests */
	struct guest_size size;
	unsigned int jobs;	    /* boots side by side */
	struct placement placement; /* of a guest; unused in mode native */
	json_t *environment;	    /* of this sitting (environment.h) */
	unsigned int tsc_khz;	    /* of the host, for vm.h */
	char *command_line;	    /* the scenario's, for vm.h */
	json_t *costs;
	uint64_t budget;    /* ns; 0: not limited */
	unsigned int most;  /* repetitions that the plan may grow to; 0: it does not grow */
	unsigned int until; /* the last repetition that is wanted; 0: all that are planned */
	struct store store;
	json_t *record, *plan; /* run.json, plan.json */
};

/* Find the files of the clone and what the agent has. */
int run_open(struct run *r, struct hb_error *e);
/* Read the scenario, decide on the arms, check what can be checked before a kernel is there. */
int run_read(struct run *r, struct hb_error *e);
/* Build kernels and image, settle the mode, make the run's directory with plan.json and run.json.
 */
int run_prepare(struct run *r, struct hb_error *e);
/*
 * Make the run's directory only: nothing is built, and what depends on the machine is left to
 * whoever takes it up first.
 */
int run_plan(struct run *r, struct hb_error *e);
/*
 * Take up an existing run instead, or the block r->args.block of it, beside others: everything as
 * its files say. One that was only planned gets its kernels and image now; else it is refused when
 * they have changed.
 */
int run_take_up(struct run *r, struct hb_error *e);
/* Print what run_prepare() and run_cells() would do. */
int run_show(const struct run *r, struct hb_error *e);

/* One boot. */
struct run_boot {
	const json_t *planned; /* entry of plan.json */
	const int *memory_fd;  /* of the guest, see vm.h */
	const volatile int *interrupted;
	session_progress progress;
	void *progress_arg;
	const struct kernel *kernel; /* instead of the planned one, or NULL */
	unsigned int gdb;	     /* of vm_config */
};

/*
 * Carry it out with its files in @dir, an existing directory outside the run; *@cell is what would
 * be its cell.json (new reference). -EINTR: interrupted.
 */
int run_measure(const struct run *r, const struct run_boot *b, const char *dir, json_t **cell,
		struct hb_error *e);

/*
 * cell.json of a boot that was not measured, with @verdict, @reason and @evidence (an array, taken
 * over). New reference; NULL without memory.
 */
json_t *run_unmeasured(const struct run *r, const json_t *planned, const char *verdict,
		       const char *reason, json_t *evidence);
/* Put @cell and the files in @dir, of store_cell_begin(), in their place in the run. */
int run_cell_commit(const struct run *r, const char *dir, json_t *cell, struct hb_error *e);

/* Carry it out and put its files in their place in the run (run_cell.c). -EINTR: interrupted. */
int run_cell(const struct run *r, const struct run_boot *b, struct hb_error *e);
/*
 * Carry out what is missing of the plan, r->jobs cells side by side. *@unexpected: cells whose
 * verdict the scenario does not expect, those of earlier sittings included. -EINTR when
 * interrupted; finished cells are kept always.
 */
int run_cells(struct run *r, unsigned int *unexpected, struct hb_error *e);
/* Is any cell finished? */
bool run_has_cells(const struct run *r);
void run_close(struct run *r);

/* Mode native: the running kernel, no guest. */
bool run_is_native(const struct run *r);
/* Mode metal: this machine boots the arms' kernels, no guest. */
bool run_is_metal(const struct run *r);
/* Neither of the two. */
bool run_has_guest(const struct run *r);
/* The mode as vm.h has it; for modes that have a guest. */
enum vm_mode run_vm_mode(const struct run *r);
/* Mode exact with several vCPUs (exact.h)? */
bool run_takes_turns(const struct run *r);
/* The image of @k that the run's guests boot; borrowed. */
const char *run_bzimage(const struct run *r, const struct kernel *k);
/* r->image, as its mode and its database want it. */
int run_image_resolve(struct run *r, struct hb_error *e);
/* Root image or initramfs: one decision for all cells of a run. */
void run_image(const struct run *r, struct vm_config *vm);
/*
 * What the kernels' command lines have beside the words of vm.h, the same for every arm: the
 * scenario's, and where an arm has NUMA balancing that it is off. Owned by the caller; NULL without
 * memory.
 */
char *run_arguments(const struct run *r);
/* Where a guest's vCPUs and memory are to be: settled once for all boots of this sitting. */
void run_place(struct run *r);
/*
 * The environment of this sitting (run_environment.c): r->environment as far as it is known before
 * there is a guest's memory; kernels and image are resolved.
 */
int run_environment(struct run *r, struct hb_error *e);
/*
 * Is it the run's, as far as the run's is known? -EINVAL with what differs. The blocks of a run may
 * be carried out on different machines.
 */
int run_environment_same(const struct run *r, struct hb_error *e);
/* Add where the guests run and their memory @m lies, see that it is the run's, put it there. */
int run_environment_guest(struct run *r, const struct memory *m, struct hb_error *e);
/* Write run.json with @status ("running", "finished", "interrupted"). */
int run_record_status(struct run *r, const char *status, struct hb_error *e);
/* The first run.json: what was planned. */
int run_record_new(struct run *r, const struct plan_choice *choice, struct hb_error *e);
/* Add kernels, with their .config files beside it, guest, image and this host. */
int run_record_arms(struct run *r, struct hb_error *e);
/* Were these added? */
bool run_is_prepared(const struct run *r);
/* Build or find the arms' kernels; the control arm is the first kernel again under its own name. */
int run_kernels(struct run *r, struct hb_error *e);
/* Several vCPUs of mode exact boot the kernels without PAUSE: make them, once the mode is settled.
 */
int run_kernels_exact(struct run *r, struct hb_error *e);
/* The arm of mode native: the running kernel's release; owned by the caller. */
char *run_native_arm(void);
/* May as many boots run side by side as were asked for? */
int run_jobs_check(const struct run *r, struct hb_error *e);
/* Choose the guest's size for the mode and this host, and r->jobs. */
int run_size_choose(struct run *r, struct hb_error *e);
/* Settle mode auto, refuse kvm where it does not work, say what QEMU may do wrong; the kernels are
 * there. */
int run_mode_settle(struct run *r, struct hb_error *e);
/* Choose r->jobs for a guest of r->size on this host. */
int run_jobs_choose(struct run *r, struct hb_error *e);
/* --yes is for the modes without a guest; mode metal is for `hugebench metal`. */
int run_args_check(const struct run *r, struct hb_error *e);

#endif
