/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For commands that evaluate a run of their own: the ordinary `hugebench run`, without its report.
 */
#ifndef HB_RUNS_H
#define HB_RUNS_H

#include "bench/base/util.h"
#include "bench/load.h"

/* The arguments of `hugebench run` that such a command passes on; NULL: not given. */
struct runs_args {
	const char *scenario; /* required */
	const char *kernels, *cells, *budget;
	const char *option; /* KEY=VALUE */
};

/* Prints what a command has to say of a run; 0; 1 for EXIT_CELLS; or -errno with the reason. */
typedef int (*runs_print)(const struct load_run *run, struct hb_error *e);

/*
 * Print the existing run @show; for NULL make one first, as PREFIX-YYYYMMDD-HHMMSS (UTC): its
 * report's text goes nowhere, progress and errors go to stderr. Returns an exit status.
 */
int runs_once_and_show(const struct runs_args *a, const char *prefix, const char *show,
		       runs_print print);

#endif
