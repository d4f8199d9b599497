/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What timing and classifying touches costs on the running kernel (`make bench-self`). */
#ifndef HB_WORKLOADS_SELFBENCH_H
#define HB_WORKLOADS_SELFBENCH_H

#include "bench/base/util.h"

/*
 * Print clock, threshold, and faults per second of the timed loop against a bare one: on ordinary
 * anonymous pages, whose faults are the quickest and so show the cost most, and on huge pages of a
 * file where some are free. Takes a few seconds, changes nothing.
 */
int selfbench(struct hb_error *e);

#endif
