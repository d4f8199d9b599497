// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench plan`, `run --block` and `merge`, from outside, and the locks between them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/base/util.h"
#include "bench/report/report.h"
#include "bench/run/lock.h"
#include "bench/run/merge.h"
#include "tests/run_command.h"
#include "tests/synthetic.h"
#include "tests/put.h"

/* Four blocks of one boot. */
static const char scenario[] = "[scenario]\nmode = native\nrepeat = 4\nwarmup = 0\n"
			       "measure = 100ms\ninterval = 50ms\n[cell a]\nworkload = null\n";

static void plan(const char *name)
{
	write_scenario(scenario);
	expect_command("plan", 0, "4 blocks are planned", "-s!", "--name", name);
}

/* Of guests the size is planned; kernels and image are for whoever comes first. */
static void plan_of_guests(void **state)
{
	json_t *record, *guest;

	(void)state;
	write_scenario(scenario);
	expect_command("plan", 0, "4 blocks are planned", "-s!", "--name", "guests", "--mode",
		       "emulated", "-o", "memory=512M", "-o", "command_line=quiet");
	record = json_of("guests", "run.json");
	guest = json_object_get(record, "guest");
	assert_int_equal(json_integer_value(json_object_get(guest, "memory")), 512 << 20);
	assert_string_equal(json_string_value(json_object_get(guest, "arguments")), "quiet");
	assert_int_equal(json_array_size(json_object_get(record, "kernels")), 2);
	json_decref(record);
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* The directory of boot @i of the plan. */
static char *cell_path(const char *run, size_t i)
{
	json_t *p = json_of(run, "plan.json");
	const json_t *cell = json_array_get(json_object_get(p, "cells"), i);
	char *path =
		path_of("results/%s/cells/%s", run, json_string_value(json_object_get(cell, "id")));

	json_decref(p);
	return path;
}

static void json_change(const char *path, void (*change)(json_t *j))
{
	json_t *j = json_load_file(path, 0, NULL);

	assert_non_null(j);
	change(j);
	put_json(j, "%s", path);
}

static void copy(const char *from, const char *to)
{
	char *argv[] = {(char *)"cp", (char *)"-r", (char *)from, (char *)to, NULL};

	assert_int_equal(hb_mkdir_all(to), 0);
	assert_int_equal(child_do(argv, -1), 0);
}

static void plan_boots_nothing(void **state)
{
	(void)state;
	plan("planned");
	status_is("planned", "planned");
	assert_int_equal(cells_of("planned", false), 0);
	expect_command("plan", 2, "name the mode with --mode", "-s!", "--mode", "auto");
	expect_command("plan", 2, "sequential = yes looks at the results", "-s!", "--mode",
		       "emulated", "-o", "sequential=yes");
	expect_run(2, "which run? give --name RUN", "--block", "1");
	expect_run(2, "--block x: a block's number is wanted", "--name", "planned", "--block", "x");
	expect_run(2, "exclude one another", "--name", "planned", "--block", "1", "--resume");
	expect_run(2, "the plan of run planned has no block 5", "--name", "planned", "--block",
		   "5");
	expect_run(2, "there is no run other", "--name", "other", "--block", "1");
}

static void block_is_done_once(void **state)
{
	HB_FREE char *path = NULL;
	ino_t inode;

	(void)state;
	plan("once");
	path = cell_path("once", 1);
	expect_run(0, "[1/1]", "--name", "once", "--block", "2");
	assert_int_equal(cells_of("once", false), 1);
	inode = inode_of(path);
	expect_run(0, "", "--name", "once", "--block", "2");
	assert_int_equal(inode_of(path), inode);
	status_is("once", "planned");
}

static pid_t start_slow(const char *run, const char *block)
{
	HB_FREE char *output = path_of("output-%s", block);
	char *args[] = {"run",	  "--results", command_results,	  "--agent",	 command_agent,
			"--name", (char *)run, (char *)"--block", (char *)block, NULL};
	pid_t pid;

	setenv("fake", "slower", 1);
	pid = command_start(output, args);
	unsetenv("fake");
	return pid;
}

static void blocks_run_beside_one_another(void **state)
{
	pid_t one, two;

	(void)state;
	plan("beside");
	one = start_slow("beside", "1");
	two = start_slow("beside", "2");
	for (int i = 0; i < 600 && cells_of("beside", true) < 2; i++)
		usleep(5000);
	assert_int_equal(cells_of("beside", true), 2);
	kill(one, SIGSTOP); /* it shall not be over before the others have asked */
	expect_run(2, "beside is in use by another hugebench (process ", "--name", "beside",
		   "--block", "1");
	expect_run(2, "is in use by another hugebench", "--name", "beside", "--resume");
	expect_command("merge", 2, "is in use by another hugebench", "beside");
	kill(one, SIGCONT);
	assert_int_equal(command_finish(one), 0);
	assert_int_equal(command_finish(two), 0);
	assert_int_equal(cells_of("beside", false), 2);
	expect_command("merge", 1, "2 blocks are missing", "beside");
	status_is("beside", "planned");
	expect_run(0, "[4/4]", "--name", "beside", "--resume");
	status_is("beside", "finished");
}

static void killed_block_is_done_again(void **state)
{
	pid_t pid;

	(void)state;
	plan("killed");
	pid = start_slow("killed", "3");
	for (int i = 0; i < 600 && !cells_of("killed", true); i++)
		usleep(5000);
	kill(pid, SIGKILL);
	assert_int_equal(command_finish(pid), 1000 + SIGKILL);
	assert_int_equal(cells_of("killed", false), 0);
	expect_run(0, "[1/1]", "--name", "killed", "--block", "3");
	assert_int_equal(cells_of("killed", false), 1);
	assert_int_equal(cells_of("killed", true), 0);
}

/* Two boots in the first block. */
static void block_of_two(json_t *j)
{
	json_object_set_new(json_array_get(json_object_get(j, "cells"), 1), "block",
			    json_integer(1));
}

static void other_host(json_t *j)
{
	json_object_set_new(json_object_get(j, "environment"), "host_id", json_string("another"));
}

/* A block is of one machine: what another one has left of it is done again. */
static void unfinished_block_of_another_machine(void **state)
{
	HB_FREE char *file = path_of("results/moved/plan.json");
	HB_FREE char *first = NULL, *second = NULL, *cell = NULL, *text = NULL;
	ino_t inode;

	(void)state;
	plan("moved");
	json_change(file, block_of_two);
	first = cell_path("moved", 0);
	second = cell_path("moved", 1);
	cell = hb_strf("%s/cell.json", first);
	expect_run(0, "[2/2]", "--name", "moved", "--block", "1");
	inode = inode_of(first);
	assert_int_equal(hb_remove_all(second), 0);
	expect_run(0, "[2/2]", "--name", "moved", "--block", "1");
	assert_int_equal(inode_of(first), inode); /* ours: it stays */
	json_change(cell, other_host);
	expect_run(0, "", "--name", "moved", "--block", "1");
	assert_int_equal(inode_of(first), inode); /* whole: it stays, whosever it is */
	assert_int_equal(hb_remove_all(second), 0);
	expect_run(0, "[2/2]", "--name", "moved", "--block", "1");
	assert_int_equal(hb_file_read(cell, &text, NULL), 0);
	assert_null(strstr(text, "another"));
}

static void of_another_agent(json_t *j)
{
	json_object_set_new(json_object_get(j, "environment"), "agent", json_string("0"));
}

static void merge_takes_what_belongs(void **state)
{
	HB_FREE char *run = path_of("results/spread"), *a = path_of("a"), *b = path_of("b");
	HB_FREE char *b_run = path_of("b/spread"), *record = path_of("a/spread/run.json");
	HB_FREE char *other = path_of("results/planned"), *none = path_of("none");
	char *results = command_results;

	(void)state;
	plan("spread");
	expect_run(0, "", "--name", "spread", "--prepare");
	assert_int_equal(cells_of("spread", false), 0);
	copy(run, a);
	copy(run, b);
	command_results = a;
	expect_run(0, "[1/1]", "--name", "spread", "--block", "1");
	expect_run(0, "[1/1]", "--name", "spread", "--block", "3");
	command_results = b;
	expect_run(0, "[1/1]", "--name", "spread", "--block", "3");
	expect_run(0, "[1/1]", "--name", "spread", "--block", "4");
	command_results = results;
	expect_command("merge", 2, "is no run, and has no run spread in it", "spread", none);
	expect_command("merge", 2, "its plan is another", "spread", a, other);
	assert_int_equal(cells_of("spread", false), 0);
	expect_command("merge", 1, "3 blocks taken, 1 left where they are", "spread", a, b_run);
	assert_int_equal(cells_of("spread", false), 3);
	expect_run(0, "[1/1]", "--name", "spread", "--block", "2");
	json_change(record, of_another_agent);
	expect_command("merge", 2, "agent differs (", "spread", a);
	expect_command("merge", 0, "0 blocks taken, 2 left where they are", "spread", b);
	status_is("spread", "finished");
}

static void of_another_host(json_t *j)
{
	json_t *environment = json_object_get(j, "environment");

	json_object_set_new(environment, "cpu_model", json_string("Other CPU"));
	json_object_set_new(environment, "host_name", json_string("other"));
}

/* Plan run @name, and carry out its first block in a copy of it in @parts. */
static void first_block_in(const char *parts, const char *name)
{
	HB_FREE char *run = hb_strf("%s/%s", command_results, name);
	char *results = command_results;

	plan(name);
	expect_run(0, "", "--name", name, "--prepare");
	copy(run, parts);
	command_results = (char *)parts;
	expect_run(0, "[1/1]", "--name", name, "--block", "1");
	command_results = results;
}

static void without_environment(json_t *j)
{
	json_object_del(j, "environment");
}

static void merge_names_what_is_missing(void **state)
{
	HB_FREE char *parts = path_of("bare-parts");
	HB_FREE char *cell = NULL, *file = NULL;

	(void)state;
	first_block_in(parts, "bare");
	cell = cell_path("bare", 0);
	file = hb_strf("%s/bare/cells/%s/cell.json", parts, strrchr(cell, '/') + 1);
	json_change(file, without_environment);
	expect_command("merge", 2, "/cell.json: \"environment\" is missing", "bare", parts);
}

/* A boot says what was otherwise than its own run.json has it; the run it comes into is another. */
static void merge_keeps_the_machine(void **state)
{
	HB_FREE char *parts = path_of("parts"), *record = path_of("parts/apart/run.json");
	HB_FREE char *file = NULL, *first = NULL;
	json_t *cell, *environment;

	(void)state;
	first_block_in(parts, "apart");
	json_change(record, of_another_host);
	expect_command("merge", 1, "1 blocks taken", "apart", parts);
	first = cell_path("apart", 0);
	file = hb_strf("%s/cell.json", first);
	cell = json_load_file(file, 0, NULL);
	environment = json_object_get(cell, "environment");
	assert_string_equal(json_string_value(json_object_get(environment, "cpu_model")),
			    "Other CPU");
	assert_string_equal(json_string_value(json_object_get(environment, "host_name")), "other");
	json_decref(cell);
}

static void made_elsewhere(json_t *j)
{
	json_t *environment = json_object_get(j, "environment");

	json_object_set_new(environment, "host_id", json_string("host-9"));
	json_object_set_new(environment, "host_name", json_string("elsewhere"));
}

static void with_another_digit(json_t *j)
{
	json_object_set_new(json_array_get(json_object_get(j, "metrics"), 0), "value",
			    json_real(1001));
}

static char *report_of(const char *dir)
{
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run = NULL;
	struct hb_error e = {""};
	struct doc d = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(load_run(dir, &run, &e), 0);
	assert_int_equal(compare_build(run, NULL, &options, &m, &e), 0);
	report_build(m, &d, false);
	assert_int_equal(doc_text(&d, out, false), 0);
	fclose(out);
	doc_free(&d);
	compare_free(m);
	load_free(run);
	return text;
}

/* One boot of mode exact has the digits of another machine's, then it has not. */
static void exact_boots_made_twice(void **state)
{
	HB_FREE char *run = path_of("results/twice"), *part = path_of("twice"), *dir = NULL;
	HB_FREE char *boot = path_of("twice/cells/0001-base-faults-1-r1/cell.json");
	struct synthetic s = synthetic_default(run);
	HB_FREE char *same = NULL, *other = NULL;
	struct merge_count count;
	struct hb_error e = {""};

	(void)state;
	s.mode = "exact";
	s.noise = 0;
	s.machines = 1;
	s.name = "twice";
	assert_int_equal(synthetic_write(&s), 0);
	s.dir = part;
	assert_int_equal(synthetic_write(&s), 0);
	json_change(boot, made_elsewhere);
	assert_int_equal(merge_run(command_results, "twice", &part, 1, &count, &dir, &e), 0);
	assert_int_equal(count.known, 1);
	/* the others are copies */
	assert_int_equal(count.repeated, 1);
	assert_int_equal(count.differing, 0);
	same = report_of(dir);
	assert_non_null(strstr(same, "\n1 boot repeats one that another machine made, with the"));
	json_change(boot, with_another_digit);
	expect_command("merge", 1, "boots made twice: 0 with the same digits, 1 with others",
		       "twice", part);
	other = report_of(dir);
	assert_non_null(strstr(other, "INVALID in 1 of 6 boots: made again on\n"
				      "    elsewhere, it has other digits: exact.first_fault "
				      "value is 1000.0,\n    and 1001.0 there"));
}

static void local_locks_are_refused(void **state)
{
	static const char mounts[] =
		"21 1 8:1 / / rw - ext4 /dev/sda1 rw,errors=remount-ro\n"
		"30 21 0:41 / /a rw shared:1 - nfs4 server:/a rw,vers=4.2,local_lock=none\n"
		"31 21 0:42 / /b rw shared:2 - nfs server:/b rw,vers=3,nolock,local_lock=all\n"
		"32 21 0:43 / /c rw shared:3 - nfs server:/c rw,vers=3,local_lock=posix\n";
	struct hb_error e;

	(void)state;
	assert_int_equal(lock_mount_check(mounts, "8:1", &e), 0);
	assert_int_equal(lock_mount_check(mounts, "0:41", &e), 0);
	assert_int_equal(lock_mount_check(mounts, "0:42", &e), -ENOLCK);
	assert_non_null(strstr(e.text, "mounted with nolock"));
	assert_int_equal(lock_mount_check(mounts, "0:43", &e), -ENOLCK);
	assert_int_equal(lock_mount_check(mounts, "0:4", &e), 0);
	assert_int_equal(lock_shared_check("/", &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_boots_nothing),
		cmocka_unit_test(plan_of_guests),
		cmocka_unit_test(block_is_done_once),
		cmocka_unit_test(blocks_run_beside_one_another),
		cmocka_unit_test(killed_block_is_done_again),
		cmocka_unit_test(unfinished_block_of_another_machine),
		cmocka_unit_test(merge_takes_what_belongs),
		cmocka_unit_test(merge_keeps_the_machine),
		cmocka_unit_test(merge_names_what_is_missing),
		cmocka_unit_test(exact_boots_made_twice),
		cmocka_unit_test(local_locks_are_refused),
	};

	return cmocka_run_group_tests(tests, command_setup, command_teardown);
}
