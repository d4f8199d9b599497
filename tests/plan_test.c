// SPDX-License-Identifier: GPL-2.0-or-later
/* bench/plan, costs, size: the order of boots, how many, and how large the guest is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/scenario/cell_costs.h"
#include "bench/scenario/plan.h"
#include "bench/run/guest_size.h"

#define GIB (1ULL << 30)

static struct spec spec;
static json_t *workloads, *two, *three, *boots;

static int setup(void **state)
{
	struct hb_error e;

	(void)state;
	workloads = json_loads(
		"[{\"name\":\"w\",\"role\":\"workload\",\"options\":[],\"metrics\":[]},"
		"{\"name\":\"x\",\"role\":\"antagonist\",\"options\":[],\"metrics\":[]}]",
		0, NULL);
	boots = json_array();
	two = json_pack("[s, s]", "base", "hinode");
	three = json_pack("[s, s, s]", "base", "base-control", "hinode");
	return spec_parse(
		"t.ini",
		"[scenario]\nwarmup = 2s\nmeasure = 8s\nstall = 20s\n[cell a]\nworkload = w\n"
		"[cell b]\nworkload = w\nantagonists = x\nexpect.base = HANG\n"
		"[cell c]\nworkload = w\n",
		workloads, NULL, SPEC_VCPUS, &spec, &e);
}

static int teardown(void **state)
{
	(void)state;
	spec_free(&spec);
	json_decref(workloads);
	json_decref(boots);
	json_decref(two);
	json_decref(three);
	return 0;
}

/* A boot, whole; they are kept until the end. */
static const json_t *cell_at(const json_t *plan, size_t i)
{
	json_t *boot = plan_boot(plan, i);

	json_array_append_new(boots, boot);
	return boot;
}

static const char *text(const json_t *cell, const char *key)
{
	return json_string_value(json_object_get(cell, key));
}

static json_int_t number(const json_t *cell, const char *key)
{
	return json_integer_value(json_object_get(cell, key));
}

static void arms_stand_side_by_side(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", two, 7, 4);
	char first[3][8] = {""};

	(void)state;
	assert_int_equal(json_array_size(json_object_get(plan, "cells")), 4 * 3 * 2);
	for (size_t i = 0; i < 24; i += 2) {
		const json_t *a = cell_at(plan, i), *b = cell_at(plan, i + 1);
		size_t cell = text(a, "cell")[0] - 'a';

		assert_string_equal(text(a, "cell"), text(b, "cell"));
		assert_int_equal(number(a, "rep"), i / 6 + 1);
		assert_int_equal(number(b, "rep"), i / 6 + 1);
		assert_int_equal(number(a, "seq"), i + 1);
		assert_string_not_equal(text(a, "kernel"), text(b, "kernel"));
		/* A B in one repetition, B A in the next */
		assert_string_not_equal(first[cell], text(a, "kernel"));
		snprintf(first[cell], sizeof(first[cell]), "%s", text(a, "kernel"));
	}
	json_decref(plan);
}

static void every_arm_comes_first_equally_often(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", three, 7, 6);
	unsigned int firsts[3] = {0};

	(void)state;
	for (size_t i = 0; i < json_array_size(json_object_get(plan, "cells")); i += 3)
		for (size_t k = 0; k < 3; k++)
			if (!strcmp(text(cell_at(plan, i), "kernel"),
				    json_string_value(json_array_get(three, k))))
				firsts[k]++;
	for (size_t k = 0; k < 3; k++)
		assert_int_equal(firsts[k], 6);
	json_decref(plan);
}

static void seed_decides_the_order(void **state)
{
	json_t *a = plan_make(&spec, "emulated", two, 7, 8);
	json_t *same = plan_make(&spec, "emulated", two, 7, 8);
	json_t *other = plan_make(&spec, "emulated", two, 8, 8);
	unsigned int cells = 0, within = 0;

	(void)state;
	assert_true(json_equal(a, same));
	for (size_t i = 0; i < json_array_size(json_object_get(a, "cells")); i += 2) {
		cells += strcmp(text(cell_at(a, i), "cell"), text(cell_at(other, i), "cell")) != 0;
		within += strcmp(text(cell_at(a, i), "cell"),
				 text(cell_at(a, (i + 6) % 48), "cell")) != 0;
	}
	assert_true(cells);  /* another seed, another order */
	assert_true(within); /* and not the same one in every repetition */
	json_decref(a);
	json_decref(same);
	json_decref(other);
}

static void arms_get_the_same_work(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", two, 7, 2);

	(void)state;
	for (size_t i = 0; i < 12; i += 2)
		assert_true(json_equal(json_object_get(cell_at(plan, i), "spec"),
				       json_object_get(cell_at(plan, i + 1), "spec")));
	assert_int_not_equal(number(json_object_get(cell_at(plan, 0), "spec"), "seed"),
			     number(json_object_get(cell_at(plan, 2), "spec"), "seed"));
	json_decref(plan);
}

static void blocks_have_a_boot_of_every_arm(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", three, 7, 4);

	(void)state;
	assert_int_equal(plan_blocks(plan), 4 * 3);
	for (size_t i = 0; i < 36; i++) {
		assert_int_equal(number(cell_at(plan, i), "block"), i / 3 + 1);
		assert_string_equal(text(cell_at(plan, i), "cell"),
				    text(cell_at(plan, i / 3 * 3), "cell"));
	}
	json_decref(plan);
}

/* More repetitions later are those that would have been planned at once. */
static void extended_plan_is_the_longer_plan(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", three, 7, 2);
	json_t *longer = plan_make(&spec, "emulated", three, 7, 5);

	(void)state;
	assert_false(json_equal(plan, longer));
	assert_int_equal(plan_extend(plan, 5), 0);
	assert_true(json_equal(plan, longer));
	assert_int_equal(plan_extend(plan, 3), 0); /* nothing is taken away */
	assert_int_equal(plan_repetitions(plan), 5);
	json_decref(plan);
	json_decref(longer);
}

/* Plans written before boots of a cell shared anything have it in every entry. */
static void old_plans_are_read(void **state)
{
	json_t *plan = json_pack("{s:[{s:s, s:[s], s:{s:i}}]}", "cells", "cell", "a", "expect",
				 "HANG", "spec", "seed", 9);
	const json_t *boot = cell_at(plan, 0);

	(void)state;
	assert_int_equal(number(json_object_get(boot, "spec"), "seed"), 9);
	assert_true(plan_expects(boot, "HANG"));
	json_decref(plan);
}

/* What is expected of base is expected of metal-base, unless there is a word on that. */
static void a_kind_of_a_kernel_is_judged_as_it(void **state)
{
	json_t *arms = json_pack("[s, s, s]", "metal-base", "lockstat-base", "based");
	json_t *plan = plan_make(&spec, "emulated", arms, 7, 1);
	size_t hangs = 0;

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		const json_t *cell = cell_at(plan, i);
		bool kind =
			!strcmp(text(cell, "cell"), "b") && strcmp(text(cell, "kernel"), "based");

		assert_true(plan_expects(cell, kind ? "HANG" : "OK"));
		hangs += kind;
	}
	assert_int_equal(hangs, 2);
	json_decref(plan);
	json_decref(arms);
}

static void control_arm_is_judged_as_its_kernel(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", three, 7, 1);
	size_t hangs = 0;

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		const json_t *cell = cell_at(plan, i);
		const char *expect =
			json_string_value(json_array_get(json_object_get(cell, "expect"), 0));

		if (strcmp(text(cell, "cell"), "b") || !strcmp(text(cell, "kernel"), "hinode")) {
			assert_string_equal(expect, "OK");
			continue;
		}
		assert_string_equal(expect, "HANG");
		hangs++;
	}
	assert_int_equal(hangs, 2);
	json_decref(plan);
}

static void warmup_boots_come_first_and_do_not_count(void **state)
{
	json_t *plan;

	(void)state;
	spec.scenario.warmup_boot = 1;
	plan = plan_make(&spec, "emulated", two, 7, 1);
	spec.scenario.warmup_boot = 0;
	assert_int_equal(json_array_size(json_object_get(plan, "cells")), 2 + 6);
	assert_true(json_is_true(json_object_get(cell_at(plan, 1), "warmup_boot")));
	assert_int_equal(number(cell_at(plan, 1), "rep"), 0);
	assert_true(json_is_false(json_object_get(cell_at(plan, 2), "warmup_boot")));
	json_decref(plan);
}

static void ids_name_everything(void **state)
{
	json_t *plan = plan_make(&spec, "emulated", two, 7, 1);
	const json_t *cell = cell_at(plan, 2);
	HB_FREE char *id = hb_strf("003-%s-%s-r1", text(cell, "kernel"), text(cell, "cell"));

	(void)state;
	assert_string_equal(text(cell, "id"), id);
	json_decref(plan);
}

/* A scenario of its own number and a budget: what comes out? */
static unsigned int chosen(uint64_t repeat, uint64_t budget_s, unsigned int jobs,
			   const json_t *costs, int *rc, struct plan_choice *choice)
{
	const struct plan_terms terms = {"emulated", two, costs, budget_s * NSEC_PER_SEC, jobs};
	struct hb_error e = {""};

	spec.scenario.repeat = repeat;
	*rc = plan_choose(&spec, &terms, choice, &e);
	spec.scenario.repeat = 0;
	return *rc ? 0 : choice->repetitions;
}

static void budget_chooses(void **state)
{
	/* 15 s per boot, a repetition of 3 cells and 2 arms: 6 x (10 + 5) = 90 s */
	json_t *costs = json_pack("{s:{s:f, s:f, s:f, s:f}}", "emulated", "base/w", 5.0, "hinode/w",
				  5.0, "base/w+x", 5.0, "hinode/w+x", 5.0);
	struct plan_choice choice;
	int rc;

	(void)state;
	assert_int_equal(chosen(0, 1200, 1, costs, &rc, &choice), 13);
	assert_int_equal((int)choice.seconds, 13 * 90);
	assert_non_null(strstr(choice.reason, "fits into the budget of 20 m"));
	assert_non_null(strstr(choice.reason, "6 of 6 cells from measured costs"));
	assert_int_equal(chosen(2, 1200, 1, costs, &rc, &choice),
			 2); /* the scenario's number is a limit */
	assert_int_equal(chosen(20, 1200, 1, costs, &rc, &choice), 13);
	assert_int_equal(chosen(20, 0, 1, costs, &rc, &choice), 20);
	assert_int_equal(chosen(0, 1200, 2, costs, &rc, &choice), 26); /* two side by side */
	assert_int_equal((int)choice.seconds, 26 * 45);
	assert_int_equal(chosen(0, 89, 1, costs, &rc, &choice), 0);
	assert_int_equal(rc, -ERANGE);
	json_decref(costs);
}

static void costs_are_learnt(void **state)
{
	json_t *costs = json_object(), *plan = plan_make(&spec, "emulated", two, 7, 1), *cell;
	const json_t *planned = cell_at(plan, 0);
	double guess, known;
	int measured;

	(void)state;
	guess = costs_estimate(costs, planned, &measured);
	assert_int_equal(measured, 0);
	assert_true(guess > 10);
	cell = json_pack("{s:{s:f}}", "times", "total_ns", 13.5e9);
	costs_learn(costs, planned, cell);
	known = costs_estimate(costs, planned, &measured);
	assert_int_equal(measured, 1);
	assert_float_equal(known, 13.5, 1e-9);
	json_object_set_new(json_object_get(cell, "times"), "total_ns", json_real(33.5e9));
	costs_learn(costs, planned, cell);
	assert_float_equal(costs_estimate(costs, planned, &measured), 23.5, 1e-9);
	/* A panic half a second after the boot is no time to be gained in other cells. */
	json_object_set_new(json_object_get(cell, "times"), "total_ns", json_real(0.5e9));
	for (int i = 0; i < 60; i++)
		costs_learn(costs, planned, cell);
	assert_float_equal(costs_estimate(costs, planned, &measured), 10, 1e-9);
	json_decref(cell);
	json_decref(plan);
	json_decref(costs);
}

static void size_comes_from_the_host(void **state)
{
	struct host_size small = {.cores = 2, .cpus = 2, .memory = 23 * GIB, .limit = 18 * GIB};
	struct host_size large = {
		.cores = 64, .cpus = 128, .memory = 512 * GIB, .limit = 490 * GIB};
	struct spec_cell cell = {.name = "one"};
	struct spec s = {.scenario.nodes = 2, .cells = &cell, .ncells = 1};
	struct guest_size g;
	struct hb_error e;

	(void)state;
	assert_int_equal(guest_size_choose(&s, "emulated", &small, &g, &e), 0);
	assert_int_equal(g.vcpus, 4);
	assert_int_equal(g.memory, 8 * GIB);
	assert_int_equal(guest_size_choose(&s, "kvm", &small, &g, &e), 0);
	assert_int_equal(g.vcpus, 2);
	assert_int_equal(guest_size_choose(&s, "exact", &large, &g, &e), 0);
	assert_int_equal(g.vcpus, 4);
	assert_int_equal(g.memory, 4 * GIB);
	cell.timing.work = 1;
	assert_int_equal(guest_size_choose(&s, "exact", &small, &g, &e), 0);
	assert_int_equal(g.vcpus, 1);
	assert_int_equal(g.nodes, 2);
	assert_int_equal(guest_size_choose(&s, "kvm", &large, &g, &e), 0);
	assert_int_equal(g.vcpus, 62);
	assert_int_equal(g.memory, 64 * GIB);
	s.scenario.nodes = 3;
	assert_int_equal(guest_size_choose(&s, "emulated", &small, &g, &e), 0);
	assert_int_equal(g.vcpus, 3);
	s.scenario.vcpus = 4;
	assert_int_equal(guest_size_choose(&s, "emulated", &small, &g, &e), -EINVAL);
}

static void memory_that_is_not_there_is_refused(void **state)
{
	struct host_size h = {.cores = 2, .cpus = 2, .memory = 8 * GIB, .limit = 3 * GIB};
	struct spec s = {.scenario = {.nodes = 2, .memory = 4 * GIB}};
	struct guest_size g;
	struct hb_error e;

	(void)state;
	assert_int_equal(guest_size_choose(&s, "emulated", &h, &g, &e), -ENOMEM);
	assert_non_null(strstr(e.text, "-o memory="));
	h.limit = 4 * GIB;
	assert_int_equal(guest_size_choose(&s, "emulated", &h, &g, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arms_stand_side_by_side),
		cmocka_unit_test(every_arm_comes_first_equally_often),
		cmocka_unit_test(seed_decides_the_order),
		cmocka_unit_test(arms_get_the_same_work),
		cmocka_unit_test(blocks_have_a_boot_of_every_arm),
		cmocka_unit_test(extended_plan_is_the_longer_plan),
		cmocka_unit_test(old_plans_are_read),
		cmocka_unit_test(control_arm_is_judged_as_its_kernel),
		cmocka_unit_test(a_kind_of_a_kernel_is_judged_as_it),
		cmocka_unit_test(warmup_boots_come_first_and_do_not_count),
		cmocka_unit_test(ids_name_everything),
		cmocka_unit_test(budget_chooses),
		cmocka_unit_test(costs_are_learnt),
		cmocka_unit_test(size_comes_from_the_host),
		cmocka_unit_test(memory_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
