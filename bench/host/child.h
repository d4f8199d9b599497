/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running other programs: in a directory, with a clean environment, their output line by line. */
#ifndef HB_CHILD_H
#define HB_CHILD_H

#include <sys/types.h>

#include "bench/base/util.h"

/* Zero-initialised fields mean: as in this process. */
struct child {
	const char *directory;	  /* to run in */
	const char *const *env;	  /* "NAME=value" to set; NULL-terminated */
	const char *const *unset; /* names to remove; NULL-terminated */
	uid_t uid; /* run as this user and group, without others' groups; 0: no change */
	gid_t gid;
	int err; /* stderr goes here; 0: where stdout goes */
};

/*
 * Start @argv (looked up in PATH) with stdin from /dev/null, stdout and stderr to @out. The process
 * id, to be waited for by the caller, or -errno. It gets SIGTERM when we die.
 */
pid_t child_start(const struct child *c, char *const argv[], int out);

/* Called for each line of output, without its newline. */
typedef void (*child_line)(void *arg, const char *line);

/*
 * child_start() and wait, with the output going to @line (may be NULL). Returns as hb_run() does.
 */
int child_run(const struct child *c, char *const argv[], child_line line, void *arg);
/* child_run() with the output as one string in *@out, owned by the caller (also on failure; may be
 * NULL). */
int child_capture(const struct child *c, char *const argv[], char **out);

#endif
