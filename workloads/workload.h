/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole contract of a workload or antagonist: one file, one WORKLOAD_REGISTER().
 * null.c is the annotated skeleton.
 *
 * Life of an instance, all in the agent unless told otherwise:
 *
 *	setup()        once; files, servers, preconditions; publishes what antagonists may hit
 *	task_init()    in every task (its own process, or thread), before the start gun
 *	run()          in every task: operations while task_continue() says yes
 *	task_exit()    in every task, after run()
 *	prove()        at the end of the measured phase, while the tasks still hold their mappings
 *	report()       after the tasks are gone: figures that are not plain counters
 *	teardown()     once, also after a failed setup() or a failed run
 */
#ifndef HB_WORKLOADS_WORKLOAD_H
#define HB_WORKLOADS_WORKLOAD_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <x86intrin.h>

#include "bench/base/hist.h"
#include "bench/base/metric.h"
#include "bench/base/option.h"
#include "bench/base/util.h"

#define WORKLOAD_ABI  1
#define TASK_COUNTERS 40
#define TARGET_PIDS   1024
#define CACHE_LINE    64
/* What stands for a second in the rates of mode exact: about what an emulated CPU does in one. */
#define TASK_PACE_INSN 100000000

enum workload_role {
	ROLE_WORKLOAD,	 /* what is measured */
	ROLE_ANTAGONIST, /* what runs beside it; reports the work it achieved */
};

enum cell_phase {
	PHASE_SETUP,
	PHASE_WARMUP,  /* operations run, nothing is kept */
	PHASE_MEASURE, /* operations that start now count */
	PHASE_PROVE,   /* workloads run on, antagonists stand still; prove() looks at the tasks */
	PHASE_DRAIN,   /* finish the running operation and leave run() */
};

struct task;
struct instance;
struct cell;

struct workload_ops {
	unsigned int abi;    /* Required: WORKLOAD_ABI */
	const char *name;    /* Required: as in a scenario; also the prefix of the options */
	const char *summary; /* Required: one line for `hugebench list` */
	enum workload_role role;
	const struct option_row *options; /* Required: rows up to OPTION_END */
	size_t options_size;		  /* of the structure that the rows fill */
	const struct metric_row *metrics; /* Required: rows up to METRIC_END, at most TASK_COUNTERS;
					     the first of an antagonist counts the work it achieved:
					     none of it, and the cell is INVALID */
	const char *const
		*needs; /* Kernel symbols, "CONFIG_USERFAULTFD", NULL at the end; or NULL */

	/*
	 * Not required: huge pages (of the default size) that the options need with @tasks tasks,
	 * so that the agent sizes the pool before setup(). Default 0.
	 */
	uint64_t (*huge_pages)(const void *options, unsigned int tasks);
	/*
	 * Required. -EOPNOTSUPP with a reason: the cell is a SKIP (the reason names the CONFIG_
	 * symbol or the CPU feature); any other error: the cell is INVALID.
	 */
	int (*setup)(struct instance *in, struct hb_error *e);
	int (*task_init)(struct task *t, struct hb_error *e); /* Not required */
	/* Required. 0, or -errno with a reason: the cell is INVALID. */
	int (*run)(struct task *t, struct hb_error *e);
	void (*task_exit)(struct task *t); /* Not required */
	/* Not required. Is the claim true (PMD tables shared, segment on hugetlb, ...)? No: INVALID
	 * with the reason. */
	int (*prove)(struct instance *in, struct hb_error *e);
	/* Not required: instance_gauge() and instance_note() calls. An error: INVALID. */
	int (*report)(struct instance *in, struct hb_error *e);
	void (*teardown)(struct instance *in); /* Not required */
	/*
	 * Not required: main() of a process that this workload starts with exec of the agent
	 * itself, as `hugebench-agent --exec NAME args...`; returns the exit status.
	 */
	int (*exec)(int argc, char **argv);
};

/* Registration by linker section; workloads_sorted() in contract.c walks it. */
#define WORKLOAD_REGISTER(ops)                                                                     \
	static const struct workload_ops *const workload_entry_##ops                               \
		__attribute__((used, section("workloads"))) = &(ops)

/* What an antagonist may hit; lives in memory that agent and tasks share. */
struct target {
	int fd;		/* hugetlbfs or memfd file of the workload, -1: none */
	uint64_t bytes; /* its size */
	void *addr;	/* where pids[0] maps it, NULL: not known */
	uint64_t step;	/* pids[i] maps it at addr + i * step; 0: all at the same address */
	uint64_t page;	/* bytes of its pages */
	uint64_t used;	/* bytes from the start of the file that the tasks touch */
	/*
	 * The smallest size that an antagonist ever gives the file: stored before the first
	 * truncation, never raised. A SIGBUS below it is an error of the kernel, one at or past it
	 * is expected.
	 */
	_Atomic uint64_t floor;
	_Atomic unsigned int npids;
	_Atomic pid_t pids[TARGET_PIDS]; /* processes that map it; the gang fills in the tasks */
};

/*
 * The operations of a task in its measured window, one by one: only in a cell whose waits are
 * observed. Shared with the agent, written by the task alone.
 */
#define TASK_LOG_OPS (1u << 17)
struct task_log {
	uint32_t n, lost; /* lost: there was no room for so many */
	struct task_op {
		uint64_t end, ns; /* end: in task_ticks() */
		uint32_t row;	  /* of ops->metrics */
		int32_t tid;	  /* of the thread whose operation it was */
	} op[TASK_LOG_OPS];
};

/* One task's figures: shared with the agent, written by the task alone. */
struct task_shared {
	_Alignas(CACHE_LINE) _Atomic uint64_t
		progress;		   /* operations since the start; the watchdog reads it */
	_Atomic uint64_t begin_ns, end_ns; /* the task's own measured window */
	_Atomic uint64_t counter[TASK_COUNTERS]; /* by row of ops->metrics */
	_Atomic int exit_code;			 /* of run(): 0 or -errno */
	_Atomic int tid; /* of the task's thread: the watchdog looks at its state */
	char error[256];
	struct hist *hist[TASK_COUNTERS]; /* for METRIC_HIST rows, else NULL */
	struct task_log *log;		  /* NULL: operations are not kept */
};

/* The whole cell as the tasks see it. */
struct cell_shared {
	_Alignas(CACHE_LINE) _Atomic int phase; /* enum cell_phase */
};

struct cell {
	json_t *spec; /* WIRE_RUN payload, borrowed */
	struct cell_shared *shared;
	struct instance *instances;
	unsigned int ninstances;
	uint64_t huge_page_bytes; /* default huge page size */
	int native;		  /* 1: on the running kernel, no guest */
	int exact;		  /* 1: the clock counts instructions, task_clock.insn_ns */
	uint64_t seed;		  /* for every pseudo-random choice; the same in both arms */
	uint64_t work;		  /* exact, one vCPU: operations per task instead of phases */
	int logged;		  /* 1: operations are kept one by one, task_shared.log */
	uint64_t memory;	  /* bytes of RAM */
};

struct instance {
	const struct workload_ops *ops;
	struct cell *cell;
	void *options; /* ops->options_size bytes */
	void *priv;    /* the workload's own; setup() to teardown() */
	unsigned int ntasks;
	int threads;		   /* setup() may set 1: tasks are threads of one process */
	int awaited;		   /* setup() may set 1: the tasks begin the measured phase late */
	pid_t server;		   /* setup() may set: its children do the tasks' work; 0: none */
	struct target *target;	   /* shared memory, filled by setup() */
	struct task_shared **task; /* ntasks entries */
	json_t *gauges, *notes;	   /* through instance_gauge(), instance_note() */
};

struct task {
	struct instance *in;
	struct task_shared
		*shared; /* figures go here: *live in the measured phase, else a scratch copy */
	struct task_shared *live; /* what the agent reads: progress, window, exit code */
	struct task_shared *scratch;
	unsigned int index; /* 0 .. ntasks - 1 */
	int phase;	    /* last phase seen */
	uint64_t left;	    /* fixed work: operations still to do */
	uint64_t rng;	    /* task_random() */
	void *priv;
};

/*
 * Call between operations: follows the phases, starts the measured window (dropping what the
 * warm-up counted) and ends it. True: do one more operation.
 */
bool task_advance(struct task *t);

static inline bool task_moved(struct task *t)
{
	int phase = atomic_load_explicit(&t->in->cell->shared->phase, memory_order_relaxed);

	atomic_store_explicit(&t->live->progress,
			      atomic_load_explicit(&t->live->progress, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	return phase != t->phase || phase >= PHASE_DRAIN;
}

static inline bool task_continue(struct task *t)
{
	if (__builtin_expect(!task_moved(t) && !t->in->cell->work, 1))
		return true;
	return task_advance(t);
}

/*
 * The same within a long operation whose figures are complete up to here, so that a phase can begin
 * in its middle; takes nothing from fixed work. False: cut the operation short.
 */
static inline bool task_step(struct task *t)
{
	if (__builtin_expect(!task_moved(t) || t->in->cell->work, 1))
		return true;
	return task_advance(t);
}

/* Add to a METRIC_RATE or METRIC_COUNT row. */
static inline void task_count(struct task *t, unsigned int row, uint64_t n)
{
	_Atomic uint64_t *c = &t->shared->counter[row];

	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* Set by clock_setup() before the first fork, read-only afterwards; for the functions below. */
struct task_clock {
	int tsc;	  /* 1: the CPU's counter, 0: clock_raw_ns() */
	uint64_t ns_mult; /* ns per tick, scaled by 2^32 */
	/* Mode exact: ns of the guest's clock in which a CPU executes an instruction; else 1. */
	unsigned int insn_ns;
};

extern struct task_clock task_clock;

/* What a METRIC_HIST row holds of @ns: ns, in mode exact instructions that a CPU executes in it. */
static inline uint64_t task_latency_unit(uint64_t ns)
{
	return __builtin_expect(task_clock.insn_ns == 1, 1) ? ns : ns / task_clock.insn_ns;
}

uint64_t clock_raw_ns(void);

/*
 * Time in ticks of the CPU's counter (mode exact: proportional to instructions) and its conversion;
 * clock.c calibrates against CLOCK_MONOTONIC_RAW and says which clock is used in the hello.
 */
static inline uint64_t task_ticks(void)
{
	if (__builtin_expect(!task_clock.tsc, 0))
		return clock_raw_ns();
	/* The counter is read after the instructions before it are done: after a fault is over. */
	_mm_lfence();
	return __rdtsc();
}

/* The same without waiting for what comes before it: for pairs in a tight loop, see touch.h. */
static inline uint64_t task_ticks_early(void)
{
	return __builtin_expect(task_clock.tsc, 1) ? __rdtsc() : clock_raw_ns();
}

/*
 * A task that moved to another CPU between two reads can find that one's counter behind by a
 * little (clock.c, OFFSET_TOLERANCE_NS): such a difference is none, and not 2^64 less something.
 */
static inline uint64_t task_ticks_to_ns(uint64_t ticks)
{
	if ((int64_t)ticks < 0)
		return 0;
	return ((unsigned __int128)ticks * task_clock.ns_mult) >> 32;
}

/* Keep an operation of thread @tid (0: the task's own) that took @ns and ended at @end. */
void task_log_add(struct task *t, unsigned int row, uint64_t ns, uint64_t end, int tid);

/*
 * Record @ns into a METRIC_HIST row: task_ticks_to_ns(end - begin) of two task_ticks(). This one
 * is of what others did and told the task of: it is not kept.
 */
static inline void task_latency_told(struct task *t, unsigned int row, uint64_t ns)
{
	hist_record(t->shared->hist[row], task_latency_unit(ns));
}

/* Of an operation of thread @tid (0: the task's own) that ended at @end, perhaps a while ago. */
static inline void task_latency_of(struct task *t, unsigned int row, uint64_t ns, uint64_t end,
				   int tid)
{
	task_latency_told(t, row, ns);
	if (__builtin_expect(t->shared->log != NULL, 0))
		task_log_add(t, row, ns, end, tid);
}

/* Of one of the task's that ends here. */
static inline void task_latency(struct task *t, unsigned int row, uint64_t ns)
{
	task_latency_told(t, row, ns);
	if (__builtin_expect(t->shared->log != NULL, 0))
		task_log_add(t, row, ns, task_ticks(), 0);
}

/* xorshift64*, seeded from cell seed, instance and task index: the same stream in both arms. */
uint64_t task_random(struct task *t);

/*
 * For antagonists with a rate: sleep until *@next_ns (CLOCK_MONOTONIC; 0 at first: now) and move it
 * on by 1 / @rate seconds (mode exact: @rate is per TASK_PACE_INSN instructions of a CPU); ends
 * early when the phase changes. Rate 0: as fast as it goes. What was missed is not made up for.
 */
void task_pace(struct task *t, uint64_t *next_ns, double rate);

/* What a rate "per second" is per, in ns of the guest's clock: see task_pace(). */
double cell_second_ns(const struct cell *cell);

/* For report(): a METRIC_GAUGE or METRIC_EXACT value of row @row. */
void instance_gauge(struct instance *in, unsigned int row, double value);
/* For setup(), prove(), report(): a fact for the cell's record, e.g. ("proof", "HugetlbPages 0 kB
 * of 1 GiB"). */
void instance_note(struct instance *in, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The first instance of role ROLE_WORKLOAD whose target has what antagonists need, or NULL. */
struct instance *cell_target(struct cell *cell);

/* Registered workloads sorted by name; *n entries, static storage. */
const struct workload_ops *const *workloads_sorted(unsigned int *n);
const struct workload_ops *workload_find(const char *name);

#endif
