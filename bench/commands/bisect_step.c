// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/build/kernel.h"
#include "bench/commands/bisect_step.h"
#include "bench/commands/commands.h"
#include "bench/commands/own_run.h"
#include "bench/result/compare.h"

/* The figure that is looked for and what was found: own_run_show() passes nothing through. */
static struct {
	const char *label;
	double value;
	char reason[512];
} found;

/* All labels of the model, for the message. */
static void list_labels(const struct compare_model *m)
{
	size_t n = snprintf(found.reason, sizeof(found.reason),
			    "there is no figure '%s'; there are:", found.label);

	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int i = 0; i < m->groups[g].nmetrics; i++) {
			HB_FREE char *label = compare_label(m, g, i);

			if (label && m->groups[g].metrics[i].primary && n < sizeof(found.reason))
				n += snprintf(found.reason + n, sizeof(found.reason) - n, " '%s'",
					      label);
		}
}

/* Is metric @i of group @g the one that is looked for: by its label, or without the cell's name? */
static bool is_wanted(const struct compare_model *m, unsigned int g, unsigned int i)
{
	HB_FREE char *label = compare_label(m, g, i);

	return (label && !strcmp(label, found.label)) ||
	       !strcmp(m->groups[g].metrics[i].label, found.label);
}

static int take_figure(const struct compare_model *m)
{
	for (unsigned int g = 0; g < m->ngroups; g++)
		for (unsigned int i = 0; i < m->groups[g].nmetrics; i++)
			if (is_wanted(m, g, i)) {
				found.value = m->groups[g].figures[i * m->narms].arm.estimate;
				return 1;
			}
	return 0;
}

/* Why the run has no figures: its first boot that was no good. */
static void take_verdict(const struct load_run *run)
{
	for (size_t i = 0; i < run->ncells; i++)
		if (run->cells[i].verdict != CELL_OK) {
			snprintf(found.reason, sizeof(found.reason), "%s: %s",
				 cell_verdict_name(run->cells[i].verdict),
				 run->cells[i].reason ? run->cells[i].reason : "");
			return;
		}
}

static int evaluate(const struct load_run *run, struct hb_error *e)
{
	const struct compare_options options = {0};
	struct compare_model *m = NULL;
	int rc = compare_build((struct load_run *)run, NULL, &options, &m, e);

	if (rc)
		return rc;
	if (!take_figure(m))
		list_labels(m);
	if (isnan(found.value))
		take_verdict(run);
	compare_free(m);
	return 0;
}

/* Does the kernel build? Known apart from a run that fails, which says nothing of the commit. */
static enum bisect_status build(const char *place, struct hb_error *e)
{
	struct kernel k;
	int rc = kernel_resolve(place, &k, e);

	if (rc)
		return rc == -EIO ? BISECT_SKIP : BISECT_STOP;
	kernel_free(&k);
	return BISECT_GOOD;
}

static void write_log(const char *log, const char *commit, double value)
{
	HB_FCLOSE FILE *f = fopen(log, "ae");

	if (f)
		fprintf(f, "%s %.17g\n", commit, value);
}

bool bisect_find(const char *log, const char *commit, double *value)
{
	HB_FCLOSE FILE *f = fopen(log, "re");
	char name[128];

	while (f && fscanf(f, "%127s %lf", name, value) == 2)
		if (!strcmp(name, commit))
			return true;
	return false;
}

enum bisect_status bisect_measure(const struct bisect *b, const char *commit, double *value,
				  struct hb_error *e)
{
	HB_FREE char *place = hb_strf("%s@%.16s", b->tree, commit);
	struct own_run_args args = {.scenario = b->scenario, .kernels = place, .cells = b->cells};
	enum bisect_status status;
	int rc;

	if (bisect_find(b->log, commit, value))
		return BISECT_GOOD;
	status = place ? build(place, e) : BISECT_STOP;
	if (status != BISECT_GOOD)
		return status;
	memcpy(args.options, b->options, sizeof(args.options));
	found.label = b->figure;
	found.value = NAN;
	*found.reason = 0;
	rc = own_run_show(&args, "bisect", evaluate);
	if (rc != EXIT_OK && rc != EXIT_CELLS) {
		hb_error_set(e, -EIO, "the run did not work out");
		return BISECT_STOP;
	}
	if (isnan(found.value)) {
		hb_error_set(e, -ENODATA, "%s", *found.reason ? found.reason : "no figure");
		return BISECT_SKIP;
	}
	*value = found.value;
	write_log(b->log, commit, *value);
	return BISECT_GOOD;
}
