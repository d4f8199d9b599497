/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel for mode exact with several vCPUs. QEMU's TCG ends a vCPU's turn at PAUSE, so that
 * whoever spins would wait at no cost, and the virtual clock would count work instead of time. The
 * same kernel with each PAUSE replaced by a NOP of the same length spins as long as it waits;
 * nothing else of it is different, its build-id included.
 */
#ifndef HB_PAUSE_H
#define HB_PAUSE_H

#include "bench/base/util.h"

/*
 * The image that is @bzimage without PAUSE, made once and kept in the cache directory @cache; its
 * path in *@path, owned by the caller. -EOPNOTSUPP: @bzimage is not compressed with gzip
 * (CONFIG_KERNEL_GZIP); -EIO: objdump failed, or the image has not what it says; -ENODEV: no
 * objdump.
 */
int pause_remove(const char *bzimage, const char *cache, char **path, struct hb_error *e);

#endif
