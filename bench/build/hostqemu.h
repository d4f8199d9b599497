/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which QEMU runs the guests, and why that one. */
#ifndef HB_HOSTQEMU_H
#define HB_HOSTQEMU_H

#include "bench/base/qemu.h"
#include "bench/base/util.h"

struct hostqemu {
	char *words[8];	     /* the words of a command line that start it; NULL-terminated */
	char *identity;	     /* first line of what `--version` says */
	char *version;	     /* "10.0.2" */
	char *reason;	     /* why this one; for the user */
	unsigned int number; /* qemu_number() of it */
	bool sandbox;	     /* it has -sandbox: was built with seccomp */
};

/*
 * The QEMU that runs the guests of this process, found once, in this order: the program that QEMU=
 * in the environment names; the host's when QEMU_STEADY; Debian's of bookworm-backports,
 * fetched by apt and unpacked in the cache (nothing is installed, no root is needed); the host's
 * whatever its age. NULL with the reason: there is none at all, or QEMU= is none.
 */
const struct hostqemu *hostqemu(struct hb_error *e);
/* The same as things are, for who looks but must not fetch; released with hostqemu_free(). */
int hostqemu_look(struct hostqemu *q, struct hb_error *e);
void hostqemu_free(struct hostqemu *q);

#endif
