/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files spec*.c share while one scenario is read; not for others. */
#ifndef HB_SPEC_READ_H
#define HB_SPEC_READ_H

#include <string.h>

#include "bench/scenario/spec.h"
#include "bench/host/ini.h"

#define SPEC_CELL_PREFIX "cell " /* of a section's name */

struct spec_reader {
	struct ini_file ini;
	const json_t *workloads; /* describe_agent() */
	unsigned int vcpus;	 /* what the word stands for */
	struct spec *spec;	 /* being filled */
	struct hb_error *e;
};

/* The name that was meant, zero-initialised. */
struct spec_nearest {
	unsigned int distance;
	char name[HB_OPTION_STRING];
};

static inline bool spec_is_cell(const struct ini_section *s)
{
	return !strncmp(s->name, SPEC_CELL_PREFIX, strlen(SPEC_CELL_PREFIX));
}

static inline bool spec_has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* The row called @name, or NULL. */
const struct option_row *spec_row_find(const struct option_row *rows, const char *name);
/* Keep @candidate as @n->name when no other was nearer to @wanted. */
void spec_nearest_try(struct spec_nearest *n, const char *wanted, const char *candidate);

/* Apply one "key=value" or "CELL:key=value" of the command line to r->ini. */
int spec_override_apply(struct spec_reader *r, const char *text);
/* Put numbers for "vcpus", "vcpus/N" and "vcpus*N" where r->ini counts tasks or clients. */
int spec_vcpus_resolve(struct spec_reader *r);
/* Append to r->spec the cells of section @s: one, or one for every combination of its sweeps. */
int spec_section_cells(const struct spec_reader *r, const struct ini_section *s);
/* Append the cell @name that @s describes, whose sweeps are resolved. */
int spec_cell_add(const struct spec_reader *r, const struct ini_section *s, const char *name);
/* "expect.KERNEL = VERDICT[, VERDICT]" into the object @expect. */
int spec_expect_set(const struct spec_reader *r, json_t *expect, const struct ini_entry *entry);
/*
 * Does the cell name the workload or antagonist @name (@len bytes)? Errors count as no; they are
 * found when the cell is added.
 */
bool spec_section_uses(const struct ini_section *s, const char *name, size_t len);

#endif
