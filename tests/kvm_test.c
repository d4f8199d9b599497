// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode kvm from end to end on a machine without KVM: QEMU emulates an AMD processor with SVM, whose
 * guest is the host of a run. Its root is this machine's, read-only, with memory laid over it
 * (tests/kvm_host.sh), so build/, packages and the cache are those of here. Runs from the top of
 * the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/build/hostqemu.h"
#include "bench/build/kernel.h"
#include "bench/host/child.h"

#define HUGEBENCH "build/hugebench"
#define CELLS	  4

static char directory[] = "/tmp/hugebench-kvm.XXXXXX";
static struct kernel kernel;
static json_t *run;

/* Where @job, a shell command, ran as on a host with KVM; what it printed is in directory/output.
 */
static void run_on_kvm_host(const char *job)
{
	struct hb_error e = {""};
	const struct hostqemu *q = hostqemu(&e);
	char *cwd = getcwd(NULL, 0), *argv[64] = {0};
	size_t n = 0;
	HB_FREE char *output = NULL;

	if (!q)
		fail_msg("%s", e.text);
	while (q->words[n]) {
		argv[n] = q->words[n];
		n++;
	}
#define ADD(option, value) (argv[n++] = (option), argv[n++] = (value))
	ADD("-accel", "tcg,thread=multi");
	ADD("-cpu", "EPYC,+svm,+npt");
	ADD("-smp", "2");
	ADD("-m", "4G");
	ADD("-display", "none");
	ADD("-serial", hb_strf("file:%s/console.log", directory));
	ADD("-kernel", kernel.bzimage);
	ADD("-append",
	    hb_strf("console=ttyS0 loglevel=5 panic=-1 mitigations=off tsc=reliable no_timer_check "
		    "transparent_hugepage=never root=/dev/root rootfstype=9p "
		    "rootflags=trans=virtio,version=9p2000.L,cache=loose,msize=262144 ro "
		    "init=%s/tests/kvm_host.sh job=\"cd %s && %s\"",
		    cwd, cwd, job));
	ADD("-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap");
	ADD("-device", "virtio-9p-pci,fsdev=root,mount_tag=/dev/root");
	ADD("-fsdev", hb_strf("local,id=results,path=%s,security_model=none", directory));
	ADD("-device", "virtio-9p-pci,fsdev=results,mount_tag=results");
#undef ADD
	argv[n++] = "-nodefaults";
	argv[n++] = "-no-reboot";
	assert_true(n < ARRAY_SIZE(argv));
	if (child_capture(&(struct child){0}, argv, &output))
		fail_msg("the outer QEMU: %s", output ? output : "?");
}

static void run_here(char *const argv[])
{
	HB_FREE char *output = NULL;

	if (child_capture(&(struct child){0}, argv, &output))
		fail_msg("%s: %s", argv[1], output ? output : "?");
}

/* The image for the guests, into this machine's cache: laid over, a directory cannot be renamed. */
static void make_image(void)
{
	char *plan[] = {HUGEBENCH, "plan",    "-s",	   "tests/kvm.ini", "--mode", "emulated",
			"--name",  "prepare", "--results", directory,	    NULL};
	char *prepare[] = {HUGEBENCH,	"run",	     "--name",	"prepare",
			   "--prepare", "--results", directory, NULL};

	run_here(plan);
	run_here(prepare);
}

static char *in_directory(const char *name)
{
	HB_FREE char *path = hb_strf("%s/%s", directory, name);
	char *content = NULL;

	if (hb_file_read(path, &content, NULL))
		fail_msg("%s is missing", path);
	return content;
}

static int setup(void **state)
{
	struct hb_error e = {""};
	const char *home = getenv("HOME"), *cache = getenv("XDG_CACHE_HOME");
	HB_FREE char *job = NULL, *status = NULL, *path = NULL;

	(void)state;
	assert_non_null(mkdtemp(directory));
	if (kernel_resolve("kvm-host", &kernel, &e))
		fail_msg("%s", e.text);
	make_image();
	job = hb_strf(
		"HOME='%s' XDG_CACHE_HOME='%s' build/hugebench run -s tests/kvm.ini --mode kvm "
		"--results /run/results --name kvm",
		home ? home : "/root", cache ? cache : "");
	run_on_kvm_host(job);
	status = in_directory("status");
	if (strcmp(status, "0\n"))
		fail_msg("status %s%s", status, in_directory("output"));
	path = hb_strf("%s/kvm/run.json", directory);
	run = json_load_file(path, 0, NULL);
	assert_non_null(run);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(run);
	kernel_free(&kernel);
	return hb_remove_all(directory);
}

static void the_run_is_of_mode_kvm(void **state)
{
	const json_t *environment = json_object_get(run, "environment");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(run, "mode")), "kvm");
	assert_string_equal(json_string_value(json_object_get(run, "status")), "finished");
	assert_string_equal(json_string_value(json_object_get(environment, "accelerator")), "kvm");
	assert_non_null(json_object_get(environment, "memory_backing"));
}

static void every_cell_is_ok(void **state)
{
	HB_FREE char *summary = in_directory("output");
	HB_FREE char *list = hb_strf("%s/kvm/plan.json", directory);
	json_t *plan = json_load_file(list, 0, NULL), *cell;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(plan, "cells")), CELLS);
	json_array_foreach (json_object_get(plan, "cells"), i, cell) {
		HB_FREE char *path = hb_strf("%s/kvm/cells/%s/cell.json", directory,
					     json_string_value(json_object_get(cell, "id")));
		json_t *got = json_load_file(path, 0, NULL);
		const json_t *hello = json_object_get(got, "hello");

		assert_non_null(got);
		assert_string_equal(json_string_value(json_object_get(got, "verdict")), "OK");
		assert_int_equal(json_integer_value(json_object_get(hello, "cpus")), 2);
		/* The clock of a guest that knows what it runs on. */
		assert_string_equal(json_string_value(json_object_get(hello, "clocksource")),
				    "kvm-clock");
		json_decref(got);
	}
	json_decref(plan);
}

static void the_report_says_so(void **state)
{
	HB_FREE char *report = in_directory("kvm/report.txt");

	(void)state;
	assert_non_null(strstr(report, "(kvm)"));
	assert_null(strstr(report, "EMULATED"));
	/* placement, backing, clock */
	assert_non_null(strstr(report, "pinned"));
	assert_non_null(strstr(report, "4 KiB"));
	assert_non_null(strstr(report, "clock:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_run_is_of_mode_kvm),
		cmocka_unit_test(every_cell_is_ok),
		cmocka_unit_test(the_report_says_so),
	};

	return cmocka_run_group_tests_name("kvm", tests, setup, teardown);
}
