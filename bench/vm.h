/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One QEMU guest: argv, spawn, data socket, QMP, end. Only vm.c knows QEMU's options. */
#ifndef HB_VM_H
#define HB_VM_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/base/util.h"

enum vm_mode {
	VM_KVM,
	VM_EMULATED, /* TCG, a thread per vCPU */
	VM_EXACT,    /* TCG -icount, one vCPU, deterministic */
};

struct vm_config {
	enum vm_mode mode;
	const char *bzimage, *initramfs, *root; /* initramfs or root, not both; borrowed */
	const char *command_line;		/* appended to the harness's own; may be "" */
	const char *console_path;		/* the console goes here */
	const char *memory_path;		/* backing file kept between boots (memory.h), NULL: anonymous */
	unsigned int vcpus, nodes;
	uint64_t memory; /* bytes */
};

struct vm;

/* Start; on success *@vm is to be ended with vm_end(), whatever happens. QEMU dies with us (PDEATHSIG). */
int vm_start(const struct vm_config *c, struct vm **vm, struct hb_error *e);
/* Data stream to the agent; -1 when not connected. Owned by the vm. */
int vm_data_fd(const struct vm *vm);
pid_t vm_pid(const struct vm *vm);
/* 1: QEMU is gone (reaped, *status as of waitpid), 0: alive. */
int vm_exited(struct vm *vm, int *status);
/* 1 when QMP or pvpanic reported a guest panic. */
int vm_panicked(struct vm *vm);
/* Ask the guest's kernel for the stacks of blocked tasks (sysrq w) onto the console. */
int vm_dump_blocked(struct vm *vm, struct hb_error *e);
/* Wait up to @grace_ns for the guest to power off, then quit, then kill; always reaps; frees. */
void vm_end(struct vm *vm, uint64_t grace_ns);
/* The whole kernel command line a guest of this configuration gets; owned by the caller. */
char *vm_command_line(const struct vm_config *c);

#endif
