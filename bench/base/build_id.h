/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HB_BASE_BUILD_ID_H
#define HB_BASE_BUILD_ID_H

#include <stddef.h>

#define BUILD_ID_HEX 129 /* room for any that linkers make, with the NUL */

/*
 * The GNU build-id of the running kernel as hexadecimal; "" when there is none. /sys/kernel/notes
 * has notes without an ELF file around them, which libelf does not read.
 */
void running_build_id(char *hex, size_t size);

#endif
