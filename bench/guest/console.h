/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's console says about the health of its kernel. Text in, evidence out. */
#ifndef HB_CONSOLE_H
#define HB_CONSOLE_H

#include <jansson.h>
#include <stddef.h>

#include "bench/base/util.h"

/* In order of weight: a panic outweighs all others. */
enum console_kind {
	CONSOLE_WARNING, /* WARN(), lockdep, RCU stall, out of memory, ...: the result is dirty */
	CONSOLE_OOPS,	 /* BUG:, kernel BUG at, Oops, general protection fault */
	CONSOLE_HUNG,	 /* "task X blocked for more than N seconds", soft lockup */
	CONSOLE_BLOCKED, /* a stack of a task in state D, from sysrq w */
	CONSOLE_PANIC,	 /* Kernel panic */
	CONSOLE_KINDS,
};

struct console_scan {
	unsigned int count[CONSOLE_KINDS];
	char first[CONSOLE_KINDS][256]; /* the first such line, without its time stamp */
	json_t *evidence; /* array of lines: each finding with the trace below it; bounded */
	bool began;	  /* the agent's start marker was met */
	char boot[256];	  /* the first warning before it, which is not counted; "" without one */
};

/*
 * Scan @len bytes of console output. Escape sequences and time stamps are taken off. Lines that are
 * known to be harmless do not count, nor do warnings before the agent's start marker: they are of
 * the processor and the configuration, not of what is measured. 0 or -ENOMEM; release with
 * console_scan_free() either way.
 */
int console_scan_text(const char *text, size_t len, struct console_scan *s);
/* The same for a file; one that does not exist counts as empty. */
int console_scan_file(const char *path, struct console_scan *s);
void console_scan_free(struct console_scan *s);

#endif
