/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a cell ended (README, "A bad end is a result"). */
#ifndef HB_BASE_VERDICT_H
#define HB_BASE_VERDICT_H

enum cell_verdict {
	CELL_OK,
	CELL_DIRTY,
	CELL_PANIC,
	CELL_HANG,
	CELL_TIMEOUT,
	CELL_INVALID,
	CELL_SKIP,
	CELL_VERDICTS,
};
const char *cell_verdict_name(enum cell_verdict v);
/* The verdict called @name; CELL_VERDICTS when there is none. */
enum cell_verdict cell_verdict_find(const char *name);

#endif
