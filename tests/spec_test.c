// SPDX-License-Identifier: GPL-2.0-or-later
/* bench/spec: what a scenario means, and what is said when it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/scenario/describe.h"
#include "bench/scenario/spec.h"

/* What an agent might describe. */
static const char agent[] = "[{\"name\":\"pmdshare\",\"role\":\"workload\",\"summary\":\"\","
			    "\"needs\":[\"CONFIG_HUGETLBFS\"],"
			    "\"options\":[{\"name\":\"size\",\"type\":\"size\",\"default\":\"1G\","
			    "\"min\":\"2M\",\"max\":\"64G\","
			    "\"help\":\"\"},{\"name\":\"order\",\"type\":\"choice\",\"default\":"
			    "\"seq\",\"choices\":[\"seq\",\"random\"],"
			    "\"help\":\"\"}],\"metrics\":[]},"
			    "{\"name\":\"forkexit\",\"role\":\"workload\",\"summary\":\"\","
			    "\"options\":[{\"name\":\"script\",\"type\":\"file\",\"default\":\"x\","
			    "\"choices\":[\"x\",\"y\"],\"help\":\"\"}],\"metrics\":[]},"
			    "{\"name\":\"truncate\",\"role\":\"antagonist\",\"summary\":\"\","
			    "\"options\":[{\"name\":\"rate\","
			    "\"type\":\"number\",\"default\":\"10\",\"min\":\"1\",\"max\":\"1000\","
			    "\"help\":\"\"}],\"metrics\":[]}]";

static json_t *workloads;
static unsigned int vcpus = SPEC_VCPUS;

static int load_workloads(void **state)
{
	(void)state;
	workloads = json_loads(agent, 0, NULL);
	return !workloads;
}

static int free_workloads(void **state)
{
	(void)state;
	json_decref(workloads);
	return 0;
}

static int parse(const char *text, const char *overrides, struct spec *spec, struct hb_error *e)
{
	json_t *list = json_loads(overrides, 0, NULL);
	int rc;

	assert_non_null(list);
	e->text[0] = 0;
	rc = spec_parse("dir/t.ini", text, workloads, list, vcpus, spec, e);
	json_decref(list);
	return rc;
}

/* The text must be refused with @code and a message that has @part. */
static void refused_with(const char *text, const char *overrides, int code, const char *part)
{
	struct hb_error e;
	struct spec spec;
	int rc = parse(text, overrides, &spec, &e);

	if (rc != code || !strstr(e.text, part))
		fail_msg("got %d '%s', wanted %d '...%s...'", rc, e.text, code, part);
	spec_free(&spec);
}

static void refused(const char *text, int code, const char *part)
{
	refused_with(text, "[]", code, part);
}

static void accepted(const char *text, const char *overrides, struct spec *spec)
{
	struct hb_error e;

	if (parse(text, overrides, spec, &e))
		fail_msg("refused: %s", e.text);
}

#define HEAD "[scenario]\nkernels = base, hinode\n"
#define CELL HEAD "[cell a]\nworkload = pmdshare\n"

static const json_t *instance(const struct spec *spec, size_t cell, size_t i)
{
	return json_array_get(spec->cells[cell].instances, i);
}

static const char *option(const struct spec *spec, size_t cell, size_t i, const char *name)
{
	return json_string_value(
		json_object_get(json_object_get(instance(spec, cell, i), "options"), name));
}

static json_int_t tasks(const struct spec *spec, size_t cell, size_t i)
{
	return json_integer_value(json_object_get(instance(spec, cell, i), "tasks"));
}

/* As Windows editors write it: a mark in front, and "\r\n". */
static void other_editors_are_understood(void **state)
{
	struct spec s;

	(void)state;
	accepted("\xef\xbb\xbf[scenario]\r\nkernels = base\r\n[cell a]\r\nworkload = pmdshare\r\n"
		 "pmdshare.order = random\r\n",
		 "[]", &s);
	assert_string_equal(s.cells[0].name, "a");
	assert_string_equal(option(&s, 0, 0, "order"), "random");
	spec_free(&s);
	refused("[scenario]\nkernels = base\n\xef\xbb\xbf[cell a]\n", -EINVAL, "t.ini:3");
}

static void cells_observe_for_themselves(void **state)
{
	struct spec s;

	(void)state;
	accepted("[scenario]\nobserve = status\n[cell a]\nworkload = pmdshare\n"
		 "[cell b]\nworkload = pmdshare\nobserve = vmstat, kprobes\n"
		 "[cell c]\nworkload = pmdshare\nobserve =\n",
		 "[]", &s);
	assert_int_equal(json_array_size(s.cells[0].observed), 1);
	assert_int_equal(json_array_size(s.cells[1].observed), 2);
	assert_int_equal(json_array_size(s.cells[2].observed), 0);
	spec_free(&s);
	refused("[scenario]\n[cell a]\nworkload = pmdshare\nobserve = vmstat, stars\n", -EINVAL,
		"observe = stars: there are vmstat, status, kprobes, locks, pmu and waits");
}

static void scenario_is_read(void **state)
{
	struct spec s;

	(void)state;
	accepted("[scenario]\ndescription = two arms\nkernels = base, fixed\nrepeat = 3\n"
		 "warmup = 500ms\nmeasure = 3s\nmemory = 2G\nobserve = vmstat, locks\n"
		 "[cell both]\nworkload = pmdshare, forkexit\nantagonists = truncate\ntasks = 4\n"
		 "forkexit.tasks = 2\npmdshare.size = 512M\ntruncate.rate = 20\nmeasure = 5s\n"
		 "expect.base = HANG, PANIC\n",
		 "[]", &s);
	assert_string_equal(s.name, "t");
	assert_int_equal(json_array_size(s.kernels), 2);
	assert_int_equal(json_array_size(s.cells[0].observed), 2);
	assert_int_equal(s.scenario.repeat, 3);
	assert_int_equal(s.scenario.memory, 2ULL << 30);
	assert_int_equal(s.ncells, 1);
	assert_int_equal(s.cells[0].timing.warmup, NSEC_PER_SEC / 2);
	assert_int_equal(s.cells[0].timing.measure, 5 * NSEC_PER_SEC);
	assert_int_equal(json_array_size(s.cells[0].instances), 3);
	assert_int_equal(tasks(&s, 0, 0), 4);
	assert_int_equal(tasks(&s, 0, 1), 2);
	assert_int_equal(tasks(&s, 0, 2), 1); /* an antagonist is not among "tasks" */
	assert_string_equal(option(&s, 0, 0, "size"), "512M");
	assert_string_equal(option(&s, 0, 2, "rate"), "20");
	assert_int_equal(json_array_size(json_object_get(s.cells[0].expect, "base")), 2);
	assert_string_equal(json_string_value(json_array_get(s.cells[0].needs, 0)),
			    "CONFIG_HUGETLBFS");
	spec_free(&s);
}

static void order_of_lines_does_not_matter(void **state)
{
	struct spec s;

	(void)state;
	accepted("[cell a]\npmdshare.tasks = 7\ntasks = 2\nworkload = "
		 "pmdshare\n[scenario]\nmeasure = 3s\n",
		 "[]", &s);
	assert_int_equal(tasks(&s, 0, 0), 7);
	assert_int_equal(s.cells[0].timing.measure, 3 * NSEC_PER_SEC);
	spec_free(&s);
}

static void sweeps_make_cells(void **state)
{
	struct spec s;

	(void)state;
	accepted(CELL "sweep.tasks = 1, 2, 4\nsweep.pmdshare.size = 2M, 1G\n", "[]", &s);
	assert_int_equal(s.ncells, 6);
	assert_string_equal(s.cells[0].name, "a-1-2M");
	assert_string_equal(s.cells[1].name, "a-1-1G");
	assert_string_equal(s.cells[5].name, "a-4-1G");
	assert_int_equal(tasks(&s, 5, 0), 4);
	assert_string_equal(option(&s, 5, 0, "size"), "1G");
	spec_free(&s);
}

static void tasks_in_terms_of_the_machine(void **state)
{
	static const char text[] = "[scenario]\n[cell a]\nworkload = pmdshare, forkexit\n"
				   "sweep.pmdshare.tasks = 1, vcpus/4, vcpus\n"
				   "forkexit.tasks = vcpus/2\n";
	struct hb_error e;
	struct spec spec;

	(void)state;
	accepted(text, "[]", &spec);
	assert_true(spec.of_vcpus);
	/* A quarter of four is one, which is there already. */
	assert_int_equal(spec.ncells, 2);
	assert_string_equal(spec.cells[1].name, "a-4");
	spec_free(&spec);
	vcpus = 64;
	assert_int_equal(parse(text, "[]", &spec, &e), 0);
	vcpus = SPEC_VCPUS;
	assert_int_equal(spec.ncells, 3);
	assert_string_equal(spec.cells[1].name, "a-16");
	assert_string_equal(spec.cells[2].name, "a-64");
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(spec.cells[0].instances, 1), "tasks")),
			 32);
	spec_free(&spec);
	refused("[scenario]\n[cell a]\nworkload = forkexit\ntasks = vcpus/0\n", -EINVAL, "vcpus/0");
	refused("[scenario]\n[cell a]\nworkload = forkexit\ntasks = vcpus*1001\n", -EINVAL,
		"vcpus*1001");
	refused("[scenario]\n[cell a]\nworkload = forkexit\ntasks = 2vcpus\n", -EINVAL, "t.ini:4");
}

static void overrides_win(void **state)
{
	struct spec s;

	(void)state;
	accepted(CELL "measure = 9s\nsweep.pmdshare.size = 2M, 1G\n[cell b]\nworkload = forkexit\n",
		 "[\"measure=3s\", \"pmdshare.size=4M\", \"b:tasks=8\", \"kernels=x,y\"]", &s);
	assert_int_equal(s.ncells, 2); /* the value ends the sweep */
	assert_string_equal(option(&s, 0, 0, "size"), "4M");
	assert_int_equal(s.cells[0].timing.measure, 3 * NSEC_PER_SEC);
	assert_int_equal(tasks(&s, 0, 0), 1);
	assert_int_equal(tasks(&s, 1, 0), 8);
	assert_string_equal(json_string_value(json_array_get(s.kernels, 0)), "x");
	spec_free(&s);
	accepted(CELL "tasks = 3\n", "[\"a:sweep.tasks=1,2\"]", &s);
	assert_int_equal(s.ncells, 2); /* and the other way round */
	spec_free(&s);
}

static void expectations_are_inherited(void **state)
{
	struct spec s;

	(void)state;
	accepted("[scenario]\nexpect.base = HANG\n[cell a]\nworkload = pmdshare\n"
		 "[cell b]\nworkload = pmdshare\nexpect.base = OK\n",
		 "[]", &s);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(s.cells[0].expect, "base"), 0)),
		"HANG");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(s.cells[1].expect, "base"), 0)),
		"OK");
	spec_free(&s);
}

static void wrong_keys_are_placed(void **state)
{
	(void)state;
	refused("[scenario]\nwramup = 2s\n[cell a]\nworkload = pmdshare\n", -ENOENT,
		"dir/t.ini:2: no option 'wramup'; did you mean 'warmup'");
	refused(CELL "antagonist = truncate\n", -ENOENT,
		"dir/t.ini:5: a cell has no key 'antagonist'; the nearest is 'antagonists'");
	refused(CELL "pmdshare.sise = 2M\n", -ENOENT,
		"dir/t.ini:5: no option 'sise'; did you mean 'size'");
	refused(CELL "pmdshar.size = 2M\n", -ENOENT, "the nearest is 'pmdshare.size'");
	refused(CELL "truncate.rate = 2\n", -EINVAL, "no effect: the cell runs no 'truncate'");
	refused(HEAD "[cell a]\nworkload = pmdshar\n", -ENOENT,
		"dir/t.ini:4: no workload or antagonist 'pmdshar'; the nearest is 'pmdshare'");
	refused("[scenery]\nrepeat = 1\n", -EINVAL, "dir/t.ini:1: no section [scenery]");
}

static void wrong_values_are_placed(void **state)
{
	(void)state;
	refused(CELL "pmdshare.size = 1M\n", -ERANGE, "dir/t.ini:5: size = 1M is out of range");
	refused(CELL "pmdshare.size = big\n", -EINVAL, "dir/t.ini:5: size = big");
	refused(CELL "pmdshare.order = up\n", -EINVAL, "allowed: seq, random");
	refused(CELL "tasks = 0\n", -ERANGE, "dir/t.ini:5: tasks = 0");
	refused(CELL "tasks = 1025\n", -ERANGE, "dir/t.ini:5:");
	refused(CELL "tasks = -1\n", -EINVAL, "dir/t.ini:5:");
	refused(CELL "expect.base = BROKEN\n", -EINVAL, "dir/t.ini:5: no verdict 'BROKEN'");
	refused("[scenario]\nmode = fast\n[cell a]\nworkload = pmdshare\n", -EINVAL,
		"dir/t.ini:2: mode = fast is not known; allowed: auto, parallel, kvm");
	refused("[scenario]\nkernels = a,,b\n[cell a]\nworkload = pmdshare\n", -EINVAL,
		"empty item");
	refused("[scenario]\nkernels = a, a\n[cell a]\nworkload = pmdshare\n", -EINVAL, "twice");
	refused("[scenario]\nkernels = a b\n[cell a]\nworkload = pmdshare\n", -EINVAL,
		"cannot name a kernel");
	refused("[scenario]\nkernels = ../a\n[cell a]\nworkload = pmdshare\n", -EINVAL,
		"kernels: ../a: No such file");
}

static void meaningless_combinations_are_refused(void **state)
{
	(void)state;
	refused(HEAD "[cell a]\nworkload = truncate\n", -EINVAL, "belongs under 'antagonists'");
	refused(CELL "antagonists = forkexit\n", -EINVAL, "belongs under 'workload'");
	refused(HEAD "[cell a]\nworkload = pmdshare, pmdshare\n", -EINVAL, "twice");
	refused(HEAD "[cell a]\nantagonists = truncate\n", -EINVAL,
		"dir/t.ini:3: [cell a] has no 'workload'");
	refused(HEAD, -EINVAL, "no [cell NAME]");
	refused("[cell a]\nworkload = pmdshare\n", -EINVAL, "no [scenario]");
	refused(CELL "interval = 20s\n", -EINVAL, "interval is longer than measure");
	refused(CELL "interval = 5s\nstall = 2s\n", -EINVAL, "stall is shorter than interval");
	refused(CELL "tasks = 2\nsweep.tasks = 1, 2\n", -EINVAL, "set in this cell and swept");
	refused(CELL "sweep.workload = pmdshare, forkexit\n", -EINVAL, "cannot be swept");
	refused("[scenario]\nvcpus = 1\nnodes = 2\n[cell a]\nworkload = pmdshare\n", -EINVAL,
		"1 vcpus cannot fill 2 nodes");
	refused("[scenario]\nmemory = 64M\n[cell a]\nworkload = pmdshare\n", -ERANGE,
		"256M per node");
	refused(HEAD "[cell a/b]\nworkload = pmdshare\n", -EINVAL, "cannot name a cell");
	refused(HEAD "[cell a]\nworkload = pmdshare\nsweep.tasks = 1, 2\n[cell a-2]\nworkload = "
		     "pmdshare\n",
		-EINVAL, "two cells get the name 'a-2'");
}

static void garbage_is_refused(void **state)
{
	char line[400];

	(void)state;
	refused("", -EINVAL, "no [scenario]");
	refused("hello\n", -EINVAL, "dir/t.ini:1:");
	refused("repeat = 1\n", -EINVAL, "dir/t.ini:1: the key stands before the first [section]");
	refused("[scenario\nrepeat = 1\n", -EINVAL, "dir/t.ini:1: the section has no closing");
	refused("[scenario]\nrepeat = 1\nrepeat = 2\n", -EINVAL,
		"dir/t.ini:3: the key stands in this");
	refused("[scenario]\n[scenario]\n", -EINVAL, "dir/t.ini:2: this section stands");
	refused(HEAD "[cell a]\n", -EINVAL, "dir/t.ini:3: [cell a] has no 'workload'");
	refused(HEAD "[cell a]\nworkload =\n", -EINVAL, "dir/t.ini:3: [cell a] has no 'workload'");
	refused("\x7f"
		"ELF\x01\x02\n",
		-EINVAL, "dir/t.ini:1");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	memcpy(line, "[scenario]\nkernels = ", 21);
	refused(line, -EINVAL, "dir/t.ini:2: the line is too long");
}

static void long_values_continue(void **state)
{
	struct spec s;

	(void)state;
	accepted("[scenario]\nkernels = base,\n  hinode,\n  fixed\n[cell a]\nworkload = pmdshare\n",
		 "[]", &s);
	assert_int_equal(json_array_size(s.kernels), 3);
	assert_string_equal(json_string_value(json_array_get(s.kernels, 2)), "fixed");
	spec_free(&s);
}

static void wrong_overrides_are_named(void **state)
{
	(void)state;
	refused_with(CELL, "[\"repeat\"]", -EINVAL, "-o repeat: write key=value");
	refused_with(CELL, "[\"repeat=x\"]", -EINVAL, "-o repeat=x");
	refused_with(CELL, "[\"b:tasks=1\"]", -ENOENT, "no [cell b]");
	refused_with(CELL, "[\"truncate.rate=1\"]", -ENOENT,
		     "no cell of the scenario uses 'truncate'");
	refused_with(CELL, "[\"taks=1\"]", -ENOENT, "the nearest is 'tasks'");
	refused_with(CELL, "[\"=1\"]", -ENOENT, "-o =1");
}

static void modes_decide(void **state)
{
	struct hb_error e;
	struct spec s;

	(void)state;
	accepted(CELL "work = 100\n", "[]", &s);
	assert_int_equal(spec_check_mode(&s, "exact", &e), 0);
	assert_int_equal(spec_check_mode(&s, "kvm", &e), -EINVAL);
	assert_non_null(strstr(e.text, "only mode exact"));
	spec_free(&s);
	accepted(CELL, "[]", &s);
	assert_int_equal(spec_check_mode(&s, "exact", &e), 0);
	assert_int_equal(spec_check_mode(&s, "emulated", &e), 0);
	spec_free(&s);
	accepted(CELL "work = 1\n[cell b]\nworkload = forkexit\n", "[]", &s);
	assert_int_equal(spec_check_mode(&s, "exact", &e), -EINVAL);
	assert_non_null(strstr(e.text, "[cell b] has no 'work' and others have"));
	spec_free(&s);
	accepted(CELL, "[\"vcpus=128\"]", &s);
	assert_int_equal(spec_check_mode(&s, "exact", &e), -EINVAL);
	assert_non_null(strstr(e.text, "at most 64"));
	spec_free(&s);
	accepted(CELL "work = 1\n", "[\"vcpus=2\"]", &s);
	assert_int_equal(spec_check_mode(&s, "exact", &e), -EINVAL);
	spec_free(&s);
}

/* Antagonists that no cell of the scenarios of mode exact has. */
static void antagonists_run_in_mode_exact(void **state)
{
	static const struct {
		const char *name, *options;
	} beside[] = {
		{"mprotect", "mprotect.rate = 200\nmprotect.length = 2M\n"},
		{"uffd", "uffd.rate = 10\nuffd.target = sibling\n"},
		{"offline", "offline.rate = 100\noffline.batch = 4\n"},
	};
	struct hb_error e;
	json_t *ours = describe_agent("build/hugebench-agent", &e);

	(void)state;
	assert_non_null(ours);
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		HB_FREE char *text = hb_strf("[scenario]\ndescription = d\nkernels = base\n"
					     "[cell a]\nworkload = pmdshare\ntasks = 4\n"
					     "insn = 8000000\nturn = 100\nantagonists = %s\n%s",
					     beside[i].name, beside[i].options);
		struct spec s;

		if (spec_parse("t.ini", text, ours, NULL, vcpus, &s, &e) ||
		    spec_check_mode(&s, "exact", &e))
			fail_msg("%s: %s", beside[i].name, e.text);
		assert_int_equal(s.cells[0].timing.insn, 8000000);
		spec_free(&s);
	}
	json_decref(ours);
}

/* No huge page is as small: said before a guest boots for it. */
static void lengths_are_of_huge_pages(void **state)
{
	static const char *const names[] = {"punchhole", "mprotect"};
	struct hb_error e;
	json_t *ours = describe_agent("build/hugebench-agent", &e);

	(void)state;
	assert_non_null(ours);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		HB_FREE char *text = hb_strf("[scenario]\ndescription = d\nkernels = base\n"
					     "[cell a]\nworkload = pmdshare\nantagonists = %s\n"
					     "%s.length = 4K\n",
					     names[i], names[i]);
		struct spec s;

		assert_int_equal(spec_parse("t.ini", text, ours, NULL, vcpus, &s, &e), -ERANGE);
		assert_non_null(strstr(e.text, "length = 4K is out of range"));
	}
	json_decref(ours);
}

static void cells_are_chosen_by_pattern(void **state)
{
	struct hb_error e;
	struct spec s;

	(void)state;
	accepted(CELL "sweep.tasks = 1, 2\n[cell b]\nworkload = forkexit\n", "[]", &s);
	assert_int_equal(spec_keep_cells(&s, "b, c*", &e), -ENOENT);
	assert_non_null(strstr(e.text, "'c*'; there are: a-1, a-2, b"));
	assert_int_equal(s.ncells, 3);
	assert_int_equal(spec_keep_cells(&s, "a-*", &e), 0);
	assert_int_equal(s.ncells, 2);
	assert_string_equal(s.cells[1].name, "a-2");
	spec_free(&s);
}

static void unknown_scenario_lists_the_known(void **state)
{
	struct hb_error e;
	char *path = spec_find("smok", &e);

	(void)state;
	assert_null(path);
	assert_non_null(strstr(e.text, "the nearest is 'smoke'"));
	path = spec_find("smoke", &e);
	assert_non_null(path);
	free(path);
}

/* The plan has the file's text, not its place. */
static void files_are_read(void **state)
{
	char path[] = "/tmp/hugebench-spec-XXXXXX";
	HB_CLOSE int fd = mkstemp(path);
	HB_FREE char *text = hb_strf(
		"[scenario]\nkernels = base\n[cell a]\nworkload = forkexit\nforkexit.script = %s\n",
		path);
	HB_FREE char *value = hb_strf("%s\nSELECT 1;\n", strrchr(path, '/') + 1);
	struct hb_error e;
	struct spec spec;

	(void)state;
	assert_int_equal(write(fd, "SELECT 1;\n", 10), 10);
	assert_int_equal(parse(text, "[]", &spec, &e), 0);
	assert_string_equal(option(&spec, 0, 0, "script"), value);
	spec_free(&spec);
	unlink(path);
	refused_with(text, "[]", -EINVAL, "cannot be read: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(scenario_is_read),
		cmocka_unit_test(other_editors_are_understood),
		cmocka_unit_test(cells_observe_for_themselves),
		cmocka_unit_test(order_of_lines_does_not_matter),
		cmocka_unit_test(sweeps_make_cells),
		cmocka_unit_test(tasks_in_terms_of_the_machine),
		cmocka_unit_test(overrides_win),
		cmocka_unit_test(expectations_are_inherited),
		cmocka_unit_test(wrong_keys_are_placed),
		cmocka_unit_test(wrong_values_are_placed),
		cmocka_unit_test(meaningless_combinations_are_refused),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(long_values_continue),
		cmocka_unit_test(wrong_overrides_are_named),
		cmocka_unit_test(modes_decide),
		cmocka_unit_test(antagonists_run_in_mode_exact),
		cmocka_unit_test(lengths_are_of_huge_pages),
		cmocka_unit_test(cells_are_chosen_by_pattern),
		cmocka_unit_test(unknown_scenario_lists_the_known),
	};

	return cmocka_run_group_tests(tests, load_workloads, free_workloads);
}
