// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * count: every task counts, and how far it comes in its CPU time is compared: what else runs on a
 * CPU takes time, but no speed. With a task on every CPU it says whether these are equal: mode
 * exact's should be, whatever QEMU it runs on.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "workloads/workload.h"

#define NOTE_BYTES 1024

struct count_options {
	uint64_t steps;
};

static const struct option_row count_options_rows[] = {
	{"steps", OPTION_U64, offsetof(struct count_options, steps), "1000", "1", "1000000", NULL,
	 "an operation counts so far"},
	OPTION_END,
};

enum count_row { ROW_STEPS, ROW_CPU, ROW_SLOWEST, ROW_FASTEST };

static const struct metric_row count_metrics[] = {
	[ROW_STEPS] = {"steps", METRIC_RATE, "1/s", METRIC_HIGHER, 1, "counted by all tasks"},
	[ROW_CPU] = {"cpu_time", METRIC_COUNT, "ns", METRIC_NEITHER, 0,
		     "in which all tasks counted"},
	[ROW_SLOWEST] =
		{"slowest", METRIC_GAUGE, "%", METRIC_HIGHER, 1,
		 "what the slowest task that counted at all does in its CPU time, of the mean"},
	[ROW_FASTEST] = {"fastest", METRIC_GAUGE, "%", METRIC_LOWER, 1,
			 "what the fastest task counts in its CPU time, of the mean"},
	METRIC_END,
};

static int count_setup(struct instance *in, struct hb_error *e)
{
	(void)in;
	(void)e;
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int count_run(struct task *t, struct hb_error *e)
{
	const struct count_options *o = t->in->options;

	(void)e;
	while (task_continue(t)) {
		uint64_t begin = cpu_ns();

		for (volatile uint64_t i = 0; i < o->steps; i++)
			;
		task_count(t, ROW_CPU, cpu_ns() - begin);
		task_count(t, ROW_STEPS, o->steps);
	}
	return 0;
}

/* 0: it had no CPU time in the measured phase. */
static double speed(const struct task_shared *task)
{
	uint64_t ns = atomic_load(&task->counter[ROW_CPU]);

	return ns ? atomic_load(&task->counter[ROW_STEPS]) / (double)ns : 0;
}

/* Of the tasks that counted at all. */
static double mean_speed(const struct instance *in)
{
	unsigned int counted = 0;
	double sum = 0;

	for (unsigned int i = 0; i < in->ntasks; i++) {
		sum += speed(in->task[i]);
		counted += speed(in->task[i]) > 0;
	}
	return counted ? sum / counted : 0;
}

static int count_report(struct instance *in, struct hb_error *e)
{
	double mean = mean_speed(in), slowest = INFINITY, fastest = 0;
	char shares[NOTE_BYTES] = "";
	size_t length = 0;

	if (mean <= 0)
		return hb_error_set(e, -ENODATA, "nothing was counted");
	for (unsigned int i = 0; i < in->ntasks; i++) {
		double share = 100 * speed(in->task[i]) / mean;

		if (share > 0)
			slowest = fmin(slowest, share);
		fastest = fmax(fastest, share);
		if (length < sizeof(shares))
			length +=
				snprintf(shares + length, sizeof(shares) - length, " %.1f", share);
	}
	instance_gauge(in, ROW_SLOWEST, slowest);
	instance_gauge(in, ROW_FASTEST, fastest);
	instance_note(in, "shares", "%% of the mean, task by task, 0.0 had no CPU time:%s", shares);
	return 0;
}

static const struct workload_ops count_ops = {
	.abi = WORKLOAD_ABI,
	.name = "count",
	.summary = "tasks that count: are the CPUs equal?",
	.role = ROLE_WORKLOAD,
	.options = count_options_rows,
	.options_size = sizeof(struct count_options),
	.metrics = count_metrics,
	.setup = count_setup,
	.run = count_run,
	.report = count_report,
};

WORKLOAD_REGISTER(count_ops);
