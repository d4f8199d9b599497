/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel variant: described in a file of its own (variant.h), built once, cached. */
#ifndef HB_KERNEL_H
#define HB_KERNEL_H

#include <jansson.h>

#include "bench/base/util.h"

struct kernel {
	char *name;	   /* of the variant */
	char *description; /* one line */
	char *note;	   /* what a reader of a result should know, or NULL */
	char *version;	   /* "5.10.262" */
	char *build_id;	   /* hexadecimal GNU build-id of vmlinux; as /sys/kernel/notes shows it */
	char *source;	   /* "linux-source-5.10 5.10.262-1", path of a tarball, or "tree@ref" */
	char *compiler;	   /* and linker, as toolchain_find() has them; NULL: built elsewhere */
	char *bzimage;	   /* path */
	char *bzimage_exact; /* path of the same without PAUSE, after kernel_exact(); else NULL */
	char *config;	     /* path of the .config */
	json_t *settings;    /* what is in it, as kconfig_read() has it */
	char *modules;	     /* cpio archive of the modules that a guest loads, or NULL */
	json_t *loaded;	     /* symbols that they stand for, or NULL */
	char *broken;	     /* why there is no bzimage, or NULL */
	json_t *series;	     /* array of patch files, in order, as in struct variant */
};

/*
 * Find variant @name, which may be a place (kernel_place.h), build it unless the cache has it for
 * exactly these inputs (source, patches, fragments, compiler), check the wanted CONFIG_ symbols.
 * Progress goes to stderr. -ENOENT: no such variant (message lists them); -ENODEV: source or tools
 * missing (message has the command); -EIO: a patch does not apply or the build failed (message
 * names the log). Release with kernel_free().
 */
int kernel_resolve(const char *name, struct kernel *k, struct hb_error *e);
/* The same for the clone at @root with the existing cache directory @cache. */
int kernel_resolve_in(const char *root, const char *cache, const char *name, struct kernel *k,
		      struct hb_error *e);
/* Make the image for several vCPUs in mode exact, or find it; errors as pause_remove(). */
int kernel_exact(struct kernel *k, struct hb_error *e);
/* Has it @symbol ("CONFIG_USERFAULTFD"): built in, or as a module that guests load? */
bool kernel_has(const struct kernel *k, const char *symbol);
/* Has it all that a guest needs? -EINVAL with the symbols that are missing. */
int kernel_check_guest(const struct kernel *k, struct hb_error *e);
void kernel_free(struct kernel *k);
/*
 * Fill @k for variant @name that could not be built, @why; version, build_id and source are "",
 * bzimage, config and settings NULL. Errors as kernel_resolve().
 */
int kernel_broken(const char *name, const char *why, struct kernel *k, struct hb_error *e);
/* Append to @names those that @range, "FROM..TO", stands for; see variant_steps(). */
int kernel_steps(const char *range, json_t *names, struct hb_error *e);
/* Is there a variant @name, and can its file be read? Builds nothing. Errors as kernel_resolve().
 */
int kernel_check(const char *name, struct hb_error *e);
/* Names and descriptions of all variants: [{name, description, series, cached}]; new reference. */
json_t *kernel_list(void);

#endif
