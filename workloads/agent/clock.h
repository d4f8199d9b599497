/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock of the timed path: task_ticks() and its conversions are in workload.h. */
#ifndef HB_WORKLOADS_CLOCK_H
#define HB_WORKLOADS_CLOCK_H

#include <stdint.h>

/*
 * Choose and calibrate, once, before anything is forked: takes about 30 ms. The CPU's counter is
 * used when its rate against CLOCK_MONOTONIC_RAW is steady to 0.5 % and all CPUs agree to 20 us,
 * else clock_gettime(). @exact: the counter advances by 2^@icount_shift per instruction (QEMU
 * -icount shift=N makes the virtual clock, from which it derives the TSC, advance 2^N ns per
 * instruction), and nothing is calibrated.
 */
void clock_setup(int exact, unsigned int icount_shift);
/* In a process that was executed by one with a calibrated clock: read the same clock, ticks only.
 */
void clock_choose(int tsc);
/* "tsc" or "clock_gettime". */
const char *clock_name(void);
/* Ticks per nanosecond. */
double clock_rate(void);
/* Smallest difference that two reads in a row show, in ticks: the cost of one read, or the
 * resolution. */
uint64_t clock_cost(void);

#endif
