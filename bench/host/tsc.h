/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frequency of this host's time-stamp counter, which an emulated guest sees as its own. */
#ifndef HB_TSC_H
#define HB_TSC_H

/*
 * In kHz, rounded to whole MHz so that every boot is told the same; measured against
 * CLOCK_MONOTONIC_RAW within 20 ms. 0 when two measurements do not agree within 0.5 %.
 */
unsigned int tsc_khz(void);

#endif
