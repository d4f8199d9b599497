/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How `check` and `oracle` print what stands behind a verdict. */
#ifndef HB_EVIDENCE_H
#define HB_EVIDENCE_H

#include "bench/result/load.h"

/* Lines under a cell on stdout: blocked call chains, telling lines of the log, what was achieved.
 */
void evidence_print(const struct load_cell *c);

#endif
