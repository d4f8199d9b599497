// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * null: the annotated skeleton of a workload, and the harness's own cost.
 *
 * It touches pages that are mapped already, half of the time as the workloads do it (timed,
 * classified, counted), half of the time bare. The difference is what a figure of another workload
 * holds of the harness.
 *
 * A new workload is a copy of this file with another name: `hugebench list`, scenarios, options,
 * placement, phases and the report come by themselves.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workloads/agent/clock.h"
#include "workloads/agent/touch.h"
#include "workloads/workload.h"

#define PAGE   4096
#define ROUNDS 16

/* Required: the structure that the option rows fill. */
struct null_options {
	uint64_t pages;
};

/* Required: options with type, place, default, range and help; they are all that a user can set. */
static const struct option_row null_options_rows[] = {
	{"pages", OPTION_U64, offsetof(struct null_options, pages), "512", "1", "1048576", NULL,
	 "pages of 4 KiB that are touched in turn"},
	OPTION_END,
};

/* Required: figures; the row number is what task_count() and task_latency() take. */
enum null_row {
	NULL_FAULTS,
	NULL_TOUCHES,
	NULL_BARE_TOUCHES,
	NULL_FAULT_LATENCY,
	NULL_TOUCH_LATENCY,
	NULL_UNSETTLED,
	NULL_REPEATED,
	NULL_UNCLASSIFIED,
	NULL_SIGBUS,
	NULL_TIMED_NS,
	NULL_BARE_NS,
	NULL_COST,
	NULL_CLOCK,
};

static const struct metric_row null_metrics[] = {
	[NULL_FAULTS] = {"faults", METRIC_RATE, "1/s", METRIC_NEITHER, 0,
			 "page faults: there should be none"},
	[NULL_TOUCHES] = {"touches", METRIC_RATE, "1/s", METRIC_HIGHER, 0,
			  "timed touches of mapped pages"},
	[NULL_BARE_TOUCHES] = {"bare_touches", METRIC_RATE, "1/s", METRIC_HIGHER, 0,
			       "bare touches of the same pages"},
	[NULL_FAULT_LATENCY] = {"fault_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
				"of the faults, if any"},
	[NULL_TOUCH_LATENCY] = {"touch_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
				"what a touch without a fault shows; memory is not waited for"},
	[NULL_UNSETTLED] = {"unsettled", METRIC_COUNT, "touches", METRIC_NEITHER, 0,
			    "touches in mixed runs"},
	[NULL_REPEATED] = {"repeated", METRIC_COUNT, "faults", METRIC_NEITHER, 0,
			   "further faults of one touch"},
	[NULL_UNCLASSIFIED] = {"unclassified", METRIC_COUNT, "faults", METRIC_NEITHER, 0,
			       "faults without a latency"},
	[NULL_SIGBUS] = {"sigbus", METRIC_COUNT, "touches", METRIC_NEITHER, 0,
			 "touches past the end: none"},
	[NULL_TIMED_NS] = {"timed_time", METRIC_COUNT, "ns", METRIC_NEITHER, 0,
			   "time in timed passes, of all tasks"},
	[NULL_BARE_NS] = {"bare_time", METRIC_COUNT, "ns", METRIC_NEITHER, 0,
			  "time in bare passes, of all tasks"},
	[NULL_COST] = {"touch_cost", METRIC_GAUGE, "ns", METRIC_LOWER, 1,
		       "what timing and counting add to one touch"},
	[NULL_CLOCK] = {"clock_cost", METRIC_GAUGE, "ns", METRIC_LOWER, 0,
			"between two reads of the clock in a row"},
	METRIC_END,
};

static const struct touch_rows null_touch_rows = {
	.faults = NULL_FAULTS,
	.touches = NULL_TOUCHES,
	.fault_latency = NULL_FAULT_LATENCY,
	.touch_latency = NULL_TOUCH_LATENCY,
	.unsettled = NULL_UNSETTLED,
	.repeated = NULL_REPEATED,
	.unclassified = NULL_UNCLASSIFIED,
	.sigbus = NULL_SIGBUS,
};

struct null_task {
	struct touch touch;
	char *map;
	uint64_t bytes;
};

/* Required: in the agent, before the tasks are forked. What is not possible here is refused with
 * its reason. */
static int null_setup(struct instance *in, struct hb_error *e)
{
	(void)in;
	(void)e;
	return 0;
}

/* Not required: in each task, before the start gun. What must not be part of the measurement
 * belongs here. */
static int null_task_init(struct task *t, struct hb_error *e)
{
	const struct null_options *o = t->in->options;
	struct null_task *n = calloc(1, sizeof(*n));

	if (!n)
		return hb_error_set(e, -ENOMEM, "no memory");
	t->priv = n;
	n->bytes = o->pages * PAGE;
	n->map = mmap(NULL, n->bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (n->map == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap of %llu bytes: %s",
				    (unsigned long long)n->bytes, strerror(errno));
	return touch_init(&n->touch, t, &null_touch_rows, e);
}

static void bare_pass(const struct null_task *n, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		((volatile char *)n->map)[i * PAGE] = (char)i;
}

/*
 * Required: operations as long as task_continue() says so; figures by task_count(), and by
 * task_latency(t, ROW, task_ticks_to_ns(end - begin)). touch_pages() does both by itself.
 */
static int null_run(struct task *t, struct hb_error *e)
{
	const struct null_options *o = t->in->options;
	struct null_task *n = t->priv;
	int rc = 0;

	while (!rc && task_continue(t)) {
		uint64_t begin = task_ticks(), middle;

		for (int i = 0; i < ROUNDS && !rc; i++)
			rc = touch_pages(&n->touch, n->map, n->bytes, PAGE, NULL, o->pages, e);
		middle = task_ticks();
		task_count(t, NULL_TIMED_NS, task_ticks_to_ns(middle - begin));
		begin = task_ticks();
		for (int i = 0; i < ROUNDS; i++)
			bare_pass(n, o->pages);
		task_count(t, NULL_BARE_NS, task_ticks_to_ns(task_ticks() - begin));
		task_count(t, NULL_BARE_TOUCHES, ROUNDS * o->pages);
	}
	return rc;
}

/* Not required: in each task, after run(). The process ends anyway; threads must give back what
 * they took. */
static void null_task_exit(struct task *t)
{
	struct null_task *n = t->priv;

	munmap(n->map, n->bytes);
	free(n);
}

/* Not required: in the agent, after the tasks are gone; figures that are no plain counters, and
 * facts. */
static int null_report(struct instance *in, struct hb_error *e)
{
	double timed_ns = 0, bare_ns = 0, timed = 0, bare = 0;

	for (unsigned int k = 0; k < in->ntasks; k++) {
		timed += atomic_load(&in->task[k]->counter[NULL_TOUCHES]);
		bare += atomic_load(&in->task[k]->counter[NULL_BARE_TOUCHES]);
		timed_ns += atomic_load(&in->task[k]->counter[NULL_TIMED_NS]);
		bare_ns += atomic_load(&in->task[k]->counter[NULL_BARE_NS]);
	}
	if (timed > 0 && bare > 0)
		instance_gauge(in, NULL_COST, timed_ns / timed - bare_ns / bare);
	instance_gauge(in, NULL_CLOCK, clock_cost() / clock_rate());
	instance_note(in, "clock", "%s, %.3f ticks per ns", clock_name(), clock_rate());
	return touch_report(in, &null_touch_rows, e);
}

/*
 * What null does not need, see workload.h:
 *	huge_pages()	Not required: how many huge pages the pool must have
 *	prove()		Not required: is the claim true? A workload that claims something has one
 *	teardown()	Not required: undo setup(), also one that failed half-way
 *	exec()		Not required: main() of processes that the workload starts by exec
 */
static const struct workload_ops null_ops = {
	.abi = WORKLOAD_ABI,
	.name = "null",
	.summary = "touch mapped pages: what the harness itself costs",
	.role = ROLE_WORKLOAD,
	.options = null_options_rows,
	.options_size = sizeof(struct null_options),
	.metrics = null_metrics,
	.setup = null_setup,
	.task_init = null_task_init,
	.run = null_run,
	.task_exit = null_task_exit,
	.report = null_report,
};

WORKLOAD_REGISTER(null_ops);
