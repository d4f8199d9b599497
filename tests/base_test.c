// SPDX-License-Identifier: GPL-2.0-or-later
/* bench/base: units, options, histogram, frames, files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/base/hist.h"
#include "bench/base/json.h"
#include "bench/base/option.h"
#include "bench/base/units.h"
#include "bench/base/wire.h"
#include "tests/put.h"

static void sizes_parse(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(hb_parse_size("1G", &v), 0);
	assert_int_equal(v, 1ULL << 30);
	assert_int_equal(hb_parse_size("512KiB", &v), 0);
	assert_int_equal(v, 512 << 10);
	assert_int_equal(hb_parse_size("17", &v), 0);
	assert_int_equal(v, 17);
	assert_int_equal(hb_parse_size("-1", &v), -EINVAL);
	assert_int_equal(hb_parse_size("1Gx", &v), -EINVAL);
	assert_int_equal(hb_parse_size("", &v), -EINVAL);
	assert_int_equal(hb_parse_size("99999999P", &v), -ERANGE);
	assert_int_equal(hb_parse_size("99999999999999999999", &v), -ERANGE);
}

static void numbers_parse(void **state)
{
	uint64_t n;
	double d;

	(void)state;
	assert_int_equal(hb_parse_u64("0x1F", &n), 0);
	assert_int_equal(n, 31);
	/* No octal: a leading zero is one. */
	assert_int_equal(hb_parse_u64("010", &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(hb_parse_u64("10a", &n), -EINVAL);
	assert_int_equal(hb_parse_u64("99999999999999999999", &n), -ERANGE);
	assert_int_equal(hb_parse_double("-2.5", &d), 0);
	assert_true(d == -2.5);
	assert_int_equal(hb_parse_double("2.5x", &d), -EINVAL);
	assert_int_equal(hb_parse_double("x", &d), -EINVAL);
	assert_int_equal(hb_parse_double("inf", &d), -EINVAL);
}

static void durations_parse(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(hb_parse_duration("20m", &v), 0);
	assert_int_equal(v, 1200 * NSEC_PER_SEC);
	assert_int_equal(hb_parse_duration("1.5ms", &v), 0);
	assert_int_equal(v, 1500000);
	assert_int_equal(hb_parse_duration("2", &v), 0);
	assert_int_equal(v, 2 * NSEC_PER_SEC);
	assert_int_equal(hb_parse_duration("nan", &v), -EINVAL);
	assert_int_equal(hb_parse_duration("2 s", &v), -EINVAL);
	assert_int_equal(hb_parse_duration("9999999h", &v), -ERANGE);
}

static void units_print(void **state)
{
	static const struct {
		double ns;
		const char *text;
	} durations[] = {
		{0.5, "0.5 ns"},	   {42, "42 ns"},
		{999.7, "1 us"},	   {1250, "1.25 us"},
		{2.5e6, "2.5 ms"},	   {59e9, "59 s"},
		{60e9, "1 m 0 s"},	   {200e9, "3 m 20 s"},
		{3599e9, "59 m 59 s"},	   {3600e9, "1 h 0 m"},
		{26 * 3600e9, "26 h 0 m"}, {5430e9, "1 h 30 m"},
	};
	char b[32];

	(void)state;
	assert_string_equal(hb_format_size(b, sizeof(b), 1ULL << 30), "1 GiB");
	assert_string_equal(hb_format_size(b, sizeof(b), 1536), "1.5 KiB");
	assert_string_equal(hb_format_size(b, sizeof(b), 100 * 1024 + 512), "100 KiB");
	assert_string_equal(hb_format_size(b, sizeof(b), 7ULL << 60), "7168 PiB");
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
		assert_string_equal(hb_format_duration(b, sizeof(b), durations[i].ns),
				    durations[i].text);
}

struct demo {
	uint64_t size, wait, number;
	int flag, shape;
	double share;
	char path[HB_OPTION_STRING];
	char conf[HB_OPTION_SETTINGS];
	char script[HB_OPTION_FILE];
};

static const char *const shapes[] = {"remap", "attach", NULL};
static const struct option_row demo_rows[] = {
	{"size", OPTION_SIZE, offsetof(struct demo, size), "1G", "2M", "64G", NULL, "bytes"},
	{"wait", OPTION_DURATION, offsetof(struct demo, wait), "5ms", NULL, "1h", NULL, "pause"},
	{"number", OPTION_U64, offsetof(struct demo, number), "4", "1", "256", NULL, "tasks"},
	{"flag", OPTION_BOOL, offsetof(struct demo, flag), "yes", NULL, NULL, NULL, "on or off"},
	{"shape", OPTION_ENUM, offsetof(struct demo, shape), "remap", NULL, NULL, shapes, "loop"},
	{"share", OPTION_DOUBLE, offsetof(struct demo, share), "0.5", "0", "1", NULL, "part"},
	{"path", OPTION_STRING, offsetof(struct demo, path), "", NULL, NULL, NULL, "file"},
	{"conf.*", OPTION_SETTINGS, offsetof(struct demo, conf), "", NULL, NULL, NULL, "lines"},
	{"script", OPTION_FILE, offsetof(struct demo, script), "remap", NULL, NULL, shapes, "file"},
	OPTION_END,
};

static void options_default_and_set(void **state)
{
	struct hb_error e;
	struct demo d;

	(void)state;
	assert_int_equal(option_defaults(demo_rows, &d, &e), 0);
	assert_int_equal(d.size, 1ULL << 30);
	assert_int_equal(d.wait, 5000000);
	assert_int_equal(d.flag, 1);
	assert_int_equal(option_set(demo_rows, &d, "shape", "attach", &e), 0);
	assert_int_equal(d.shape, 1);
	assert_int_equal(option_set(demo_rows, &d, "size", "1M", &e), -ERANGE);
	assert_non_null(strstr(e.text, "2M to 64G"));
	assert_int_equal(d.size, 1ULL << 30);
	assert_int_equal(option_set(demo_rows, &d, "shape", "round", &e), -EINVAL);
	assert_non_null(strstr(e.text, "remap, attach"));
	assert_int_equal(option_set(demo_rows, &d, "nubmer", "3", &e), -ENOENT);
	assert_non_null(strstr(e.text, "did you mean 'number'"));
	assert_int_equal(option_set(demo_rows, &d, "share", "nan", &e), -EINVAL);
}

/* Any name behind the prefix is an option; all of them are lines of one field. */
static void options_of_any_name(void **state)
{
	char big[HB_OPTION_SETTINGS];
	struct hb_error e;
	struct demo d;

	(void)state;
	assert_int_equal(option_defaults(demo_rows, &d, &e), 0);
	assert_string_equal(d.conf, "");
	assert_int_equal(option_set(demo_rows, &d, "conf.work_mem", "64MB", &e), 0);
	assert_int_equal(option_set(demo_rows, &d, "conf.a.b", "x = 'y z'", &e), 0);
	assert_string_equal(d.conf, "work_mem=64MB\na.b=x = 'y z'\n");
	assert_int_equal(option_set(demo_rows, &d, "conf.", "1", &e), -ENOENT);
	assert_int_equal(option_set(demo_rows, &d, "conf.-D", "1", &e), -ENOENT);
	assert_int_equal(option_set(demo_rows, &d, "conf.a", "1\nb=2", &e), -EINVAL);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	assert_int_equal(option_set(demo_rows, &d, "conf.a", big, &e), -ERANGE);
	assert_string_equal(d.conf, "work_mem=64MB\na.b=x = 'y z'\n");
}

/* The host reads the file, the agent gets its name and text; what else there is stays as it is. */
static void options_of_a_file(void **state)
{
	char dir[] = "/tmp/hugebench-base-XXXXXX", big[HB_OPTION_FILE];
	HB_FREE char *path = hb_strf("%s/a b;c.sql", mkdtemp(dir)), *value = NULL, *none = NULL;
	HB_FREE char *choice = NULL, *other = NULL;
	json_t *rows = option_describe(demo_rows);
	struct hb_error e;
	struct demo d;

	(void)state;
	assert_int_equal(option_defaults(demo_rows, &d, &e), 0);
	assert_string_equal(d.script, "remap");
	put_file("SELECT 1;\nSELECT 2;\n", "%s", path);
	value = option_read_file(rows, "script", path, &e);
	assert_string_equal(value, "a_b_c.sql\nSELECT 1;\nSELECT 2;\n");
	assert_int_equal(option_check_described(rows, "script", value, &e), 0);
	assert_int_equal(option_set(demo_rows, &d, "script", value, &e), 0);
	assert_string_equal(d.script, value);
	choice = option_read_file(rows, "script", "attach", &e);
	assert_string_equal(choice, "attach");
	assert_int_equal(option_set(demo_rows, &d, "script", choice, &e), 0);
	other = option_read_file(rows, "path", path, &e);
	assert_string_equal(other, path);
	assert_int_equal(option_set(demo_rows, &d, "script", "attache", &e), -EINVAL);
	assert_non_null(strstr(e.text, "none of remap, attach"));
	none = option_read_file(rows, "script", "/nowhere/x.sql", &e);
	assert_null(none);
	assert_non_null(strstr(e.text, "/nowhere/x.sql cannot be read: No such file"));
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	put_file(big, "%s", path);
	assert_null(option_read_file(rows, "script", path, &e));
	assert_non_null(strstr(e.text, "1 to 8126 bytes is wanted, it has 8191"));
	put_bytes("SELECT\0 1", 9, "%s", path);
	assert_null(option_read_file(rows, "script", path, &e));
	assert_non_null(strstr(e.text, "some of them zero"));
	json_decref(rows);
	hb_remove_all(dir);
}

static void options_described_check_alike(void **state)
{
	json_t *rows = option_describe(demo_rows);
	struct hb_error e;

	(void)state;
	assert_int_equal(option_check_described(rows, "size", "2M", &e), 0);
	assert_int_equal(option_check_described(rows, "size", "1M", &e), -ERANGE);
	assert_int_equal(option_check_described(rows, "shape", "attach", &e), 0);
	assert_int_equal(option_check_described(rows, "shape", "x", &e), -EINVAL);
	assert_int_equal(option_check_described(rows, "sise", "2M", &e), -ENOENT);
	assert_non_null(strstr(e.text, "'size'"));
	json_decref(rows);
}

/* The bound that hist.h claims, over the whole range. */
static void hist_error_is_bounded(void **state)
{
	(void)state;
	for (uint64_t v = 1; v < 1ULL << HIST_MAX_BITS; v += v / 50 + 1) {
		unsigned int i = hist_index(v);
		uint64_t low = hist_bucket_low(i), high = hist_bucket_high(i);

		assert_true(i < HIST_BUCKETS);
		assert_true(low <= v && v < high);
		assert_true(high - low <= 1 || (high - low) * (1u << HIST_SUB_BITS) <= low);
	}
	assert_int_equal(hist_index((1ULL << HIST_MAX_BITS) - 1), HIST_BUCKETS - 1);
}

static struct hist *hist_new(void)
{
	struct hist *h = malloc(sizeof(*h));

	assert_non_null(h);
	hist_reset(h);
	return h;
}

static void hist_keeps_what_overflows(void **state)
{
	HB_FREE struct hist *h = hist_new();

	(void)state;
	assert_true(isnan(hist_mean(h)));
	for (uint64_t v = 1; v <= 1000; v++)
		hist_record(h, v);
	hist_record(h, 5ULL << HIST_MAX_BITS);
	assert_int_equal(h->overflow, 1);
	assert_int_equal(h->count, 1001);
	assert_int_equal(h->min, 1);
	assert_int_equal(h->max, 5ULL << HIST_MAX_BITS);
}

static void hist_json_round_trip_and_garbage(void **state)
{
	HB_FREE struct hist *h = hist_new(), *back = hist_new();
	struct hb_error e;
	json_t *j;

	(void)state;
	for (uint64_t v = 1; v < 1u << 20; v = v * 3 + 1)
		hist_record(h, v);
	j = hist_to_json(h, "ns");
	assert_int_equal(hist_from_json(back, j, &e), 0);
	assert_memory_equal(h, back, sizeof(*h));
	json_object_set_new(j, "count", json_integer(7));
	assert_int_equal(hist_from_json(back, j, &e), -EINVAL);
	json_object_set_new(j, "count", json_integer(h->count));
	json_object_set_new(j, "max", json_integer(3));
	assert_int_equal(hist_from_json(back, j, &e), -EINVAL);
	json_object_set_new(j, "max", json_integer(h->max));
	json_object_set_new(j, "layout", json_string("linear"));
	assert_int_equal(hist_from_json(back, j, &e), -EINVAL);
	assert_non_null(strstr(e.text, "linear"));
	json_object_set_new(j, "layout", json_string(HIST_LAYOUT));
	json_array_append_new(json_object_get(j, "buckets"), json_pack("[i,i]", 2, 1));
	assert_int_equal(hist_from_json(back, j, &e), -EINVAL);
	json_decref(j);
}

static void hist_json_refuses(json_t *j, const char *key, json_int_t value, const char *why)
{
	HB_FREE struct hist *h = hist_new();
	struct hb_error e;

	json_object_set_new(j, key, json_integer(value));
	assert_int_equal(hist_from_json(h, j, &e), -EINVAL);
	assert_non_null(strstr(e.text, why));
}

/* What is taken out of the text is what the whole document says. */
static void hist_buckets_are_taken(void **state)
{
	HB_FREE struct hist *h = hist_new(), *back = hist_new();
	HB_FREE char *text = NULL;
	json_t *j;

	(void)state;
	for (uint64_t v = 1; v < 1u << 20; v = v * 3 + 1)
		hist_record(h, v);
	j = hist_to_json(h, "ns");
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	assert_true(hist_take_buckets(back, text));
	assert_memory_equal(h->bucket, back->bucket, sizeof(h->bucket));
	j = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(j, "buckets")), 0);
	assert_int_equal(hist_complete(back, j, NULL), 0);
	assert_memory_equal(h, back, sizeof(*h));
	json_decref(j);
}

/* Anything but a list as hugebench writes it is left to the reader of JSON, as it is. */
static void hist_buckets_are_left(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"buckets\":[",
		"{\"buckets\":[]}",
		"{\"buckets\":[[1,2]",
		"{\"buckets\":[[1,2]]",
		"{\"buckets\":[[1,2],]}",
		"{\"buckets\":[[1,2][3,4]]}",
		"{\"buckets\":[[1,2,3]]}",
		"{\"buckets\":[[1, 2]]}",
		"{\"buckets\":[[-1,2]]}",
		"{\"buckets\":[[1,0]]}",
		"{\"buckets\":[[1,02]]}",
		"{\"buckets\":[[1,2.5]]}",
		"{\"buckets\":[[2,1],[2,1]]}",
		"{\"buckets\":[[1000000,1]]}",
		"{\"buckets\":[[1,9999999999999999999]]}",
		"{\"buckets\":[[1,2]]}}",
		"{\"buckets\":[[1,2]],\"a\":1}",
	};
	HB_FREE struct hist *h = hist_new(), *empty = hist_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		HB_FREE char *text = strdup(rows[i]);

		assert_false(hist_take_buckets(h, text));
		assert_string_equal(text, rows[i]);
		assert_memory_equal(h, empty, sizeof(*h));
	}
}

/* All values in one bucket, then all in the overflow: the extremes must still fit. */
static void hist_json_extremes(void **state)
{
	HB_FREE struct hist *h = hist_new(), *back = hist_new();
	json_t *j;

	(void)state;
	hist_record(h, 1000);
	j = hist_to_json(h, "ns");
	hist_json_refuses(j, "min", 1001, "above max");
	json_decref(j);
	hist_reset(h);
	hist_record(h, 1ULL << HIST_MAX_BITS);
	j = hist_to_json(h, "ns");
	assert_int_equal(hist_from_json(back, j, NULL), 0);
	hist_json_refuses(j, "min", 7, "first bucket");
	json_decref(j);
}

/* Each total must follow from the buckets, with an overflow as well. */
static void hist_json_totals(void **state)
{
	static const struct {
		const char *key, *why;
		json_int_t value;
	} rows[] = {
		{"count", "negative", -1},	   {"overflow", "negative", -1},
		{"min", "negative", -1},	   {"max", "negative", -1},
		{"overflow", "count says", 0},	   {"count", "count says", 4},
		{"min", "first bucket", 10},	   {"max", "last bucket", 4000},
		{"max", "last bucket", 1LL << 39},
	};
	HB_FREE struct hist *h = hist_new(), *back = hist_new();
	json_t *good, *twice;

	(void)state;
	hist_record(h, 20);
	hist_record(h, 4000);
	hist_record(h, 1ULL << HIST_MAX_BITS);
	good = hist_to_json(h, "ns");
	assert_int_equal(hist_from_json(back, good, NULL), 0);
	assert_memory_equal(h, back, sizeof(*h));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *j = json_deep_copy(good);

		hist_json_refuses(j, rows[i].key, rows[i].value, rows[i].why);
		json_decref(j);
	}
	twice = json_deep_copy(json_array_get(json_object_get(good, "buckets"), 1));
	json_array_append_new(json_object_get(good, "buckets"), twice);
	hist_json_refuses(good, "count", 4, "out of order");
	json_decref(good);
}

static void hist_merge_adds(void **state)
{
	HB_FREE struct hist *a = hist_new(), *b = hist_new();

	(void)state;
	hist_record(a, 10);
	hist_record(b, 4000);
	hist_merge(a, b);
	assert_int_equal(a->count, 2);
	assert_int_equal(a->min, 10);
	assert_int_equal(a->max, 4000);
	assert_true(hist_mean(a) == 2005);
}

static void wire_round_trip(void **state)
{
	struct wire_reader r = {0};
	json_t *out = json_pack("{s:s}", "phase", "warmup"), *in;
	enum wire_type type;
	struct hb_error e;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(wire_send(fd[1], WIRE_PHASE, out, &e), 0);
	assert_int_equal(wire_send(fd[1], WIRE_QUIT, NULL, &e), 0);
	assert_int_equal(wire_fill(&r, fd[0]), 0);
	assert_int_equal(wire_next(&r, &type, &in, &e), 1);
	assert_int_equal(type, WIRE_PHASE);
	assert_true(json_equal(in, out));
	json_decref(in);
	assert_int_equal(wire_next(&r, &type, &in, &e), 1);
	assert_int_equal(type, WIRE_QUIT);
	json_decref(in);
	assert_int_equal(wire_next(&r, &type, &in, &e), 0);
	close(fd[1]);
	assert_int_equal(wire_fill(&r, fd[0]), -EPIPE);
	close(fd[0]);
	wire_reader_free(&r);
	json_decref(out);
}

/* Every single damaged bit of a frame is noticed, and half a frame is no frame. */
static void wire_damage_is_noticed(void **state)
{
	json_t *out = json_pack("{s:i}", "n", 5), *in;
	char frame[128];
	enum wire_type type;
	struct hb_error e;
	ssize_t len;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(wire_send(fd[1], WIRE_PHASE, out, &e), 0);
	len = read(fd[0], frame, sizeof(frame));
	for (int bit = 0; bit < len * 8; bit++) {
		struct wire_reader r = {.buf = malloc(len), .used = len, .size = len};

		memcpy(r.buf, frame, len);
		r.buf[bit / 8] ^= 1 << bit % 8;
		if (bit / 8 == 6 || bit / 8 == 7) { /* the type is judged by the receiver */
			free(r.buf);
			continue;
		}
		assert_true(wire_next(&r, &type, &in, &e) <= 0);
		free(r.buf);
	}
	for (int n = 0; n < len; n++) {
		struct wire_reader r = {.buf = frame, .used = n, .size = sizeof(frame)};

		assert_int_equal(wire_next(&r, &type, &in, &e), 0);
	}
	json_decref(out);
	close(fd[0]);
	close(fd[1]);
}

static void files_are_whole_or_absent(void **state)
{
	char dir[] = "/tmp/hugebench-test-XXXXXX";
	HB_FREE char *path = NULL, *text = NULL;
	uint64_t v;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = hb_strf("%s/a/b/value", dir);
	assert_true(hb_file_write_atomic(path, "12\n", 3) == -ENOENT);
	*strrchr(path, '/') = '\0';
	assert_int_equal(hb_mkdir_all(path), 0);
	assert_int_equal(hb_mkdir_all(""), -ENOENT);
	path[strlen(path)] = '/';
	assert_int_equal(hb_file_write_atomic(path, "12\n", 3), 0);
	assert_int_equal(hb_file_read_u64(path, &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	assert_string_equal(text, "12\n");
	assert_int_equal(hb_remove_all(dir), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(hb_remove_all(dir), 0);
}

static void links_are_removed_not_followed(void **state)
{
	char dir[] = "/tmp/hugebench-test-XXXXXX";
	HB_FREE char *kept = NULL, *tree = NULL, *deep = NULL, *link = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	kept = hb_strf("%s/kept", dir);
	tree = hb_strf("%s/tree", dir);
	deep = hb_strf("%s/tree/a/b/c", dir);
	link = hb_strf("%s/tree/a/link", dir);
	assert_int_equal(hb_mkdir_all(kept), 0);
	assert_int_equal(hb_mkdir_all(deep), 0);
	assert_int_equal(symlink(kept, link), 0);
	assert_int_equal(hb_remove_all(tree), 0);
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(symlink(kept, tree), 0);
	assert_int_equal(hb_remove_all(tree), 0);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(hb_remove_all(dir), 0);
}

static void test_shell_word(void **state)
{
	HB_FREE char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	assert_int_equal(hb_shell_word(f, "a/b-c=1"), 7);
	assert_int_equal(hb_shell_word(f, ""), 2);
	assert_int_equal(hb_shell_word(f, "it's $x"), 12);
	fclose(f);
	assert_string_equal(text, "a/b-c=1'''it'\\''s $x'");
}

/* As in /proc: "MemFree" is not "xMemFree", nor "MemFreeMore". */
static void numbers_of_a_key(void **state)
{
	static const char text[] =
		"xMemFree: 1 kB\nMemFreeMore: 2 kB\n\nMemFree:\t 3 kB\nName:\ta\n";
	uint64_t n = 0;

	(void)state;
	assert_int_equal(hb_text_number(text, "MemFree", &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(hb_text_number(text, "xMemFree", &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(hb_text_number(text, "Mem", &n), -ENOENT);
	assert_int_equal(hb_text_number(text, "Name", &n), -EBADMSG);
	assert_int_equal(hb_file_number("/proc/meminfo", "MemTotal", &n), 0);
	assert_true(n > 0);
	assert_int_equal(hb_file_number("/nonexistent", "MemTotal", &n), -ENOENT);
}

/* Also in files that somebody else wrote: what is no text is passed over. */
static void texts_are_found(void **state)
{
	json_t *texts = json_pack("[i, s, n]", 1, "one");
	json_t *objects = json_pack("[s, {s:i}, {s:s, s:i}, {s:s}]", "a", "k", 1, "k", "one", "n",
				    7, "k", "one");

	(void)state;
	assert_true(json_has_text(texts, "one"));
	assert_false(json_has_text(texts, "on"));
	assert_false(json_has_text(NULL, "one"));
	assert_int_equal(json_integer_value(json_object_get(json_find(objects, "k", "one"), "n")),
			 7);
	assert_null(json_find(objects, "k", "two"));
	assert_null(json_find(texts, "k", "one"));
	assert_string_equal(json_text(json_find(objects, "k", "one"), "n"), "");
	json_decref(texts);
	json_decref(objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shell_word),
		cmocka_unit_test(sizes_parse),
		cmocka_unit_test(durations_parse),
		cmocka_unit_test(numbers_parse),
		cmocka_unit_test(units_print),
		cmocka_unit_test(options_default_and_set),
		cmocka_unit_test(options_of_any_name),
		cmocka_unit_test(options_of_a_file),
		cmocka_unit_test(options_described_check_alike),
		cmocka_unit_test(hist_error_is_bounded),
		cmocka_unit_test(hist_keeps_what_overflows),
		cmocka_unit_test(hist_json_round_trip_and_garbage),
		cmocka_unit_test(hist_buckets_are_taken),
		cmocka_unit_test(hist_buckets_are_left),
		cmocka_unit_test(hist_json_extremes),
		cmocka_unit_test(hist_json_totals),
		cmocka_unit_test(hist_merge_adds),
		cmocka_unit_test(wire_round_trip),
		cmocka_unit_test(wire_damage_is_noticed),
		cmocka_unit_test(files_are_whole_or_absent),
		cmocka_unit_test(links_are_removed_not_followed),
		cmocka_unit_test(texts_are_found),
		cmocka_unit_test(numbers_of_a_key),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
