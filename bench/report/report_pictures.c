// SPDX-License-Identifier: GPL-2.0-or-later
/* The pictures of a report, each beside what it shows. */
#include "bench/report/report.h"

static void picture(struct doc *d, const struct plot *p)
{
	bool main = d->main;

	d->main = false;
	doc_picture(d, p->stem, p->heading);
	d->main = main;
}

void report_forest(struct doc *d, const struct plot_set *pictures, enum compare_family family)
{
	for (size_t i = 0; i < pictures->n; i++) {
		const struct plot *p = &pictures->plots[i];

		if (!p->why && p->kind == PLOT_FOREST && p->family == family)
			picture(d, p);
	}
}

void report_pictures(struct doc *d, const struct plot_set *pictures, unsigned int first,
		     unsigned int end, bool laws)
{
	for (size_t i = 0; i < pictures->n; i++) {
		const struct plot *p = &pictures->plots[i];

		if (!p->why && p->kind != PLOT_FOREST && p->first >= first && p->first < end &&
		    (p->kind == PLOT_CAPACITY) == laws)
			picture(d, p);
	}
}

void report_no_pictures(struct doc *d, const struct plot_set *pictures)
{
	bool headed = false;

	for (size_t i = 0; i < pictures->n; i++) {
		const struct plot *p = &pictures->plots[i];

		if (!p->why)
			continue;
		if (!headed)
			doc_heading(d, 2, "Pictures that were not made");
		headed = true;
		doc_item(d, "-", "%s: %s", p->heading, p->why);
	}
}
