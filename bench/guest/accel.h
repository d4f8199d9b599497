/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does /dev/kvm run an ordinary guest here? It may exist and not do so (nested and para-virtual
 * hosts: QEMU dies on an MSR, or the guest never prints a byte), so a small guest is booted once
 * with a short deadline, and the answer is kept in the cache directory for as long as host kernel,
 * CPU and QEMU stay the same. A failure is not kept: it may have been the moment's.
 */
#ifndef HB_ACCEL_H
#define HB_ACCEL_H

#include "bench/base/util.h"
#include "bench/guest/vm.h"

struct accel {
	bool works;	  /* an ordinary guest runs with KVM */
	char reason[512]; /* why not; or how it was found out */
};

/*
 * Probe with kernel @bzimage, unless the cache knows. @again: never mind the cache. 0 also when KVM
 * does not work; an error only when nothing can be found out (no QEMU).
 */
int accel_probe(const char *bzimage, bool again, struct accel *a, struct hb_error *e);
/* The probe's boot itself, in any mode and without the cache. Takes up to 20 s beyond QEMU's start.
 */
int accel_boot(const char *bzimage, enum vm_mode mode, struct accel *a, struct hb_error *e);
/* What the cache knows, without booting anything: 1, or 0 when nothing is known. */
int accel_known(struct accel *a);
/*
 * The mode for a run: @requested is "auto" or "parallel" (kvm or emulated), "kvm", "emulated" or
 * "exact" ("native" needs no accelerator and is not for here). @reason gets one line for the record
 * and for the user. -ENODEV: "kvm" is wanted and does not work; -EINVAL: unknown mode.
 */
int accel_choose(const char *requested, const char *bzimage, enum vm_mode *mode, char *reason,
		 size_t len, struct hb_error *e);

#endif
