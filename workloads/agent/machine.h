/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine of mode exact, from inside: bench/base/exact.h says what it is. The guest boots and
 * sets up with one CPU, for CPUs that idle by polling cost the host as much as those that work.
 */
#ifndef HB_WORKLOADS_MACHINE_H
#define HB_WORKLOADS_MACHINE_H

#include <jansson.h>

#include "bench/base/util.h"

/* ns of the virtual clock in which a CPU of @machine executes an instruction. */
unsigned int machine_insn_ns(const json_t *machine);
/* Bring up the other CPUs. -ENODEV: one does not come up. */
int machine_start(const json_t *machine, struct hb_error *e);
/*
 * From here on the CPUs take short turns, as @machine says (@on), or long ones again, which cost
 * the host a fraction; nothing with one CPU. -ENODEV: /dev/mem cannot be used (CONFIG_DEVMEM
 * without STRICT_DEVMEM).
 */
int machine_turns(const json_t *machine, bool on, struct hb_error *e);

#endif
