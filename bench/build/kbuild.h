/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building one kernel: sources and patches, configuration and its check, what make compiles. */
#ifndef HB_KBUILD_H
#define HB_KBUILD_H

#include <jansson.h>

#include "bench/build/toolchain.h"
#include "bench/build/variant.h"

/* Part of the cache key: raise it when the steps below give another kernel from the same input. */
#define KBUILD_STEPS "1"

struct kbuild {
	const char *root;	 /* of the clone */
	const char *cache;	 /* cache directory */
	const struct variant *v; /* not a ready bzImage */
	const struct source_id *id;
	const struct toolchain *toolchain;
	const char *work; /* scratch directory, emptied first; receives
			     out/{bzImage,config,System.map} */
	bool keep;	  /* build in @work: somebody will work on it */
};

/*
 * Build; progress with an estimate goes to stderr. On success *@facts is {version, build_id,
 * compiled, seconds} (new reference). The kernel does not depend on what was built before.
 * -EIO: a patch does not apply, a wanted CONFIG_ line is lost,
 * or the compiler failed; the log that the message names is kept. -ENOSPC, -ENOMEM: too little
 * disk or memory to begin.
 */
int kbuild_run(const struct kbuild *b, json_t **facts, struct hb_error *e);

/* -EINVAL: kbuild refuses to work below @cache, because of a character of its name. */
int kbuild_check_place(const char *cache, struct hb_error *e);

#endif
