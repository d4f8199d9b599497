// SPDX-License-Identifier: GPL-2.0-or-later
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/plain.h"
#include "bench/build/keyfile.h"

struct reading {
	const char *section;
	const struct keyfile_row *rows;
	char what[256]; /* the first thing wrong */
};

static int refuse(struct reading *r, const char *fmt, const char *a, const char *b)
{
	if (!*r->what)
		snprintf(r->what, sizeof(r->what), fmt, a, b);
	return 0;
}

/* The rows' names, for the message. */
static void allowed(const struct keyfile_row *rows, char *buf, size_t len)
{
	size_t n = 0;

	*buf = 0;
	for (; rows->name && n < len; rows++)
		n += snprintf(buf + n, len - n, "%s%s", n ? ", " : "", rows->name);
}

static int take(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;
	char names[160];

	if (strcmp(section, r->section))
		return refuse(r, "section [%s] is unknown; only [%s] is allowed", section,
			      r->section);
	for (const struct keyfile_row *row = r->rows; row->name; row++) {
		if (strcmp(row->name, name))
			continue;
		if (*row->value)
			return refuse(r, "key '%s' is given twice%s", name, "");
		if (!*value)
			return refuse(r, "key '%s' has no value%s", name, "");
		if (!plain_text(value))
			return refuse(r, "key '%s' has control characters, or is not UTF-8%s", name,
				      "");
		*row->value = strdup(value);
		return *row->value ? 1 : refuse(r, "out of memory%s%s", "", "");
	}
	allowed(r->rows, names, sizeof(names));
	return refuse(r, "key '%s' is unknown; known: %s", name, names);
}

int keyfile_read(const char *path, const char *section, const struct keyfile_row *rows,
		 struct hb_error *e)
{
	struct reading r = {.section = section, .rows = rows};
	int line = ini_parse(path, take, &r);

	if (line == -1)
		return hb_error_set(e, -ENOENT, "cannot read %s", path);
	if (line == -2)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (line > 0)
		return hb_error_set(e, -EINVAL, "%s:%d: %s", path, line,
				    *r.what ? r.what : "neither [section] nor key = value");
	return 0;
}
