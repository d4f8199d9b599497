/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HB_PRINT_REPORT_H
#define HB_PRINT_REPORT_H

#include "bench/base/util.h"

/* Make the report of the run in @run_dir, print it, say where the files are. */
int print_report(const char *run_dir, struct hb_error *e);

#endif
