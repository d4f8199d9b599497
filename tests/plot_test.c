// SPDX-License-Identifier: GPL-2.0-or-later
/* Which pictures a run gives, and a word why where it gives none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/report/plot.h"
#include "tests/synthetic.h"

static char dir[] = "/tmp/hugebench-plot-XXXXXX";
static char *run_dir;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	run_dir = hb_strf("%s/run", dir);
	return run_dir ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(dir);
	free(run_dir);
	return 0;
}

struct planned {
	struct load_run *run;
	struct compare_model *m;
	struct plot_set set;
};

static void plan(const struct synthetic *s, struct planned *p)
{
	const struct compare_options o = {0};
	struct hb_error e;

	assert_int_equal(synthetic_write(s), 0);
	assert_int_equal(load_run(s->dir, &p->run, &e), 0);
	assert_int_equal(compare_build(p->run, NULL, &o, &p->m, &e), 0);
	assert_int_equal(plot_plan(p->m, &p->set), 0);
}

static void release(struct planned *p)
{
	plot_free(&p->set);
	compare_free(p->m);
	load_free(p->run);
}

static const struct plot *find(const struct planned *p, enum plot_kind kind)
{
	for (size_t i = 0; i < p->set.n; i++)
		if (p->set.plots[i].kind == kind)
			return &p->set.plots[i];
	return NULL;
}

static void test_sweep(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	plan(&s, &p);
	assert_string_equal(find(&p, PLOT_FOREST)->stem, "forest-1");
	assert_string_equal(find(&p, PLOT_PERCENTILE)->stem, "percentile-1");
	assert_string_equal(find(&p, PLOT_SCALING)->stem, "scaling-1");
	assert_string_equal(find(&p, PLOT_TIMELINE)->stem, "timeline-1");
	assert_null(find(&p, PLOT_CAPACITY)->stem);
	assert_non_null(strstr(find(&p, PLOT_CAPACITY)->why, "fewer than 4"));
	assert_null(find(&p, PLOT_CLIENTS));
	release(&p);
}

static void test_no_sweep(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	s.tasks[1] = s.tasks[2] = 0;
	plan(&s, &p);
	assert_null(find(&p, PLOT_SCALING)->stem);
	assert_string_equal(find(&p, PLOT_SCALING)->why, "one number of tasks only");
	release(&p);
}

static void test_database(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	s.database = 1;
	plan(&s, &p);
	assert_string_equal(find(&p, PLOT_CLIENTS)->stem, "clients-1");
	assert_string_equal(find(&p, PLOT_PAGE_TABLES)->stem, "pagetables-1");
	assert_null(find(&p, PLOT_SCALING));
	release(&p);
}

/* Nothing but hangs: no picture at all, and every reason is given. */
static void test_nothing(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	s.tasks[1] = 0;
	s.kernels[1] = "base-control";
	s.hang_kernel = "base";
	plan(&s, &p);
	for (size_t i = 0; i < p.set.n; i++)
		assert_true(p.set.plots[i].stem || p.set.plots[i].why);
	assert_non_null(find(&p, PLOT_FOREST)->why);
	release(&p);
}

static void test_exact(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	s.mode = "exact";
	plan(&s, &p);
	assert_null(find(&p, PLOT_FOREST));
	release(&p);
}

/* Every planned picture is a file that is not empty; what is not planned is not there. */
static void test_files(void **state)
{
	static const char *const suffix[] = {"dat", "svg", "png"};
	struct synthetic s = synthetic_default(run_dir);
	struct hb_error e;
	struct planned p;

	(void)state;
	plan(&s, &p);
	assert_int_equal(plot_draw(p.m, &p.set, &e), 0);
	for (size_t i = 0; i < p.set.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(suffix) && p.set.plots[i].stem; k++) {
			HB_FREE char *path =
				hb_strf("%s/plots/%s.%s", run_dir, p.set.plots[i].stem, suffix[k]);
			struct stat st;

			assert_int_equal(stat(path, &st), 0);
			assert_true(st.st_size > 100);
		}
	release(&p);
}

/* The cells of the run say of what machine of mode exact they are: 16 ns an instruction. */
static void machine_put(const struct synthetic *s, struct planned *p)
{
	struct hb_error e;

	for (size_t i = 0; i < p->run->ncells; i++) {
		HB_FREE char *file = hb_strf("%s/cells/%s/cell.json", s->dir, p->run->cells[i].id);
		json_t *cell = json_load_file(file, 0, NULL);

		json_object_set_new(cell, "machine",
				    json_pack("{s:i, s:i}", "vcpus", 4, "shift", i ? 2 : 99));
		assert_int_equal(json_dump_file(cell, file, 0), 0);
		json_decref(cell);
	}
	release(p);
	assert_int_equal(load_run(s->dir, &p->run, &e), 0);
	assert_true(isnan(p->run->cells[0].minsn_ns));
	assert_true(p->run->cells[1].minsn_ns == 16e6);
}

/* The first point of the time line. */
static void timeline_begin(const struct planned *p, double *at, double *rate)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	assert_non_null(out);
	assert_int_equal(plot_data(p->m, find(p, PLOT_TIMELINE), out), 0);
	fclose(out);
	assert_int_equal(sscanf(text, "%*s %lf %lf", at, rate), 2);
}

static bool svg_says(const struct planned *p, enum plot_kind kind, const char *what)
{
	HB_FREE char *path = hb_strf("%s/plots/%s.svg", run_dir, find(p, kind)->stem), *text = NULL;

	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	return strstr(text, what);
}

/* In mode exact nothing is a time: neither on an axis nor in what is drawn. */
static void test_instructions_are_no_time(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct compare_options o = {0};
	double seconds, per_second, minsn, per_minsn;
	struct hb_error e;
	struct planned p;

	(void)state;
	plan(&s, &p);
	timeline_begin(&p, &seconds, &per_second);
	assert_int_equal(plot_draw(p.m, &p.set, &e), 0);
	assert_true(svg_says(&p, PLOT_TIMELINE, "time in the measured phase (s)"));
	assert_false(svg_says(&p, PLOT_PERCENTILE, "instructions"));
	machine_put(&s, &p);
	p.run->cells[0].minsn_ns = p.run->cells[1].minsn_ns;
	p.run->mode = "exact";
	assert_int_equal(compare_build(p.run, NULL, &o, &p.m, &e), 0);
	assert_int_equal(plot_plan(p.m, &p.set), 0);
	timeline_begin(&p, &minsn, &per_minsn);
	assert_true(fabs(minsn / seconds - 62.5) < 0.01);
	assert_true(fabs(per_second / per_minsn - 62.5) < 0.01);
	assert_int_equal(plot_draw(p.m, &p.set, &e), 0);
	assert_true(svg_says(&p, PLOT_TIMELINE, "millions of instructions in the measured phase"));
	assert_true(svg_says(&p, PLOT_TIMELINE, "antagonists (1/Minsn)"));
	assert_false(svg_says(&p, PLOT_TIMELINE, "(s)"));
	assert_true(svg_says(&p, PLOT_PERCENTILE, "latency (instructions)"));
	assert_true(svg_says(&p, PLOT_CDF, "latency (instructions)"));
	assert_false(svg_says(&p, PLOT_CDF, " us<"));
	release(&p);
}

/* The run of @s as mode exact would have given it: rates per million instructions. */
static void plan_exact(const struct synthetic *s, struct planned *p)
{
	const struct compare_options o = {0};
	struct hb_error e;

	plan(s, p);
	for (size_t i = 0; i < p->run->ncells; i++) {
		p->run->cells[i].minsn_ns = 16e6;
		for (unsigned int k = 0; k < p->run->cells[i].nmetrics; k++) {
			struct load_metric *metric = &p->run->cells[i].metrics[k];

			metric->unit = !strcmp(metric->unit, "1/s")  ? "1/Minsn"
				       : !strcmp(metric->unit, "ns") ? "insn"
								     : metric->unit;
		}
	}
	p->run->mode = "exact";
	plot_free(&p->set);
	compare_free(p->m);
	assert_int_equal(compare_build(p->run, NULL, &o, &p->m, &e), 0);
	assert_int_equal(plot_plan(p->m, &p->set), 0);
	assert_int_equal(plot_draw(p->m, &p->set, &e), 0);
}

/* Throughput by tasks and by clients has its picture, in the unit of its mode. */
static void test_sweep_in_instructions(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	plan_exact(&s, &p);
	assert_string_equal(find(&p, PLOT_SCALING)->stem, "scaling-1");
	assert_true(svg_says(&p, PLOT_SCALING, "faults (1/Minsn)"));
	release(&p);
	s.database = 1;
	plan_exact(&s, &p);
	assert_string_equal(find(&p, PLOT_CLIENTS)->stem, "clients-1");
	assert_true(svg_says(&p, PLOT_CLIENTS, "transactions per million instructions"));
	assert_true(svg_says(&p, PLOT_CLIENTS, "p99 latency (instructions)"));
	assert_false(svg_says(&p, PLOT_CLIENTS, "second"));
	release(&p);
}

/* Even what a loader would refuse is no program to gnuplot. */
static void test_names_are_no_commands(void **state)
{
	HB_FREE char *mark = hb_strf("%s/mark", dir);
	HB_FREE char *name = hb_strf("x`touch %s`'\".system('touch %s').\"", mark, mark);
	struct synthetic s = synthetic_default(run_dir);
	struct planned p;

	(void)state;
	s.antagonists[0] = "truncate";
	plan(&s, &p);
	for (unsigned int g = 0; g < p.m->ngroups; g++)
		for (unsigned int k = 0; k < p.m->groups[g].nmetrics; k++) {
			p.m->groups[g].metrics[k].source = name;
			p.m->groups[g].metrics[k].unit = name;
		}
	plot_draw(p.m, &p.set, NULL);
	assert_int_not_equal(access(mark, F_OK), 0);
	release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_no_sweep),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_instructions_are_no_time),
		cmocka_unit_test(test_sweep_in_instructions),
		cmocka_unit_test(test_names_are_no_commands),
	};

	return cmocka_run_group_tests_name("plot", tests, setup, teardown);
}
