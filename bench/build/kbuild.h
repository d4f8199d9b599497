/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building one kernel: unpack, patch, configure, check the configuration, compile. */
#ifndef HB_KBUILD_H
#define HB_KBUILD_H

#include <jansson.h>

#include "bench/build/variant.h"

/* Part of the cache key: raise it when the steps below give another kernel from the same input. */
#define KBUILD_STEPS "1"

struct kbuild {
	const char *root;	 /* of the clone */
	const char *cache;	 /* cache directory */
	const struct variant *v; /* not a ready bzImage */
	const char *work;	 /* scratch directory, emptied first; receives
				    out/{bzImage,config,System.map} */
	const char *label;	 /* of the source, for messages */
	bool keep;		 /* somebody will work on what is built in @work */
};

/*
 * Build; progress with an estimate goes to stderr. On success *@facts is {version, build_id,
 * compiled, seconds} (new reference). -EIO: a patch does not apply, a wanted CONFIG_ line is lost,
 * or the compiler failed; the log that the message names is kept. -ENOSPC, -ENOMEM: too little
 * disk or memory to begin.
 */
int kbuild_run(const struct kbuild *b, json_t **facts, struct hb_error *e);

/*
 * Check that the last line for each symbol of @fragments (array of variant_input()) is what
 * @config says; "# CONFIG_X is not set" also holds for a symbol without a line. -EIO: the message
 * has file:line of up to five that do not hold.
 */
int kbuild_check_config(const char *root, const json_t *fragments, const char *config,
			struct hb_error *e);

/* Compiler and linker in one line, as they go into the key; owned by the caller; NULL with the
 * reason (-ENODEV). */
char *kbuild_toolchain(struct hb_error *e);

#endif
