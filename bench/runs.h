/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For commands that evaluate a run of their own: the ordinary `hugebench run`, without its report.
 */
#ifndef HB_RUNS_H
#define HB_RUNS_H

#include <stddef.h>

/* The arguments of `hugebench run` that such a command passes on; NULL: not given. */
struct runs_args {
	const char *scenario; /* required */
	const char *kernels, *cells, *budget;
	const char *option; /* KEY=VALUE */
};

/*
 * Run it as PREFIX-YYYYMMDD-HHMMSS (UTC), which is left in @name. The report's text goes nowhere,
 * progress and errors go to stderr. Returns the exit status of cmd_run().
 */
int runs_once(const struct runs_args *a, const char *prefix, char *name, size_t len);

#endif
