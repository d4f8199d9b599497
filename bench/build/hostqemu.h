/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which QEMU runs the guests, and why that one. */
#ifndef HB_HOSTQEMU_H
#define HB_HOSTQEMU_H

#include "bench/base/util.h"

/* 10.0.2 is 1000; versions compare as these numbers do. */
#define HOSTQEMU_NUMBER(major, minor) ((major)*100u + (minor))
/*
 * From here on TCG emulates several CPUs rightly. Earlier ones lose interrupts while a kernel boots
 * and break a kernel that patches its text; with -icount they stall at the second CPU.
 */
#define HOSTQEMU_STEADY HOSTQEMU_NUMBER(8, 2)

struct hostqemu {
	char *words[8]; /* the words of a command line that start it; NULL-terminated */
	char *identity; /* first line of what `--version` says */
	char *version;	/* "10.0.2" */
	char *reason;	/* why this one; for the user */
	unsigned int number;
};

/*
 * The QEMU that runs the guests of this process, found once, in this order: the program that QEMU=
 * in the environment names; the host's when HOSTQEMU_STEADY; Debian's of bookworm-backports,
 * fetched by apt and unpacked in the cache (nothing is installed, no root is needed); the host's
 * whatever its age. NULL with the reason: there is none at all, or QEMU= is none.
 */
const struct hostqemu *hostqemu(struct hb_error *e);
/* The same as things are, for who looks but must not fetch; released with hostqemu_free(). */
int hostqemu_look(struct hostqemu *q, struct hb_error *e);
void hostqemu_free(struct hostqemu *q);

/* The number of a version such as "7.2.22"; 0 for what is no version. */
unsigned int hostqemu_number(const char *version);
/*
 * What to say beside a bad end of a guest that QEMU @version emulated, several CPUs on host
 * threads; owned by the caller. NULL: nothing, QEMU is not to blame.
 */
char *hostqemu_doubt(const char *version);

#endif
