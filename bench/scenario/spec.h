/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: what is to be measured, read from workloads/scenarios/NAME.ini.
 *
 *	[scenario]		rows of spec_scenario_rows, and expect.KERNEL = VERDICT[, VERDICT]
 *	[cell NAME]		workload = A[, B]; antagonists = C[, D]; tasks = N (of every
 *workload); rows of spec_cell_rows; A.tasks = N; A.option = value; sweep.KEY = v1, v2 (a cell for
 *each value); expect.KERNEL = VERDICT
 *
 * Everything is checked before anything runs; an error names file and line, what was wrong and
 * what is allowed.
 */
#ifndef HB_SPEC_H
#define HB_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/base/option.h"
#include "bench/base/util.h"

#define SPEC_MODE_AUTO	   0
#define SPEC_MODE_PARALLEL 1 /* vCPUs run at the same time: auto without exact */
/* Phases of mode exact, in instructions of each CPU. */
#define SPEC_EXACT_PARTS 4	     /* warm-up and interval are this part of the measured phase */
#define SPEC_EXACT_STALL 64000000ULL /* no progress for so long is a hang */

/* Phases of a cell, ns; a cell inherits the scenario's. */
struct spec_timing {
	uint64_t warmup, measure, interval;
	uint64_t stall;	   /* no progress for this long is a hang */
	uint64_t deadline; /* of the whole cell; 0: derived from the phases and the mode */
	uint64_t turn;	   /* mode exact: instructions of a CPU's turn, see exact.h */
	uint64_t insn;	   /* mode exact: the measured phase, in instructions of each CPU */
	uint64_t work; /* operations per task on one vCPU in mode exact, instead of phases; or 0 */
};

/* The [scenario] section. */
/* The number to load a scenario with before the guest's size is known. */
#define SPEC_VCPUS 4

struct spec_scenario {
	char description[HB_OPTION_STRING];
	char kernels[HB_OPTION_STRING];
	char observe[HB_OPTION_STRING];
	char command_line[HB_OPTION_STRING]; /* of the guest's kernel, appended to our own */
	int mode;			     /* index into spec_modes */
	uint64_t repeat; /* boots per cell and kernel; 0: chosen by the budget */
	uint64_t memory; /* of the guest, bytes; 0: from the host */
	uint64_t vcpus;	 /* 0: from the host */
	uint64_t nodes;
	uint64_t seed;	 /* 0: a new one for every run */
	int control;	 /* an A/A arm: the first kernel twice */
	int warmup_boot; /* a boot per kernel that is not counted */
	int sequential;	 /* end when every main figure has a verdict */
	struct spec_timing timing;
};

struct spec_cell {
	char *name;
	struct spec_timing timing;
	char observe[HB_OPTION_STRING];
	json_t *observed;  /* array of names: observe, split */
	json_t *instances; /* as plan.json has them: [{workload, role, tasks, options}] */
	json_t *expect; /* {KERNEL: [VERDICT, ...]}; a kernel that is absent is expected to be what
			 * a later part of its name is, "base" for "metal-base", else OK */
	json_t *needs;	/* array of CONFIG_ symbols that the workloads need */
};

struct spec {
	char *name;	   /* of the scenario: the file's name without .ini */
	char *path;	   /* for messages */
	char *text;	   /* the whole file */
	json_t *overrides; /* array of "key=value", as given */
	struct spec_scenario scenario;
	json_t *kernels;    /* array of names, at least one */
	json_t *places;	    /* {NAME: place} of the kernels that were given so (kernel_place.h) */
	unsigned int vcpus; /* the number it was loaded with */
	bool of_vcpus;	    /* some cell's tasks or clients are given in vCPUs */
	struct spec_cell *cells;
	size_t ncells;
};

extern const char *const spec_modes[]; /* "auto", "kvm", ..., NULL */
extern const struct option_row spec_scenario_rows[], spec_cell_rows[];

/* Path of scenario @name (a file when it has a '/' or ends in .ini); owned by the caller; NULL with
 * the reason. */
char *spec_find(const char *name, struct hb_error *e);
/*
 * Read and check the scenario at @path. @workloads: describe_agent(). @overrides: array of
 * "key=value" or "CELL:key=value" (NULL: none); they win over the file. @vcpus: what "vcpus" in a
 * number of tasks or clients stands for. Release with spec_free(),
 * also after an error. -EINVAL, -ERANGE, -ENOENT: the scenario or an override is wrong, or cannot
 * be read; -ENOMEM.
 */
int spec_load(const char *path, const json_t *workloads, const json_t *overrides,
	      unsigned int vcpus, struct spec *spec, struct hb_error *e);
/* spec_load() of a text; @path is only for messages. */
int spec_parse(const char *path, const char *text, const json_t *workloads, const json_t *overrides,
	       unsigned int vcpus, struct spec *spec, struct hb_error *e);
void spec_free(struct spec *spec);
/*
 * Keep the cells whose names match one of the shell patterns in @patterns ("faults-*, forks").
 * -ENOENT when a pattern matches none; the message lists the cells.
 */
int spec_keep_cells(struct spec *spec, const char *patterns, struct hb_error *e);
/* Do the cells have fixed work instead of phases? */
bool spec_is_work(const struct spec *spec);
/*
 * Combinations that only the mode decides: work is for exact with one vCPU, exact's kernels have no
 * more than EXACT_VCPUS_MAX, native has no guest. @mode is the resolved one. -EINVAL with the
 * reason.
 */
int spec_check_mode(const struct spec *spec, const char *mode, struct hb_error *e);
/* "a, b" -> ["a","b"]; -EINVAL for an empty item or one that occurs twice; new reference. */
int spec_split(const char *value, json_t **items, struct hb_error *e);
/* What kernel_resolve() is asked for kernel @name of @spec: its place, or the name itself. */
const char *spec_kernel(const struct spec *spec, const char *name);

#endif
