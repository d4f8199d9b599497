/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One QEMU guest: spawn, data socket, QMP, end. */
#ifndef HB_VM_H
#define HB_VM_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"
#include "bench/guest/qmp.h"
#include "bench/host/placement.h"

enum vm_mode {
	VM_KVM,
	VM_EMULATED, /* TCG, a thread per vCPU */
	VM_EXACT,    /* TCG -icount, deterministic: exact.h */
};

struct vm_config {
	enum vm_mode mode;
	const char *bzimage, *initramfs,
		*root;	  /* with a root the initramfs is not used; borrowed */
	int initramfs_fd; /* instead of initramfs, and with a root too: a file without a name; 0:
			     none */
	const char *command_line; /* appended to the harness's own; may be "" */
	const char *console_path; /* the console goes here */
	/*
	 * Guest memory kept between boots: a file per node (memory.h makes them), borrowed; NULL:
	 * anonymous memory of QEMU.
	 */
	const int *memory_fd;
	const struct placement *placement; /* borrowed; NULL: wherever the host's scheduler likes */
	unsigned int vcpus, nodes;
	unsigned int
		gdb; /* port of QEMU's gdb stub on the loopback; gdb begins the guest; 0: none */
	/*
	 * tsc_khz() of the host, 0: unknown. An emulated guest is told: it would calibrate its
	 * counter while its vCPU may be off the host's CPU, and its clock could run at twice the
	 * speed.
	 */
	unsigned int tsc_khz;
	uint64_t memory; /* bytes, of all nodes together; each gets an equal part, whole 2 MiB pages
			  */
};

struct vm;

const char *vm_mode_name(enum vm_mode mode);
/*
 * Start; on success *@vm is to be ended with vm_end(), whatever happens. Root's QEMU is another
 * user before the guest runs (vm_user.h). It dies with the process that started it, and is in a
 * process group of its own, so that the terminal's Ctrl-C reaches us alone. -ENODEV: no QEMU (see
 * hostqemu()) or it refused to start (its words in the message); -ETIMEDOUT; -EINTR when a signal
 * handler ran while QEMU was starting.
 */
int vm_start(const struct vm_config *c, struct vm **vm, struct hb_error *e);
/* Data stream to the agent; -1 when not connected. Owned by the vm. */
int vm_data_fd(const struct vm *vm);
/* Where the vCPUs run and the memory lies, one line for the record; owned by the vm. */
const char *vm_placement(const struct vm *vm);
/* 1: QEMU is gone (reaped, *status as of waitpid), 0: alive. */
int vm_exited(struct vm *vm, int *status);
/* child_waited_ns() of QEMU: how long this host kept the guest from running, at most. */
uint64_t vm_waited_ns(const struct vm *vm);
/* What QEMU wrote to stderr so far; owned by the caller, NULL without memory. */
char *vm_stderr(const struct vm *vm);
/* 1 when QMP or pvpanic reported a guest panic. */
int vm_panicked(struct vm *vm);
/* What KVM has counted so far: qmp_kvm_counts(). */
int vm_kvm_counts(struct vm *vm, struct qmp_kvm_counts *counts, struct hb_error *e);
/* Both directions of the serial console from now on (the file has it all); owned by the vm. */
int vm_console_fd(struct vm *vm, struct hb_error *e);
/*
 * Ask the guest's kernel for the stacks of blocked tasks (sysrq w) onto the console: a break on the
 * serial line, then the key. Works while the kernel takes interrupts, whatever user space does,
 * with CONFIG_MAGIC_SYSRQ_SERIAL; other kernels take no notice. Returns before the guest has
 * printed them.
 */
int vm_dump_blocked(struct vm *vm, struct hb_error *e);
/* Wait up to @grace_ns for the guest to power off, then quit, then kill; always reaps; frees. */
void vm_end(struct vm *vm, uint64_t grace_ns);

#endif
