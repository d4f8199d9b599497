/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's part of the contract with a workload (workload.h): registered workloads, what a task
 * calls between operations, what an instance tells. Here is what the gang needs of it besides.
 */
#ifndef HB_WORKLOADS_CONTRACT_H
#define HB_WORKLOADS_CONTRACT_H

#include "workloads/workload.h"

/*
 * What task_random() of a task begins with. splitmix64: spreads neighbouring seeds over all bits;
 * never 0, which xorshift cannot leave.
 */
uint64_t task_seed(uint64_t seed, uint64_t instance, uint64_t task);
/* The task counts no more, if it still did: the end of its measured window. */
void task_window_end(struct task *t);

#endif
