/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions of QEMU, and what the old ones do wrong. */
#ifndef HB_BASE_QEMU_H
#define HB_BASE_QEMU_H

/* 10.0.2 is 1000; versions compare as these numbers do. */
#define QEMU_NUMBER(major, minor) ((major)*100u + (minor))
/*
 * From here on TCG emulates several CPUs rightly. Earlier ones lose interrupts while a kernel boots
 * and break a kernel that patches its text; with -icount they stall at the second CPU.
 */
#define QEMU_STEADY QEMU_NUMBER(8, 2)

/* The number of a version such as "7.2.22"; 0 for what is no version. */
unsigned int qemu_number(const char *version);
/*
 * What to say beside a bad end of a guest that QEMU @version emulated, several CPUs on host
 * threads; owned by the caller. NULL: nothing, QEMU is not to blame.
 */
char *qemu_doubt(const char *version);

#endif
