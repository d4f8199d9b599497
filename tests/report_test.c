// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Golden reports of a synthetic run. After a wanted change: HUGEBENCH_GOLDEN=write
 * build/tests/report_test, then read the difference.
 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/host/paths.h"
#include "bench/report/plot.h"
#include "bench/report/report.h"
#include "tests/synthetic.h"

static char dir[] = "/tmp/hugebench-report-XXXXXX";
static char *run_dir;

/* One run with everything: a hang that was expected, a control arm, a damaged cell. */
static int setup(void **state)
{
	HB_FREE char *damaged = NULL;
	struct synthetic s;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	run_dir = hb_strf("%s/run", dir);
	damaged = hb_strf("%s/run/cells/0005-hinode-faults-2-r1/cell.json", dir);
	if (!run_dir || !damaged)
		return -1;
	s = synthetic_default(run_dir);
	s.kernels[2] = "base-control";
	s.hang_kernel = "base";
	if (synthetic_write(&s))
		return -1;
	return hb_file_write(damaged, "{\"format\": 1,");
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(dir);
	free(run_dir);
	return 0;
}

static char *read_text(const char *directory, const char *name)
{
	HB_FREE char *path = hb_strf("%s/%s", directory, name);
	char *text = NULL;

	if (!path || hb_file_read(path, &text, NULL))
		fail_msg("%s/%s cannot be read", directory, name);
	return text;
}

static void compare_golden_text(const char *name, const char *got)
{
	HB_FREE char *root = paths_root(NULL);
	HB_FREE char *golden = hb_strf("%s/tests/golden", root);
	HB_FREE char *path = hb_strf("%s/%s", golden, name);
	HB_FREE char *want = NULL;

	if (getenv("HUGEBENCH_GOLDEN"))
		assert_int_equal(hb_file_write_atomic(path, got, strlen(got)), 0);
	want = read_text(golden, name);
	assert_string_equal(got, want);
}

static void compare_golden(const char *name)
{
	HB_FREE char *got = read_text(run_dir, name);

	compare_golden_text(name, got);
}

static void test_golden(void **state)
{
	struct hb_error e;

	(void)state;
	assert_int_equal(report_run(run_dir, &e), 0);
	compare_golden("report.txt");
	compare_golden("report.md");
	compare_golden("summary.csv");
}

/* Everything but lines kept as they are (indented by two) fits the width of a mail. */
static void test_width(void **state)
{
	HB_FREE char *text = read_text(run_dir, "report.txt");

	(void)state;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int columns = 0;

		for (const char *p = line; *p; p++)
			columns += (*p & 0xc0) != 0x80;
		if (columns > DOC_WIDTH)
			fail_msg("%d columns: %s", columns, line);
	}
}

/* Whatever would make a browser ask for more; what is inside the page begins with '#'. */
static const char *first_fetch(const char *html)
{
	static const char *const refers[] = {" src=", "href=", "url(", "data=", "action="};
	static const char *const always[] = {"<script", "<link", "<img",    "<iframe", "<object",
					     "<embed",	"<base", "@import", "<video",  "<audio"};

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (strstr(html, always[i]))
			return always[i];
	for (size_t i = 0; i < ARRAY_SIZE(refers); i++)
		for (const char *at = html; (at = strstr(at, refers[i]));) {
			at += strlen(refers[i]);
			if (at[strspn(at, "\"' ")] != '#')
				return at - strlen(refers[i]);
		}
	return NULL;
}

static void test_html_is_whole(void **state)
{
	HB_FREE char *html = read_text(run_dir, "report.html");
	const char *fetch = first_fetch(html);

	(void)state;
	if (fetch)
		fail_msg("the page would fetch: %.60s", fetch);
	assert_non_null(first_fetch("<a href='http://example.com'>"));
	assert_non_null(strstr(html, "content=\"default-src 'none'; style-src 'unsafe-inline'\""));
	assert_non_null(strstr(html, "</html>"));
}

/* The summary, its picture, the contents, and then the sections, with their pictures in them. */
static void test_html_order(void **state)
{
	static const char *const order[] = {
		"<h1",
		"<caption><span>Main figures of base and hinode",
		"<svg role=\"img\" aria-label=\"change of the main figures\"",
		"<nav aria-label=\"Contents\">",
		"<h2",
		">pmdshare beside truncate, migrate</h2>",
		"<caption><span>pmdshare faults (1/s",
		"<svg role=\"img\" aria-label=\"pmdshare fault_latency by percentile",
		">Boots whose verdict is not OK</h2>",
		">Further figures</h2>",
	};
	HB_FREE char *html = read_text(run_dir, "report.html");
	const char *at = html;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		/* cppcheck-suppress nullPointerRedundantCheck ; fail_msg() does not return */
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("not there, or too early: %s", order[i]);
	}
	/* every entry of the contents leads somewhere */
	for (at = html; (at = strstr(at, "href=\"#section"));) {
		HB_FREE char *id = NULL;

		at += strlen("href=\"#");
		id = hb_strf("id=\"%.*s\"", (int)strcspn(at, "\""), at);
		assert_non_null(strstr(html, id));
	}
}

/* By colour and by word: in brackets too, and for what happened in the place of a figure. */
static void test_html_verdicts(void **state)
{
	HB_FREE char *html = read_text(run_dir, "report.html");

	(void)state;
	assert_non_null(strstr(html, "<td class=\"l better\">better</td>"));
	assert_non_null(strstr(html, "<td class=\"l better\">(better)</td>"));
	assert_non_null(strstr(html, "<td class=\"bad\">HANG 6/6 [1]</td>"));
	assert_non_null(strstr(html, "<td class=\"l unclear\">expected</td>"));
	assert_non_null(strstr(html, "td.better{color:"));
	assert_non_null(strstr(html, "thead th{position:sticky"));
}

static struct load_run *loaded(const char *directory)
{
	struct load_run *run = NULL;
	struct hb_error e;

	assert_int_equal(load_run(directory, &run, &e), 0);
	return run;
}

/* What @print makes of the report on @run, which is freed, @brief or whole; owned by the caller. */
static char *report_text(struct load_run *run, const struct compare_options *o, bool brief,
			 int (*print)(const struct doc *, FILE *, bool))
{
	struct compare_model *m;
	struct doc d = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct hb_error e;

	assert_non_null(out);
	assert_int_equal(compare_build(run, NULL, o, &m, &e), 0);
	report_build(m, &d, brief);
	assert_int_equal(print(&d, out, brief), 0);
	fclose(out);
	doc_free(&d);
	compare_free(m);
	load_free(run);
	return text;
}

static char *summary_text(void)
{
	return report_text(loaded(run_dir), &(struct compare_options){0}, true, doc_markdown);
}

/* One table: main figures and nothing else, hangs among them, the controls apart. */
static void test_summary(void **state)
{
	HB_FREE char *text = summary_text();
	unsigned int rows = 0;

	(void)state;
	for (const char *at = text; (at = strstr(at, "\n| faults-")); at++)
		rows++;
	assert_int_equal(rows, 6); /* 3 cells: throughput and p99 */
	assert_non_null(strstr(text, "| faults-2 faults, 1/s |"));
	assert_non_null(strstr(text, "HANG 6/6 \\[1\\]"));
	assert_non_null(strstr(text, "**\\[1\\]**"));
	assert_null(strstr(text, "p50"));
	assert_null(strstr(text, "Main figures of base and base-control"));
}

/* German writes 1,5 for 1.5: made by the system's own program, where it has one. */
static bool german_make(const char *directory)
{
	HB_FREE char *locale = hb_strf("%s/de_DE.UTF-8", directory), *out = NULL;
	char *const argv[] = {"localedef", "-i",	   "de_DE", "-f",
			      "UTF-8",	   "--no-archive", locale,  NULL};

	child_capture(&(struct child){0}, argv, &out);
	free(out);
	out = NULL;
	setenv("LOCPATH", directory, 1);
	if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
		return false;
	out = hb_strf("%.1f", 1.5);
	setlocale(LC_NUMERIC, "C");
	return !strcmp(out, "1,5");
}

/* The same bytes when made a second time, and by the command of whoever has another locale. */
static void test_repeatable(void **state)
{
	static const char *const names[] = {"report.txt", "report.md", "report.html", "summary.csv",
					    "plots/forest-1.svg"};
	HB_FREE char *locpath = hb_strf("LOCPATH=%s", dir), *printed = NULL;
	const char *const env[] = {locpath, "LC_ALL=de_DE.UTF-8", "LANG=de_DE.UTF-8", NULL};
	char *before[ARRAY_SIZE(names)];
	struct hb_error e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		before[i] = read_text(run_dir, names[i]);
	assert_int_equal(report_run(run_dir, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		HB_FREE char *after = read_text(run_dir, names[i]);

		assert_string_equal(after, before[i]);
	}
	if (german_make(dir)) {
		char *const argv[] = {"build/hugebench", "report", run_dir, NULL};

		assert_int_equal(child_capture(&(struct child){.env = env}, argv, &printed), 0);
		assert_string_equal(printed, before[0]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		free(before[i]);
}

static void test_decided(void **state)
{
	HB_FREE char *other = hb_strf("%s/control", dir);
	struct synthetic s = synthetic_default(other);
	struct hb_error e;
	json_t *cells = json_object();
	bool decided;

	(void)state;
	/* faults-4 of base hangs: its figures will never have a verdict, and more boots would not
	 * help */
	assert_int_equal(compare_decided(run_dir, cells, &decided, &e), 0);
	assert_true(decided);
	assert_true(json_object_size(cells));
	assert_null(json_object_get(cells, "faults-4"));
	json_object_clear(cells);
	/* nothing differs, and 6 boots of 2 % noise do not show that it lies within 2 % */
	s.effect = 1;
	assert_int_equal(synthetic_write(&s), 0);
	assert_int_equal(compare_decided(other, cells, &decided, &e), 0);
	assert_false(decided);
	/* a control arm alone gives no main figure to decide */
	s.kernels[1] = "base-control";
	assert_int_equal(synthetic_write(&s), 0);
	assert_int_equal(compare_decided(other, cells, &decided, &e), 0);
	assert_false(decided);
	assert_int_equal(json_object_size(cells), 0);
	json_decref(cells);
}

static void check_value(double v, const char *unit, const char *want)
{
	HB_FREE char *text = report_value(v, unit);

	assert_string_equal(text, want);
}

static void test_values(void **state)
{
	(void)state;
	check_value(0, "1/s", "0");
	check_value(17, "pages", "17");
	check_value(393043, "1/s", "393.0k");
	check_value(999999, "1/s", "1.000M");
	check_value(1.5, "1/s", "1.500");
	check_value(412, "ns", "412ns");
	check_value(31e6, "ns", "31ms");
	check_value(12345, "ns", "12.35us");
	check_value(123456789, "insn", "123456789");
}

static char *text_report(const struct synthetic *s)
{
	struct hb_error e;

	assert_int_equal(synthetic_write(s), 0);
	assert_int_equal(report_run(s->dir, &e), 0);
	return read_text(s->dir, "report.txt");
}

/* Instructions: one table, every digit, and where boots disagree what they said. */
static void test_exact(void **state)
{
	HB_FREE char *other = hb_strf("%s/exact", dir);
	struct synthetic s = synthetic_default(other);
	HB_FREE char *text = NULL, *moved = NULL;

	(void)state;
	s.mode = "exact";
	s.antagonists[0] = NULL;
	s.noise = 0;
	s.effect = 1000. / 1002;
	s.boots = 3;
	memset(s.tasks + 1, 0, sizeof(s.tasks) - sizeof(*s.tasks));
	text = text_report(&s);
	assert_non_null(strstr(text, "\nfirst_fault 1000   1002 +0.20%         +2 worse\n"));
	assert_null(strstr(text, "first_fault_mean"));
	s.noise = 0.01;
	moved = text_report(&s);
	assert_non_null(strstr(moved, "INVALID 3/3 [1]"));
	assert_non_null(strstr(moved, "INVALID in 3 of 3 boots: boots do not"));
	assert_non_null(strstr(moved, "exact.first_fault "));
}

/* What verdicts take is not told where there can be none. */
static void test_too_few_for_verdicts(void **state)
{
	HB_FREE char *other = hb_strf("%s/few", dir);
	struct synthetic s = synthetic_default(other);
	HB_FREE char *one_boot = NULL, *one_arm = NULL, *two_boots = NULL;

	(void)state;
	s.boots = 2;
	two_boots = text_report(&s);
	assert_non_null(strstr(two_boots, "\nVerdicts: main figures"));
	s.boots = 1;
	one_boot = text_report(&s);
	assert_non_null(strstr(one_boot, "\nVerdicts: none"));
	s.kernels[1] = NULL;
	one_arm = text_report(&s);
	assert_null(strstr(one_arm, "Verdicts:"));
}

static unsigned int commas(const char *line)
{
	unsigned int n = 0;
	bool quoted = false;

	for (; *line && *line != '\n'; line++) {
		quoted ^= *line == '"';
		n += *line == ',' && !quoted;
	}
	return n;
}

/* What tells a row of summary.csv from the others: its columns up to kernel_b. */
static size_t key_length(const char *line)
{
	unsigned int columns = 0;
	bool quoted = false;
	size_t n = 0;

	for (; line[n] && line[n] != '\n'; n++) {
		quoted ^= line[n] == '"';
		if (line[n] == ',' && !quoted && ++columns == 9)
			return n;
	}
	return n;
}

/* summary.csv of the run in @directory, made anew. */
static char *csv_of(const char *directory)
{
	const struct compare_options o = {0};
	struct compare_model *m;
	struct load_run *run;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct hb_error e;

	assert_non_null(out);
	assert_int_equal(load_run(directory, &run, &e), 0);
	assert_int_equal(compare_build(run, NULL, &o, &m, &e), 0);
	assert_int_equal(report_csv(m, out), 0);
	fclose(out);
	compare_free(m);
	load_free(run);
	return text;
}

/* Cells that differ by an option alone, as attach and faults-4 do, have rows of their own. */
static void test_csv_keys(void **state)
{
	HB_FREE char *csv = csv_of("results/reference");
	unsigned int rows = 0;

	(void)state;
	assert_non_null(strstr(csv, "\nattach,pmdshare,,4,pmdshare.touches,"));
	assert_non_null(strstr(csv, "\nfaults-4,pmdshare,,4,pmdshare.touches,"));
	for (const char *line = csv; *line; line += strcspn(line, "\n") + 1) {
		HB_FREE char *key = hb_strf("\n%.*s,", (int)key_length(line), line);

		rows++;
		if (strstr(line, key))
			fail_msg("more than one row is%s", key);
	}
	assert_true(rows > 100);
}

/* One kernel alone: a row per figure, whole, with nothing to compare in it. */
static void test_csv_of_one_arm(void **state)
{
	static const char row[] =
		"\nfaults-2,pmdshare,\"truncate, migrate\",2,pmdshare.faults,1/s,higher,base,,6,,";
	HB_FREE char *other = hb_strf("%s/alone", dir), *csv = NULL;
	struct synthetic s = synthetic_default(other);
	struct hb_error e;

	(void)state;
	s.kernels[1] = NULL;
	assert_int_equal(synthetic_write(&s), 0);
	assert_int_equal(report_run(other, &e), 0);
	csv = read_text(other, "summary.csv");
	assert_non_null(strstr(csv, row));
	for (const char *line = csv; line && line[1]; line = strchr(line + 1, '\n'))
		assert_int_equal(commas(line + 1), commas(csv));
}

/* What no table shows as a figure: from zero, to zero, and bounds that make no sense. */
static void test_changes_without_a_ratio(void **state)
{
	HB_FREE char *from = report_percent(INFINITY), *to = report_percent(-INFINITY);
	struct stats_change wide = {.log_low = -1, .log_high = 12}, zero = {.log_low = -INFINITY};
	HB_FREE char *left_out = report_interval(&wide), *none = report_interval(&zero);
	HB_FREE char *other = hb_strf("%s/wild", dir), *text = NULL, *csv = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	assert_string_equal(left_out, "-");
	assert_string_equal(none, "-");
	assert_string_equal(from, "from 0");
	assert_string_equal(to, "to 0");
	s.boots = 2;
	s.noise = 2;
	text = text_report(&s);
	assert_non_null(strstr(text, "more than 1000"));
	assert_non_null(strstr(text, "reaches beyond a factor of 10,000"));
	assert_null(strstr(text, ">x9999"));
	csv = read_text(other, "summary.csv");
	assert_null(strstr(csv, "e+"));
	assert_null(strstr(csv, "inf"));
}

/* The paragraph of @text that begins with @words, on one line; owned by the caller. */
static char *paragraph(const char *text, const char *words)
{
	HB_FREE char *begin = hb_strf("\n%s", words);
	const char *at = strstr(text, begin);
	char *one;

	if (!at)
		fail_msg("no paragraph begins with '%s'", words);
	one = strndup(at + 1, strstr(at, "\n\n") - at - 1);
	for (char *c = one; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	return one;
}

/* The paragraph on unclear figures in the report on @s. */
static char *unclear_of(const struct synthetic *s)
{
	HB_FREE char *text = text_report(s);

	return paragraph(text, "Unclear: ");
}

/* What changes so many boots show is said where there are enough for a verdict. */
static void test_unclear(void **state)
{
	HB_FREE char *other = hb_strf("%s/unclear", dir);
	HB_FREE char *late = hb_strf("rm -r %s/cells/*-faults-1-r[34]", other);
	char *argv[] = {"sh", "-c", late, NULL};
	HB_FREE char *few = NULL, *enough = NULL, *mixed = NULL, *wild = NULL, *report = NULL;
	struct synthetic s = synthetic_default(other);
	struct hb_error e;

	(void)state;
	s.boots = 2;
	few = unclear_of(&s);
	assert_string_equal(
		few,
		"Unclear: 6 of 6 main figures, all of them with too few boots for any verdict, "
		"which takes 4 per arm: from these nothing can be told, however large a "
		"change looks. By their spread, as far as so few show it, a change of +10% "
		"takes 5 boots per arm to be found with a probability of 80 %.");
	s.boots = 4;
	s.effect = 1.01;
	enough = unclear_of(&s);
	assert_non_null(strstr(enough, "6 of 6 main figures, 0 of them with too few boots for any "
				       "verdict. In the median of these figures such boots show a "
				       "change of +8."));
	assert_int_equal(child_do(argv, -1), 0);
	assert_int_equal(report_run(other, &e), 0);
	report = read_text(other, "report.txt");
	mixed = paragraph(report, "Unclear: ");
	assert_non_null(strstr(mixed, "6 of 6 main figures, 2 of them with too few boots for any "
				      "verdict. In the median of the others such boots show a "
				      "change of +9.16%"));
	s.noise = 2;
	wild = unclear_of(&s);
	assert_non_null(strstr(wild, "show not even a change by a factor of 10 with"));
}

/* The report on @s as mode exact would have given it; owned by the caller. */
static char *instructions_report(const struct synthetic *s, const struct compare_options *o)
{
	struct load_run *run;

	assert_int_equal(synthetic_write(s), 0);
	run = loaded(s->dir);
	run->mode = "exact";
	return report_text(run, o, false, doc_text);
}

static char *exact_notice(const struct synthetic *s)
{
	const struct compare_options none = {0};
	HB_FREE char *text = instructions_report(s, &none);

	return paragraph(text, "EXACT: ");
}

/* The machine of mode exact as it was for this run's number of CPUs. */
static void test_turns_of_the_run(void **state)
{
	HB_FREE char *other = hb_strf("%s/turns", dir);
	HB_FREE char *one = NULL, *four = NULL, *many = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	four = exact_notice(&s);
	assert_non_null(strstr(four, "equal CPUs in turns of some hundred instructions, an"));
	s.vcpus = 12;
	many = exact_notice(&s);
	assert_non_null(strstr(many, "equal CPUs in turns of 30 to 60 instructions, an"));
	s.vcpus = 1;
	one = exact_notice(&s);
	assert_non_null(strstr(one, "the guest's one CPU, an instruction per unit of time; a"));
	assert_null(strstr(one, "turns"));
}

/* Of instructions no limit can be a time. */
static void test_limit_is_a_time(void **state)
{
	HB_FREE char *other = hb_strf("%s/limit", dir);
	const struct compare_options none = {0}, asked = {.limit = 5e6};
	HB_FREE char *time = NULL, *instructions = NULL, *same = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	s.database = 1;
	for (unsigned int i = 0; i < 5; i++)
		s.tasks[i] = 1 << i;
	time = text_report(&s);
	assert_non_null(strstr(time, "Largest number of clients"));
	assert_non_null(strstr(time, "limits chosen from"));
	assert_non_null(strstr(time, "--limit=TIME"));
	instructions = instructions_report(&s, &none);
	assert_non_null(strstr(instructions, "limits chosen from"));
	assert_null(strstr(instructions, "--limit=TIME"));
	same = instructions_report(&s, &asked);
	assert_string_equal(same, instructions);
}

/* A document that is @name wherever it can be, in one of the forms. */
static char *rendered(const char *name, char form)
{
	struct doc d = {.main = true};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	doc_heading(&d, 1, "%s", name);
	doc_paragraph(&d, "%s", name);
	doc_item(&d, name, "%s", name);
	doc_table(&d, "%s", name);
	doc_column(&d, name, true);
	doc_row(&d, (char *[]){strdup(name)});
	doc_verbatim(&d, "%s\n", name);
	assert_int_equal(form == 'h'   ? doc_html(&d, out, name, NULL)
			 : form == 'm' ? doc_markdown(&d, out, false)
				       : doc_text(&d, out, false),
			 0);
	doc_free(&d);
	fclose(out);
	return text;
}

static unsigned int times(const char *text, const char *part)
{
	unsigned int n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

/* What people name their kernels and files is text in every form, never markup. */
static void test_names_are_text(void **state)
{
	static const char name[] = "a|b<i>&lt;`c`*d*_e_\"f\"\303\244\303\274\303\237";
	static const char html[] =
		"a|b&lt;i&gt;&amp;lt;`c`*d*_e_&quot;f&quot;\303\244\303\274\303\237";
	static const char markdown[] = "a\\|b\\<i\\>\\&lt;\\`c\\`\\*d\\*\\_e\\_\"f\""
				       "\303\244\303\274\303\237";
	HB_FREE char *page = rendered(name, 'h'), *mail = rendered(name, 't');
	HB_FREE char *md = rendered(name, 'm');

	(void)state;
	assert_int_equal(times(mail, name), 8);
	assert_int_equal(times(md, markdown), 7);
	/* Verbatim, as it is. */
	assert_int_equal(times(md, name), 1);
	assert_true(times(page, html) >= 8);
	assert_null(strstr(page, "<i>"));
	assert_null(strstr(page, "&lt;i&gt;&lt;"));
}

/* Change the JSON object in a file of the run @directory. */
static void edit(const char *directory, const char *name, void (*change)(json_t *))
{
	HB_FREE char *file = hb_strf("%s/%s", directory, name);
	json_t *j = json_load_file(file, 0, NULL);

	assert_non_null(j);
	change(j);
	assert_int_equal(json_dump_file(j, file, 0), 0);
	json_decref(j);
}

static void is_published_scenario(json_t *run)
{
	json_object_set_new(json_object_get(run, "scenario"), "name", json_string("faults-forks"));
}

static void is_published_cell(json_t *cell)
{
	json_t *metric = json_array_get(json_object_get(cell, "metrics"), 0);

	json_object_set_new(metric, "name", json_string("touches"));
	json_object_update_new(
		json_object_get(cell, "parameters"),
		json_pack("{s:s, s:s}", "pmdshare.aligned", "no", "pmdshare.shape", "remap"));
}

static void is_lineage(json_t *run)
{
	json_object_set_new(json_object_get(run, "scenario"), "name", json_string("lineage"));
}

static char *published_report(const struct synthetic *s, void (*scenario)(json_t *run))
{
	struct hb_error e;

	assert_int_equal(synthetic_write(s), 0);
	edit(s->dir, "run.json", scenario);
	for (unsigned int seq = 1; seq <= 2 * s->boots; seq++) {
		HB_FREE char *file =
			hb_strf("cells/%04u-%s-faults-%u-r%u/cell.json", seq,
				s->kernels[(seq - 1) % 2], s->tasks[0], (seq - 1) / 2 + 1);

		edit(s->dir, file, is_published_cell);
	}
	assert_int_equal(report_run(s->dir, &e), 0);
	return read_text(s->dir, "report.md");
}

/* 24 tasks that fault: published are 71,405 and, with the other lock, 79,048. */
static void test_published(void **state)
{
	HB_FREE char *other = hb_strf("%s/published", dir);
	HB_FREE char *faster = NULL, *slower = NULL, *noisy = NULL, *equal = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	s.antagonists[0] = NULL;
	memset(s.tasks, 0, sizeof(s.tasks));
	s.tasks[0] = 24;
	faster = published_report(&s, is_published_scenario);
	assert_non_null(strstr(faster, "| faults/s, 24 tasks | x1.11 | x1.26 \\[1.24..1.29\\] | "
				       "agrees |"));
	assert_non_null(strstr(faster, "| faults/s, 1 task | x0.992 | - | not run |"));
	assert_non_null(
		strstr(faster, "| usemem, KB/s, 48 tasks | x1.01 | - | no such workload |"));
	assert_null(strstr(faster, "unmodified and revert"));
	s.effect = 0.8;
	slower = published_report(&s, is_published_scenario);
	assert_non_null(strstr(slower, "| the other way |"));
	s.effect = 1.01;
	noisy = published_report(&s, is_published_scenario);
	assert_non_null(strstr(noisy, "| unclear here |"));
	s.effect = 1;
	s.noise = 0.001;
	equal = published_report(&s, is_published_scenario);
	assert_non_null(strstr(equal, "| not as there |"));
}

/* Kernels that have the published lock, and a machine with fewer tasks than were published. */
static void test_published_lineage(void **state)
{
	HB_FREE char *other = hb_strf("%s/lineage", dir), *text = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	s.antagonists[0] = NULL;
	s.kernels[1] = "v6.1";
	memset(s.tasks, 0, sizeof(s.tasks));
	s.tasks[0] = 4;
	text = published_report(&s, is_lineage);
	assert_non_null(strstr(text, "There unmodified and vma lock, here base and v6.1"));
	assert_non_null(strstr(text, "| faults/s, 24 tasks, here 4 | x1.11 | x1.2"));
	assert_non_null(strstr(text, "| faults/s, 1 task | x0.992 | - | not run |"));
}

static void comes_from_elsewhere(json_t *run)
{
	json_t *kernel = json_array_get(json_object_get(run, "kernels"), 1);
	json_t *diff = json_array_get(json_object_get(run, "config_diff"), 0);

	json_object_set_new(kernel, "source", json_string("linux-source-6.1 6.1.192-1"));
	json_object_set_new(diff, "lines", json_pack("[s]", "+CONFIG_NEWER=y"));
}

/* Where the arms come from different sources the reader is told, and spared the configurations. */
static void test_different_sources(void **state)
{
	HB_FREE char *other = hb_strf("%s/sources", dir), *alike = NULL, *text = NULL;
	struct synthetic s = synthetic_default(other);
	struct hb_error e;

	(void)state;
	assert_int_equal(synthetic_write(&s), 0);
	assert_int_equal(report_run(s.dir, &e), 0);
	alike = read_text(s.dir, "report.md");
	assert_null(strstr(alike, "NOT ONE SOURCE"));
	edit(s.dir, "run.json", comes_from_elsewhere);
	assert_int_equal(report_run(s.dir, &e), 0);
	text = read_text(s.dir, "report.md");
	assert_non_null(strstr(text, "NOT ONE SOURCE: base from linux-source-5.10 5.10.262-1; "
				     "hinode from linux-source-6.1 6.1.192-1. Arms of different "
				     "sources differ by more than patches"));
	assert_non_null(strstr(text, "their sources differ, and 1 lines."));
	assert_null(strstr(text, "CONFIG_NEWER"));
}

static json_t *wait_json(const char *how, const char *kind, const char *function, int count,
			 int sum)
{
	return json_pack("{s:s*, s:s, s:s, s:i, s:i}", "how", how, "kind", kind, "function",
			 function, "count", count, "sum", sum);
}

/* 100 operations of 20 us, half of it executed; in the slow one the lock is the most. */
static void has_waits(json_t *cell)
{
	json_t *waits =
		json_pack("[o, o, o, o]", wait_json("spun", "mutex", "hugetlb_fault", 40, 300000),
			  wait_json("asleep", "mutex", "hugetlb_fault", 10, 600000),
			  wait_json("ready", "cpu", "", 3, 90000),
			  wait_json("asleep", "page-lock", "rare", 1, 10000));
	json_t *held = json_pack("[o, o]", wait_json(NULL, "own", "", 0, 30000),
				 wait_json(NULL, "mutex", "hugetlb_fault", 1, 70000));

	json_object_set_new(cell, "waits",
			    json_pack("[{s:s, s:s, s:i, s:i, s:i, s:o, s:{s:i, s:i, s:o}}]",
				      "source", "pmdshare", "name", "fault_latency", "count", 100,
				      "total", 2000000, "executed", 1000000, "waits", waits, "slow",
				      "count", 1, "least", 100000, "held", held));
}

/* The same cell as faults-1, but for the observation. */
static void has_waits_of_a_pair(json_t *cell)
{
	has_waits(cell);
	json_object_set_new(cell, "tasks", json_integer(1));
	json_object_set_new(json_object_get(cell, "parameters"), "pmdshare.tasks",
			    json_string("1"));
}

/* What operations waited for: of a cell that has its like without, and of one that has none. */
static void test_waits(void **state)
{
	HB_FREE char *other = hb_strf("%s/waits", dir), *text = NULL;
	struct synthetic s = synthetic_default(other);
	char *section, *end;
	struct hb_error e;

	(void)state;
	s.boots = 2;
	s.antagonists[0] = NULL;
	assert_int_equal(synthetic_write(&s), 0);
	for (unsigned int seq = 1; seq <= 12; seq++) {
		unsigned int tasks = s.tasks[(seq - 1) / 2 % 3];
		HB_FREE char *file = hb_strf("cells/%04u-%s-faults-%u-r%u/cell.json", seq,
					     s.kernels[(seq - 1) % 2], tasks, (seq - 1) / 6 + 1);

		if (tasks > 1)
			edit(s.dir, file, tasks == 2 ? has_waits_of_a_pair : has_waits);
	}
	assert_int_equal(report_run(s.dir, &e), 0);
	text = read_text(s.dir, "report.txt");
	section = strstr(text, "Where the time goes\n");
	assert_non_null(section);
	end = strstr(section, "\n\nFurther figures");
	assert_non_null(end);
	end[1] = 0;
	compare_golden_text("waits.txt", section);
}

/* Three machines: named, with their spread; and one that contradicts a verdict is named beside it.
 */
static void test_machines(void **state)
{
	HB_FREE char *other = hb_strf("%s/machines", dir), *text = NULL, *disagree = NULL;
	HB_FREE char *exact = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	s.machines = 3;
	text = text_report(&s);
	assert_non_null(
		strstr(text, "Boots come from 3 machines: node0 (Example CPU 0; 12 boots),"));
	assert_non_null(strstr(text, "\nMain figures by machine\n"));
	assert_null(strstr(text, "Machines disagree"));
	s.boots = 24;
	s.contrary = 1;
	disagree = text_report(&s);
	assert_non_null(
		strstr(disagree, "\nMachines disagree: faults-1 faults is +7.79% over all"));
	assert_non_null(strstr(disagree, "node1 -"));
	s.mode = "exact";
	s.contrary = 0;
	s.noise = 0;
	exact = text_report(&s);
	/* all but the first of each kernel and cell, by machine */
	assert_non_null(strstr(exact, "\n12 boots repeat one that another machine made, with"));
}

/* Of two machines one is half as fast: it is no spread of the figures, and no change. */
static void test_machine_of_half_the_speed(void **state)
{
	HB_FREE char *other = hb_strf("%s/two", dir), *text = NULL, *strata = NULL;
	HB_FREE char *contrary = NULL;
	struct synthetic s = synthetic_default(other);

	(void)state;
	s.machines = 2;
	s.boots = 8;
	text = text_report(&s);
	assert_non_null(strstr(text, "faults-1 faults, 1/s\n     7476 ±1.4%    9385 ±1.6% "
				     "+25.8% +23.8..+27.9 better  8+8"));
	assert_non_null(strstr(text, "\nBoots come from 2 machines: node0 (Example CPU 0; 24 "
				     "boots), node1\n(Example CPU 0; 24 boots).\n"));
	assert_non_null(strstr(text, "\nDifferences are taken within machines, which are "
				     "weighted by their\nboots;"));
	assert_non_null(strstr(text, "\nfaults-1 faults            +25.8%                   "
				     "±1.1% -\n"));
	assert_null(strstr(text, "Machines disagree"));
	/* what cancels out is not the same */
	s.contrary = 1;
	contrary = text_report(&s);
	assert_non_null(strstr(contrary, "\nMachines disagree: faults-1 faults is "));
	assert_non_null(strstr(contrary, "on node0, -"));
	s.contrary = 0;
	/* of other models of CPU each has cells of its own */
	s.models = 1;
	strata = text_report(&s);
	assert_non_null(strstr(strata, "\nfaults-1 on Example CPU 0 faults, 1/s\n     9961 "));
	assert_non_null(strstr(strata, "\nfaults-1 on Example CPU 1 faults, 1/s\n     4992 "));
	assert_null(strstr(strata, "Main figures by machine"));
}

/* A cell that never ran has no parameters. */
static void test_cell_without_parameters(void **state)
{
	static const char *const cells[] = {"0003-base-faults-2-r1", "0004-hinode-faults-2-r1"};
	HB_FREE char *other = hb_strf("%s/none", dir), *text = NULL;
	struct synthetic s = synthetic_default(other);
	struct hb_error e;

	(void)state;
	s.boots = 1;
	assert_int_equal(synthetic_write(&s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		HB_FREE char *file = hb_strf("%s/cells/%s/cell.json", other, cells[i]);
		json_t *cell = json_load_file(file, 0, NULL);

		assert_int_equal(json_object_del(cell, "parameters"), 0);
		assert_int_equal(json_dump_file(cell, file, 0), 0);
		json_decref(cell);
	}
	assert_int_equal(report_run(other, &e), 0);
	text = read_text(other, "report.txt");
	assert_non_null(strstr(text, "All cells: pmdshare.size=1G\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_html_is_whole),
		cmocka_unit_test(test_html_order),
		cmocka_unit_test(test_html_verdicts),
		cmocka_unit_test(test_repeatable),
		cmocka_unit_test(test_decided),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_too_few_for_verdicts),
		cmocka_unit_test(test_cell_without_parameters),
		cmocka_unit_test(test_csv_keys),
		cmocka_unit_test(test_csv_of_one_arm),
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_machine_of_half_the_speed),
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_published_lineage),
		cmocka_unit_test(test_different_sources),
		cmocka_unit_test(test_changes_without_a_ratio),
		cmocka_unit_test(test_unclear),
		cmocka_unit_test(test_turns_of_the_run),
		cmocka_unit_test(test_limit_is_a_time),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_names_are_text),
	};

	return cmocka_run_group_tests_name("report", tests, setup, teardown);
}
