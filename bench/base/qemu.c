// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "bench/base/qemu.h"
#include "bench/base/util.h"

unsigned int qemu_number(const char *version)
{
	unsigned int major, minor;

	return version && sscanf(version, "%u.%u", &major, &minor) == 2 ? QEMU_NUMBER(major, minor)
									: 0;
}

char *qemu_doubt(const char *version)
{
	unsigned int number = qemu_number(version);

	if (!number || number >= QEMU_STEADY)
		return NULL;
	return hb_strf("may be QEMU's fault and not the kernel's: QEMU %s loses interrupts and "
		       "breaks kernel text that is being patched when it emulates several CPUs; "
		       "8.2 and later do not",
		       version);
}
