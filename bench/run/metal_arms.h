/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HB_METAL_ARMS_H
#define HB_METAL_ARMS_H

#include "bench/run/run.h"

/*
 * The arms of @r as this machine boots them: *@arms {NAME: {image, initrd, command_line}}, new
 * reference, with copies of the files in @directory. @more goes to the end of every command line.
 * Each is loaded once to see that kexec takes it. -EINVAL: a kernel does not find this machine's
 * root, with the symbols that it lacks.
 */
int metal_arms(const struct run *r, const char *directory, const char *more, json_t **arms,
	       struct hb_error *e);
/* The initramfs that belongs to an installed kernel, "/boot/vmlinuz-6.1.0-40-amd64"; owned by the
 * caller; NULL: there is none. */
char *metal_initrd(const char *bzimage);

#endif
