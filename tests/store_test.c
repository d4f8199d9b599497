// SPDX-License-Identifier: GPL-2.0-or-later
/* bench/store: what is in a run's directory after every way of ending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/run/store.h"
#include "tests/put.h"

static char results[] = "/tmp/hugebench-store-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(results);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(results);
}

static bool exists(const char *dir, const char *file)
{
	HB_FREE char *path = hb_strf("%s/%s", dir, file);

	return !access(path, F_OK);
}

/* A run with a run.json of @status and format @format. */
static void make_run(const char *name, const char *status, int format)
{
	struct hb_error e;
	struct store s;
	json_t *j = json_pack("{s:i, s:s}", "format", format, "status", status);

	assert_int_equal(store_create(results, name, &s, &e), 0);
	assert_int_equal(store_write(&s, "run.json", j, &e), 0);
	assert_int_equal(store_write(&s, "plan.json", j, &e), 0);
	json_decref(j);
	store_close(&s);
}

static void taken_names_are_numbered(void **state)
{
	struct hb_error e;
	struct store a, b, c;

	(void)state;
	assert_int_equal(store_create(results, "same", &a, &e), 0);
	assert_int_equal(store_create(results, "same", &b, &e), 0);
	assert_string_equal(a.name, "same");
	assert_string_equal(b.name, "same-2");
	assert_int_equal(store_create(results, "../same", &c, &e), -EINVAL);
	assert_int_equal(store_create(results, "", &c, &e), -EINVAL);
	store_discard(&a);
	assert_false(exists(results, "same"));
	store_discard(&b);
}

static void cells_appear_whole(void **state)
{
	json_t *cell = json_pack("{s:i}", "format", STORE_FORMAT);
	HB_FREE char *dir = NULL;
	HB_FREE char *file = NULL;
	struct hb_error e;
	struct store s;

	(void)state;
	assert_int_equal(store_create(results, "cells", &s, &e), 0);
	dir = store_cell_begin(&s, "001-a", &e);
	assert_non_null(dir);
	assert_false(store_has_cell(&s, "001-a"));
	file = hb_strf("%s/console.log", dir);
	put_file("text", "%s", file);
	assert_false(store_has_cell(&s, "001-a"));
	assert_int_equal(store_cell_commit(&s, "001-a", dir, cell, &e), 0);
	assert_true(store_has_cell(&s, "001-a"));
	assert_true(exists(s.dir, "cells/001-a/console.log"));
	assert_false(exists(dir, ""));
	json_decref(cell);
	store_close(&s);
}

static void finished_cells_are_not_touched(void **state)
{
	json_t *old = json_pack("{s:i, s:i}", "format", STORE_FORMAT, "n", 1);
	json_t *new = json_pack("{s:i, s:i}", "format", STORE_FORMAT, "n", 2), *got;
	struct hb_error e;
	struct store s;

	(void)state;
	assert_int_equal(store_create(results, "twice", &s, &e), 0);
	for (int i = 0; i < 2; i++) {
		HB_FREE char *dir = store_cell_begin(&s, "001-a", &e);

		assert_int_equal(!store_cell_commit(&s, "001-a", dir, i ? new : old, &e), !i);
		assert_false(exists(dir, ""));
	}
	got = store_read(&s, "cells/001-a/cell.json", &e);
	assert_int_equal(json_integer_value(json_object_get(got, "n")), 1);
	json_decref(got);
	json_decref(old);
	json_decref(new);
	store_close(&s);
}

static void resume_removes_half_written_cells(void **state)
{
	struct hb_error e;
	struct store s;

	(void)state;
	make_run("half", "running", STORE_FORMAT);
	assert_int_equal(store_resume(results, "half", &s, &e), 0);
	free(store_cell_begin(&s, "002-b", &e));
	assert_true(exists(s.dir, "cells/.new-002-b"));
	store_close(&s);
	assert_int_equal(store_resume(results, "half", &s, &e), 0);
	assert_false(exists(s.dir, "cells/.new-002-b"));
	store_close(&s);
}

static void one_hugebench_per_run(void **state)
{
	struct hb_error e;
	struct store s, other;

	(void)state;
	make_run("locked", "running", STORE_FORMAT);
	assert_int_equal(store_resume(results, "locked", &s, &e), 0);
	assert_int_equal(store_resume(results, "locked", &other, &e), -EBUSY);
	assert_non_null(strstr(e.text, "in use by another hugebench"));
	store_close(&s);
	assert_int_equal(store_resume(results, "locked", &s, &e), 0);
	store_close(&s);
}

static void other_formats_are_refused(void **state)
{
	HB_FREE char *path = hb_strf("%s/text/run.json", results);
	struct hb_error e;
	struct store s;

	(void)state;
	make_run("future", "running", 2);
	assert_int_equal(store_resume(results, "future", &s, &e), -EPROTO);
	assert_non_null(strstr(e.text, "future/run.json is of format 2"));
	assert_int_equal(store_resume(results, "absent", &s, &e), -ENOENT);
	make_run("text", "running", STORE_FORMAT);
	put_file("not JSON\n", "%s", path);
	assert_int_equal(store_resume(results, "text", &s, &e), -EPROTO);
	assert_non_null(strstr(e.text, "cannot read"));
}

static void newest_unfinished_run_is_found(void **state)
{
	HB_FREE char *name = NULL;
	struct hb_error e;

	(void)state;
	hb_remove_all(results);
	assert_null(store_unfinished(results, &e));
	make_run("done", "finished", STORE_FORMAT);
	assert_null(store_unfinished(results, &e));
	make_run("broken", "interrupted", STORE_FORMAT);
	make_run("future", "interrupted", 2);
	name = store_unfinished(results, &e);
	assert_string_equal(name, "broken");
}

/* As another user when the test is root's: root may write anywhere. */
static void unwritable_results_are_refused(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		struct hb_error e;
		struct store s;

		if (!getuid() && setuid(65534))
			_exit(9);
		if (chdir("/") || store_create("/proc/self/none", "x", &s, &e) >= 0)
			_exit(1);
		_exit(store_create("/usr", "x", &s, &e) == -EACCES && strstr(e.text, "--results")
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_names_are_numbered),
		cmocka_unit_test(cells_appear_whole),
		cmocka_unit_test(finished_cells_are_not_touched),
		cmocka_unit_test(resume_removes_half_written_cells),
		cmocka_unit_test(one_hugebench_per_run),
		cmocka_unit_test(other_formats_are_refused),
		cmocka_unit_test(newest_unfinished_run_is_found),
		cmocka_unit_test(unwritable_results_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
