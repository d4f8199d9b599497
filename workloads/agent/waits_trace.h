/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's trace as text, line by line, to what each thread waited for and when: it was off its
 * CPU (sched_switch; its kernel stack says where it slept), or it executed the slow path of a lock
 * (probes at its entry and return, see waits.c), that is, it spun. Times are of the trace's clock.
 */
#ifndef HB_WORKLOADS_WAITS_TRACE_H
#define HB_WORKLOADS_WAITS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAIT_FUNCTION 64 /* with the end of the text, a longer one is cut off */
#define WAIT_DEPTH    4	 /* slow paths within slow paths */

enum wait_how {
	WAIT_ASLEEP, /* off the CPU until someone woke it, and until it had a CPU again */
	WAIT_SPUN,   /* executed instructions to wait */
	WAIT_READY,  /* could have gone on, but others had the CPU */
};

struct wait_class {
	enum wait_how how;
	const char *kind;	      /* of lock: "mutex", "rwsem-read", ...; static */
	char function[WAIT_FUNCTION]; /* that waited: the caller of what locks */
};

/* Of one thread they follow each other and never overlap. */
struct wait {
	uint64_t begin, end;
	int32_t tid;
	uint32_t class;
};

/* A thread as far as the trace was read. */
struct wait_thread {
	uint64_t since;	   /* begin of what it waits in; 0: it does not */
	bool off, unnamed; /* off its CPU; its stack has not said yet where it sleeps */
	uint8_t depth;
	uint32_t class;		   /* while off */
	const char *kind;	   /* of lock, by the stack so far */
	uint32_t slow[WAIT_DEPTH]; /* classes of the slow paths it is in */
};

/* Zero-initialise; release with waits_trace_free(). */
struct waits_trace {
	struct wait *wait;
	size_t nwaits, room;
	struct wait_class *classes;
	size_t nclasses;
	struct wait_thread *thread; /* by tid */
	int nthreads;
	int stack_of; /* thread whose stack the next lines are; 0: none */
	bool failed;  /* no memory: what was read is not whole */
};

/*
 * Probes at slow paths of locks: what their events are called, "NAME" and "NAME_ret". None at that
 * of spinlocks: most waits there are shorter than a probe takes, so they count as executed.
 */
struct wait_probe {
	const char *name, *function, *kind;
};

/* NULL names at the end. */
extern const struct wait_probe wait_probes[];

/* A line of the trace, with or without its newline. One that is not understood is passed over. */
void waits_take_line(struct waits_trace *t, const char *line);
/* A wait that was under way at the end of the trace has no end, and is not among them. */
void waits_trace_free(struct waits_trace *t);
/* "asleep", "spun", "ready" */
const char *wait_how_name(enum wait_how how);

#endif
