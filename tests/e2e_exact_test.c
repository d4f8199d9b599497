// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is a kernel told apart that executes a few more instructions in hugetlb_fault()? A short loop is
 * patched into base, built as any variant is, and counted in mode exact beside base and a control
 * arm, in several layouts of memory. Runs from the top of the tree, as make does; with the argument
 * "kernel" it builds the patched kernel and no more.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/result/compare.h"

#define HUGEBENCH "build/hugebench"
#define BOOTS	  8
/* Times two instructions, and one before the loop. */
#define LOOPS	     8
#define INSTRUCTIONS (2 * LOOPS + 1)
/* What the compiler may do to the code around it: a register saved and restored, a jump. */
#define AROUND 4
/*
 * Of the 360,000 instructions of a process's end, what the layout of memory may move: a percent. It
 * is nearly as long as the time between two ticks of the timer.
 */
#define EXIT_MOVED 3600
/* What pads a loop that begins where the added code has moved it to: executed, but for nothing. */
#define PADDING 1

static const char description[] = "[kernel]\n"
				  "description = base with a loop in hugetlb_fault()\n"
				  "patches = loop.patch\n"
				  "fragments = config/timed.config\n";
static const char patch[] = "--- a/mm/hugetlb.c\n"
			    "+++ b/mm/hugetlb.c\n"
			    "@@ -4569,4 +4569,7 @@\n"
			    " 	int need_wait_lock = 0;\n"
			    " 	unsigned long haddr = address & huge_page_mask(h);\n"
			    "+	unsigned long left = %d;\n"
			    " \n"
			    "+	asm volatile(\"1: dec %%0; jnz 1b\" : \"+r\"(left));\n"
			    "+\n"
			    " 	ptep = huge_pte_offset(mm, haddr, huge_page_size(h));\n";

static char dir[] = "/tmp/hugebench-exact-XXXXXX";
static struct load_run *run;
static struct compare_model *model;

static int put(const char *name, const char *text)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, name);

	return path && text ? hb_file_write(path, text) : -ENOMEM;
}

static int make_variant(void)
{
	HB_FREE char *loop = hb_strf(patch, LOOPS);

	if (!mkdtemp(dir) || setenv("HUGEBENCH_KERNELS", dir, 1))
		return -errno;
	return put("loop.ini", description) ?: put("loop.patch", loop);
}

static int build_kernel(void)
{
	char *const argv[] = {HUGEBENCH, "kernels", "loop", NULL};
	int rc = make_variant() ?: child_do(argv, -1);

	hb_remove_all(dir);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The run; that nothing is amiss is its exit status. */
static int setup(void **state)
{
	HB_FREE char *boots = hb_strf("repeat=%d", BOOTS);
	char *const argv[] = {
		HUGEBENCH,   "run", "-s",	   "exact", "-k",     "base,loop", "-o",
		boots,	     "-o",  "control=yes", "-o",    "work=2", "-o",	   "exact.pages=8",
		"--results", dir,   "--name",	   "run",   NULL};
	HB_FREE char *path = NULL;
	const struct compare_options o = {0};
	struct hb_error e = {""};

	(void)state;
	if (make_variant() || child_do(argv, -1))
		return -1;
	path = hb_strf("%s/run", dir);
	if (!path || load_run(path, &run, &e) || compare_build(run, NULL, &o, &model, &e)) {
		print_error("%s\n", e.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	compare_free(model);
	load_free(run);
	return hb_remove_all(dir);
}

/* The comparison of base with @kernel, and what it compares. */
static const struct comparison *comparison(const char *kernel, const char *name)
{
	for (size_t i = 0; i < model->ncomparisons; i++) {
		const struct comparison *c = &model->comparisons[i];

		if (!strcmp(model->groups[c->group].metrics[c->metric].name, name) &&
		    !strcmp(model->arms[model->pairs[c->pair].a].label, "base") &&
		    !strcmp(model->arms[model->pairs[c->pair].b].label, kernel))
			return c;
	}
	fail_msg("no comparison of %s", name);
	return NULL;
}

/* Instructions that @kernel has more than base, by the figures of the report. */
static double more(const char *kernel, const char *name)
{
	const struct comparison *c = comparison(kernel, name);

	return compare_figure(model, c, true)->arm.estimate -
	       compare_figure(model, c, false)->arm.estimate;
}

static void every_fault_has_the_loop(void **state)
{
	static const char *const faults[] = {"first_fault", "cached_fault", "private_fault",
					     "attach"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		assert_in_range(more("loop", faults[i]), INSTRUCTIONS, INSTRUCTIONS + AROUND);
		assert_int_equal(comparison("loop", faults[i])->verdict, STATS_WORSE);
	}
}

/* A migration is longer than a tick of the timer: where the tick falls moves with anything. */
static void nothing_else_has_it(void **state)
{
	static const char *const others[] = {"fork", "unmap", "shared_unmap", "truncate"};
	enum stats_verdict exits = comparison("loop", "exit")->verdict;

	(void)state;
	assert_true(exits == STATS_SAME || exits == STATS_UNCLEAR);
	assert_true(fabs(more("loop", "exit")) < EXIT_MOVED);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		double moved = more("loop", others[i]);

		assert_true(fabs(moved) <= PADDING);
		if (!moved)
			assert_int_equal(comparison("loop", others[i])->verdict, STATS_SAME);
	}
}

/* A kernel differs from itself by nothing, in every figure of every boot. */
static void same_kernel_gives_same_digits(void **state)
{
	unsigned int boots = 0;

	(void)state;
	for (size_t i = 0; i < run->ncells; i++)
		for (size_t k = 0; k < run->ncells; k++) {
			const struct load_cell *a = &run->cells[i], *b = &run->cells[k];

			if (strcmp(a->kernel, "base") || strcmp(b->kernel, "base-control") ||
			    a->seed != b->seed)
				continue;
			boots++;
			assert_true(a->nmetrics > 0);
			assert_int_equal(a->nmetrics, b->nmetrics);
			for (unsigned int m = 0; m < a->nmetrics; m++)
				assert_true(a->metrics[m].value == b->metrics[m].value);
		}
	assert_int_equal(boots, BOOTS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_has_the_loop),
		cmocka_unit_test(nothing_else_has_it),
		cmocka_unit_test(same_kernel_gives_same_digits),
	};

	if (argc > 1 && !strcmp(argv[1], "kernel"))
		return build_kernel();
	return cmocka_run_group_tests_name("exact", tests, setup, teardown);
}
