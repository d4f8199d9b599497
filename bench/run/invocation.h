/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HB_INVOCATION_H
#define HB_INVOCATION_H

#include <jansson.h>

/*
 * What the words of the command line need to mean the same in another shell: run.json
 * "invocation". @results: of --results, or NULL; @name: of the run. New reference, NULL without
 * memory.
 */
json_t *invocation(const char *results, const char *name);

#endif
