/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ELF files say: build-id, interpreter, libraries. */
#ifndef HB_ELFINFO_H
#define HB_ELFINFO_H

#include <jansson.h>
#include <stddef.h>

#include "bench/base/util.h"

/*
 * GNU build-id as lower-case hexadecimal, owned by the caller. -ENODATA: the file has none;
 * -ENOEXEC: no ELF file.
 */
int elf_build_id(const char *path, char **hex, struct hb_error *e);
/* The same of an ELF file in memory; @name is for messages. */
int elf_build_id_of(char *data, size_t len, const char *name, char **hex, struct hb_error *e);

/*
 * Add @path and all that the dynamic linker would load for it to the object @files: its
 * interpreter and, recursively, the DT_NEEDED libraries, as {"/path/in/guest": "/path on host"}.
 * Libraries are looked for as ld.so does: DT_RUNPATH or DT_RPATH ($ORIGIN too), then @search
 * (NULL-terminated directories of ours, may be NULL), then the system's directories. A name in the
 * guest is the host's with @prefix (may be NULL) taken off. -ENOENT: a library is nowhere, the
 * message says whose.
 */
int elf_closure(const char *path, const char *prefix, const char *const *search, json_t *files,
		struct hb_error *e);

#endif
