/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that make a plan have in common; defined in run.c. */
#ifndef HB_PLAN_OPTIONS_H
#define HB_PLAN_OPTIONS_H

#include <argp.h>

#include "bench/run/run.h"

/* Their options, as argp's child; its input is a struct run_args. */
extern const struct argp plan_options_argp;

/* Arguments of a new run, with the command line as it would be typed again: "hugebench @name" and
 * what follows. Release with plan_args_free(). */
struct run_args plan_args(const char *name, int argc, char **argv);
void plan_args_free(struct run_args *a);

/* Print the error of @rc; its documented exit status. */
int plan_fail(int rc, const struct hb_error *e);

#endif
