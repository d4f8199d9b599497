/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and changing a ready-made bzImage. */
#ifndef HB_BZIMAGE_H
#define HB_BZIMAGE_H

#include "bench/base/util.h"

/*
 * Version ("6.1.0-42-amd64") and GNU build-id of the kernel in @path; both owned by the caller.
 * The layout is Documentation/x86/boot.rst's: kernel_version at 0x20e, payload_offset and
 * payload_length at 0x248 (protocol 2.08). gzip is unpacked here, the others by their programs.
 * -EINVAL: no bzImage; -ENODEV: that program is missing.
 */
int bzimage_identify(const char *path, char **version, char **build_id, struct hb_error *e);

/* Change the kernel's ELF file in memory, without changing its length. 0, or an error. */
typedef int (*bzimage_change)(char *vmlinux, size_t len, struct hb_error *e);
/*
 * Write @from to @to with @change done to the kernel in it. -EOPNOTSUPP: compressed otherwise than
 * with gzip; -ENOSPC: the changed kernel is too large for its place.
 */
int bzimage_edit(const char *from, const char *to, bzimage_change change, struct hb_error *e);

#endif
