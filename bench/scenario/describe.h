/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent has: workloads, antagonists, their options and metrics, as `hugebench-agent
 * --describe` tells. */
#ifndef HB_DESCRIBE_H
#define HB_DESCRIBE_H

#include <jansson.h>

#include "bench/base/util.h"

/*
 * Run @agent with --describe and check the form of its answer. New reference to the array of
 * workloads, or NULL with the reason.
 */
json_t *describe_agent(const char *agent, struct hb_error *e);
/* The entry of workload or antagonist @name (borrowed), or NULL. */
const json_t *describe_find(const json_t *workloads, const char *name);
/* Is the entry an antagonist? */
bool describe_is_antagonist(const json_t *workload);

#endif
