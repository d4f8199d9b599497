/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of everything that makes a plan, as argp's child; its input is a struct run_args. */
#ifndef HB_PLAN_OPTIONS_H
#define HB_PLAN_OPTIONS_H

#include <argp.h>

extern const struct argp plan_options_argp;

#endif
