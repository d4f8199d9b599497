// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts of whole runs, and what is refused. */
#include <math.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/result/compare.h"
#include "tests/synthetic.h"

static char dir[] = "/tmp/hugebench-compare-XXXXXX";
static char *run_dir, *other_dir;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	run_dir = hb_strf("%s/run", dir);
	other_dir = hb_strf("%s/other", dir);
	return run_dir && other_dir ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(dir);
	free(run_dir);
	free(other_dir);
	return 0;
}

struct loaded {
	struct load_run *run, *other;
	struct compare_model *m;
};

static void read_model(const char *dir, struct loaded *l)
{
	const struct compare_options o = {0};
	struct hb_error e;

	*l = (struct loaded){NULL};
	assert_int_equal(load_run(dir, &l->run, &e), 0);
	assert_int_equal(compare_build(l->run, NULL, &o, &l->m, &e), 0);
}

static void build(const struct synthetic *s, struct loaded *l)
{
	assert_int_equal(synthetic_write(s), 0);
	read_model(s->dir, l);
}

static void release(struct loaded *l)
{
	compare_free(l->m);
	load_free(l->run);
	load_free(l->other);
}

static const struct comparison *find(const struct compare_model *m, const char *cell,
				     const char *metric, const char *kernel_b)
{
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];

		if (!strcmp(m->groups[c->group].cell, cell) &&
		    !strcmp(m->groups[c->group].metrics[c->metric].label, metric) &&
		    !strcmp(m->arms[m->pairs[c->pair].b].label, kernel_b))
			return c;
	}
	fail_msg("no comparison %s %s %s", cell, metric, kernel_b);
	return NULL;
}

static void test_change(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct comparison *c;
	struct loaded l;

	(void)state;
	build(&s, &l);
	assert_int_equal(l.run->nproblems, 0);
	for (int i = 0; i < 3; i++) {
		static const char *const cells[] = {"faults-1", "faults-2", "faults-4"};

		c = find(l.m, cells[i], "faults", "hinode");
		assert_int_equal(c->verdict, STATS_BETTER);
		assert_true(c->change.log_low < log(1.25) && c->change.log_high > log(1.25));
		assert_true(c->adjusted.differ >= c->raw.differ);
		c = find(l.m, cells[i], "fault_latency.p99", "hinode");
		assert_int_equal(c->verdict, STATS_BETTER);
		assert_true(c->change.log_high < 0);
	}
	/* a maximum is shown, never judged */
	c = find(l.m, "faults-1", "fault_latency.max", "hinode");
	assert_int_equal(c->verdict, STATS_UNCLEAR);
	assert_true(isnan(c->raw.differ) && isnan(c->change.log_low));
	release(&l);
}

/* What decides is the larger of the two Welch tests, of the figures and of their logarithms. */
static void test_probability(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	bool larger_log = false, larger_plain = false;
	struct loaded l;

	(void)state;
	build(&s, &l);
	for (size_t i = 0; i < l.m->ncomparisons; i++) {
		const struct comparison *c = &l.m->comparisons[i];
		const struct compare_figure *a = compare_figure(l.m, c, false),
					    *b = compare_figure(l.m, c, true);
		const struct stats_block block = {a->arm, b->arm, a->boot, b->boot};
		struct stats_change typical;

		if (isnan(c->raw.differ))
			continue;
		stats_blocks_compare_typical(&block, 1, &typical);
		assert_true(c->raw.differ == fmax(c->change.p, typical.p));
		assert_true(c->raw.same == fmax(stats_same_p(&c->change, STATS_MARGIN),
						stats_same_p(&typical, STATS_MARGIN)));
		larger_log |= typical.p > c->change.p;
		larger_plain |= typical.p < c->change.p;
		assert_true(c->raw.rank == stats_rank_p(a->boot, a->arm.n, b->boot, b->arm.n));
		assert_true(c->change.log_mde > 0);
	}
	assert_true(larger_log && larger_plain);
	release(&l);
}

static void test_interval_of_an_arm(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct compare_figure *f;
	double low, high, wide_low, wide_high;
	struct loaded l;

	(void)state;
	build(&s, &l);
	f = compare_figure(l.m, find(l.m, "faults-1", "faults", "hinode"), false);
	assert_true(compare_arm_interval(f, 0.05, &low, &high));
	assert_true(low < f->arm.estimate && f->arm.estimate < high);
	/* As many times below as above. */
	assert_true(fabs(low * high / f->arm.estimate / f->arm.estimate - 1) < 1e-9);
	assert_true(compare_arm_interval(f, 0.01, &wide_low, &wide_high));
	assert_true(wide_low < low && high < wide_high);
	release(&l);
}

/* The workload's throughput and p99; not what stands beside them, and no antagonist. */
static void test_families(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct comparison *c;
	size_t main = 0;
	struct loaded l;

	(void)state;
	build(&s, &l);
	for (size_t i = 0; i < l.m->ncomparisons; i++) {
		const struct compare_metric *metric = compare_metric(l.m, &l.m->comparisons[i]);

		main += compare_is_main(l.m, &l.m->comparisons[i]);
		assert_true(metric->family == COMPARE_SECONDARY ||
			    (metric->primary && !strcmp(metric->role, "workload")));
	}
	assert_int_equal(main, l.m->tested[false][COMPARE_MAIN]);
	assert_true(compare_is_main(l.m, find(l.m, "faults-1", "faults", "hinode")));
	assert_true(compare_is_main(l.m, find(l.m, "faults-1", "fault_latency.p99", "hinode")));
	assert_false(compare_is_main(l.m, find(l.m, "faults-1", "fault_latency.p50", "hinode")));
	assert_false(compare_is_main(l.m, find(l.m, "faults-1", "fault_latency.p99.9", "hinode")));
	/* Holm's first step multiplies by the size of the family */
	c = find(l.m, "faults-1", "faults", "hinode");
	assert_true(c->adjusted.differ <= c->raw.differ * main * 1.0001);
	release(&l);
}

static void test_nothing_differs(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct loaded l;

	(void)state;
	s.effect = 1;
	s.boots = 10;
	build(&s, &l);
	for (size_t i = 0; i < l.m->ncomparisons; i++)
		assert_true(l.m->comparisons[i].verdict == STATS_SAME ||
			    l.m->comparisons[i].verdict == STATS_UNCLEAR);
	release(&l);
}

/* Give the throughput of every boot of @kernel in cell faults-1 the value @v. */
static void set_faults(const struct synthetic *s, const char *kernel, double v)
{
	for (unsigned int rep = 1; rep <= s->boots; rep++) {
		/* as synthetic_write() numbers them: cells of two arms, of which the first is this
		 */
		unsigned int seq = (rep - 1) * 6 + 1 + (strcmp(kernel, s->kernels[0]) != 0);
		HB_FREE char *file = hb_strf("%s/cells/%04u-%s-faults-1-r%u/cell.json", s->dir, seq,
					     kernel, rep);
		json_t *cell = json_load_file(file, 0, NULL);
		json_t *metric = json_array_get(json_object_get(cell, "metrics"), 0);

		assert_non_null(metric);
		json_object_set_new(metric, "value", json_real(v));
		json_object_set_new(metric, "count", json_real(10 * v));
		assert_int_equal(json_dump_file(cell, file, 0), 0);
		json_decref(cell);
	}
}

static enum stats_verdict verdict_of_faults(const struct synthetic *s, const char **why)
{
	const struct comparison *c;
	enum stats_verdict verdict;
	struct loaded l;

	read_model(s->dir, &l);
	c = find(l.m, "faults-1", "faults", "hinode");
	verdict = c->verdict;
	*why = c->why;
	release(&l);
	return verdict;
}

/* Figures without a logarithm or a spread: the test without a model decides, corrected as all are.
 */
static void test_no_logarithm(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const char *why;

	(void)state;
	s.boots = 5;
	assert_int_equal(synthetic_write(&s), 0);
	set_faults(&s, "base", 0);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_BETTER);
	set_faults(&s, "hinode", 0);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_SAME);
	set_faults(&s, "base", 20000);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_WORSE);
	set_faults(&s, "hinode", 20001);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_SAME);
	set_faults(&s, "hinode", 21000);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_BETTER);
	assert_null(why);
	/* three boots of the same digits promise nothing of the fourth */
	s.boots = 3;
	assert_int_equal(synthetic_write(&s), 0);
	set_faults(&s, "base", 0);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_UNCLEAR);
	assert_string_equal(why, "too few boots for the rank test");
	set_faults(&s, "hinode", 0);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_UNCLEAR);
	s.boots = 1;
	assert_int_equal(synthetic_write(&s), 0);
	set_faults(&s, "base", 0);
	set_faults(&s, "hinode", 0);
	assert_int_equal(verdict_of_faults(&s, &why), STATS_UNCLEAR);
	assert_string_equal(why, "one boot has no spread");
}

static void test_three_boots_say_nothing(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct comparison *c;
	struct loaded l;

	(void)state;
	s.boots = 3;
	build(&s, &l);
	c = find(l.m, "faults-1", "faults", "hinode");
	assert_int_equal(c->verdict, STATS_UNCLEAR);
	assert_string_equal(c->why, "too few boots for the rank test");
	release(&l);
}

static void test_hang(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct compare_group *g = NULL;
	struct loaded l;

	(void)state;
	s.hang_kernel = "base";
	build(&s, &l);
	for (unsigned int i = 0; i < l.m->ngroups; i++)
		if (!strcmp(l.m->groups[i].cell, "faults-4"))
			g = &l.m->groups[i];
	assert_non_null(g);
	assert_int_equal(g->tally[0].by[CELL_HANG], 6);
	assert_int_equal(g->tally[0].expected, 6);
	assert_int_equal(g->tally[1].by[CELL_OK], 6);
	/* no figure of base, so nothing to compare; the other arm's stands */
	assert_true(isnan(find(l.m, "faults-4", "faults", "hinode")->change.log_ratio));
	assert_int_equal(find(l.m, "faults-1", "faults", "hinode")->verdict, STATS_BETTER);
	release(&l);
}

/* The figures of a boot with a warning in the log do not count, nor do those of a warm-up boot. */
static void test_bad_boots_do_not_count(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct compare_options o = {0};
	const struct comparison *c;
	struct hb_error e;
	struct loaded l;

	(void)state;
	build(&s, &l);
	compare_free(l.m);
	l.run->cells[0].verdict = CELL_DIRTY;
	l.run->cells[1].warmup_boot = true;
	assert_int_equal(compare_build(l.run, NULL, &o, &l.m, &e), 0);
	c = find(l.m, "faults-1", "faults", "hinode");
	assert_int_equal(compare_figure(l.m, c, false)->arm.n, 5);
	assert_int_equal(compare_figure(l.m, c, true)->arm.n, 5);
	c = find(l.m, "faults-2", "faults", "hinode");
	assert_int_equal(compare_figure(l.m, c, false)->arm.n, 6);
	release(&l);
}

static void test_control(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	unsigned int controls = 0;
	size_t family;
	struct loaded l;

	(void)state;
	build(&s, &l);
	family = l.m->tested[false][COMPARE_MAIN];
	release(&l);
	s.kernels[2] = "base-control";
	build(&s, &l);
	for (unsigned int i = 0; i < l.m->npairs; i++)
		controls += l.m->pairs[i].control;
	assert_int_equal(controls, 1);
	assert_int_equal(l.m->npairs, 2);
	/* the control is no claim: it does not make the correction dearer */
	assert_int_equal(l.m->tested[false][COMPARE_MAIN], family);
	assert_int_equal(l.m->tested[true][COMPARE_MAIN], family);
	assert_int_not_equal(find(l.m, "faults-1", "faults", "base-control")->verdict,
			     STATS_BETTER);
	for (unsigned int i = 0; i < l.m->npairs; i++)
		assert_int_equal(compare_is_shown(l.m, i), !l.m->pairs[i].control);
	release(&l);
	/* alone it is what the run is about */
	s.kernels[1] = "base-control";
	s.kernels[2] = NULL;
	build(&s, &l);
	assert_true(compare_is_shown(l.m, 0));
	assert_false(compare_is_main(l.m, find(l.m, "faults-1", "faults", "base-control")));
	release(&l);
}

static void test_exact(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct comparison *c;
	struct loaded l;

	(void)state;
	s.mode = "exact";
	s.noise = 0;
	s.boots = 2;
	build(&s, &l);
	c = find(l.m, "faults-1", "first_fault", "hinode");
	assert_int_equal(c->verdict, STATS_BETTER);
	assert_true(isnan(c->raw.differ));
	release(&l);
	/* However little: there is no margin. */
	s.effect = 1000. / 1001;
	build(&s, &l);
	assert_int_equal(find(l.m, "faults-1", "first_fault", "hinode")->verdict, STATS_WORSE);
	release(&l);
	s.effect = 1;
	build(&s, &l);
	assert_int_equal(find(l.m, "faults-1", "first_fault", "hinode")->verdict, STATS_SAME);
	release(&l);
}

/* Give a boot of mode exact in cell faults-1 another layout of memory, and what it counted there.
 */
static void set_layout(const struct synthetic *s, unsigned int kernel, unsigned int rep, int value)
{
	HB_FREE char *file = hb_strf("%s/cells/%04u-%s-faults-1-r%u/cell.json", s->dir,
				     (rep - 1) * 6 + 1 + kernel, s->kernels[kernel], rep);
	json_t *cell = json_load_file(file, 0, NULL);
	json_t *metric = json_array_get(json_object_get(cell, "metrics"), 0);

	assert_non_null(metric);
	json_object_set_new(cell, "seed", json_integer(rep));
	json_object_set_new(metric, "value", json_integer(value));
	assert_int_equal(json_dump_file(cell, file, 0), 0);
	json_decref(cell);
}

static enum stats_verdict verdict_of_layouts(const int a[2], const int b[2], const char **why)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct comparison *c;
	enum stats_verdict verdict;
	struct loaded l;
	double low, high;

	s.mode = "exact";
	s.noise = 0;
	s.boots = 2;
	assert_int_equal(synthetic_write(&s), 0);
	for (unsigned int rep = 1; rep <= s.boots; rep++) {
		set_layout(&s, 0, rep, a[rep - 1]);
		set_layout(&s, 1, rep, b[rep - 1]);
	}
	read_model(s.dir, &l);
	c = find(l.m, "faults-1", "first_fault", "hinode");
	verdict = c->verdict;
	*why = c->why;
	assert_true(compare_exact_range(l.m, c, &low, &high));
	assert_true(low == fmin(b[0] - a[0], b[1] - a[1]));
	assert_true(high == fmax(b[0] - a[0], b[1] - a[1]));
	release(&l);
	return verdict;
}

/* What one layout says and another does not is no verdict. */
static void test_layouts(void **state)
{
	static const int base[] = {1000, 1010}, fewer[] = {990, 1009}, equal[] = {1000, 1010};
	static const int other[] = {1008, 1009}, half[] = {1000, 1009}, more[] = {1017, 1027};
	const char *why;

	(void)state;
	assert_int_equal(verdict_of_layouts(base, fewer, &why), STATS_BETTER);
	assert_int_equal(verdict_of_layouts(base, more, &why), STATS_WORSE);
	assert_int_equal(verdict_of_layouts(base, equal, &why), STATS_SAME);
	assert_null(why);
	assert_int_equal(verdict_of_layouts(base, other, &why), STATS_UNCLEAR);
	assert_string_equal(why, "layouts of memory do not agree");
	/* The layouts that are best for either arm take as many. */
	assert_int_equal(verdict_of_layouts(base, half, &why), STATS_SAME);
}

/* Boots of mode exact that do not agree: no figure, and it is said which moved, and how. */
static void test_exact_disagreement(void **state)
{
	static const char reason[] = "boots do not agree: exact.first_fault 1000 (r1), 1001 (r2), "
				     "1000 (r3)";
	struct synthetic s = synthetic_default(run_dir);
	HB_FREE char *file = hb_strf("%s/cells/0007-base-faults-1-r2/cell.json", run_dir);
	const struct compare_group *g;
	const struct comparison *c;
	struct loaded l;
	json_t *cell, *metric;

	(void)state;
	s.mode = "exact";
	s.noise = 0;
	s.boots = 3;
	assert_int_equal(synthetic_write(&s), 0);
	cell = json_load_file(file, 0, NULL);
	metric = json_array_get(json_object_get(cell, "metrics"), 0);
	json_object_set_new(metric, "value", json_integer(1001));
	assert_int_equal(json_dump_file(cell, file, 0), 0);
	json_decref(cell);
	read_model(run_dir, &l);
	assert_int_equal(l.run->ndisagree, 3);
	for (size_t i = 0; i < l.run->ncells; i++) {
		const struct load_cell *boot = &l.run->cells[i];
		bool hit = !strcmp(boot->kernel, "base") && !strcmp(boot->cell, "faults-1");

		assert_int_equal(boot->verdict, hit ? CELL_INVALID : CELL_OK);
		assert_string_equal(boot->reason, hit ? reason : "");
	}
	c = find(l.m, "faults-1", "first_fault", "hinode");
	g = &l.m->groups[c->group];
	assert_int_equal(g->tally[0].by[CELL_INVALID], 3);
	assert_int_equal(g->tally[0].expected, 0);
	assert_int_equal(compare_figure(l.m, c, false)->arm.n, 0);
	assert_int_equal(compare_figure(l.m, c, true)->arm.n, 3);
	assert_int_equal(c->verdict, STATS_UNCLEAR);
	release(&l);
}

static int compare_two(struct loaded *l, bool force, struct hb_error *e)
{
	const struct compare_options o = {.force = force};

	*l = (struct loaded){NULL};
	assert_int_equal(load_run(run_dir, &l->run, e), 0);
	assert_int_equal(load_run(other_dir, &l->other, e), 0);
	return compare_build(l->run, l->other, &o, &l->m, e);
}

static void test_two_runs(void **state)
{
	struct synthetic a = synthetic_default(run_dir), b = synthetic_default(other_dir);
	struct hb_error e;
	struct loaded l;

	(void)state;
	a.kernels[1] = b.kernels[1] = NULL;
	b.name = "other";
	b.seed = 2;
	assert_int_equal(synthetic_write(&a), 0);
	assert_int_equal(synthetic_write(&b), 0);
	assert_int_equal(compare_two(&l, false, &e), 0);
	assert_int_equal(l.m->npairs, 1);
	assert_string_equal(l.m->arms[1].label, "other:base");
	assert_int_not_equal(find(l.m, "faults-1", "faults", "other:base")->verdict, STATS_BETTER);
	release(&l);

	/* the same one under another name */
	assert_int_equal(hb_remove_all(other_dir), 0);
	assert_int_equal(symlink(run_dir, other_dir), 0);
	assert_int_equal(compare_two(&l, true, &e), -EINVAL);
	assert_non_null(strstr(e.text, "are one run"));
	release(&l);
	assert_int_equal(unlink(other_dir), 0);

	b.mode = "kvm";
	assert_int_equal(synthetic_write(&b), 0);
	assert_int_equal(compare_two(&l, false, &e), -EXDEV);
	assert_non_null(strstr(e.text, "mode differs (emulated, kvm)"));
	assert_non_null(strstr(e.text, "--force"));
	release(&l);
	assert_int_equal(compare_two(&l, true, &e), 0);
	assert_non_null(strstr(l.m->forced, "mode differs"));
	release(&l);
}

/* Sets the boot of the host in every cell.json: one for all, or each its own. */
static void set_boots(const struct synthetic *s, bool own)
{
	HB_FREE char *pattern = hb_strf("%s/cells/*/cell.json", s->dir);
	glob_t g;

	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		json_t *cell = json_load_file(g.gl_pathv[i], 0, NULL);

		json_object_set_new(
			cell, "environment",
			json_pack("{s:o}", "boot_id", json_sprintf("%zu", own ? i : 0)));
		assert_int_equal(json_dump_file(cell, g.gl_pathv[i], 0), 0);
		json_decref(cell);
	}
	globfree(&g);
}

/* Native: what was repeated within one boot of the machine carries no verdict and no interval. */
static void test_repetitions_in_one_boot(void **state)
{
	struct synthetic a = synthetic_default(run_dir), b = synthetic_default(other_dir);
	const struct comparison *c;
	struct hb_error e;
	struct loaded l;

	(void)state;
	a.kernels[1] = NULL;
	a.mode = b.mode = "native";
	b.kernels[0] = "hinode";
	b.kernels[1] = NULL;
	b.name = "other";
	b.seed = 2;
	b.noise = a.noise = 0.001;
	assert_int_equal(synthetic_write(&a), 0);
	assert_int_equal(synthetic_write(&b), 0);
	set_boots(&a, true);
	set_boots(&b, true);
	assert_int_equal(compare_two(&l, false, &e), 0);
	c = find(l.m, "faults-1", "faults", "other:hinode");
	assert_true(c->raw.differ >= 0 && isfinite(c->change.log_low));
	release(&l);

	set_boots(&b, false);
	assert_int_equal(compare_two(&l, false, &e), 0);
	assert_true(l.m->arms[1].one_boot && !l.m->arms[0].one_boot);
	c = find(l.m, "faults-1", "faults", "other:hinode");
	assert_true(isnan(c->raw.differ) && isnan(c->change.log_low));
	assert_int_equal(c->verdict, STATS_UNCLEAR);
	assert_string_equal(c->why, "repetitions within one boot are no boots");
	release(&l);
}

static void from_host(const char *dir, const char *id)
{
	HB_FREE char *file = hb_strf("%s/run.json", dir);
	json_t *run = json_load_file(file, 0, NULL);

	json_object_set_new(json_object_get(run, "host"), "id", json_string(id));
	assert_int_equal(json_dump_file(run, file, 0), 0);
	json_decref(run);
}

/* In mode exact a figure is the same on every machine, and that of a seed. */
static void test_exact_on_two_machines(void **state)
{
	struct synthetic a = synthetic_default(run_dir), b = synthetic_default(other_dir);
	struct hb_error e;
	struct loaded l;

	(void)state;
	a.kernels[1] = b.kernels[1] = NULL;
	a.mode = b.mode = "exact";
	a.noise = b.noise = 0;
	a.boots = b.boots = 2;
	b.name = "other";
	assert_int_equal(synthetic_write(&a), 0);
	assert_int_equal(synthetic_write(&b), 0);
	from_host(other_dir, "elsewhere");
	assert_int_equal(compare_two(&l, false, &e), 0);
	release(&l);
	b.boots = 3;
	assert_int_equal(synthetic_write(&b), 0);
	assert_int_equal(compare_two(&l, false, &e), -EXDEV);
	assert_non_null(strstr(e.text, "number of seeds differs (2, 3)"));
	release(&l);
	a.mode = b.mode = "emulated";
	assert_int_equal(synthetic_write(&a), 0);
	assert_int_equal(synthetic_write(&b), 0);
	from_host(other_dir, "elsewhere");
	assert_int_equal(compare_two(&l, false, &e), -EXDEV);
	assert_non_null(strstr(e.text, "host differs (host-1, elsewhere)"));
	assert_null(strstr(e.text, "seeds"));
	release(&l);
}

static void built_with(const char *dir, size_t kernel, const char *compiler)
{
	HB_FREE char *file = hb_strf("%s/run.json", dir);
	json_t *run = json_load_file(file, 0, NULL);

	json_object_set_new(json_array_get(json_object_get(run, "kernels"), kernel), "compiler",
			    json_string(compiler));
	assert_int_equal(json_dump_file(run, file, 0), 0);
	json_decref(run);
}

/* Two compilers are two differences; one that is not known is none. */
static void test_compilers(void **state)
{
	struct synthetic a = synthetic_default(run_dir), b = synthetic_default(other_dir);
	struct hb_error e;
	struct loaded l;

	(void)state;
	a.kernels[1] = b.kernels[1] = NULL;
	b.name = "other";
	assert_int_equal(synthetic_write(&a), 0);
	assert_int_equal(synthetic_write(&b), 0);
	built_with(run_dir, 0, "gcc 12");
	assert_int_equal(compare_two(&l, false, &e), 0);
	release(&l);
	built_with(other_dir, 0, "gcc 14");
	assert_int_equal(compare_two(&l, false, &e), -EXDEV);
	assert_non_null(strstr(e.text, "compiler of synthetic:base and other:base differs (gcc 12, "
				       "gcc 14)"));
	release(&l);

	a.kernels[1] = "hinode";
	assert_int_equal(synthetic_write(&a), 0);
	built_with(run_dir, 0, "gcc 12");
	built_with(run_dir, 1, "gcc 14");
	read_model(run_dir, &l);
	assert_non_null(l.m->pairs[0].refused);
	release(&l);
}

/* A configuration that differs beyond the series: nothing of that pair is compared. */
static void test_config(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	struct compare_options o = {0};
	struct hb_error e;
	struct loaded l;

	(void)state;
	build(&s, &l);
	compare_free(l.m);
	json_object_set_new(json_array_get(json_object_get(l.run->run, "config_diff"), 0),
			    "explained", json_false());
	assert_int_equal(compare_build(l.run, NULL, &o, &l.m, &e), 0);
	assert_int_equal(l.m->ncomparisons, 0);
	assert_non_null(strstr(l.m->pairs[0].refused, "does not explain"));
	compare_free(l.m);
	o.force = true;
	assert_int_equal(compare_build(l.run, NULL, &o, &l.m, &e), 0);
	assert_true(l.m->ncomparisons > 0);
	assert_non_null(strstr(l.m->forced, "does not explain"));
	release(&l);
}

/* Looks from 4 to 6 boots: the interval at a look is wider than that of a fixed number of boots. */
static void test_sequential(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct compare_options o = {0};
	double fixed;
	struct hb_error e;
	struct loaded l;

	(void)state;
	s.boots = 4;
	build(&s, &l);
	fixed = find(l.m, "faults-1", "faults", "hinode")->change.log_high;
	compare_free(l.m);
	json_object_set_new(l.run->run, "stopping",
			    json_pack("{s:i s:i}", "min_boots", 4, "max_boots", 6));
	assert_int_equal(compare_build(l.run, NULL, &o, &l.m, &e), 0);
	assert_true(find(l.m, "faults-1", "faults", "hinode")->change.log_high > fixed);
	release(&l);
}

/* Two machines of which one is half as fast: the difference between the arms is what it was. */
static void test_machines(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct compare_figure *a, *b;
	struct stats_block blocks[2];
	const struct comparison *c;
	struct loaded l;

	(void)state;
	s.machines = 2;
	build(&s, &l);
	assert_int_equal(l.m->nmachines, 2);
	assert_string_equal(l.m->machines[0].name, "node0");
	assert_int_equal(l.m->machines[0].boots, 18); /* 3 cells, 2 arms, 3 of 6 boots */
	c = find(l.m, "faults-1", "faults", "hinode");
	assert_int_equal(c->verdict, STATS_BETTER);
	assert_true(c->change.log_low < log(1.25) && c->change.log_high > log(1.25));
	assert_true(c->change.se < 0.02);
	a = compare_figure(l.m, c, false);
	b = compare_figure(l.m, c, true);
	/* all boots of one machine, then those of the other; their spread is that within machines
	 */
	assert_int_equal(a->of_machine[0].n, 3);
	assert_true(a->of_machine[0].estimate > 1.8 * a->of_machine[1].estimate);
	assert_true(a->boot[2] > 1.8 * a->boot[3] && a->variation < 0.05);
	compare_blocks(l.m, c, blocks);
	assert_ptr_equal(blocks[1].b_boots, b->boot + 3);
	assert_true(c->raw.rank == stats_blocks_rank_p(blocks, 2));
	/* of merged histograms as well */
	c = find(l.m, "faults-1", "fault_latency.p99", "hinode");
	assert_int_equal(c->verdict, STATS_BETTER);
	assert_true(c->change.log_low < -log(1.25) && c->change.log_high > -log(1.25));
	release(&l);
	/* One is as much faster as the other is slower: that is not the same. */
	s.contrary = 1;
	s.boots = 24;
	s.noise = 0.003;
	build(&s, &l);
	c = find(l.m, "faults-1", "faults", "hinode");
	assert_true(c->adjusted.same < 0.05);
	assert_int_equal(c->verdict, STATS_UNCLEAR);
	assert_non_null(strstr(c->why, "a machine by itself"));
	release(&l);
}

/* Different models of CPU are different cells, never one mean; in mode exact they do not matter. */
static void test_models(void **state)
{
	struct synthetic s = synthetic_default(run_dir);
	const struct comparison *c;
	struct loaded l;

	(void)state;
	s.machines = 2;
	s.models = 1;
	s.boots = 8;
	build(&s, &l);
	assert_int_equal(l.m->ngroups, 6);
	c = find(l.m, "faults-1 on Example CPU 1", "faults", "hinode");
	assert_int_equal(compare_figure(l.m, c, false)->arm.n, 4);
	assert_int_equal(c->verdict, STATS_BETTER);
	release(&l);
	s.mode = "exact";
	s.noise = 0;
	s.machines = 1;
	build(&s, &l);
	assert_int_equal(l.m->ngroups, 3);
	release(&l);
}

static void test_scale(void **state)
{
	struct compare_group g = {.tasks = 3,
				  .parameters = "a.postgres.clients=7; postgres.clients=16"};
	const char *across;

	(void)state;
	assert_true(compare_scale(&g, &across) == 16);
	assert_string_equal(across, "clients");
	g.parameters = "pmdshare.size=1G";
	assert_true(compare_scale(&g, &across) == 3);
	assert_string_equal(across, "tasks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_probability),
		cmocka_unit_test(test_interval_of_an_arm),
		cmocka_unit_test(test_nothing_differs),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_no_logarithm),
		cmocka_unit_test(test_three_boots_say_nothing),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_bad_boots_do_not_count),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_exact_disagreement),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_two_runs),
		cmocka_unit_test(test_repetitions_in_one_boot),
		cmocka_unit_test(test_compilers),
		cmocka_unit_test(test_exact_on_two_machines),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests_name("compare", tests, setup, teardown);
}
