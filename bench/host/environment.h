/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a figure depends on besides the kernel that is measured: one object, made once per run and
 * kept in run.json as "environment" (results/FORMAT.md has its members). Two sittings of a run, and
 * two runs that are compared, are held against each other by it.
 */
#ifndef HB_ENVIRONMENT_H
#define HB_ENVIRONMENT_H

#include <jansson.h>
#include <stddef.h>

#include "bench/host/memory.h"
#include "bench/host/placement.h"

#define ENVIRONMENT_FORMAT 2 /* member "format"; the first one had none */

/* "model name" of the first CPU, "" when it cannot be read; returns @buf. */
char *environment_cpu_model(char *buf, size_t len);
/*
 * The clock source of the running kernel, "tsc"; owned by the caller, NULL when it cannot be read.
 * @root stands before /sys: "" but in tests.
 */
char *environment_clock(const char *root);
/* The members about this machine, and of no kernels yet; new reference, NULL without memory. */
json_t *environment_of_host(void);
/*
 * Add the kernel of arm @name, the build-id and what it was compiled by (NULL: not known, it was
 * not built here). 0 or -ENOMEM.
 */
int environment_add_kernel(json_t *environment, const char *name, const char *build_id,
			   const char *compiler);
/* Add to @environment where the guests' @vcpus run and their memory lies. 0 or -ENOMEM. */
int environment_add_guest(json_t *environment, const struct placement *p, unsigned int vcpus,
			  const struct memory *m);

/* Whose environments are held against each other. */
enum environment_scope {
	ENVIRONMENT_SITTINGS, /* of one run */
	ENVIRONMENT_RUNS,     /* may be of other kernels, and other boots of the host */
	ENVIRONMENT_MACHINES, /* that share a run: only what all of them must have alike */
};

/*
 * What differs between @was and @now, of what figures of @mode depend on, each with both values:
 * "QEMU differs (7.2.22, 10.0.2); ...". A member that one of them lacks is "not known" there, a
 * difference, unless one was recorded by an earlier version, or no guest had run then. *@text is
 * NULL when nothing differs, else the caller's; 0 or -ENOMEM.
 */
int environment_difference(const json_t *was, const json_t *now, const char *mode,
			   enum environment_scope scope, char **text);
/* The members of @now that @was has not so, and always the host and its boot; new reference. */
json_t *environment_news(const json_t *was, const json_t *now);

#endif
