// SPDX-License-Identifier: GPL-2.0-or-later
/* A document as one HTML file: style and pictures are inside, nothing is fetched. */
#include <stdlib.h>
#include <string.h>

#include "bench/report/doc.h"
#include "bench/result/runfile.h"

static const char style[] =
	":root{color-scheme:light dark;--ink:#1a1a1a;--page:#fff;--rule:#c8c8c8;--code:#f2f2f2;"
	"--good:#0b6b32;--bad:#a8170f;--same:#1f4e9e;--dim:#5c5c5c}"
	"@media(prefers-color-scheme:dark){"
	":root{--ink:#e4e4e4;--page:#161616;--rule:#4a4a4a;--code:#262626;"
	"--good:#6fd296;--bad:#ff8a80;--same:#8ab4f8;--dim:#a8a8a8}}"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;"
	"color:var(--ink);background:var(--page);overflow-wrap:break-word}"
	"h1,h2{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #767676}"
	"table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}"
	"caption{text-align:left;font-weight:600;padding:.3rem 0}"
	"th,td{padding:.25rem .7rem;border-bottom:1px solid var(--rule);text-align:right}"
	/* The border of a head that stays would scroll away. */
	"thead th{position:sticky;top:0;background:var(--page);border:0;"
	"box-shadow:inset 0 -2px var(--ink)}th.l,td.l{text-align:left}"
	"tbody th{font-weight:400}td{white-space:nowrap}"
	"td.better{color:var(--good)}td.worse,td.bad{color:var(--bad)}td.same{color:var(--same)}"
	"td.better,td.worse,td.bad,td.same{font-weight:600}td.unclear{color:var(--dim)}"
	"pre{background:var(--code);padding:.7rem;overflow-x:auto}"
	"nav{margin:2rem 0}nav ul{columns:18rem;padding-left:1.2rem}"
	/* The pictures have a white ground of their own. */
	"figure{margin:1.5rem 0}figure svg{max-width:100%;height:auto;background:#fff}"
	"dt{font-weight:600}dd{margin:0 0 .4rem 1.5rem}"
	/* Where a table may be too wide it is scrolled by itself, and its head stays there. */
	"@media(max-width:66rem){div.t{overflow:auto;max-height:85vh}}"
	"@media(max-width:40rem){table{font-size:.75rem}th,td{padding:.25rem .25rem}"
	"caption span{position:sticky;left:0;display:inline-block;max-width:calc(100vw - 2rem)}"
	"h1{font-size:1.5rem}h2{font-size:1.2rem}dd{margin-left:.7rem}}"
	"@media print{body{max-width:none}figure,table{break-inside:avoid}"
	"div.t{overflow:visible;max-height:none}}";

static void plain(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else
			fputc(*text, out);
	}
}

/*
 * What a cell that begins with a word says of a kernel: a verdict, of a secondary figure in
 * brackets, or what happened in the place of a figure. The word stands there, the colour helps.
 */
static const char *meaning(const char *text)
{
	static const struct {
		const char *word, *meaning;
	} words[] = {
		{"better", "better"},	 {"worse", "worse"}, {"same", "same"},
		{"unclear", "unclear"},	 {"bad", "bad"},     {"refused", "bad"},
		{"DIRTY", "bad"},	 {"PANIC", "bad"},   {"HANG", "bad"},
		{"TIMEOUT", "bad"},	 {"INVALID", "bad"}, {"SKIP", "unclear"},
		{"expected", "unclear"},
	};
	size_t len;

	text += *text == '(';
	len = strcspn(text, " )");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (len == strlen(words[i].word) && !strncmp(text, words[i].word, len))
			return words[i].meaning;
	return "";
}

static void row(FILE *out, const struct doc_table *t, char *const *cells, bool head)
{
	fputs("<tr>", out);
	for (unsigned int c = 0; c < t->columns; c++) {
		const char *tag = head || !c ? "th" : "td";
		const char *scope = head ? " scope=\"col\"" : c ? "" : " scope=\"row\"";
		const char *class = head || !c ? "" : meaning(cells[c]);

		fprintf(out, "<%s%s", tag, scope);
		if (t->left[c] || *class)
			fprintf(out, " class=\"%s%s%s\"", t->left[c] ? "l" : "",
				t->left[c] && *class ? " " : "", class);
		fputc('>', out);
		plain(out, cells[c]);
		fprintf(out, "</%s>", tag);
	}
	fputs("</tr>\n", out);
}

static void table(FILE *out, const struct doc_block *b)
{
	/* Too wide a table is scrolled by itself, with the keyboard too. */
	fputs("<div class=\"t\" tabindex=\"0\" role=\"region\" aria-label=\"", out);
	plain(out, b->text);
	fputs("\"><table>\n", out);
	if (*b->text) {
		fputs("<caption><span>", out);
		plain(out, b->text);
		fputs("</span></caption>\n", out);
	}
	fputs("<thead>", out);
	row(out, &b->table, b->table.head, true);
	fputs("</thead><tbody>\n", out);
	for (size_t r = 0; r < b->table.nrows; r++)
		row(out, &b->table, b->table.rows[r].cell, false);
	fputs("</tbody></table></div>\n", out);
}

static bool tag_is_known(const char *tag, size_t len)
{
	static const char *const names[] = {
		"svg",	    "g",       "defs",	"path",	  "circle",  "use",
		"text",	    "tspan",   "rect",	"line",	  "desc",    "polygon",
		"polyline", "ellipse", "title", "filter", "feFlood", "feComposite",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && !strncmp(tag, names[i], len))
			return true;
	return false;
}

/* Is at @at, outside of quotes, an attribute that acts or may load something? */
static bool attribute_acts(const char *at)
{
	return strchr(" \t\r\n\f/\"'", at[-1]) &&
	       (!strncasecmp(at, "on", 2) || !strncasecmp(at, "style", 5));
}

/* Nothing in a tag that acts, or leads elsewhere than to a part of the picture itself. */
static bool attributes_are_drawing(const char *at, const char *end)
{
	char quote = 0;

	for (; at < end; at++) {
		if (strchr("&\\<", *at) || (!quote && attribute_acts(at)))
			return false;
		if (!strncasecmp(at, "href", 4) && strncmp(at, "href='#", 7))
			return false;
		if ((!strncasecmp(at, "url", 3) && strncmp(at, "url(#", 5)) ||
		    !strncasecmp(at, "image", 5))
			return false;
		if (*at == quote)
			quote = 0;
		else if (!quote && (*at == '\'' || *at == '"'))
			quote = *at;
	}
	return !quote;
}

/*
 * The run may be somebody else's, and its picture with it: is it one as gnuplot draws, which can do
 * nothing in a page?
 */
static bool is_drawing(const char *svg)
{
	while ((svg = strchr(svg, '<'))) {
		const char *tag = svg + 1 + (svg[1] == '/');
		size_t len = strcspn(tag, " \t\n/>");
		const char *end = strchr(tag, '>');

		if (!end || !tag_is_known(tag, len) || !attributes_are_drawing(tag + len, end))
			return false;
		svg = end;
	}
	return true;
}

/* Length of a group without content at @svg, as gnuplot leaves them by the hundred; else 0. */
static size_t empty_group(const char *svg)
{
	size_t len = strncmp(svg, "<g ", 3) ? 0 : strcspn(svg, ">");

	if (!len || !svg[len])
		return 0;
	len++;
	len += strspn(svg + len, " \t\n");
	return strncmp(svg + len, "</g>", 4) ? 0 : len + 4;
}

/*
 * The SVG of a picture, without its XML prologue. gnuplot numbers the elements of every picture
 * alike ("gnuplot_plot_1"): in one page the names must differ, so they get the picture's name.
 */
static void inline_svg(FILE *out, const char *svg, const char *name)
{
	static const char mark[] = "gnuplot_plot_";
	static const char marker[] = "gpPt", dash[] = "gpDot", pattern[] = "gpArrow";
	static const char *const names[] = {mark,    marker,	  dash,
					    pattern, "hypertext", "gnuplot_canvas"};

	/* The title and the version of gnuplot would be read out; the figure has a name of its own.
	 */
	const char *title = strstr(svg, "<title>"), *after = strstr(svg, "</desc>");

	if (title && after && title < after) {
		fwrite(svg, 1, title - svg, out);
		svg = after + strlen("</desc>");
	}
	while (*svg) {
		size_t empty = empty_group(svg);
		bool found = empty;

		svg += empty;
		for (size_t i = 0; i < ARRAY_SIZE(names) && !found; i++) {
			size_t len = strlen(names[i]);

			if (strncmp(svg, names[i], len))
				continue;
			fprintf(out, "%s-%s", name, names[i]);
			svg += len;
			found = true;
		}
		if (!found)
			fputc(*svg++, out);
	}
}

static void picture(FILE *out, const struct doc_block *b, const char *run)
{
	HB_FREE char *name = run ? hb_strf("plots/%s.svg", b->term) : NULL;
	HB_FREE char *text = NULL;
	const char *svg;
	size_t len;

	if (!name || runfile_read(run, name, &text, &len) || !(svg = strstr(text, "<svg")) ||
	    !is_drawing(svg)) {
		fputs("<p>(not drawn: ", out);
		plain(out, b->text);
		fputs("; hugebench plots draws it)</p>\n", out);
		return;
	}
	fputs("<figure>\n<svg role=\"img\" aria-label=\"", out);
	plain(out, b->text);
	fputs("\"", out);
	inline_svg(out, svg + strlen("<svg"), b->term);
	fputs("<figcaption>", out);
	plain(out, b->text);
	fputs("</figcaption></figure>\n", out);
}

/* Of the heading that is block @i of the document. */
static void anchor(FILE *out, size_t i)
{
	fprintf(out, "section-%zu", i);
}

static bool is_section(const struct doc_block *b)
{
	return b->kind == DOC_HEADING && b->level == 2;
}

/* In front of the first section, behind the summary. */
static void contents(FILE *out, const struct doc *d)
{
	fputs("<nav aria-label=\"Contents\">\n<ul>\n", out);
	for (size_t i = 0; i < d->nblocks; i++) {
		if (!is_section(&d->blocks[i]))
			continue;
		fputs("<li><a href=\"#", out);
		anchor(out, i);
		fputs("\">", out);
		plain(out, d->blocks[i].text);
		fputs("</a></li>\n", out);
	}
	fputs("</ul>\n</nav>\n", out);
}

static void block(FILE *out, const struct doc *d, size_t at, const char *run)
{
	const struct doc_block *b = &d->blocks[at];

	switch (b->kind) {
	case DOC_HEADING:
		fprintf(out, "<h%u id=\"", b->level);
		anchor(out, at);
		fputs("\">", out);
		plain(out, b->text);
		fprintf(out, "</h%u>\n", b->level);
		break;
	case DOC_PARAGRAPH:
		fputs("<p>", out);
		plain(out, b->text);
		fputs("</p>\n", out);
		break;
	case DOC_ITEM:
		if (doc_is_bullet(b)) {
			fputs("<li>", out);
			plain(out, b->text);
			fputs("</li>\n", out);
			break;
		}
		fputs("<dt>", out);
		plain(out, b->term);
		fputs("</dt><dd>", out);
		plain(out, b->text);
		fputs("</dd>\n", out);
		break;
	case DOC_VERBATIM:
		fputs("<pre>", out);
		plain(out, b->text);
		fputs("</pre>\n", out);
		break;
	case DOC_TABLE:
		table(out, b);
		break;
	case DOC_PICTURE:
		picture(out, b, run);
		break;
	}
}

/* From within one kind of list, or none (""), to another. */
static void change_list(FILE *out, const char *from, const char *to)
{
	if (!strcmp(from, to))
		return;
	if (*from)
		fprintf(out, "</%s>\n", from);
	if (*to)
		fprintf(out, "<%s>\n", to);
}

int doc_html(const struct doc *d, FILE *out, const char *title, const char *run)
{
	const char *list = "", *next;
	bool listed = false;

	if (d->failed)
		return -ENOMEM;
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
	      out);
	plain(out, title);
	fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n", style);
	for (size_t i = 0; i < d->nblocks; i++) {
		const struct doc_block *b = &d->blocks[i];

		if (!doc_shown(b, false))
			continue;
		next = b->kind != DOC_ITEM ? "" : doc_is_bullet(b) ? "ul" : "dl";
		change_list(out, list, next);
		list = next;
		if (is_section(b) && !listed) {
			contents(out, d);
			listed = true;
		}
		block(out, d, i, run);
	}
	change_list(out, list, "");
	fputs("</main>\n</body>\n</html>\n", out);
	return ferror(out) ? -EIO : 0;
}
