/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine of mode exact: N equal CPUs, an instruction per unit of time each, in turns. QEMU
 * executes one vCPU after the other, each for an N-th of the time to the next timer of its virtual
 * clock. Three timers of the guest's HPET, of periods without a common measure, make turns of about
 * @turn instructions; the periods are drawn from the seed of a boot.
 */
#ifndef HB_BASE_EXACT_H
#define HB_BASE_EXACT_H

#include <jansson.h>
#include <stdint.h>

/* As many as the timed kernels are configured for (CONFIG_NR_CPUS). */
#define EXACT_VCPUS_MAX 64
#define EXACT_TIMERS	3

/*
 * 2^shift ns of the virtual clock pass with an instruction of any CPU (-icount shift=), so that
 * vcpus << shift ns are an instruction of each: about 32 ns, with many CPUs as many as there are.
 */
unsigned int exact_shift(unsigned int vcpus);
/*
 * The agent's description of the machine, {"vcpus", "shift", "periods": [ticks of 10 ns]}; one vCPU
 * has no turns, and no periods. @turn: instructions of the shortest period, each CPU's share. New
 * reference, NULL without memory.
 */
json_t *exact_machine(unsigned int vcpus, uint64_t seed, unsigned int turn);

#endif
