/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine of mode exact: N equal CPUs, an instruction per unit of time each, in turns. QEMU
 * executes one vCPU after the other, in the order in which they were made, each for a part of the
 * time to the next timer of its virtual clock. Timers of the guest's HPET, of three periods without
 * a common measure, make turns of about @turn instructions; the periods are drawn from the seed of
 * a boot.
 *
 * A timer that expires interrupts all vCPUs, and QEMU (accel/tcg/tcg-accel-ops-rr.c, 8.2 to 10.0)
 * then works out the part anew before each: of Q vCPUs the first gets 1/Q of the time, the next
 * 1/Q of what is left. With Q = 4 one CPU was 2.3 times as fast as another. A time of less than Q
 * instructions is not divided: a CPU gets all of it, and the next CPU the time to the timer after
 * that. By the model in tests/exact_test.c these are equal within 5 %:
 *
 * - Up to 8 CPUs: idle vCPUs, made after the first and never started, which take no time, but are
 *   counted in Q, and bursts of as many expiries as there are CPUs, less than Q instructions apart,
 *   after which the first CPU begins again.
 * - More: 23 timers that expire once in 1 us each, so that all times are shorter than Q and each is
 *   one CPU's turn. Their number has no common measure with that of the CPUs: each CPU has turns of
 *   all lengths. A 24th of a longer period keeps the same turn from falling on the same work. QEMU
 *   since 9.2 lets a timer of the HPET expire once in 1 us at most, and again 1 us after each
 *   expiry that was in time; an earlier one has other turns, and unequal CPUs.
 */
#ifndef HB_BASE_EXACT_H
#define HB_BASE_EXACT_H

#include <jansson.h>
#include <stdint.h>

/* As many as the timed kernels are configured for (CONFIG_NR_CPUS). */
#define EXACT_VCPUS_MAX 64
#define EXACT_PERIODS	3
/* As many as there are registers of in QEMU's HPET. */
#define EXACT_TIMERS 24
/* As many as QEMU's HPET is told to have. */
#define EXACT_HPET_TIMERS 32

/*
 * 2^shift ns of the virtual clock pass with an instruction of any CPU (-icount shift=), so that
 * vcpus << shift ns are an instruction of each: about 16 ns, with many CPUs as many as there are.
 */
unsigned int exact_shift(unsigned int vcpus);
/* Q: vCPUs of QEMU in all, idle ones with them; a multiple of @vcpus, 1 for one. */
unsigned int exact_all_vcpus(unsigned int vcpus);
/*
 * The agent's description of the machine, {"vcpus", "shift", "timers": [[first expiry, period]]} in
 * ticks of 10 ns; one vCPU has no turns, and no timers. @turn: instructions of the longest turn,
 * about; more than 8 CPUs have turns of 30 to 60 whatever it is. New reference, NULL without
 * memory.
 */
json_t *exact_machine(unsigned int vcpus, uint64_t seed, unsigned int turn);
/*
 * What to say beside figures of @vcpus CPUs under QEMU @version: NULL, or that they are not known
 * to be equal, as more than 8 are not where its HPET may do otherwise. Owned by the caller.
 */
char *exact_doubt(unsigned int vcpus, const char *version);

#endif
