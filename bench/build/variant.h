/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptions of kernel variants: NAME.ini in kernels/variants/, kernels/local/ or
 * $HUGEBENCH_KERNELS. */
#ifndef HB_VARIANT_H
#define HB_VARIANT_H

#include <jansson.h>

#include "bench/build/source.h"

struct variant {
	char *name;	      /* of the file, without .ini */
	char *file;	      /* the description itself */
	char *description;    /* one line */
	char *note;	      /* one line, or NULL */
	struct source source; /* where the tree comes from; unused with bzimage and package */
	char *bzimage;	      /* a ready kernel, or NULL */
	char *package;	      /* or a distribution's: its name, a shell pattern, or NULL */
	char *suite;	      /* of the package */
	char *modules;	      /* of a ready kernel: .../lib/modules/RELEASE, or NULL */
	char *config;	      /* full .config to start from (or of bzimage), or NULL: allnoconfig */
	json_t *patches;      /* in order, relative to kernels/ or with a / in front */
	json_t *fragments;    /* the same */
	int timed;	      /* 0: for correctness only, never to be timed */
	int strict;	      /* 1: every line of the fragments must survive olddefconfig */
};

/*
 * Read variant @name of the clone at @root, or make up that of a place (kernel_place.h), which is
 * configured by timed.config as far as it knows the symbols. "STEM.N", where there is no file of
 * that name, is variant STEM with the first N of its patches. -ENOENT: there is none, the message
 * lists those there are; -EINVAL: the description is wrong, the message has file and line. Release
 * with variant_free().
 */
int variant_load(const char *root, const char *name, struct variant *v, struct hb_error *e);
void variant_free(struct variant *v);
/*
 * Append to @names every step from variant @from to variant @to, whose patches begin with those of
 * @from: FROM, TO.N, ..., TO. -EINVAL: they do not; else as variant_load().
 */
int variant_steps(const char *root, const char *from, const char *to, json_t *names,
		  struct hb_error *e);
/* Path of one of the patches or fragments; owned by the caller, NULL without memory. */
char *variant_input(const char *root, const char *input);
/* Names of all variants, the shipped ones first, each group sorted; new reference, NULL without
 * memory. */
json_t *variant_names(const char *root);

#endif
