/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For commands that evaluate a run of their own: the ordinary `hugebench run`, without its report.
 */
#ifndef HB_RUNS_H
#define HB_RUNS_H

#include <argp.h>

#include "bench/base/util.h"
#include "bench/result/load.h"

/* What such a command was told; NULL: not given. */
struct runs_args {
	const char *scenario, *kernels, *cells, *budget; /* for `hugebench run` */
	const char *option;				 /* KEY=VALUE, for -o */
	const char *show;				 /* an existing run */
};

/* The options that such commands have in common, and their parser; its input is a runs_args. */
extern const struct argp_option runs_options[];
error_t runs_parse(int key, char *arg, struct argp_state *state);

/* Prints what a command has to say of a run; 0; 1 for EXIT_CELLS; or -errno with the reason. */
typedef int (*runs_print)(const struct load_run *run, struct hb_error *e);

/*
 * Print the run a->show; for NULL make one first, of the scenario @name unless another is given,
 * as NAME-YYYYMMDD-HHMMSS (UTC): its report's text goes nowhere, progress and errors go to stderr.
 * Returns an exit status.
 */
int runs_once_and_show(const struct runs_args *a, const char *name, runs_print print);

#endif
