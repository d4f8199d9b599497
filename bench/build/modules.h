/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel with modules needs to run guests: the modules, and the symbols of the rest. */
#ifndef HB_MODULES_H
#define HB_MODULES_H

#include <jansson.h>

#include "bench/base/util.h"

/*
 * Write the modules that guests need into the cpio archive @path, as modules/NN-NAME.ko, each after
 * those that it depends on. @base is the directory that has lib/modules/@version, indexed by depmod
 * unless it is. *@loaded (new reference): the CONFIG_ symbols that they stand for. -ENODEV: kmod is
 * missing, or there are no modules of @version.
 */
int modules_pack(const char *base, const char *version, const char *path, json_t **loaded,
		 struct hb_error *e);
/*
 * Does the kernel with @config (kconfig_read()) and the modules' symbols @loaded (NULL: none) have
 * all that a guest needs? -EINVAL with the symbols that are missing; @name is for the message.
 */
int modules_check(const char *name, const json_t *config, const json_t *loaded, struct hb_error *e);

#endif
