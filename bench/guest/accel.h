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
/*
 * The probe's boot itself, in any mode and without the cache. Where KVM does not work it takes up
 * to a minute beyond QEMU's start; two seconds where accel_is_software() tells.
 */
int accel_boot(const char *bzimage, enum vm_mode mode, struct accel *a, struct hb_error *e);
/*
 * Is it plain from KVM's counters that it emulates the guest by software, some million instructions
 * a second? KVM on hardware emulates what the hardware cannot: with SVM one instruction an exit,
 * with VMX 130 at most, in real mode on processors of before 2010 (handle_invalid_guest_state() of
 * arch/x86/kvm/vmx/vmx.c). A KVM without hardware (PVM) does so with all of firmware and kernel.
 */
bool accel_is_software(const struct qmp_kvm_counts *c);
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
