/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What PID 1 of a guest does besides the cell: file systems, the data port, the end. */
#ifndef HB_WORKLOADS_GUEST_H
#define HB_WORKLOADS_GUEST_H

#include <jansson.h>

#include "bench/base/util.h"

/* Mount /proc, /sys, /dev and what hangs below; bring lo up; what the kernel lacks is left out. */
int guest_mount(struct hb_error *e);
/* Open the virtio-serial port named WIRE_PORT_NAME, waiting for it up to @timeout_ns. Descriptor or
 * -errno. */
int guest_port(uint64_t timeout_ns, struct hb_error *e);
/*
 * The second serial port in raw mode, or -ENODEV: the data port of mode exact. A UART does its work
 * within the guest's own instructions, where a virtio device's queues are served at the host's time
 * already during boot.
 */
int guest_serial(struct hb_error *e);
/* Reap orphans that init inherited; call only while nobody waits for children of his own. */
void guest_reap(void);
/* Power off; does not return, and does not sync: nothing of a guest is kept, and a sync may hang.
 */
void guest_power_off(void) __attribute__((noreturn));

/* WIRE_HELLO's payload, results/FORMAT.md, "hello"; new reference. */
json_t *hello_make(void);

#endif
