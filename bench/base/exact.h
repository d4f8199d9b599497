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
 * 1/Q of what is left. With Q = 4 one CPU was 2.3 times as fast as another. Two things make them
 * equal, within 5 % by the model in tests/exact_test.c:
 *
 * - Idle vCPUs, made after the first and never started: they take no time, but are counted in Q.
 * - Where a turn is shorter than Q instructions, a CPU gets all the time to the next timer, and the
 *   next CPU the time to the one after it. Many CPUs have such turns alone. Few would need too many
 *   idle ones: each expiry is a burst of as many as there are CPUs, less than Q instructions
 *   apart, after which the first CPU begins again.
 */
#ifndef HB_BASE_EXACT_H
#define HB_BASE_EXACT_H

#include <jansson.h>
#include <stdint.h>

/* As many as the timed kernels are configured for (CONFIG_NR_CPUS). */
#define EXACT_VCPUS_MAX 64
#define EXACT_PERIODS	3
/* As many as QEMU's HPET can have; each takes part in one burst. */
#define EXACT_TIMERS 32

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
 * about; many CPUs have at most 110. New reference, NULL without memory.
 */
json_t *exact_machine(unsigned int vcpus, uint64_t seed, unsigned int turn);

#endif
