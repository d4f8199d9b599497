// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.html as a browser shows it: a picture of the page, and what a script in a copy of the page
 * finds there. Skipped where there is no Chromium (package chromium).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/host/child.h"
#include "bench/report/report.h"
#include "tests/put.h"
#include "tests/synthetic.h"

static char dir[] = "/tmp/hugebench-page-XXXXXX";
static char *page;

/*
 * Asked when all is loaded: what was asked for, fetched or not; where the parts begin and in which
 * colours verdicts are; in front of what a picture stands; where the longest table's head is when
 * the middle of the table has been scrolled to the top of the window.
 */
static const char probe[] =
	"addEventListener('load', () => {"
	" const one = s => document.querySelector(s), all = s => [...document.querySelectorAll(s)];"
	" const top = e => e.getBoundingClientRect().top + scrollY;"
	" const before = e => e && e.tagName == 'FIGURE' ? before(e.previousElementSibling) : e;"
	" const longest = all('table').sort((a, b) => b.offsetHeight - a.offsetHeight)[0];"
	" const found = {"
	"  fetched: performance.getEntriesByType('resource').map(e => e.name),"
	"  order: ['h1', 'table', 'figure', 'nav', 'h2'].map(s => top(one(s))),"
	"  caption: one('caption').textContent,"
	"  colours: ['better', 'bad', 'unclear']"
	"   .map(s => getComputedStyle(one('td.' + s)).color),"
	"  links: all('nav a').map(a => top(one(a.hash))),"
	"  beside: all('figure').map(f => before(f).className || before(f).tagName),"
	"  width: all('figure svg').map(f => f.getBoundingClientRect().width),"
	"  over: document.documentElement.scrollWidth - innerWidth,"
	" };"
	" scrollTo(0, top(longest) + longest.offsetHeight / 2);"
	" found.begin = longest.getBoundingClientRect().top;"
	" found.head = longest.querySelector('th').getBoundingClientRect().top;"
	" document.body.textContent = JSON.stringify(found);"
	"});";

static int setup(void **state)
{
	HB_FREE char *run = NULL;
	struct synthetic s;
	struct hb_error e;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	run = hb_strf("%s/run", dir);
	page = hb_strf("%s/run/report.html", dir);
	if (!run || !page)
		return -1;
	s = synthetic_default(run);
	s.kernels[2] = "base-control";
	s.hang_kernel = "base";
	return synthetic_write(&s) || report_run(run, &e) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	hb_remove_all(dir);
	free(page);
	return 0;
}

static const char *browser(void)
{
	static const char *const paths[] = {"/usr/bin/chromium", "/usr/bin/chromium-browser"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], X_OK))
			return paths[i];
	return NULL;
}

/* What Chromium prints that does @action with the file @path; it has no name server meanwhile. */
static char *open_page(const char *action, const char *path)
{
	HB_FREE char *profile = hb_strf("--user-data-dir=%s/profile", dir);
	HB_FREE char *url = hb_strf("file://%s", path);
	char *const argv[] = {(char *)browser(),
			      "--headless",
			      "--no-sandbox",
			      "--disable-gpu",
			      "--disable-quic",
			      "--no-first-run",
			      "--disable-background-networking",
			      "--disable-component-update",
			      "--disable-sync",
			      "--window-size=1100,700",
			      "--host-resolver-rules=MAP * ~NOTFOUND",
			      profile,
			      (char *)action,
			      url,
			      NULL};
	char *out = NULL;

	assert_int_equal(child_capture(&(struct child){0}, argv, &out), 0);
	return out;
}

/*
 * What the probe finds in the page with @more at its end. The page forbids scripts and whatever
 * would be fetched: in the copy nothing forbids, so that it shows what the page would do.
 */
static json_t *probed(const char *more)
{
	static const char policy[] = "<meta http-equiv=\"Content-Security-Policy\"",
			  end[] = "</body>";
	HB_FREE char *text = NULL, *copy = hb_strf("%s/copy.html", dir);
	HB_FREE char *changed = NULL, *out = NULL;
	const char *from, *to, *body;
	json_t *found;

	assert_int_equal(hb_file_read(page, &text, NULL), 0);
	from = strstr(text, policy);
	assert_non_null(from);
	to = strstr(from, ">") + 1;
	body = strstr(to, end);
	assert_non_null(body);
	changed = hb_strf("%.*s%.*s%s<script>%s</script>%s", (int)(from - text), text,
			  (int)(body - to), to, more, probe, body);
	put_file(changed, "%s", copy);
	out = open_page("--dump-dom", copy);
	body = strstr(out, "<body>");
	assert_non_null(body);
	found = json_loads(body + strlen("<body>"), JSON_DISABLE_EOF_CHECK, NULL);
	if (!found)
		fail_msg("%s", body);
	return found;
}

static double number(const json_t *found, const char *key, size_t i)
{
	const json_t *v = json_object_get(found, key);

	v = json_is_array(v) ? json_array_get(v, i) : v;
	assert_true(json_is_number(v));
	return json_number_value(v);
}

static void assert_rising(const json_t *found, const char *key, size_t least)
{
	size_t n = json_array_size(json_object_get(found, key));

	assert_true(n >= least);
	for (size_t i = 1; i < n; i++)
		assert_true(number(found, key, i - 1) < number(found, key, i));
}

static const char *text(const json_t *found, const char *key, size_t i)
{
	return json_string_value(json_array_get(json_object_get(found, key), i));
}

/* Summary, picture, contents, sections; every entry leads to its own; nothing sticks out. */
static void parts_are_where_they_belong(const json_t *found)
{
	const json_t *beside = json_object_get(found, "beside");

	assert_rising(found, "order", 5);
	assert_rising(found, "links", 4);
	assert_string_equal(json_string_value(json_object_get(found, "caption")),
			    "Main figures of base and hinode");
	assert_true(json_array_size(beside) >= 3);
	for (size_t i = 0; i < json_array_size(beside); i++) {
		/* tables, or the heading of a section that is nothing else */
		if (strcmp(text(found, "beside", i), "t"))
			assert_string_equal(text(found, "beside", i), "H2");
		assert_true(number(found, "width", i) > 300);
	}
	assert_true(number(found, "over", 0) <= 0);
}

static void verdicts_have_colours(const json_t *found)
{
	for (size_t i = 0; i < 3; i++)
		for (size_t k = i + 1; k < 3; k++)
			assert_string_not_equal(text(found, "colours", i),
						text(found, "colours", k));
}

/* The table begins above the window, and its head is at the window's top. */
static void head_stays(const json_t *found)
{
	assert_true(number(found, "begin", 0) < -20);
	assert_true(number(found, "head", 0) > -1 && number(found, "head", 0) < 1);
}

static void page_in_chromium(void **state)
{
	json_t *found;

	(void)state;
	if (!browser())
		skip();
	found = probed("");
	parts_are_where_they_belong(found);
	verdicts_have_colours(found);
	head_stays(found);
	json_decref(found);
}

/* Not even with the policy gone that would forbid it; what would be fetched is seen. */
static void chromium_fetches_nothing(void **state)
{
	json_t *found;

	(void)state;
	if (!browser())
		skip();
	found = probed("");
	assert_int_equal(json_array_size(json_object_get(found, "fetched")), 0);
	json_decref(found);
	found = probed("<img src=\"http://example.invalid/x.png\">");
	assert_int_equal(json_array_size(json_object_get(found, "fetched")), 1);
	assert_string_equal(text(found, "fetched", 0), "http://example.invalid/x.png");
	json_decref(found);
}

/* A page of nothing packs into a few kilobytes. */
static void chromium_draws_it(void **state)
{
	static const unsigned char magic[] = {0x89, 'P', 'N', 'G'};
	HB_FREE char *file = hb_strf("%s/page.png", dir), *data = NULL;
	HB_FREE char *action = hb_strf("--screenshot=%s", file);
	size_t len = 0;

	(void)state;
	if (!browser())
		skip();
	free(open_page(action, page));
	assert_int_equal(hb_file_read(file, &data, &len), 0);
	assert_true(len > 50000);
	assert_memory_equal(data, magic, sizeof(magic));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_in_chromium),
		cmocka_unit_test(chromium_fetches_nothing),
		cmocka_unit_test(chromium_draws_it),
	};

	return cmocka_run_group_tests_name("page", tests, setup, teardown);
}
