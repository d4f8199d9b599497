/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INI text as a list of entries that know where they stand; the reader gives them a meaning. */
#ifndef HB_INI_H
#define HB_INI_H

#include <stddef.h>

#include "bench/base/util.h"

struct ini_entry {
	char *key, *value;
	int line; /* 0: from the command line */
};

struct ini_section {
	char *name;
	int line;
	struct ini_entry *entries;
	size_t n;
};

struct ini_file {
	const char *path; /* borrowed; for messages */
	struct ini_section *sections;
	size_t n;
};

/*
 * Parse @text. A line without a meaning, a key outside a section, a section or a key that occurs
 * twice: -EINVAL with path:line. Release with ini_file_free(), also after an error.
 */
int ini_file_parse(struct ini_file *f, const char *path, const char *text, struct hb_error *e);
void ini_file_free(struct ini_file *f);
struct ini_section *ini_section_find(const struct ini_file *f, const char *name);
struct ini_entry *ini_entry_find(const struct ini_section *s, const char *key);
/* Add an entry, or give the one that is there another value and place. */
int ini_entry_set(struct ini_section *s, const char *key, const char *value, int line);
/* Drop the entry @key, if there is one. */
void ini_entry_remove(struct ini_section *s, const char *key);
/* Put "path:line: " or "-o key: " before the message. Returns @code. */
int ini_error_place(struct hb_error *e, int code, const struct ini_file *f,
		    const struct ini_entry *entry);

#endif
