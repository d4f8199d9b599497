/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the stress workload share; the workload itself is stress.c. */
#ifndef HB_WORKLOADS_STRESS_H
#define HB_WORKLOADS_STRESS_H

#include <pthread.h>

#include "workloads/agent/poison.h"
#include "workloads/stress/stress_word.h"
#include "workloads/workload.h"

#define STRESS_HUGE_PAGE (2ULL << 20)
#define STRESS_GIB	 (1ULL << 30)
/* Every task maps the file here, so that they share PMD tables; the segment of SysV shm beside. */
#define STRESS_ADDR	 ((uint8_t *)0x200000000000)
#define STRESS_SHM_ADDR	 ((uint8_t *)0x210000000000)
#define STRESS_SHM_PAGES 16

struct stress_options {
	char actors[HB_OPTION_STRING];
	uint64_t size, pages;
	uint64_t pause; /* ns, longest between two steps of a task, in every other second */
	int sharing;	/* the claim that tasks share PMD tables is to be proven */
};

/* Rows of the workload's metrics. */
enum stress_counter {
	STRESS_TOUCHES,
	STRESS_REMAPS,
	STRESS_RESERVES,
	STRESS_PUNCHES,
	STRESS_PUNCHED_PAGES,
	STRESS_TRUNCATES,
	STRESS_TRUNCATED_PAGES,
	STRESS_EOF_SIGBUS,
	STRESS_POISON_SIGBUS,
	STRESS_MOVED_PAGES,
	STRESS_BUSY_PAGES,
	STRESS_MIGRATED_PAGES,
	STRESS_FORKS,
	STRESS_SPLITS,
	STRESS_MPROTECTS,
	STRESS_PRIVATE_COWS,
	STRESS_UFFD_COPIES,
	STRESS_SOFT_OFFLINED,
	STRESS_POISONED,
	STRESS_MLOCKS,
	STRESS_SHM_ATTACHES,
	STRESS_PAGEWALKS,
	STRESS_GUP_READS,
	STRESS_FRESH_CHECKS,
	STRESS_ENTRIES,
	STRESS_DIRECT_READS,
	STRESS_POOLS,
	STRESS_VIOLATIONS,
};

/* Shared by all tasks. */
struct stress_shared {
	_Atomic uint64_t clock;			     /* generation of the youngest write */
	_Atomic uint64_t inflight[STRESS_MAX_TASKS]; /* lowest generation being written, 0: none */
	_Atomic unsigned int truncating;	     /* 1: the file may be short now */
	_Atomic uint64_t truncates;		     /* completed */
	_Atomic uint64_t poisoned;		     /* pages poisoned so far */
	pthread_mutex_t poison_lock;		     /* around poisoning and its repair */
};

struct stress_actor;

struct stress {
	const struct stress_options *options;
	struct stress_shared *shared;
	struct instance *in;
	int fd, shmid;
	unsigned int npages;  /* of the file, from its start, that are used */
	unsigned int nactors; /* of the list below, at most STRESS_MAX_TASKS */
	const struct stress_actor *actor[STRESS_MAX_TASKS]; /* by task */
	bool destroys; /* some actor takes pages out of the file: an empty word is no loss */
	struct poison *poison; /* NULL: no actor poisons pages */
	unsigned int nnodes;   /* of memory */
};

struct stress_task {
	struct stress *stress;
	struct task *task;
	uint8_t *map; /* of the file, STRESS_ADDR */
	uint64_t
		last[STRESS_MAX_PAGES]; /* generation last written, 0: none or known as destroyed */
	uint64_t shm_last[STRESS_SHM_PAGES]; /* the same of the SysV segment */
	unsigned int damage;		     /* pages poisoned since the last repair */
	void *priv;			     /* the actor's own */
};

/* One kind of actor: what it does in a loop. Each step must end in bounded time on a sound kernel.
 */
struct stress_actor {
	const char *name;
	bool destroys; /* takes pages out of the file */
	bool poisons;  /* takes pages out of service */
	bool migrates; /* needs the locks free now and then */
	int (*init)(struct stress_task *st, struct hb_error *e); /* Not required */
	/* One step; 0, or -errno with a reason when the actor cannot work: the cell is INVALID. */
	int (*step)(struct stress_task *st, struct hb_error *e);
	void (*exit)(struct stress_task *st); /* Not required */
};

extern const struct stress_actor stress_map_actors[], stress_file_actors[], stress_move_actors[],
	stress_walk_actors[], stress_count_actors[], stress_promise_actors[], stress_entry_actors[],
	stress_limit_actors[], stress_split_actors[];

/* How an access ended. */
enum stress_access {
	STRESS_OK,
	STRESS_EOF,    /* SIGBUS, BUS_ADRERR at that very address */
	STRESS_POISON, /* SIGBUS, BUS_MCEERR_*: the page is lost */
	STRESS_DENIED, /* SIGSEGV, SEGV_ACCERR at that very address */
};

/* For task_init(): handlers for SIGBUS and SIGSEGV of this process. */
int stress_access_init(struct hb_error *e);
/* Read or write one word; a signal of another address or kind than the above is a violation. */
enum stress_access stress_load(struct stress_task *st, const uint8_t *p, uint64_t *value);
enum stress_access stress_store(struct stress_task *st, uint8_t *p, uint64_t value);

/*
 * The kernel did what it must not: counted, and the first written to the kernel log as a "BUG: "
 * line, where it stands among the kernel's own messages and makes the cell DIRTY.
 */
void stress_violation(struct stress_task *st, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Map [offset, offset + bytes) of the file at @addr, for reading and writing. */
int stress_map(struct stress_task *st, uint8_t *addr, uint64_t offset, uint64_t bytes, int flags,
	       struct hb_error *e);
/* Map the whole file at the task's place, over what is there; shared, without reservation. */
int stress_map_all(struct stress_task *st, struct hb_error *e);
/* Any used page of the file. */
unsigned int stress_random_page(struct stress_task *st);
/* Read the task's own word of a page of the shared file and check it; then write the next one. */
void stress_touch(struct stress_task *st, unsigned int index);
/* Read all tasks' words of a page through @map and check that each may be there. */
void stress_check_page(struct stress_task *st, const uint8_t *map, unsigned int index);

/* Wait for a child of the task; its failure is one of this program. */
int stress_reap(pid_t pid, struct hb_error *e);
/* HugetlbPages of the caller, KiB; -errno. It counts what this mm mapped by a fault or a copy of
 * its own. */
long stress_hugetlb_kib(void);

/* Punch a hole of @count pages and count what went; a signal in between is no error. */
int stress_punch(struct stress_task *st, unsigned int first, unsigned int count,
		 struct hb_error *e);

/* What was written or on its way at one moment. */
struct stress_moment {
	uint64_t clock, inflight[STRESS_MAX_TASKS];
};

void stress_moment_now(const struct stress *s, struct stress_moment *m);
/* Check that the page holds no word from before @m: it was destroyed after it. */
void stress_check_fresh(struct stress_task *st, unsigned int index, const struct stress_moment *m);

/* Does the file of this program lie on a device, which can read it into a page without a copy? */
bool stress_direct_io(void);
/*
 * Put the agent, and with it all tasks to come, into a hugetlb control group (version 2) of its
 * own. -EOPNOTSUPP on the running kernel or without CONFIG_CGROUP_HUGETLB.
 */
int stress_cgroup_enter(const struct cell *cell);
/* Once the files are gone: any charge that is left is a "BUG: " line in the kernel log; then leave
 * the group. */
void stress_cgroup_leave(const struct cell *cell);

#endif
