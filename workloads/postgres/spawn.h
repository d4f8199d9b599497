/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start of a PostgreSQL program as the owner of the data directory, whoever we are; its words. */
#ifndef HB_WORKLOADS_PG_SPAWN_H
#define HB_WORKLOADS_PG_SPAWN_H

#include <sys/types.h>

#include "bench/base/util.h"

struct pg_spawn {
	const char *const *argv; /* argv[0] is an absolute path */
	const char *const *envp; /* the whole environment */
	uid_t uid;
	gid_t gid;
	int out, err; /* become stdout and stderr; stdin is /dev/null */
	int gate;     /* the child reads one byte here before it goes on; -1: no gate */
	int death;    /* signal when the caller's thread ends */
};

/*
 * Fork and exec, on every CPU that there is: a task's own binding must not bind the server. The
 * child's pid, or -errno. A child that cannot start says why on its stderr and exits with 127.
 */
pid_t pg_spawn(const struct pg_spawn *s, struct hb_error *e);
/* The end of what a program @said, at most @max bytes; from the start of a line, if one starts
 * there.
 */
const char *pg_last_lines(const char *said, size_t max);

#endif
