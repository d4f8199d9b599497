/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports of a run: one model (compare.h), one document (doc.h), several forms. */
#ifndef HB_REPORT_H
#define HB_REPORT_H

#include <jansson.h>

#include "bench/result/compare.h"
#include "bench/report/doc.h"
#include "bench/report/plot.h"

/*
 * Write summary.csv, report.txt, report.md, report.html and plots/ of the run in @run_dir; nothing
 * is booted. Pictures need gnuplot: without it the reports say so and stand. The same raw data
 * give the same bytes on any machine. Errors: the run cannot be read, or a file not written.
 */
int report_run(const char *run_dir, struct hb_error *e);

enum report_format {
	REPORT_TEXT,
	REPORT_MARKDOWN,
	REPORT_HTML,
	REPORT_CSV,
	REPORT_JSON,
};

/*
 * Write the report of @m to @out; @d is report_build()'s, @only_main leaves the appendices of text
 * and Markdown out. 0, -ENOMEM or -EIO.
 */
int report_render(const struct compare_model *m, const struct doc *d, enum report_format format,
		  bool only_main, FILE *out);
/* summary.csv: a row per comparison, columns fixed. */
int report_csv(const struct compare_model *m, FILE *out);
/* Everything of the model as JSON; new reference, NULL without memory. */
json_t *report_json(const struct compare_model *m);
/*
 * The document, with its tables (report_build.c): it begins with the main figures in one of them.
 * @only_summary: what explains that table follows, and nothing else.
 */
void report_build(const struct compare_model *m, struct doc *d, bool only_summary);
/* Its parts, in files of their own. */
void report_title(const struct compare_model *m, struct doc *d);     /* report_intro.c */
void report_introduce(const struct compare_model *m, struct doc *d); /* report_intro.c */
/* Of KERNELS=FROM..TO: main figures from step to step, a table for each; else nothing. */
void report_steps(const struct compare_model *m, struct doc *d); /* report_steps.c */
/* Is the pair in these tables, or of a step and an arm that is none? All but the first and last. */
bool report_is_step(const struct compare_model *m, unsigned int pair);
void report_published(const struct compare_model *m, struct doc *d); /* report_published.c */
void report_capacity(const struct compare_model *m, struct doc *d,
		     const struct plot_set *pictures); /* report_capacity.c */
/* What operations waited for, where that was observed, and what observing cost. */
void report_waits(const struct compare_model *m, struct doc *d);   /* report_waits.c */
void report_closing(const struct compare_model *m, struct doc *d); /* report_closing.c */
void report_again(const struct compare_model *m, struct doc *d);   /* report_again.c */
/* Is it a percentile of so few values that it would be another name for the maximum? */
bool report_is_sparse(const struct compare_model *m, const struct compare_group *g,
		      unsigned int metric, unsigned int arm);
/*
 * Has a cell something to say of a main metric? A maximum is one value of one boot: it stands in a
 * table of its own. A cell that has figures, but not this one, or percentiles of too few values,
 * has not; one without any figure shows its verdict, of a distribution once.
 */
bool report_row_wanted(const struct compare_model *m, unsigned int group,
		       const struct compare_metric *metric);
/* Rows of the tables of main figures that hold no comparison. */
void report_not_compared(const struct compare_model *m, struct doc *d);
/* What unclear verdicts leave open; then what the tables do not show (report_findings.c). */
void report_unclear(const struct compare_model *m, struct doc *d);
void report_findings(const struct compare_model *m, struct doc *d, const struct plot_set *pictures);

/* Of several machines: which, and their spread; and verdicts that some contradict
 * (report_machines.c). */
void report_machines(const struct compare_model *m, struct doc *d);
void report_disagreement(const struct compare_model *m, struct doc *d);

/* Pictures, no part of the short form, where the document is (report_pictures.c). */
void report_forest(struct doc *d, const struct plot_set *pictures, enum compare_family family);
/* Those of groups first..end-1: what was measured, or the law of how it scales. */
void report_pictures(struct doc *d, const struct plot_set *pictures, unsigned int first,
		     unsigned int end, bool laws);
/* Why others were not made. */
void report_no_pictures(struct doc *d, const struct plot_set *pictures);

/* A footnote says what befell the boots of one group and arm; numbered in the order of the report.
 */
struct report_notes {
	unsigned int *number; /* [group * narms + arm], 0: none yet */
	unsigned int last;
};
/* The number of the footnote, a new one if need be; 0: all boots are OK (report_boots.c). */
unsigned int report_note(const struct compare_model *m, struct report_notes *n, unsigned int group,
			 unsigned int arm);
unsigned int report_bad_boots(const struct compare_tally *t);
/* The footnotes. */
void report_boots(const struct compare_model *m, struct doc *d, struct report_notes *n);

/* Texts of figures; owned by the caller, NULL without memory. Units: "ns" is scaled to us, ms, s.
 */
char *report_value(double v, const char *unit);
/* "393.0k ±1.2%": with the variation between boots when there is one. */
char *report_figure(const struct compare_figure *f, const char *unit);
char *report_percent(double log_ratio); /* "+1.2%", "from 0", "to 0" or "-" */
/* False: NAN, or a bound or effect beyond any factor that means something. */
bool report_sensible(double log_ratio);
/* "-0.4..+1.8", in per cent; "-": none, or one that reaches beyond what makes sense. */
char *report_interval(const struct stats_change *c);
/* The same, or the difference of exact figures; @c NULL: nothing was compared. */
char *report_spread(const struct compare_model *m, const struct stats_change *change,
		    const struct comparison *c);
/* "worse", of a secondary figure "(worse)", or "-" when nothing was found. */
char *report_judged(const struct compare_model *m, const struct comparison *c);
/* Columns of the last table that compares two arms: @head, both, the change and its verdict. */
void report_pair_columns(const struct compare_model *m, struct doc *d, const struct compare_pair *p,
			 const char *head, bool left);
/* Columns of the last table: @head, and one for every arm that fits. */
void report_arm_columns(const struct compare_model *m, struct doc *d, const char *head, bool left);
const char *report_unit(const struct compare_metric *metric); /* "1/s", "time" for ns */

#endif
