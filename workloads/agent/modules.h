/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest whose kernel has modules: what the initramfs brings, and the root behind it. */
#ifndef HB_MODULES_H
#define HB_MODULES_H

#include "bench/base/util.h"

/*
 * Load /modules/NN-NAME.ko in the order of their names, if there are any. One that finds no device
 * is left out. -errno with the module that the kernel refuses.
 */
int modules_load(struct hb_error *e);
/*
 * When modules were brought and the command line has root=, mount that and execute its init there:
 * the kernel itself has taken the initramfs for its root. Does not return then.
 */
int modules_switch_root(struct hb_error *e);

#endif
