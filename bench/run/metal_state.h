/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `hugebench metal` has to know from one boot of the machine to the next: a JSON file, on disk
 * before each step that ends a boot.
 */
#ifndef HB_METAL_STATE_H
#define HB_METAL_STATE_H

#include <jansson.h>

#include "bench/base/util.h"

/* The state and copies of the arms' kernels; gone when no run is under way. */
#define METAL_DIRECTORY "/var/lib/hugebench/metal"
/* A link to hugebench: process 1 of arms that are not booted by the machine's init. */
#define METAL_INIT METAL_DIRECTORY "/init"

struct metal_state {
	char *results, *run; /* directory of the runs, name of this one */
	char *agent;	     /* as given by --agent, or NULL */
	json_t *arms;	     /* {NAME: {image, initrd (or absent), command_line}} */
	json_t *environment; /* {NAME: VALUE} of what began it */
	char *stopped;	     /* why it does not go on by itself, or NULL */
	uint64_t pause;	     /* ns before each boot of an arm */
	char *cell;	     /* the boot under way, or NULL */
	char *boot_id;	     /* of the boot in which it was begun */
	char *error;	     /* what the arm had to say when it could not carry it out, or NULL */
	bool measuring;	     /* the arm has come up and begun */
	unsigned int tries;  /* to boot the arm, in that same boot */
	int64_t since;	     /* unix time of the last of them */
};

/* 0; -ENOENT: no run is under way; -EPROTO: not a state of this version. Release with
 * metal_state_free() either way. */
int metal_state_load(const char *directory, struct metal_state *s, struct hb_error *e);
/* Make it durable. */
int metal_state_store(const char *directory, const struct metal_state *s, struct hb_error *e);
/* Remove the directory and what is in it. */
int metal_state_remove(const char *directory, struct hb_error *e);
void metal_state_free(struct metal_state *s);

/* The cell that the kernel booted with @command_line is to measure; owned by the caller; NULL: it
 * is the machine's own kernel. */
char *metal_booted_cell(const char *command_line);

enum metal_step {
	METAL_NEXT,    /* own kernel: no boot is under way, begin the next */
	METAL_AGAIN,   /* own kernel, which was not left yet: boot the arm */
	METAL_LOST,    /* own kernel: the boot under way left no result */
	METAL_STUCK,   /* own kernel, which was not left in several tries */
	METAL_MEASURE, /* an arm: measure */
	METAL_RETURN,  /* an arm that has nothing to do (any more): back to the own kernel */
};

/*
 * What is to be done in the boot @boot_id, whose kernel is to measure @booted (NULL: it is the
 * machine's own); @stored: the boot under way has its result.
 */
enum metal_step metal_next(const struct metal_state *s, const char *booted, bool stored,
			   const char *boot_id);

/* How a boot without a result ended. */
struct metal_end {
	const char *verdict; /* "PANIC", "HANG" or "INVALID" */
	char reason[512];
	json_t *evidence; /* array of lines */
};

/*
 * Settle it: by @dmesg, what the kernel left in pstore ("": nothing), @watchdog, whether that reset
 * the machine, and the state. -ENOMEM; release evidence with json_decref().
 */
int metal_judge(const struct metal_state *s, const char *dmesg, bool watchdog,
		struct metal_end *end);

#endif
