/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Injected faults: hugebench at work on one of several grounds (a run, a kernel build, ...) is
 * disturbed in one way of a table at a random moment, then started again. Afterwards
 *
 *	what was finished when the fault struck has the same bytes,
 *	no process and no lock is left, no file beside results, cache and what the test put there,
 *	the second attempt ends well, and its outcome is that of an undisturbed one.
 */
#ifndef HB_TESTS_INJECT_FAULTS_H
#define HB_TESTS_INJECT_FAULTS_H

#include <jansson.h>

#include "bench/base/util.h"

struct fault;

/* What is disturbed. All paths are below site.top. */
struct ground {
	/* Make what is needed and do it once undisturbed; 0, -1, or -ENODEV: not on this machine */
	int (*prepare)(struct ground *g);
	/* as before the first attempt; @number is another for each fault */
	void (*reset)(unsigned long number);
	pid_t (*start)(void);
	/* a second attempt; its exit status, as finish() has it. NULL: the same as the first */
	int (*again)(void);
	/* name and content of all that is finished; new reference */
	json_t *(*finished)(void);
	/* complain about the outcome after the second attempt */
	void (*check)(struct fault *f);
	const char *below;  /* files whose changes fail, a directory below site.top */
	unsigned int cells; /* of a run */
	bool rare;	    /* takes much of the machine: in every third round only */
	bool alone;	    /* one fault at a time, by one process */
	int state;	    /* of this process: 0, prepared 1, or what prepare() said */
	uint64_t length_ns; /* of the undisturbed attempt */
};

extern struct ground ground_run, ground_guest, ground_build, ground_fetch;

struct kind {
	const char *name;
	struct ground *ground;
	void (*inject)(struct fault *f);
	int number;	     /* a signal, an error number, seconds */
	const char *text;    /* the program that is killed, or how the agent behaves */
	unsigned int spoils; /* cells that may be not OK for it */
};

extern const struct kind kinds[];
extern const size_t nkinds;

/* The fault of the moment. */
struct fault {
	const struct kind *kind;
	unsigned long number;
	uint64_t seed;
	bool missed;	    /* the attempt was over before */
	unsigned int tries; /* attempts that were; each halves what moment() waits at most */
	char why[512];	    /* the first thing that is not as it should be; "": all is */
};

/* Where this process works. */
struct site {
	char top[64];
	char *bin;     /* hugebench, and the fake agent as its agent */
	char *command; /* hugebench */
	char *preload; /* preload.c */
	char *results, *cache;
	char *kernel, *config, *build_id; /* of the guests */
};

extern struct site site;

/* Only the first of a fault's complaints is kept. */
void complain(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next of a sequence that the seed decides, below @n. */
uint64_t below(struct fault *f, uint64_t n);
/* Wait for a moment that should come before an undisturbed attempt is over. */
void moment(struct fault *f);

/* Start `hugebench ARGS` in the background, its output appended to top/output, emptied by @anew. */
pid_t start_hugebench(bool anew, const char *const args[]);
/* What was put out so far; owned by the caller, "" for none. */
char *output(void);
/* The exit status of a child, 1000 + signal, or -1: it did not end, and was killed. */
int finish(pid_t pid);
bool still_runs(pid_t pid);
/* Stop a process; false: it has ended, or does not stop within a second. */
bool stop(pid_t pid);
/* An undisturbed attempt on @g, from anew; its length is kept. 0, or -1: it does not end well. */
int undisturbed(struct ground *g);
/* A process below @pid, whichever thread started it, that runs a program called @name; or 0. */
pid_t descendant(pid_t pid, const char *name);
/* Programs started from here on may no longer write where the modes of files forbid it. */
void obey_modes(void);

/* Complain about files and locks that are left. */
void check_place(struct fault *f);

#endif
