/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Booting this machine: another kernel by kexec_file_load(2), or its own through the firmware. */
#ifndef HB_KEXEC_H
#define HB_KEXEC_H

#include "bench/base/util.h"

/*
 * Make @bzimage with the initramfs @initrd (NULL: none) what kexec_boot() boots, with
 * @command_line. The errors say what has to be changed: -EPERM: not root, locked down, or switched
 * off; -ENOSYS: the running kernel has no CONFIG_KEXEC_FILE; -ENOEXEC, -EKEYREJECTED: the image.
 */
int kexec_load(const char *bzimage, const char *initrd, const char *command_line,
	       struct hb_error *e);
/* Forget what was loaded. */
void kexec_unload(void);
/*
 * Boot what was loaded: by systemd, which ends services and file systems first, where it runs; 0:
 * under way. Without systemd it happens here, and returning is an error.
 */
int kexec_boot(struct hb_error *e);
/*
 * Start the machine again through its firmware, as kexec_boot() does. @hard: at once, for a kernel
 * whose tasks hang; what is on its way to disks gets some seconds.
 */
int kexec_reboot(bool hard, struct hb_error *e);
/*
 * The command line for a kernel that takes the place of one booted with @running: without what the
 * boot loader added, what @more or this sets, what reserves memory for crash dumps, and what waits
 * for the root for ever. @root: in the place of root=, NULL: it stays. A panic, and an oops, a
 * lockup or a root that is not found, which become one, start the machine again after 10 s. Owned
 * by the caller, NULL without memory.
 */
char *kexec_command_line(const char *running, const char *root, const char *more);

#endif
