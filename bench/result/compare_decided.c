// SPDX-License-Identifier: GPL-2.0-or-later
/* Has a run that may stop early found what it is for? */
#include <math.h>

#include "bench/result/compare.h"

int compare_decided(const char *run_dir, bool *decided, struct hb_error *e)
{
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run;
	int err = load_run(run_dir, &run, e);

	*decided = false;
	if (err)
		return err;
	err = compare_build(run, NULL, &options, &m, e);
	for (size_t i = 0; !err && i < m->ncomparisons; i++) {
		const struct comparison *c = &m->comparisons[i];

		/*
		 * What has no change gets none by more boots: all boots of an arm hang, or each has
		 * too few values for the percentile.
		 */
		if (!compare_is_main(m, c) || isnan(c->change.log_ratio))
			continue;
		*decided = c->verdict != STATS_UNCLEAR;
		if (!*decided)
			break;
	}
	compare_free(m);
	load_free(run);
	return err;
}
