/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host is and what makes it noisy or unfit. */
#ifndef HB_DOCTOR_H
#define HB_DOCTOR_H

#include <jansson.h>

/* [{check, state: ok|note|warn|bad, detail, mend}]: mend is the command that mends it, or ""; new
 * reference. */
json_t *doctor_check(void);
/*
 * Those of the checks that read settings under /proc and /sys, in the tree below @root ("" is this
 * machine). A setting that the machine does not have gives no row.
 */
json_t *doctor_check_settings(const char *root);
/* run.json's "host" object with the checks inside; the lstopo XML goes to @topology_path (NULL:
 * not); new reference. */
json_t *doctor_host(const char *topology_path);

#endif
