/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of a report: arms, groups of cells that differ by the arm alone, a figure per metric
 * and arm, a comparison per metric and pair of arms. What may not be compared is refused with the
 * reason. No output here: the renderers read the model.
 */
#ifndef HB_COMPARE_H
#define HB_COMPARE_H

#include <string.h>

#include "bench/result/load.h"
#include "bench/result/stats_blocks.h"

struct compare_options {
	bool force;    /* compare what would be refused; the model carries the reasons */
	double margin; /* of equivalence, as a fraction; 0: STATS_MARGIN */
	double limit;  /* ns: how many connections stay below it at p99; 0: one that suits the data
			*/
};

struct compare_arm {
	struct load_run *run;
	const json_t *kernel; /* entry of run.json */
	const char *name;     /* of the kernel, in the run's strings */
	char *label;	      /* the name, or RUN:NAME when two runs are read */
	int control_of;	      /* index of the arm that this one repeats unchanged, -1: none */
	bool one_boot; /* mode native: it was measured more than once within a boot of the machine
			*/
};

/* Boots of one group and arm; a declared warm-up boot is counted apart and used for nothing. */
struct compare_tally {
	unsigned int boots, warmup_boots;
	unsigned int expected;	/* bad ones that the scenario expects */
	unsigned int surprises; /* good ones where the scenario expects something else */
	unsigned int by[CELL_VERDICTS];
};

/*
 * Comparisons that are corrected together. Main, fixed by the metadata before anything is measured:
 * of every workload its throughput (the first primary figure of a unit) and the p99 of every
 * primary distribution. These carry the claims, "same" as much as "better" and "worse"; a false one
 * among all of them has at most the probability alpha (Holm). Everything else, antagonists too, is
 * secondary: a finding to look into, at most a part alpha of them false on average (Benjamini and
 * Hochberg).
 */
enum compare_family {
	COMPARE_MAIN,
	COMPARE_SECONDARY,
	COMPARE_FAMILIES,
};

struct compare_metric {
	const char *source, *name, *unit, *role;
	char *label; /* "faults", "fault_latency.p99" */
	enum metric_kind kind;
	enum metric_better better;
	bool primary; /* in the tables */
	enum compare_family family;
	bool judged;	 /* false: shown only (better is neither, or a maximum) */
	double quantile; /* METRIC_HIST: 0..1 */
};

struct compare_figure {
	struct stats_arm arm;
	double *boot;		      /* arm.n figures, in the order of machines and boots */
	uint64_t *seed;		      /* of these boots; NULL: a distribution */
	struct stats_arm *of_machine; /* model.nmachines, whose boots follow each other in boot[] */
	double variation; /* between boots, as a fraction of the mean; NAN below 2 of one machine */
	double within; /* mean over boots of the variation between intervals; NAN: no intervals */
	bool sparse;   /* a percentile with fewer than 10 values above it in a boot */
};

struct compare_group {
	const char *cell, *workloads, *antagonists, *parameters;
	unsigned int tasks;
	struct compare_tally *tally; /* per arm */
	struct compare_metric *metrics;
	unsigned int nmetrics;
	struct compare_figure *figures; /* [metric * narms + arm] */
	double overhead_ns; /* mean cost of a boot beyond its measured and warm-up phases; NAN */
	char *refused;	    /* why the arms of this group may not be compared, or NULL */
};

/* Boots of different models of CPU stand in different groups (load_strata()). */
struct compare_machine {
	const char *id, *name, *cpu_model;
	unsigned int boots; /* whose figures count */
};

struct compare_pair {
	unsigned int a, b; /* arms */
	bool control;	   /* b repeats a unchanged */
	char *refused;
};

struct comparison {
	unsigned int group, metric, pair;
	struct stats_change change;
	struct stats_evidence raw, adjusted; /* over the family; the rank test is not */
	double rank_floor;		     /* the smallest p of the rank test with these boots */
	bool apart; /* the change of a machine by itself is beyond the margin of "same" */
	enum stats_verdict verdict;
	const char *why; /* for an unclear verdict, one of a few fixed texts, or NULL */
};

struct compare_model {
	struct load_run *runs[2]; /* borrowed; [1] may be NULL */
	struct compare_arm *arms;
	unsigned int narms;
	struct compare_pair *pairs;
	unsigned int npairs;
	struct compare_group *groups;
	unsigned int ngroups;
	struct comparison *comparisons;
	size_t ncomparisons;
	struct compare_machine *machines; /* by name */
	unsigned int nmachines;
	bool only_controls;		    /* no pair but those of control arms: an A/A run */
	size_t tested[2][COMPARE_FAMILIES]; /* comparisons corrected together; [1]: the controls' */
	struct stats_rule rule;
	double limit;			    /* of compare_options */
	struct stats_sequential sequential; /* max_boots 0: the number of boots was fixed */
	char *forced;			    /* reasons overridden by force, or NULL */
};

/*
 * Build the model of one run, or of two (@second NULL: one). -EXDEV: two runs that may not be
 * compared, with every reason in the message; -EINVAL: they are one and the same. Damaged
 * histograms and intervals are named through load_problem(). Release with compare_free(); the runs
 * are borrowed.
 */
int compare_build(struct load_run *first, struct load_run *second, const struct compare_options *o,
		  struct compare_model **model, struct hb_error *e);
void compare_free(struct compare_model *m);

/* Instructions of fixed work, the same in every boot: there is no spread and nothing to test. */
static inline bool compare_is_exact(const struct compare_model *m)
{
	return m->runs[0]->counted;
}

/* The least and the greatest difference of a layout that both arms have; false: there is none. */
bool compare_exact_range(const struct compare_model *m, const struct comparison *c, double *low,
			 double *high);

static inline const struct compare_figure *compare_figure(const struct compare_model *m,
							  const struct comparison *c, bool b)
{
	const struct compare_pair *p = &m->pairs[c->pair];

	return &m->groups[c->group].figures[c->metric * m->narms + (b ? p->b : p->a)];
}

static inline const struct compare_metric *compare_metric(const struct compare_model *m,
							  const struct comparison *c)
{
	return &m->groups[c->group].metrics[c->metric];
}

/* The comparison of a metric and pair, or NULL. */
static inline const struct comparison *compare_find(const struct compare_model *m,
						    unsigned int group, unsigned int metric,
						    unsigned int pair)
{
	for (size_t i = 0; i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];

		if (c->group == group && c->metric == metric && c->pair == pair)
			return c;
	}
	return NULL;
}

/* Is it a claim, not a secondary figure or one of a control arm? */
static inline bool compare_is_main(const struct compare_model *m, const struct comparison *c)
{
	const struct compare_metric *metric = compare_metric(m, c);

	return metric->family == COMPARE_MAIN && metric->judged && !m->pairs[c->pair].control;
}

/* Is the pair shown in tables and pictures? Of control arms only where there is nothing else. */
static inline bool compare_is_shown(const struct compare_model *m, unsigned int pair)
{
	return m->pairs[pair].control == m->only_controls;
}

/* "main" or "secondary". */
const char *compare_family_name(enum compare_family family);
/* "faults-4 fault_latency.p99", with the source where it is not the only workload; NULL: no memory.
 */
char *compare_label(const struct compare_model *m, unsigned int group, unsigned int metric);
/* Index of a metric in a group by source and label; g->nmetrics: it has none. */
unsigned int compare_find_metric(const struct compare_group *g, const char *source,
				 const char *label);
/* Groups first..end-1 have the workloads and antagonists of group @first: a section of the report.
 */
unsigned int compare_section_end(const struct compare_model *m, unsigned int first);
/*
 * What a sweep goes over: clients of the database, else tasks. *@across is its name; returns the
 * group's value.
 */
double compare_scale(const struct compare_group *g, const char **across);
/* Interval of one arm's figure at 1 - alpha; false: a single boot or no figure, both are the
 * estimate. */
bool compare_arm_interval(const struct compare_figure *f, double alpha, double *low, double *high);
/*
 * What every machine gave of a comparison, into @blocks, of m->nmachines; boots are borrowed. In
 * mode exact machines do not matter and are one. Returns how many blocks there are.
 */
size_t compare_blocks(const struct compare_model *m, const struct comparison *c,
		      struct stats_block *blocks);
/*
 * Is the change of one of several machines by itself beyond @margin, a log ratio? With its interval
 * of Bonferroni's width, or one of many would be by chance.
 */
bool compare_machine_leaves(const struct stats_block *blocks, size_t n, double margin);
/* The order of the machines of two boots, as that of m->machines. */
int compare_machine_order(const struct load_cell *a, const struct load_cell *b);
/* The index of the machine that @c ran on; m->nmachines: none of those with good boots. */
unsigned int compare_machine_of(const struct compare_model *m, const struct load_cell *c);
/* Merged distribution of the good boots of a group and arm; count 0: there is none. */
int compare_merged(const struct compare_model *m, const struct compare_group *g, unsigned int arm,
		   const struct compare_metric *metric, struct hist *merged);

/* Figures of all groups (compare_figures.c). */
int compare_figures(struct compare_model *m, struct hb_error *e);
/* Verdict of counts of instructions (compare_exact.c). */
void compare_exact(const struct compare_model *m, struct comparison *c);
/* Machines with good boots (compare_machines.c). 0 or -ENOMEM. */
int compare_machines(struct compare_model *m);
/* Arms and pairs, and whether they may be paired (compare_pairs.c). */
int compare_pairs(struct compare_model *m, const struct compare_options *o, struct hb_error *e);
/*
 * For a run that stops early: which cells need no more boots, every main figure of theirs having a
 * verdict (better, worse or same, at the level of this look, run.json "stopping")? Their names
 * become keys of @cells. *@all: no cell needs any, and there is one that has a verdict. Call it
 * after complete rounds only: each call at a new number of boots is a look.
 */
int compare_decided(const char *run_dir, json_t *cells, bool *all, struct hb_error *e);

#endif
