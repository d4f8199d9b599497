/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the stress workload writes: one 64-bit word per task and page, f(file, task, index,
 * generation). One word is one store, so a reader sees all of a write or nothing; every task has
 * its own 4 KiB part of each huge page, so a page that was copied in part shows.
 */
#ifndef HB_WORKLOADS_STRESS_WORD_H
#define HB_WORKLOADS_STRESS_WORD_H

#include <stdbool.h>
#include <stdint.h>

#define STRESS_MAX_TASKS       128
#define STRESS_MAX_PAGES       4096
#define STRESS_GENERATION_BITS 40

enum stress_file {
	STRESS_FILE_SHARED =
		1, /* 0 is left out: a word is never 0, which is what a new page holds */
	STRESS_FILE_PRIVATE,
	STRESS_FILE_SHM,
};

struct stress_word {
	enum stress_file file;
	unsigned int task, index;
	uint64_t generation;
};

/* file < 16, task < STRESS_MAX_TASKS, index < STRESS_MAX_PAGES, generation < 2^40. */
static inline uint64_t stress_word_pack(struct stress_word w)
{
	return (uint64_t)w.file << 60 | (uint64_t)w.task << 52 |
	       (uint64_t)w.index << STRESS_GENERATION_BITS | w.generation;
}

static inline struct stress_word stress_word_unpack(uint64_t v)
{
	return (struct stress_word){
		.file = v >> 60,
		.task = v >> 52 & 0xff,
		.index = v >> STRESS_GENERATION_BITS & 0xfff,
		.generation = v & ((1ULL << STRESS_GENERATION_BITS) - 1),
	};
}

/* Byte offset of a task's word in a 2 MiB page; 61 is coprime to the 512 small pages: no two meet.
 */
static inline uint64_t stress_word_offset(unsigned int task)
{
	return (uint64_t)(task * 61 % 512) * 4096 + task % 64 * 64;
}

/*
 * May the word of a task be in a page of @file at @index after everything up to generation
 * @clock was destroyed there? @inflight: the lowest generation that the task was still writing
 * at that time, 0: none. An empty word always may.
 */
static inline bool stress_word_fresh(uint64_t v, uint64_t clock, uint64_t inflight)
{
	uint64_t g = stress_word_unpack(v).generation;

	return !v || g > clock || (inflight && g >= inflight);
}

/* Is @v empty or a word that task @task may have written there, with a generation up to @clock? */
static inline bool stress_word_belongs(uint64_t v, enum stress_file file, unsigned int task,
				       unsigned int index, uint64_t clock)
{
	struct stress_word w = stress_word_unpack(v);

	return !v ||
	       (w.file == file && w.task == task && w.index == index && w.generation <= clock);
}

#endif
