// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "bench/build/keyfile.h"
#include "bench/host/ini.h"

/* The rows' names, for the message. */
static void allowed(const struct keyfile_row *rows, char *buf, size_t len)
{
	size_t n = 0;

	*buf = 0;
	for (; rows->name && n < len; rows++)
		n += snprintf(buf + n, len - n, "%s%s", n ? ", " : "", rows->name);
}

static int entry_take(struct ini_entry *entry, const struct keyfile_row *rows, struct hb_error *e)
{
	const struct keyfile_row *row = rows;
	char names[160];

	while (row->name && strcmp(row->name, entry->key))
		row++;
	if (!row->name) {
		allowed(rows, names, sizeof(names));
		return hb_error_set(e, -EINVAL, "key '%s' is unknown; known: %s", entry->key,
				    names);
	}
	if (!*entry->value)
		return hb_error_set(e, -EINVAL, "key '%s' has no value", entry->key);
	*row->value = HB_STEAL(entry->value);
	return 0;
}

static int section_take(const struct ini_file *f, const struct ini_section *s, const char *wanted,
			const struct keyfile_row *rows, struct hb_error *e)
{
	int rc = 0;

	if (strcmp(s->name, wanted))
		return hb_error_set(e, -EINVAL,
				    "%s:%d: section [%s] is unknown; only [%s] is allowed", f->path,
				    s->line, s->name, wanted);
	for (size_t i = 0; i < s->n && !rc; i++) {
		rc = entry_take(&s->entries[i], rows, e);
		if (rc)
			ini_error_place(e, rc, f, &s->entries[i]);
	}
	return rc;
}

int keyfile_read(const char *path, const char *section, const struct keyfile_row *rows,
		 struct hb_error *e)
{
	HB_FREE char *text = NULL;
	struct ini_file f;
	int rc = hb_file_read(path, &text, NULL);

	if (rc)
		return hb_error_set(e, rc, "cannot read %s: %s", path, strerror(-rc));
	rc = ini_file_parse(&f, path, text, e);
	for (size_t i = 0; i < f.n && !rc; i++)
		rc = section_take(&f, &f.sections[i], section, rows, e);
	ini_file_free(&f);
	return rc;
}
