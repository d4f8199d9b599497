/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiler that builds kernels. */
#ifndef HB_TOOLCHAIN_H
#define HB_TOOLCHAIN_H

#include "bench/base/util.h"

struct toolchain {
	char *cc;	    /* as make takes it: "gcc-12", "ccache gcc" */
	bool llvm;	    /* clang and LLVM's tools, as kbuild's LLVM=1 has it */
	char *text;	    /* versions of compiler and linker; part of the key of a kernel */
	unsigned int major; /* of the compiler's version; 0: unknown */
};

/*
 * The environment decides: CC, else gcc, or clang with LLVM=1. ccache is put before it where there
 * is one. -EINVAL: another value of LLVM; -ENODEV: compiler or linker is missing. Release with
 * toolchain_free().
 */
int toolchain_find(struct toolchain *t, struct hb_error *e);
void toolchain_free(struct toolchain *t);

#endif
