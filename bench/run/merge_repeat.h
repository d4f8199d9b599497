/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot of mode exact that was made twice has the same digits, on whatever machines. */
#ifndef HB_MERGE_REPEAT_H
#define HB_MERGE_REPEAT_H

#include "bench/run/merge.h"

/*
 * Compare the two cell.json of a boot, of the run whose run.json is @record and of a copy. The
 * outcome goes into "repeated" of @record, which is not written here, and is counted. Nothing is
 * said of a boot that is not OK on either side, for it has no digits, nor of one that was copied. 0
 * or -ENOMEM.
 */
int merge_repeat(json_t *record, const json_t *ours, const json_t *theirs,
		 struct merge_count *count, struct hb_error *e);

#endif
