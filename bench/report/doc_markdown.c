// SPDX-License-Identifier: GPL-2.0-or-later
/* A document as GitHub-flavoured Markdown. */
#include <string.h>

#include "bench/report/doc.h"

/* Escape what Markdown would take for markup. */
static void plain(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_<>|[]&", *text))
			fputc('\\', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
}

static void row(FILE *out, const struct doc_table *t, char *const *cells)
{
	for (unsigned int c = 0; c < t->columns; c++) {
		fputs(c ? " | " : "| ", out);
		plain(out, cells[c]);
	}
	fputs(" |\n", out);
}

static void table(FILE *out, const struct doc_block *b)
{
	const struct doc_table *t = &b->table;

	if (*b->text) {
		plain(out, b->text);
		fputs("\n\n", out);
	}
	row(out, t, t->head);
	for (unsigned int c = 0; c < t->columns; c++)
		fputs(t->left[c] ? "|---" : "|---:", out);
	fputs("|\n", out);
	for (size_t r = 0; r < t->nrows; r++)
		row(out, t, t->rows[r].cell);
}

/* A fence longer than any row of backquotes inside. */
static void verbatim(FILE *out, const char *text)
{
	size_t fence = 3, run;
	size_t len = strlen(text);

	for (const char *at = text; (at = strchr(at, '`')); at += run) {
		run = strspn(at, "`");
		fence = run < fence ? fence : run + 1;
	}
	for (size_t i = 0; i < fence; i++)
		fputc('`', out);
	fprintf(out, "\n%s%s", text, len && text[len - 1] == '\n' ? "" : "\n");
	for (size_t i = 0; i < fence; i++)
		fputc('`', out);
	fputc('\n', out);
}

int doc_markdown(const struct doc *d, FILE *out, bool only_main)
{
	bool item_before = false, first = true, term_before = false, below = false;

	if (d->failed)
		return -ENOMEM;
	for (size_t i = 0; i < d->nblocks; i++) {
		const struct doc_block *b = &d->blocks[i];

		if (!doc_shown(b, only_main))
			continue;
		if (!first && !(b->kind == DOC_ITEM && item_before))
			fputc('\n', out);
		first = false;
		item_before = b->kind == DOC_ITEM;
		term_before = term_before && item_before;
		below = below && item_before;
		switch (b->kind) {
		case DOC_HEADING:
			/* The short form goes under a heading of somebody else's document. */
			fprintf(out, "%s ", &"####"[only_main ? 2 - b->level : 4 - b->level]);
			plain(out, b->text);
			fputc('\n', out);
			break;
		case DOC_PARAGRAPH:
			plain(out, b->text);
			fputc('\n', out);
			break;
		case DOC_ITEM:
			/* Bullets behind a term belong to it. */
			below = doc_is_bullet(b) && (below || term_before);
			term_before = !doc_is_bullet(b);
			fputs(below ? "  - " : term_before ? "- **" : "- ", out);
			if (term_before) {
				plain(out, b->term);
				fputs("** ", out);
			}
			plain(out, b->text);
			fputc('\n', out);
			break;
		case DOC_VERBATIM:
			verbatim(out, b->text);
			break;
		case DOC_TABLE:
			table(out, b);
			break;
		case DOC_PICTURE:
			fputs("![", out);
			plain(out, b->text);
			fprintf(out, "](plots/%s.svg)\n", b->term);
			break;
		}
	}
	return ferror(out) ? -EIO : 0;
}
