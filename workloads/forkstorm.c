// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Antagonist: a process that maps the file forks children which touch a few pages and leave. Fork
 * copies or shares the page tables, exit takes them down; both want the locks of the file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/antagonist.h"

struct forkstorm_options {
	struct antagonist_options common;
	uint64_t touches, children;
};

enum {
	FORKS,
	TOUCHED,
	FORK_LATENCY,
	LIFE_LATENCY,
};

static const struct option_row options[] = {
	ANTAGONIST_RATE(struct forkstorm_options, "0"),
	ANTAGONIST_TARGET(struct forkstorm_options),
	ANTAGONIST_SIZE(struct forkstorm_options),
	{"touches", OPTION_U64, offsetof(struct forkstorm_options, touches), "4", "0", "64", NULL,
	 "pages that each child touches"},
	{"children", OPTION_U64, offsetof(struct forkstorm_options, children), "4", "1", "64", NULL,
	 "children at a time; one operation is a batch of them"},
	OPTION_END,
};

static const struct metric_row metrics[] = {
	[FORKS] = {"forks", METRIC_RATE, "1/s", METRIC_HIGHER, 0, "children forked and reaped"},
	[TOUCHED] = {"touched", METRIC_COUNT, "pages", METRIC_NEITHER, 0,
		     "pages that the children mapped"},
	[FORK_LATENCY] = {"fork_latency", METRIC_HIST, "ns", METRIC_LOWER, 0, "time of one fork()"},
	[LIFE_LATENCY] = {"batch_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			  "from the first fork of a batch until its last child is reaped"},
	METRIC_END,
};

static int forkstorm_task_init(struct task *t, struct hb_error *e)
{
	const struct antagonist *a = t->in->priv;
	uint8_t *map;
	int err = antagonist_map(a, &map, e);

	t->priv = map;
	if (!err)
		antagonist_touch(map + task_random(t) % (a->used / a->page) * a->page);
	return err;
}

/* The child: its exit status is the number of pages it mapped. */
static void child(struct task *t, uint64_t seed, uint64_t touches)
{
	const struct antagonist *a = t->in->priv;
	int mapped = 0;

	t->rng ^= seed;
	for (uint64_t i = 0; i < touches; i++)
		mapped += antagonist_touch((uint8_t *)t->priv +
					   task_random(t) % (a->used / a->page) * a->page) == 1;
	_exit(mapped);
}

static int reap_one(struct task *t, struct hb_error *e)
{
	int status;

	while (wait(&status) < 0)
		if (errno != EINTR)
			return hb_error_set(e, -errno, "wait: %m");
	if (!WIFEXITED(status))
		return hb_error_set(e, -ECHILD, "a child was ended by signal %d", WTERMSIG(status));
	task_count(t, FORKS, 1);
	task_count(t, TOUCHED, WEXITSTATUS(status));
	return 0;
}

static int batch(struct task *t, const struct forkstorm_options *o, struct hb_error *e)
{
	uint64_t begin = task_ticks(), started;
	int err = 0;

	for (started = 0; started < o->children && !err; started++) {
		uint64_t seed = task_random(t), start = task_ticks();
		pid_t pid = fork();

		if (!pid)
			child(t, seed, o->touches);
		if (pid < 0) {
			err = hb_error_set(e, -errno, "fork: %m");
			break;
		}
		task_latency(t, FORK_LATENCY, task_ticks_to_ns(task_ticks() - start));
	}
	for (uint64_t i = 0; i < started && !err; i++)
		err = reap_one(t, e);
	if (!err)
		task_latency(t, LIFE_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	return err;
}

static int forkstorm_run(struct task *t, struct hb_error *e)
{
	const struct forkstorm_options *o = t->in->options;
	uint64_t next = 0;
	int err = 0;

	while (!err && task_continue(t)) {
		err = batch(t, o, e);
		task_pace(t, &next, o->common.rate);
	}
	return err;
}

static const struct workload_ops forkstorm_ops = {
	.abi = WORKLOAD_ABI,
	.name = "forkstorm",
	.summary = "forks children that touch a few pages of the file and leave",
	.role = ROLE_ANTAGONIST,
	.options = options,
	.options_size = sizeof(struct forkstorm_options),
	.metrics = metrics,
	.huge_pages = antagonist_huge_pages,
	.setup = antagonist_setup,
	.task_init = forkstorm_task_init,
	.run = forkstorm_run,
	.teardown = antagonist_teardown,
};
WORKLOAD_REGISTER(forkstorm_ops);
