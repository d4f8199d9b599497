/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client of the QEMU Machine Protocol: JSON, a message per line, over a connected socket
 * (https://www.qemu.org/docs/master/interop/qmp-spec.html). What QEMU sends is checked, as a
 * stream that comes from another process is.
 */
#ifndef HB_QMP_H
#define HB_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"

struct qmp;

/*
 * Take the greeting and enter command mode; waits at most until @deadline_ns (hb_now_ns() scale).
 * @fd is owned by the client from here on, also when this fails. -ETIMEDOUT; -EPIPE when QEMU
 * closed; -EPROTO for anything that is not QMP; -EINTR when a signal handler ran.
 */
int qmp_open(int fd, uint64_t deadline_ns, struct qmp **q, struct hb_error *e);
void qmp_close(struct qmp *q);
/*
 * Execute @command. @arguments is stolen and may be NULL; *@result (may be NULL) gets a new
 * reference to "return". Events that arrive meanwhile are noted. Errors as above, -EREMOTEIO with
 * QEMU's own words when it refuses.
 */
int qmp_command(struct qmp *q, const char *command, json_t *arguments, uint64_t deadline_ns,
		json_t **result, struct hb_error *e);
/* Note the events that are there, without waiting. 0 or an error as above. */
int qmp_drain(struct qmp *q, struct hb_error *e);
/* Has QEMU reported a guest panic (pvpanic) in anything read so far? */
bool qmp_panicked(const struct qmp *q);
/*
 * Host thread ids of the vCPUs, in the order of their numbers; at most @max. Returns how many
 * vCPUs there are. With single-threaded TCG all share one thread.
 */
int qmp_vcpu_threads(struct qmp *q, pid_t *tid, unsigned int max, uint64_t deadline_ns,
		     struct hb_error *e);

/* What KVM has counted of all vCPUs since the guest began. */
struct qmp_kvm_counts {
	uint64_t exits;	   /* times it came back from the guest */
	uint64_t emulated; /* instructions that it carried out by software in the guest's place */
};

/* Errors as above; -EREMOTEIO where there are no such counters: QEMU before 7.1, Linux before 5.14,
 * another accelerator. */
int qmp_kvm_counts(struct qmp *q, uint64_t deadline_ns, struct qmp_kvm_counts *counts,
		   struct hb_error *e);

#endif
