/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running other programs. What they make must not hang on who calls us: each gets CHILD_UMASK, the
 * locale C.UTF-8, UTC, default signals with none blocked, the limits of resources that the system
 * allows, standard input from /dev/null and no descriptor beyond those that it is given.
 */
#ifndef HB_CHILD_H
#define HB_CHILD_H

#include <sys/types.h>

#include "bench/base/util.h"

#define CHILD_KEEPS 16
/* What others are to read is made with it, by programs and by this one. */
#define CHILD_UMASK 022

/* When we die the program gets a signal, */
enum child_death {
	CHILD_TERM, /* SIGTERM */
	CHILD_KILL, /* SIGKILL */
	CHILD_LIVE, /* or none: it sees by itself that we are gone */
};

/* Zero-initialised fields mean: as said above, else as in this process. */
struct child {
	const char *directory;	  /* to run in */
	const char *const *env;	  /* "NAME=value" to set; NULL-terminated */
	const char *const *unset; /* names to remove; NULL-terminated */
	uid_t uid; /* run as this user and group, without others' groups; 0: no change */
	gid_t gid;
	int in;		       /* stdin comes from here; 0: /dev/null */
	uint64_t file_bytes;   /* no file may become larger; 0: as the system allows */
	int err;	       /* stderr goes here; 0: where stdout goes */
	int keep[CHILD_KEEPS]; /* descriptors that it inherits, up to a 0 */
	/* NULL, or where alone it can change files, as confine_writes() takes it */
	const char *const *writable;
	/*
	 * The reading end of a pipe whose other end only we have, and until the program has ended:
	 * when we die it gets the signal, also if it has changed its user, which a signal of @death
	 * does not survive, and with @group all that it has started get it too; 0: none.
	 */
	int lifeline;
	bool group; /* a process group of its own: Ctrl-C reaches us alone */
	enum child_death death;
};

/* Would child_start() find this program? */
bool child_finds(const char *program);
/*
 * Start @argv (looked up in PATH) with stdout and stderr to @out. The process id, to be waited for
 * by the caller, or -errno.
 */
pid_t child_start(const struct child *c, char *const argv[], int out);
/*
 * Wait for what child_start() returned. The exit status (0..255; 127: there is no such program,
 * 126: it cannot be started), 128 + signal, or -errno.
 */
int child_wait(pid_t pid);
/*
 * How long the thread of @pid that waited longest was ready to run and had no CPU, in ns since it
 * began (second field of /proc/PID/task/TID/schedstat, Documentation/scheduler/sched-stats.rst);
 * 0 where the kernel does not tell.
 */
uint64_t child_waited_ns(pid_t pid);
/* child_start() and child_wait(); -1 for @out: stdout and stderr stay where they are. */
int child_do(char *const argv[], int out);

/* Called for each line of output, without its newline. */
typedef void (*child_line)(void *arg, const char *line);

/*
 * child_start() and wait, with the output going to @line (may be NULL). Returns as child_do() does.
 */
int child_run(const struct child *c, char *const argv[], child_line line, void *arg);
/*
 * child_run() of a program that starts others: they are a group, which gets the signal of @death as
 * a whole, by a lifeline.
 */
int child_run_all(const struct child *c, char *const argv[], child_line line, void *arg);
/* child_run() with the output as one string in *@out, owned by the caller (also on failure; may be
 * NULL). */
int child_capture(const struct child *c, char *const argv[], char **out);

#endif
