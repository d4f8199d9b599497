/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that make a plan have in common: run, plan, metal. */
#ifndef HB_PLAN_OPTIONS_H
#define HB_PLAN_OPTIONS_H

#include <argp.h>

#include "bench/run/run.h"

/* Their options, with keys from 256 to 511, as argp's child; its input is a struct run_args. */
extern const struct argp plan_options_argp;

/* Arguments of a new run, with the command line as it would be typed again: "hugebench @name" and
 * what follows. Release with plan_args_free(). */
struct run_args plan_args(const char *name, int argc, char **argv);
void plan_args_free(struct run_args *a);

/* Has a new run a scenario and, if any, a name that a directory can have? -EINVAL, and it is said.
 */
int plan_usage_check(const struct run_args *a);
/* The documented exit status of an error. */
int plan_exit_status(int rc);
/* Print the error of @rc; its exit status. */
int plan_fail(int rc, const struct hb_error *e);

#endif
