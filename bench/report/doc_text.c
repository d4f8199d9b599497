// SPDX-License-Identifier: GPL-2.0-or-later
/* A document as plain text of DOC_WIDTH columns, for a cover letter. */
#include <string.h>

#include "bench/report/doc.h"

/* Columns that a UTF-8 text takes: one per character, none of ours are wide. */
static int width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void pad(FILE *out, int n)
{
	while (n-- > 0)
		fputc(' ', out);
}

/* Words filled into lines; continuation lines start at column @indent. @at: column we are in. */
static void fill(FILE *out, const char *text, int indent, int at)
{
	bool first = true;

	while (*text) {
		size_t len;
		char word[512];

		text += strspn(text, " \n");
		len = strcspn(text, " \n");
		if (!len)
			break;
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		text += len;
		if (!first && at + 1 + width(word) > DOC_WIDTH) {
			fputc('\n', out);
			pad(out, indent);
			at = indent;
		} else if (!first) {
			fputc(' ', out);
			at++;
		}
		fputs(word, out);
		at += width(word);
		first = false;
	}
	fputc('\n', out);
}

static void cell(FILE *out, const char *text, int size, bool left)
{
	int room = size - width(text);

	if (!left)
		pad(out, room);
	fputs(text, out);
	if (left)
		pad(out, room);
}

/* Cells from column @from on; nothing trails the last one. */
static void row(FILE *out, const struct doc_table *t, char *const *cells, const int *size,
		unsigned int from)
{
	unsigned int last = t->columns;

	while (last > from + 1 && !*cells[last - 1])
		last--;
	for (unsigned int c = from; c < last; c++) {
		if (c > from)
			fputc(' ', out);
		if (c + 1 == last && t->left[c])
			fputs(cells[c], out);
		else
			cell(out, cells[c], size[c], t->left[c]);
	}
	fputc('\n', out);
}

/*
 * A table that is too wide for a row per line gives its first column a line of its own, with the
 * others below it.
 */
static void table(FILE *out, const struct doc_block *b)
{
	const struct doc_table *t = &b->table;
	int size[DOC_COLUMNS], total = t->columns - 1;
	bool stacked;

	for (unsigned int c = 0; c < t->columns; c++) {
		size[c] = width(t->head[c]);
		for (size_t r = 0; r < t->nrows; r++)
			if (width(t->rows[r].cell[c]) > size[c])
				size[c] = width(t->rows[r].cell[c]);
		total += size[c];
	}
	stacked = total > DOC_WIDTH && t->columns > 2;
	if (*b->text)
		fill(out, b->text, 0, 0);
	if (stacked) {
		fprintf(out, "%s\n  ", t->head[0]);
		row(out, t, t->head, size, 1);
	} else {
		row(out, t, t->head, size, 0);
	}
	for (size_t r = 0; r < t->nrows; r++) {
		char *const *cells = t->rows[r].cell;

		if (stacked)
			fprintf(out, "%s\n  ", cells[0]);
		row(out, t, cells, size, stacked);
	}
}

static void heading(FILE *out, const struct doc_block *b)
{
	fill(out, b->text, 0, 0);
	for (int i = 0; i < width(b->text) && i < DOC_WIDTH; i++)
		fputc(b->level == 1 ? '=' : '-', out);
	fputc('\n', out);
}

/* Lines of a log, which are not wrapped: what is too long for the page ends in dots. */
static void verbatim(FILE *out, const char *text)
{
	const size_t room = DOC_WIDTH - 2;

	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > room)
			fprintf(out, "  %.*s...\n", (int)room - 3, text);
		else
			fprintf(out, "  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

int doc_text(const struct doc *d, FILE *out, bool only_main)
{
	bool item_before = false, first = true;

	if (d->failed)
		return -ENOMEM;
	for (size_t i = 0; i < d->nblocks; i++) {
		const struct doc_block *b = &d->blocks[i];

		if (!doc_shown(b, only_main))
			continue;
		if (!first && !((b->kind == DOC_ITEM || b->kind == DOC_PICTURE) && item_before))
			fputc('\n', out);
		first = false;
		item_before = b->kind == DOC_ITEM;
		switch (b->kind) {
		case DOC_HEADING:
			heading(out, b);
			break;
		case DOC_PARAGRAPH:
			fill(out, b->text, 0, 0);
			break;
		case DOC_ITEM:
			fprintf(out, "  %s%s", b->term, *b->text ? " " : "");
			fill(out, b->text, 4, 3 + width(b->term));
			break;
		case DOC_VERBATIM:
			verbatim(out, b->text);
			break;
		case DOC_TABLE:
			table(out, b);
			break;
		case DOC_PICTURE:
			fprintf(out, "  plots/%s.svg: ", b->term);
			fill(out, b->text, 4, 14 + width(b->term));
			item_before = true;
			break;
		}
	}
	return ferror(out) ? -EIO : 0;
}
