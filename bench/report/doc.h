/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report as a list of blocks, built once and rendered as text, Markdown or HTML. Texts are
 * plain: the renderers wrap and escape. Allocation failures stick in `failed`, so that the builder
 * needs no check after every block; the renderers refuse a failed document.
 */
#ifndef HB_DOC_H
#define HB_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/base/util.h"

#define DOC_COLUMNS 10
#define DOC_WIDTH   72 /* of the text form */

enum doc_kind {
	DOC_HEADING,
	DOC_PARAGRAPH,
	DOC_ITEM,     /* of a list: term and text */
	DOC_VERBATIM, /* lines kept as they are */
	DOC_TABLE,
	DOC_PICTURE,
};

struct doc_row {
	char *cell[DOC_COLUMNS];
};

struct doc_table {
	unsigned int columns;
	char *head[DOC_COLUMNS];
	bool left[DOC_COLUMNS]; /* align left; figures go right */
	struct doc_row *rows;
	size_t nrows;
};

struct doc_block {
	enum doc_kind kind;
	unsigned int level; /* DOC_HEADING: 1 or 2 */
	bool main;	    /* belongs to the short form */
	char *term;	    /* DOC_ITEM; DOC_PICTURE: file without suffix */
	char *text;	    /* DOC_TABLE: the caption; DOC_PICTURE: what it shows */
	struct doc_table table;
};

struct doc {
	struct doc_block *blocks;
	size_t nblocks;
	bool main; /* new blocks belong to the short form */
	bool failed;
};

void doc_heading(struct doc *d, unsigned int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doc_paragraph(struct doc *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doc_item(struct doc *d, const char *term, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doc_verbatim(struct doc *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doc_picture(struct doc *d, const char *file, const char *what);
/* Start a table; the columns and rows that follow belong to it. */
void doc_table(struct doc *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Append a column to the last table; @head is copied. */
void doc_column(struct doc *d, const char *head, bool left);
/*
 * Append a row to the last table: an array of one string per column in the columns' order, or of
 * DOC_COLUMNS of which the first are taken; owned by the document from now on (NULL: failed).
 */
#define doc_row(d, ...) doc_row_of(d, __VA_ARGS__, sizeof(__VA_ARGS__) / sizeof(*(__VA_ARGS__)))
void doc_row_of(struct doc *d, char *const cells[], size_t n);
void doc_free(struct doc *d);

/* An item whose term is "-": one of a list, not a term that is explained. */
bool doc_is_bullet(const struct doc_block *b);
/* Does a renderer show the block? Tables without rows are not shown. */
bool doc_shown(const struct doc_block *b, bool only_main);

/* Renderers: -ENOMEM for a failed document. @only_main: the short form. @run: directory
 * of the run whose SVGs are taken in, or NULL. */
int doc_text(const struct doc *d, FILE *out, bool only_main);
int doc_markdown(const struct doc *d, FILE *out, bool only_main);
int doc_html(const struct doc *d, FILE *out, const char *title, const char *run);

#endif
