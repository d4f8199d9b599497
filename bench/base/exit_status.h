/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hugebench's exit statuses mean. */
#ifndef HB_BASE_EXIT_STATUS_H
#define HB_BASE_EXIT_STATUS_H

enum exit_status {
	EXIT_OK = 0,
	EXIT_CELLS = 1, /* the run finished, some cell is not as expected */
	EXIT_USAGE = 2, /* bad usage or scenario */
	EXIT_HOST = 3,	/* the host lacks something */
	EXIT_INT = 130, /* interrupted; finished cells are kept */
};

#endif
