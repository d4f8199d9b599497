// SPDX-License-Identifier: GPL-2.0-or-later
/* From the tasks' counters to the metrics of the result, digit by digit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/base/wire.h"
#include "workloads/agent/figures.h"

#define TASKS 3
#define SEC   NSEC_PER_SEC

enum row { OPS, PAGES, LATENCY, SIZE, SPEED };

static const struct metric_row rows[] = {
	[OPS] = {"ops", METRIC_RATE, "1/s", METRIC_HIGHER, 1, "operations"},
	[PAGES] = {"pages", METRIC_COUNT, "pages", METRIC_NEITHER, 0, "pages"},
	[LATENCY] = {"latency", METRIC_HIST, "ns", METRIC_LOWER, 0, "of an operation"},
	[SIZE] = {"size", METRIC_GAUGE, "KiB", METRIC_LOWER, 0, "at the end"},
	[SPEED] = {"speed", METRIC_GAUGE, "1/s", METRIC_HIGHER, 0, "as somebody else counts it"},
	METRIC_END,
};

static const struct option_row no_options[] = {OPTION_END};
static const struct option_row rate_option[] = {
	{"rate", OPTION_DOUBLE, 0, "0", "0", "10", NULL, "per second"}, OPTION_END};
static const struct workload_ops workload = {.name = "w", .metrics = rows, .options = no_options};
static const struct workload_ops antagonist = {
	.name = "a", .role = ROLE_ANTAGONIST, .metrics = rows, .options = rate_option};

/* A workload and an antagonist, of three tasks each. */
struct fixture {
	struct task_shared task[2][TASKS];
	struct task_shared *pointer[2][TASKS];
	struct hist hist[2][TASKS];
	struct instance in[2];
	double rate; /* of the antagonist */
	struct cell cell;
	struct link link;
	json_t *metrics, *notes;
	struct hb_error e;
};

static int make(void **state)
{
	struct fixture *f =
		aligned_alloc(CACHE_LINE, (sizeof(*f) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	if (!f)
		return -1;
	memset(f, 0, sizeof(*f));
	f->notes = json_array();
	f->cell = (struct cell){.instances = f->in, .ninstances = 2};
	for (int i = 0; i < 2; i++) {
		f->in[i] = (struct instance){.ops = i ? &antagonist : &workload,
					     .cell = &f->cell,
					     .ntasks = TASKS,
					     .task = f->pointer[i],
					     .options = &f->rate,
					     .gauges = json_object(),
					     .notes = f->notes};
		for (int k = 0; k < TASKS; k++) {
			f->pointer[i][k] = &f->task[i][k];
			f->task[i][k].hist[LATENCY] = &f->hist[i][k];
			hist_reset(&f->hist[i][k]);
			/* 2, 3 and 4 seconds, begun one after another. */
			f->task[i][k].begin_ns = (k + 1) * SEC;
			f->task[i][k].end_ns = (2 * k + 3) * SEC;
			f->task[i][k].counter[OPS] = (k + 1) * 120;
			f->task[i][k].counter[PAGES] = 10 + k;
		}
	}
	link_init_held(&f->link, NULL);
	*state = f;
	return 0;
}

static int release(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		json_decref(f->in[i].gauges);
	json_decref(f->metrics);
	json_decref(f->notes);
	link_free(&f->link);
	free(f);
	return 0;
}

static int figures(struct fixture *f)
{
	json_decref(f->metrics);
	return figures_metrics(&f->cell, &f->link, &f->metrics, &f->e);
}

/* The metric, or NULL. */
static const json_t *metric(const struct fixture *f, const char *source, const char *name)
{
	json_t *m;
	size_t i;

	json_array_foreach (f->metrics, i, m)
		if (!strcmp(json_string_value(json_object_get(m, "source")), source) &&
		    !strcmp(json_string_value(json_object_get(m, "name")), name))
			return m;
	return NULL;
}

static double number(const json_t *m, const char *key)
{
	const json_t *v = json_object_get(m, key);

	assert_true(json_is_number(v));
	return json_number_value(v);
}

/* Of a machine on which an instruction of each CPU takes 32 ns of the clock. */
static void exact_figures_are_in_instructions(void **state)
{
	struct fixture *f = *state;

	instance_gauge(&f->in[0], SIZE, 12);
	instance_gauge(&f->in[0], SPEED, 250);
	assert_int_equal(figures(f), 0);
	assert_true(number(metric(f, "w", "speed"), "value") == 250);
	f->cell.exact = 1;
	task_clock.insn_ns = 32;
	assert_int_equal(figures(f), 0);
	task_clock.insn_ns = 1;
	assert_string_equal(json_string_value(json_object_get(metric(f, "w", "ops"), "unit")),
			    "1/Minsn");
	assert_true(fabs(number(metric(f, "w", "ops"), "minsn") - 3e9 / 32 / 1e6) < 1e-9);
	/* 120, 240 and 360 operations in 2, 3 and 4 seconds. */
	assert_true(fabs(number(metric(f, "w", "ops"), "value") - (60 + 80 + 90) * 32 / 1000.) <
		    1e-9);
	assert_null(json_object_get(metric(f, "w", "ops"), "seconds"));
	/* A second is a thousand million ns, of which a million instructions take 32 million. */
	assert_true(fabs(number(metric(f, "w", "speed"), "value") - 250 * 32 / 1000.) < 1e-9);
	assert_string_equal(json_string_value(json_object_get(metric(f, "w", "speed"), "unit")),
			    "1/Minsn");
	assert_true(number(metric(f, "w", "size"), "value") == 12);
}

static void rate_is_a_sum_over_own_windows(void **state)
{
	struct fixture *f = *state;
	const json_t *m;

	assert_int_equal(figures(f), 0);
	m = metric(f, "w", "ops");
	/* 120 in 2 s, 240 in 3 s, 360 in 4 s. */
	assert_true(fabs(number(m, "value") - (60 + 80 + 90)) < 1e-9);
	assert_true(number(m, "count") == 720);
	assert_true(fabs(number(m, "seconds") - 3) < 1e-9);
	assert_true(number(metric(f, "w", "pages"), "value") == 33);
	assert_null(json_object_get(metric(f, "w", "pages"), "seconds"));
}

static void metric_says_what_it_is(void **state)
{
	struct fixture *f = *state;
	json_t *wanted =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i}", "source", "a", "role",
			  "antagonist", "name", "pages", "kind", "count", "unit", "pages", "better",
			  "neither", "primary", 0, "tasks", TASKS, "value", 33);

	assert_int_equal(figures(f), 0);
	assert_true(json_equal(metric(f, "a", "pages"), wanted));
	assert_string_equal(json_string_value(json_object_get(metric(f, "w", "ops"), "role")),
			    "workload");
	assert_true(json_is_true(json_object_get(metric(f, "w", "ops"), "primary")));
	json_decref(wanted);
}

static void starved_task_adds_nothing(void **state)
{
	struct fixture *f = *state;
	const json_t *note;

	/* Its operation began before the phase and ended after it. */
	f->task[0][2].begin_ns = f->task[0][2].end_ns = 0;
	f->task[0][2].counter[OPS] = 0;
	assert_int_equal(figures(f), 0);
	assert_true(fabs(number(metric(f, "w", "ops"), "value") - (60 + 80)) < 1e-9);
	assert_true(fabs(number(metric(f, "w", "ops"), "seconds") - 5 / 3.) < 1e-9);
	note = json_array_get(f->notes, 0);
	assert_string_equal(json_string_value(json_object_get(note, "key")), "starved");
	/* A window that was never closed is none either. */
	f->task[0][0].end_ns = f->task[0][1].end_ns = 0;
	assert_int_equal(figures(f), -ENODATA);
	assert_non_null(strstr(f->e.text, "no task of w was in the measured phase"));
	assert_null(metric(f, "w", "ops"));
}

static void what_was_not_measured_is_absent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(figures(f), 0);
	assert_null(metric(f, "w", "latency"));
	assert_null(metric(f, "w", "size"));
	assert_int_equal(json_array_size(f->link.held), 0);
	instance_gauge(&f->in[0], SIZE, 2.5);
	assert_int_equal(figures(f), 0);
	assert_true(number(metric(f, "w", "size"), "value") == 2.5);
	assert_null(metric(f, "a", "size"));
}

static void histograms_are_merged(void **state)
{
	struct fixture *f = *state;
	const json_t *m, *frame;
	struct hist *back = malloc(sizeof(*back));

	hist_record(&f->hist[0][0], 40);
	hist_record(&f->hist[0][2], 100);
	hist_record(&f->hist[0][2], 1ULL << HIST_MAX_BITS);
	/* One value is enough. */
	hist_record(&f->hist[1][1], 7);
	assert_int_equal(figures(f), 0);
	m = metric(f, "w", "latency");
	assert_true(number(m, "count") == 3);
	assert_true(number(m, "overflow") == 1);
	assert_true(number(m, "min") == 40);
	assert_true(number(m, "max") == (double)(1ULL << HIST_MAX_BITS));
	assert_true(fabs(number(m, "mean") - (140 + (double)(1ULL << HIST_MAX_BITS)) / 3) < 1e-3);
	assert_string_equal(json_string_value(json_object_get(m, "file")), "w.latency.hist");
	assert_true(number(metric(f, "a", "latency"), "count") == 1);
	assert_int_equal(json_array_size(f->link.held), 2);
	frame = json_object_get(json_array_get(f->link.held, 0), "payload");
	assert_string_equal(json_string_value(json_object_get(frame, "source")), "w");
	assert_string_equal(json_string_value(json_object_get(frame, "name")), "latency");
	assert_int_equal(hist_from_json(back, frame, NULL), 0);
	assert_int_equal(back->count, 3);
	free(back);
}

/* It is judged by its first counter: the other one has what it tried. */
static void antagonist_must_have_achieved_something(void **state)
{
	struct fixture *f = *state;

	for (int k = 0; k < TASKS; k++)
		f->task[1][k].counter[OPS] = 0;
	assert_int_equal(figures(f), -ENODATA);
	assert_string_equal(f->e.text, "antagonist a achieved nothing in the measured phase");
	/* The figures are there for the record. */
	assert_true(number(metric(f, "a", "pages"), "value") == 33);
	f->task[1][0].counter[OPS] = 1;
	assert_int_equal(figures(f), 0);
}

/* Its phase of 2 to 4 s is shorter than what lies between two of its operations. */
static void idle_antagonist_hears_of_its_rate(void **state)
{
	struct fixture *f = *state;

	for (int k = 0; k < TASKS; k++)
		f->task[1][k].counter[OPS] = 0;
	f->rate = 0.2;
	assert_int_equal(figures(f), -ENODATA);
	assert_string_equal(f->e.text,
			    "antagonist a achieved nothing in the measured phase: at a.rate = 0.2 "
			    "its turn comes once in 5 s, and the phase had 4; a higher rate or a "
			    "longer phase has some");
	/* Often enough: it is not the rate's fault. */
	f->rate = 0.5;
	assert_int_equal(figures(f), -ENODATA);
	assert_string_equal(f->e.text, "antagonist a achieved nothing in the measured phase");
	/* In mode exact it is per 100 million instructions of a CPU; here 16 ns each. */
	f->rate = 0.2;
	f->cell.exact = 1;
	task_clock.insn_ns = 16;
	assert_int_equal(figures(f), -ENODATA);
	task_clock.insn_ns = 1;
	assert_non_null(strstr(f->e.text, "once in 500 million instructions, and the phase had "
					  "250;"));
}

static void interval_is_a_difference(void **state)
{
	struct fixture *f = *state;
	HB_FREE uint64_t *before = figures_snapshot(&f->cell), *after = NULL;
	json_t *got, *wanted = json_pack("{s:i, s:i, s:i, s:i}", "w.ops", 5, "w.pages", 1, "a.ops",
					 0, "a.pages", 9);

	f->task[0][0].counter[OPS] += 2;
	f->task[0][2].counter[OPS] += 3;
	f->task[0][1].counter[PAGES] += 1;
	f->task[1][2].counter[PAGES] += 9;
	after = figures_snapshot(&f->cell);
	got = figures_interval(&f->cell, before, after);
	assert_true(json_equal(got, wanted));
	json_decref(got);
	json_decref(wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exact_figures_are_in_instructions, make, release),
		cmocka_unit_test_setup_teardown(rate_is_a_sum_over_own_windows, make, release),
		cmocka_unit_test_setup_teardown(metric_says_what_it_is, make, release),
		cmocka_unit_test_setup_teardown(starved_task_adds_nothing, make, release),
		cmocka_unit_test_setup_teardown(what_was_not_measured_is_absent, make, release),
		cmocka_unit_test_setup_teardown(histograms_are_merged, make, release),
		cmocka_unit_test_setup_teardown(antagonist_must_have_achieved_something, make,
						release),
		cmocka_unit_test_setup_teardown(idle_antagonist_hears_of_its_rate, make, release),
		cmocka_unit_test_setup_teardown(interval_is_a_difference, make, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
