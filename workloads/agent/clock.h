/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock of the timed path: task_ticks() and its conversions are in workload.h. */
#ifndef HB_WORKLOADS_CLOCK_H
#define HB_WORKLOADS_CLOCK_H

#include <stdint.h>

/*
 * Choose and calibrate, once, before anything is forked: takes about 30 ms. The CPU's counter is
 * used when its rate against CLOCK_MONOTONIC_RAW is steady to 0.5 % and all CPUs agree to 20 us,
 * else clock_gettime().
 */
void clock_setup(void);
/*
 * Mode exact instead: QEMU's -icount makes its virtual clock, which the CPU's counter shows in ns,
 * advance by @insn_ns while each CPU executes an instruction (machine.h). Nothing is calibrated.
 */
void clock_setup_exact(unsigned int insn_ns);
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
