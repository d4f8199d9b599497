// SPDX-License-Identifier: GPL-2.0-or-later
/* Figures that were published for the same work, beside those of the run. */
#include "bench/report.h"

void report_published(const struct compare_model *m, struct doc *d)
{
	(void)m;
	(void)d;
}
