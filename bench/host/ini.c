// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/plain.h"
#include "bench/host/ini.h"

/* libinih cuts section names at 49 bytes without a word. */
#define SECTION_MAX 49

/*
 * libinih tells its handler no line number (Debian builds it so) and nothing of a section without
 * keys. Both are seen by the line reader that it calls, which is ours.
 */
struct parser {
	struct ini_file *file;
	const char *next; /* rest of the text */
	int line;	  /* of the line that was read last */
	bool continued;	  /* that line is indented: more of the value before */
	int rc;
	struct hb_error *e;
};

static int fail(struct parser *p, int rc, const char *text)
{
	if (!p->rc)
		p->rc = hb_error_set(p->e, rc, "%s:%d: %s", p->file->path, p->line, text);
	return p->rc;
}

/* Note the section that @line ("[name]") opens. */
static int section_open(struct parser *p, const char *line)
{
	struct ini_file *f = p->file;
	const char *end = strchr(line, ']');
	struct ini_section *grown;
	HB_FREE char *name = NULL;

	if (!end)
		return fail(p, -EINVAL, "the section has no closing ']'");
	if (end - line - 1 > SECTION_MAX)
		return fail(p, -EINVAL, "the section's name is longer than 49 characters");
	name = strndup(line + 1, end - line - 1);
	if (!name)
		return fail(p, -ENOMEM, "no memory");
	if (ini_section_find(f, name))
		return fail(p, -EINVAL, "this section stands in the file already");
	grown = reallocarray(f->sections, f->n + 1, sizeof(*grown));
	if (!grown)
		return fail(p, -ENOMEM, "no memory");
	f->sections = grown;
	grown[f->n++] = (struct ini_section){.name = HB_STEAL(name), .line = p->line};
	return 0;
}

/* fgets() on the text, for libinih. */
static char *read_line(char *buf, int size, void *stream)
{
	struct parser *p = stream;
	size_t n = strcspn(p->next, "\n");
	const char *text = p->next;

	if (!*text || p->rc)
		return NULL;
	p->line++;
	if (n + 2 > (size_t)size) {
		fail(p, -EINVAL, "the line is too long; continue a value on an indented line");
		return NULL;
	}
	memcpy(buf, text, n);
	/* Some editors end lines with "\r\n". */
	buf[n && text[n - 1] == '\r' ? n - 1 : n] = 0;
	if (!plain_text(buf)) {
		fail(p, -EINVAL, "the line has control characters, or is not UTF-8");
		return NULL;
	}
	p->next = text + n + (text[n] == '\n');
	p->continued = isspace((unsigned char)buf[0]);
	if (buf[0] == '[' && section_open(p, buf))
		return NULL;
	return buf;
}

static int entry_append(struct ini_entry *entry, const char *value)
{
	char *joined = hb_strf("%s %s", entry->value, value);

	if (!joined)
		return -ENOMEM;
	free(entry->value);
	entry->value = joined;
	return 0;
}

static int handle(void *user, const char *section, const char *key, const char *value)
{
	struct parser *p = user;
	struct ini_section *s = ini_section_find(p->file, section);
	struct ini_entry *old;

	if (p->rc)
		return 0;
	if (!s)
		return !fail(p, -EINVAL, "the key stands before the first [section]");
	old = ini_entry_find(s, key);
	if (old && p->continued)
		return entry_append(old, value) ? !fail(p, -ENOMEM, "no memory") : 1;
	if (old)
		return !fail(p, -EINVAL, "the key stands in this section already");
	if (ini_entry_set(s, key, value, p->line))
		return !fail(p, -ENOMEM, "no memory");
	return 1;
}

/* Behind the mark that some editors put in front of UTF-8. */
static const char *after_mark(const char *text)
{
	static const char mark[] = "\xef\xbb\xbf";

	return strncmp(text, mark, strlen(mark)) ? text : text + strlen(mark);
}

int ini_file_parse(struct ini_file *f, const char *path, const char *text, struct hb_error *e)
{
	struct parser p = {.file = f, .next = after_mark(text), .e = e};
	int rc;

	*f = (struct ini_file){.path = path};
	rc = ini_parse_stream(read_line, &p, handle, &p);
	if (p.rc)
		return p.rc;
	if (rc > 0)
		return hb_error_set(e, -EINVAL,
				    "%s:%d: neither a [section], a 'key = value' nor a # comment",
				    path, rc);
	return rc ? hb_error_set(e, -ENOMEM, "%s: no memory", path) : 0;
}

static void entry_free(struct ini_entry *entry)
{
	free(entry->key);
	free(entry->value);
}

void ini_file_free(struct ini_file *f)
{
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < f->sections[i].n; j++)
			entry_free(&f->sections[i].entries[j]);
		free(f->sections[i].entries);
		free(f->sections[i].name);
	}
	free(f->sections);
	*f = (struct ini_file){0};
}

struct ini_section *ini_section_find(const struct ini_file *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->sections[i].name, name))
			return &f->sections[i];
	return NULL;
}

struct ini_entry *ini_entry_find(const struct ini_section *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->entries[i].key, key))
			return &s->entries[i];
	return NULL;
}

int ini_entry_set(struct ini_section *s, const char *key, const char *value, int line)
{
	struct ini_entry *old = ini_entry_find(s, key), *grown;
	struct ini_entry fresh = {.key = strdup(key), .value = strdup(value), .line = line};

	if (!fresh.key || !fresh.value) {
		entry_free(&fresh);
		return -ENOMEM;
	}
	if (old) {
		entry_free(old);
		*old = fresh;
		return 0;
	}
	grown = reallocarray(s->entries, s->n + 1, sizeof(*grown));
	if (!grown) {
		entry_free(&fresh);
		return -ENOMEM;
	}
	s->entries = grown;
	grown[s->n++] = fresh;
	return 0;
}

void ini_entry_remove(struct ini_section *s, const char *key)
{
	struct ini_entry *old = ini_entry_find(s, key);

	if (!old)
		return;
	entry_free(old);
	memmove(old, old + 1, (&s->entries[s->n] - (old + 1)) * sizeof(*old));
	s->n--;
}

int ini_error_place(struct hb_error *e, int code, const struct ini_file *f,
		    const struct ini_entry *entry)
{
	if (!entry->line)
		return hb_error_prefix(e, code, "-o %s=%s", entry->key, entry->value);
	return hb_error_prefix(e, code, "%s:%d", f->path, entry->line);
}
