/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the files of a run (results/FORMAT.md). Nothing in them is trusted. A damaged cell is left
 * out and named, with its file and what is wrong; everything else stands.
 */
#ifndef HB_LOAD_H
#define HB_LOAD_H

#include <jansson.h>

#include "bench/base/hist.h"
#include "bench/base/metric.h"
#include "bench/base/util.h"
#include "bench/base/verdict.h"
#include "bench/result/strings.h"

#define LOAD_FORMAT 1

/* Strings of the structures below belong to the run's set of strings: equal texts, equal pointers.
 */
struct load_metric {
	const char *source, *role, *name, *unit;
	const char *file; /* of the histogram, else NULL */
	enum metric_kind kind;
	enum metric_better better;
	bool primary;
	unsigned int tasks;
	double value, seconds; /* seconds, in mode exact Minsn of a CPU: rates only */
	double count, min, max;
};

struct load_note {
	const char *source, *key, *text;
};

struct load_waits;

struct load_cell {
	const char *id, *kernel, *cell, *reason, *workloads, *antagonists;
	const char *parameters; /* "name=value; ...", sorted by name */
	const char *kernel_version, *build_id, *command_line, *clocksource;
	const char *host_boot;				/* boot_id of the host; "": not known */
	const char *machine, *machine_name, *cpu_model; /* that it ran on; "": not known */
	unsigned int seq, rep, tasks;
	uint64_t seed;	 /* of the boot; 0: not known */
	double minsn_ns; /* mode exact: of the guest's clock, while each CPU executes a million
			  * instructions; NAN: another mode, or not known */
	bool warmup_boot, expected;
	enum cell_verdict verdict;
	struct load_metric *metrics;
	struct load_note *notes;
	struct load_waits *waits; /* load_waits.h */
	unsigned int nmetrics, nnotes, nwaits;
	json_t *evidence;				 /* array of strings, or NULL */
	double total_ns, measure_ns, warmup_ns, boot_ns; /* host clock; NAN: absent */
};

struct load_run {
	char *dir;
	const char *name, *mode; /* of run.json */
	json_t *run;		 /* run.json, checked for what the report relies on */
	json_t *environment;	 /* load_environment() */
	unsigned int planned;	 /* boots in plan.json; 0: no plan */
	struct strings *strings;
	struct load_cell *cells; /* by seq, then id */
	size_t ncells;
	json_t *seen;	  /* while cells are read: which boots were */
	size_t ndisagree; /* cells that are INVALID since boots of mode exact disagree */
	size_t nrepeated; /* boots of mode exact that another machine made too, with the same digits
			   */
	bool counted;	  /* mode exact, fixed work: instructions are counted, there is no spread */
	char **problems;
	size_t nproblems;
};

/*
 * Read the run in @dir. In mode exact the boots of a kernel, cell and seed must agree to the digit:
 * where they do not, all of them are INVALID here, whatever their files say, with the figures that
 * moved as the reason. Fails only when run.json cannot be used (absent, damaged, another format);
 * the message has the file. Release with load_free().
 */
int load_run(const char *dir, struct load_run **run, struct hb_error *e);
void load_free(struct load_run *run);
/* The "environment" of a run.json, and what an earlier version has elsewhere. New reference. */
json_t *load_environment(const json_t *run);
/* Name a damage; -ENOMEM. The same text is kept once. */
int load_problem(struct load_run *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Read the histogram of a METRIC_HIST metric and check it against the metric. The error has the
 * file. */
int load_hist(const struct load_run *run, const struct load_cell *cell, const struct load_metric *m,
	      struct hist *h, struct hb_error *e);

/* One line of intervals.jsonl; @counters is borrowed. A negative return ends the walk. */
typedef int (*load_interval)(void *arg, double t_ns, double length_ns, const json_t *counters);
/*
 * Walk over the intervals of a cell in order. 0 also when the cell has none. -EINVAL with file and
 * line when one is damaged: those before it have been seen.
 */
int load_intervals(const struct load_run *run, const struct load_cell *cell, load_interval fn,
		   void *arg, struct hb_error *e);

/* Parse one cell.json object (load_cell.c); the error says what is wrong, without the file. */
int load_cell_parse(struct load_run *run, const json_t *j, struct load_cell *cell,
		    struct hb_error *e);
/* Would load_run() take the cell @j into a run of its mode? An error as load_cell_parse() has it.
 */
int load_cell_check(const json_t *j, struct hb_error *e);
void load_cell_release(struct load_cell *cell);
/* Where a cell was run: its own word, else the run's (load_machine.c). 0 or -ENOMEM. */
int load_machine(struct load_run *run, const json_t *cell, struct load_cell *c);
/*
 * Boots on different models of CPU are never one mean: where a run has several, every cell is one
 * of each model, "CELL on MODEL". In mode exact the model does not matter. 0 or -ENOMEM.
 */
int load_strata(struct load_run *run);
/* What merge found of boots of mode exact that were made twice: those with other digits become
 * INVALID, with the first such figure; the rest are counted. 0 or -ENOMEM. */
int load_repeated(struct load_run *run);

/* load_run() of a directory, or of a name in results/. -ENOENT: there is no such run. */
int load_open(const char *name, struct load_run **run, struct hb_error *e);

#endif
