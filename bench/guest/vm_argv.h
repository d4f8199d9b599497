/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's command line for a guest. Only vm_argv.c knows QEMU's options. */
#ifndef HB_VM_ARGV_H
#define HB_VM_ARGV_H

#include "bench/guest/vm.h"

/* What vm_argv() needs beside the configuration: inherited descriptors and host NUMA nodes. */
struct vm_wiring {
	int data_fd;		     /* connected socket: the agent's port */
	int qmp_fd;		     /* connected socket: the machine protocol */
	int console_fd;		     /* listening socket: input of the serial console */
	int host_node[VM_MAX_NODES]; /* bind guest node's memory to this host node, -1: nowhere */
	uid_t user; /* QEMU becomes it before the guest runs, and its group; 0: it stays who starts
		       it */
};

struct hostqemu;

/*
 * The command line of QEMU @q: a NULL-terminated array in *@argv, released with vm_argv_free().
 * Depends on nothing but its arguments. -EINVAL with the reason for what no guest can be made of.
 */
int vm_argv(const struct hostqemu *q, const struct vm_config *c, const struct vm_wiring *w,
	    char ***argv, struct hb_error *e);
void vm_argv_free(char **argv);
/* The whole kernel command line a guest of this configuration gets; owned by the caller. */
char *vm_command_line(const struct vm_config *c);
/* Do several vCPUs take turns on one thread? */
bool vm_has_turns(const struct vm_config *c);

#endif
