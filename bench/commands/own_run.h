/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For commands that evaluate a run of their own: the ordinary `hugebench run`, without its report.
 */
#ifndef HB_OWN_RUN_H
#define HB_OWN_RUN_H

#include <argp.h>

#include "bench/base/util.h"
#include "bench/result/load.h"

#define OWN_RUN_OPTIONS 8

/* What such a command was told; NULL: not given. */
struct own_run_args {
	const char *scenario, *kernels, *cells, *budget; /* for `hugebench run` */
	const char *options[OWN_RUN_OPTIONS];		 /* KEY=VALUE, for -o, up to a NULL */
	const char *mode;				 /* for --mode */
	const char *show;				 /* an existing run */
};

/* The options that such commands have in common, and their parser; its input is a own_run_args. */
extern const struct argp_option own_run_options[];
error_t own_run_parse(int key, char *arg, struct argp_state *state);

/* Prints what a command has to say of a run; 0; 1 for EXIT_CELLS; or -errno with the reason. */
typedef int (*own_run_print)(const struct load_run *run, struct hb_error *e);

/*
 * Print the run a->show; for NULL make one first, of the scenario @name unless another is given,
 * as NAME-YYYYMMDD-HHMMSS (UTC): its report's text goes nowhere, progress and errors go to stderr.
 * Returns an exit status.
 */
int own_run_show(const struct own_run_args *a, const char *name, own_run_print print);

#endif
