// SPDX-License-Identifier: GPL-2.0-or-later
/* Building and freeing a document. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/plain.h"
#include "bench/report/doc.h"

static struct doc_block *add(struct doc *d, enum doc_kind kind, const char *fmt, va_list ap)
{
	struct doc_block *more = realloc(d->blocks, (d->nblocks + 1) * sizeof(*more));
	struct doc_block *b;

	if (!more) {
		d->failed = true;
		return NULL;
	}
	d->blocks = more;
	b = &d->blocks[d->nblocks];
	*b = (struct doc_block){.kind = kind, .main = d->main};
	if (vasprintf(&b->text, fmt, ap) < 0) {
		d->failed = true;
		return NULL;
	}
	plain_make(b->text);
	d->nblocks++;
	return b;
}

void doc_heading(struct doc *d, unsigned int level, const char *fmt, ...)
{
	struct doc_block *b;
	va_list ap;

	va_start(ap, fmt);
	b = add(d, DOC_HEADING, fmt, ap);
	va_end(ap);
	if (b)
		b->level = level;
}

void doc_paragraph(struct doc *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, DOC_PARAGRAPH, fmt, ap);
	va_end(ap);
}

/* What a run's files or a guest said comes to no reader as it is. */
static char *plain_copy(struct doc *d, const char *text)
{
	char *copy = strdup(text);

	if (copy)
		plain_make(copy);
	else
		d->failed = true;
	return copy;
}

static void set_term(struct doc *d, struct doc_block *b, const char *term)
{
	if (!b)
		return;
	b->term = plain_copy(d, term);
}

void doc_item(struct doc *d, const char *term, const char *fmt, ...)
{
	struct doc_block *b;
	va_list ap;

	va_start(ap, fmt);
	b = add(d, DOC_ITEM, fmt, ap);
	va_end(ap);
	set_term(d, b, term);
}

void doc_verbatim(struct doc *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, DOC_VERBATIM, fmt, ap);
	va_end(ap);
}

static struct doc_block *add_plain(struct doc *d, enum doc_kind kind, const char *fmt, ...)
{
	struct doc_block *b;
	va_list ap;

	va_start(ap, fmt);
	b = add(d, kind, fmt, ap);
	va_end(ap);
	return b;
}

void doc_picture(struct doc *d, const char *file, const char *what)
{
	set_term(d, add_plain(d, DOC_PICTURE, "%s", what), file);
}

void doc_table(struct doc *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, DOC_TABLE, fmt, ap);
	va_end(ap);
}

static struct doc_table *last_table(struct doc *d)
{
	struct doc_block *b = d->nblocks ? &d->blocks[d->nblocks - 1] : NULL;

	return b && b->kind == DOC_TABLE && !d->failed ? &b->table : NULL;
}

void doc_column(struct doc *d, const char *head, bool left)
{
	struct doc_table *t = last_table(d);

	if (!t || t->columns == DOC_COLUMNS)
		return;
	t->left[t->columns] = left;
	t->head[t->columns++] = plain_copy(d, head);
}

void doc_row_of(struct doc *d, char *const cells[], size_t n)
{
	struct doc_table *t = last_table(d);
	struct doc_row *more = t ? realloc(t->rows, (t->nrows + 1) * sizeof(*more)) : NULL;

	assert(!t || n == t->columns || n == DOC_COLUMNS);
	if (!more) {
		d->failed = true;
		for (unsigned int i = 0; t && i < t->columns; i++)
			free(cells[i]);
		return;
	}
	t->rows = more;
	t->rows[t->nrows] = (struct doc_row){0};
	for (unsigned int i = 0; i < t->columns; i++) {
		t->rows[t->nrows].cell[i] = cells[i];
		if (cells[i])
			plain_make(cells[i]);
		else
			d->failed = true;
	}
	t->nrows++;
}

bool doc_is_bullet(const struct doc_block *b)
{
	return b->kind == DOC_ITEM && !strcmp(b->term, "-");
}

bool doc_shown(const struct doc_block *b, bool only_main)
{
	return (b->main || !only_main) && (b->kind != DOC_TABLE || b->table.nrows);
}

void doc_free(struct doc *d)
{
	for (size_t i = 0; i < d->nblocks; i++) {
		struct doc_block *b = &d->blocks[i];

		for (size_t r = 0; r < b->table.nrows; r++)
			for (unsigned int c = 0; c < b->table.columns; c++)
				free(b->table.rows[r].cell[c]);
		for (unsigned int c = 0; c < b->table.columns; c++)
			free(b->table.head[c]);
		free(b->table.rows);
		free(b->term);
		free(b->text);
	}
	free(d->blocks);
	*d = (struct doc){0};
}
