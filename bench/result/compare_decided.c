// SPDX-License-Identifier: GPL-2.0-or-later
/* Has a run that may stop early found what it is for? */
#include <math.h>

#include "bench/result/compare.h"

/*
 * One main figure: a cell with one that is unclear (false) is not decided. What has no change gets
 * none by more boots: all boots of an arm hang, or each has too few values for the percentile.
 */
static int take(const struct compare_model *m, const struct comparison *c, json_t *cells)
{
	const char *cell = m->groups[c->group].cell;
	bool unclear = c->verdict == STATS_UNCLEAR;

	if (!compare_is_main(m, c) || isnan(c->change.log_ratio))
		return 0;
	if (json_is_false(json_object_get(cells, cell)))
		return 0;
	return json_object_set_new(cells, cell, json_boolean(!unclear));
}

int compare_decided(const char *run_dir, json_t *cells, bool *all, struct hb_error *e)
{
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run;
	const char *cell;
	json_t *decided;
	void *next;
	int err = load_run(run_dir, &run, e);

	*all = false;
	if (err)
		return err;
	err = compare_build(run, NULL, &options, &m, e);
	for (size_t i = 0; !err && i < m->ncomparisons; i++)
		if (take(m, &m->comparisons[i], cells))
			err = hb_error_set(e, -ENOMEM, "no memory");
	*all = !err && json_object_size(cells);
	json_object_foreach_safe(cells, next, cell, decided)
	{
		if (json_is_true(decided))
			continue;
		*all = false;
		json_object_del(cells, cell);
	}
	compare_free(m);
	load_free(run);
	return err;
}
