/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Process 1 on a root that the kernel, or its initramfs, has mounted. */
#ifndef HB_INIT_H
#define HB_INIT_H

#include <sys/types.h>

/*
 * Make the root writable, mount /proc, /sys, /dev, /run and what workloads use, have the console as
 * standard streams. What fails shows in what comes after; it is said on the console.
 */
void init_mount(void);
/* Until child @pid ends; whatever else ends meanwhile is waited for as well. */
void init_wait(pid_t pid);

#endif
