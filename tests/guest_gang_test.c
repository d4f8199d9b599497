// SPDX-License-Identifier: GPL-2.0-or-later
/* The gang: start gun, phases, figures, drain; with workloads made for the test. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "workloads/agent/figures.h"
#include "workloads/agent/gang.h"

#define MANY	   256
#define TIMEOUT_NS (60 * NSEC_PER_SEC)

static const struct option_row no_options[] = {OPTION_END};
static const struct metric_row metrics[] = {
	{"ops", METRIC_RATE, "1/s", METRIC_HIGHER, 1, "operations"},
	{"latency", METRIC_HIST, "ns", METRIC_LOWER, 0, "a constant"},
	METRIC_END,
};

static int no_setup(struct instance *in, struct hb_error *e)
{
	(void)in;
	(void)e;
	return 0;
}

static int count_run(struct task *t, struct hb_error *e)
{
	(void)e;
	while (task_continue(t)) {
		task_count(t, 0, 1);
		task_latency(t, 1, 1000);
		usleep(1000);
	}
	return 0;
}

static int failing_init(struct task *t, struct hb_error *e)
{
	return t->index == 2 ? hb_error_set(e, -ENODEV, "no device for task 2") : 0;
}

static int dying_run(struct task *t, struct hb_error *e)
{
	(void)e;
	if (t->index == 1)
		raise(SIGKILL);
	while (task_continue(t))
		usleep(1000);
	return 0;
}

static int leaving_run(struct task *t, struct hb_error *e)
{
	(void)e;
	while (task_continue(t)) {
		if (t->index == 1 && t->phase == PHASE_MEASURE)
			_exit(0);
		usleep(1000);
	}
	return 0;
}

static int stubborn_run(struct task *t, struct hb_error *e)
{
	(void)e;
	while (t)
		pause();
	return 0;
}

static struct workload_ops ops_of(int (*run)(struct task *, struct hb_error *))
{
	return (struct workload_ops){.abi = WORKLOAD_ABI,
				     .name = "test",
				     .options = no_options,
				     .metrics = metrics,
				     .setup = no_setup,
				     .run = run};
}

struct fixture {
	struct cell cell;
	struct instance in;
	struct gang g;
};

static void prepare(struct fixture *f, const struct workload_ops *ops, unsigned int tasks)
{
	struct hb_error e = {""};

	memset(f, 0, sizeof(*f));
	f->in = (struct instance){
		.ops = ops, .cell = &f->cell, .ntasks = tasks, .gauges = json_object()};
	f->cell = (struct cell){.instances = &f->in, .ninstances = 1, .seed = 7};
	assert_int_equal(gang_prepare(&f->g, &f->cell, &e), 0);
}

static void release(struct fixture *f)
{
	gang_free(&f->g);
	json_decref(f->in.gauges);
}

/* Tasks that run, in their warm-up. */
static void fire(struct fixture *f, const struct workload_ops *ops, unsigned int tasks)
{
	struct hb_error e = {""};

	prepare(f, ops, tasks);
	assert_int_equal(gang_start(&f->g, "any", TIMEOUT_NS, &e), 0);
	assert_int_equal(gang_fire(&f->g), 0);
}

/* All of @tasks are there until one has gone; why it went. */
static void assert_one_gone(struct fixture *f, unsigned int tasks, const char *why)
{
	struct hb_error e = {""};

	while (gang_reap(&f->g) == tasks)
		usleep(1000);
	assert_int_equal(gang_check(&f->g, &e), -EIO);
	assert_non_null(strstr(e.text, why));
	gang_phase(&f->g, PHASE_DRAIN);
	assert_int_equal(gang_wait(&f->g, hb_now_ns() + TIMEOUT_NS), 0);
}

static uint64_t total(const struct fixture *f)
{
	HB_FREE uint64_t *s = figures_snapshot(&f->cell);

	return s[0];
}

/* Every task has done at least one whole operation from here on. */
static void wait_progress(const struct fixture *f)
{
	HB_FREE uint64_t *before = calloc(f->in.ntasks, sizeof(*before));

	assert_non_null(before);
	for (unsigned int k = 0; k < f->in.ntasks; k++)
		before[k] = atomic_load(&f->in.task[k]->progress);
	for (unsigned int k = 0; k < f->in.ntasks; k++)
		while (atomic_load(&f->in.task[k]->progress) < before[k] + 2)
			usleep(1000);
}

static void run_counting(unsigned int tasks, int threads)
{
	struct workload_ops ops = ops_of(count_run);
	struct hb_error e = {""};
	uint64_t measured;
	struct fixture f;

	prepare(&f, &ops, tasks);
	f.in.threads = threads;
	assert_int_equal(gang_start(&f.g, "any", TIMEOUT_NS, &e), 0);
	assert_int_equal(f.g.nprocesses, threads ? 1 : tasks);
	/* Nobody passes before the gun, and nothing counts before the measured phase. */
	usleep(20000);
	for (unsigned int k = 0; k < tasks; k++)
		assert_int_equal(atomic_load(&f.in.task[k]->progress), 0);
	assert_int_equal(gang_fire(&f.g), 0);
	wait_progress(&f);
	assert_int_equal(total(&f), 0);
	gang_phase(&f.g, PHASE_MEASURE);
	wait_progress(&f);
	wait_progress(&f);
	gang_phase(&f.g, PHASE_PROVE);
	wait_progress(&f);
	measured = total(&f);
	wait_progress(&f);
	assert_int_equal(total(&f), measured);
	gang_phase(&f.g, PHASE_DRAIN);
	assert_int_equal(gang_wait(&f.g, hb_now_ns() + TIMEOUT_NS), 0);
	assert_int_equal(gang_check(&f.g, &e), 0);
	for (unsigned int k = 0; k < tasks; k++) {
		const struct task_shared *s = f.in.task[k];

		assert_true(atomic_load(&s->counter[0]) > 0);
		assert_int_equal(s->hist[1]->count, atomic_load(&s->counter[0]));
		assert_true(atomic_load(&s->end_ns) > atomic_load(&s->begin_ns));
		assert_int_equal((uintptr_t)s % CACHE_LINE, 0);
	}
	assert_true(measured >= tasks);
	release(&f);
}

/* The workload goes on while it is proved what it shares; what disturbs it does not. */
static void antagonist_sits_out_the_proof(void **state)
{
	struct workload_ops ops = ops_of(count_run);
	struct fixture f;
	uint64_t still;

	(void)state;
	ops.role = ROLE_ANTAGONIST;
	fire(&f, &ops, 1);
	gang_phase(&f.g, PHASE_MEASURE);
	wait_progress(&f);
	gang_phase(&f.g, PHASE_PROVE);
	while (!atomic_load(&f.in.task[0]->end_ns))
		usleep(1000);
	still = atomic_load(&f.in.task[0]->progress);
	usleep(20000);
	assert_int_equal(atomic_load(&f.in.task[0]->progress), still);
	gang_phase(&f.g, PHASE_DRAIN);
	assert_int_equal(gang_wait(&f.g, hb_now_ns() + TIMEOUT_NS), 0);
	release(&f);
}

static void processes(void **state)
{
	(void)state;
	run_counting(4, 0);
}

static void threads(void **state)
{
	(void)state;
	run_counting(4, 1);
}

static void many_processes(void **state)
{
	(void)state;
	run_counting(MANY, 0);
}

static void many_threads(void **state)
{
	(void)state;
	run_counting(MANY, 1);
}

static void init_failure_names_the_task(void **state)
{
	struct workload_ops ops = ops_of(count_run);
	struct hb_error e = {""};
	struct fixture f;

	(void)state;
	ops.task_init = failing_init;
	prepare(&f, &ops, 4);
	assert_int_equal(gang_start(&f.g, "any", TIMEOUT_NS, &e), -EIO);
	assert_string_equal(e.text, "test task 2: no device for task 2");
	assert_int_equal(gang_kill(&f.g), 0);
	release(&f);
}

static void death_is_noticed(void **state)
{
	struct workload_ops ops = ops_of(dying_run);
	struct fixture f;

	(void)state;
	fire(&f, &ops, 3);
	assert_one_gone(&f, 3, "test task 1 was killed by signal 9");
	release(&f);
}

static void quiet_exit_is_noticed(void **state)
{
	struct workload_ops ops = ops_of(leaving_run);
	struct fixture f;

	(void)state;
	fire(&f, &ops, 3);
	gang_phase(&f.g, PHASE_MEASURE);
	assert_one_gone(&f, 3, "test task 1 exited in the measured phase");
	release(&f);
}

static void drain_has_a_deadline(void **state)
{
	struct workload_ops ops = ops_of(stubborn_run);
	struct fixture f;

	(void)state;
	fire(&f, &ops, 2);
	gang_phase(&f.g, PHASE_DRAIN);
	assert_int_equal(gang_wait(&f.g, hb_now_ns() + 50000000), 2);
	assert_int_equal(gang_kill(&f.g), 0);
	release(&f);
}

static void fixed_work_is_done_and_no_more(void **state)
{
	struct workload_ops ops = ops_of(count_run);
	struct hb_error e = {""};
	struct fixture f;

	(void)state;
	prepare(&f, &ops, 2);
	f.cell.work = 40;
	assert_int_equal(gang_start(&f.g, "any", TIMEOUT_NS, &e), 0);
	gang_fire(&f.g);
	assert_int_equal(gang_wait(&f.g, 0), 0);
	assert_int_equal(atomic_load(&f.in.task[0]->counter[0]), 40);
	assert_int_equal(atomic_load(&f.in.task[1]->counter[0]), 40);
	release(&f);
}

/* A rate of 1000 per second: ten pauses are ten milliseconds at least, and end with the phase. */
static void pace_keeps_the_rate(void **state)
{
	struct cell_shared shared = {.phase = PHASE_WARMUP};
	struct cell cell = {.shared = &shared};
	struct instance in = {.cell = &cell};
	struct task t = {.in = &in, .phase = PHASE_WARMUP};
	uint64_t next = 0, begin = hb_now_ns(), late;

	(void)state;
	for (int i = 0; i < 11; i++)
		task_pace(&t, &next, 1000);
	assert_true(hb_now_ns() - begin >= 10000000);
	/* What was missed is not made up for. */
	next = begin;
	late = hb_now_ns();
	task_pace(&t, &next, 1000);
	assert_true(next >= late + 1000000);
	next = 0;
	task_pace(&t, &next, 0);
	assert_int_equal(next, 0);
	/* An hour, but the phase is over. */
	next = hb_now_ns() + 3600 * NSEC_PER_SEC;
	shared.phase = PHASE_DRAIN;
	task_pace(&t, &next, 1000);
}

static void random_streams(void **state)
{
	struct cell cell = {.seed = 7};
	struct instance in = {.cell = &cell};
	struct task a = {.in = &in, .rng = 1}, b = {.in = &in, .rng = 1}, c = {.in = &in, .rng = 2};
	unsigned int differ = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t x = task_random(&a);

		assert_int_equal(x, task_random(&b));
		differ += x != task_random(&c);
	}
	assert_int_equal(differ, 100);
}

static void unknown_node_is_refused(void **state)
{
	struct workload_ops ops = ops_of(count_run);
	struct instance in = {.ops = &ops, .ntasks = 1};
	struct cell cell = {.instances = &in, .ninstances = 1};
	struct hb_error e = {""};
	struct gang g;

	(void)state;
	in.cell = &cell;
	assert_int_equal(gang_prepare(&g, &cell, &e), 0);
	assert_int_equal(gang_start(&g, "77", TIMEOUT_NS, &e), -EINVAL);
	assert_non_null(strstr(e.text, "nodes = 77"));
	gang_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes),
		cmocka_unit_test(threads),
		cmocka_unit_test(many_processes),
		cmocka_unit_test(many_threads),
		cmocka_unit_test(antagonist_sits_out_the_proof),
		cmocka_unit_test(init_failure_names_the_task),
		cmocka_unit_test(death_is_noticed),
		cmocka_unit_test(quiet_exit_is_noticed),
		cmocka_unit_test(drain_has_a_deadline),
		cmocka_unit_test(fixed_work_is_done_and_no_more),
		cmocka_unit_test(pace_keeps_the_rate),
		cmocka_unit_test(random_streams),
		cmocka_unit_test(unknown_node_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
