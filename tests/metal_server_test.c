// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench metal` from end to end on a server that QEMU emulates: a disk with its root, memory
 * for panics (ERST), a watchdog. It boots its own kernel whenever it is reset. One arm is made to
 * panic in the middle of a cell, one to hang, and once the power is cut. What is left on the disk
 * at the end is what counts. Runs from the top of the tree.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "bench/base/json.h"
#include "bench/build/hostqemu.h"
#include "bench/build/kernel.h"
#include "bench/host/child.h"

#define BOOTS	   6
#define SYSTEMD	   "/lib/systemd/systemd"
#define DEADLINE_S 1500
#define APPEND                                                                                     \
	"console=ttyS0 loglevel=5 panic=-1 mitigations=off tsc=reliable no_timer_check "           \
	"root=/dev/vda rw init=/sbin/init "                                                        \
	"test.panic=*base-faults-r1 test.hang=*hinode-faults-r2 test.power=*base-faults-r3"

static char directory[] = "/tmp/hugebench-metal.XXXXXX";
static json_t *run;

static char *below(const char *name)
{
	return hb_strf("%s/%s", directory, name);
}

static void must(char *const argv[])
{
	HB_FREE char *output = NULL;
	int rc = child_capture(&(struct child){0}, argv, &output);

	if (rc)
		fail_msg("%s: %d: %s", argv[0], rc, output ? output : "?");
}

static char *directory_of(const char *path)
{
	return strndup(path, strrchr(path, '/') - path);
}

/* The server's init is this machine's systemd, if it has one; SYSTEMD=no: a small script, and in
 * the arms hugebench. */
static bool with_systemd(void)
{
	const char *wanted = getenv("SYSTEMD");

	return (!wanted || strcmp(wanted, "no")) && !access(SYSTEMD, X_OK);
}

static void make_disk(void)
{
	struct kernel base = {0}, hinode = {0};
	struct hb_error e = {""};

	if (kernel_resolve("metal-base", &base, &e) || kernel_resolve("metal-hinode", &hinode, &e))
		fail_msg("%s", e.text);
	must((char *[]){"sh", "tests/metal_disk.sh", below("disk"), directory_of(base.bzimage),
			directory_of(hinode.bzimage), with_systemd() ? "systemd" : NULL, NULL});
	must((char *[]){"cp", base.bzimage, below("own"), NULL});
	must((char *[]){"truncate", "-s", "64K", below("erst"), NULL});
	kernel_free(&base);
	kernel_free(&hinode);
}

/* Switch it on: with the machine's own kernel, as after every reset. */
static pid_t power_on(int console)
{
	struct hb_error e = {""};
	const struct hostqemu *q = hostqemu(&e);
	char *argv[64] = {0};
	size_t n = 0;
	pid_t pid;

	if (!q)
		fail_msg("%s", e.text);
	for (; q->words[n]; n++)
		argv[n] = q->words[n];
#define ADD(option, value) (argv[n++] = (option), argv[n++] = (value))
	ADD("-accel", "tcg,thread=multi");
	ADD("-cpu", "max");
	ADD("-smp", "2,sockets=2");
	ADD("-m", "2G");
	ADD("-object", "memory-backend-ram,id=mem0,size=1G");
	ADD("-object", "memory-backend-ram,id=mem1,size=1G");
	ADD("-numa", "node,nodeid=0,cpus=0,memdev=mem0");
	ADD("-numa", "node,nodeid=1,cpus=1,memdev=mem1");
	ADD("-display", "none");
	ADD("-serial", "stdio");
	ADD("-kernel", below("own"));
	ADD("-append", APPEND);
	ADD("-drive", hb_strf("file=%s/disk,if=virtio,format=raw", directory));
	ADD("-object",
	    hb_strf("memory-backend-file,id=erst,mem-path=%s/erst,size=64K,share=on", directory));
	ADD("-device", "acpi-erst,memdev=erst");
	ADD("-device", "i6300esb");
	ADD("-action", "watchdog=reset");
#undef ADD
	argv[n++] = "-nodefaults";
	assert_true(n < ARRAY_SIZE(argv));
	pid = child_start(&(struct child){.death = CHILD_KILL}, argv, console);
	assert_true(pid > 0);
	return pid;
}

static bool console_has(const char *what)
{
	HB_FREE char *path = below("console.log"), *content = NULL;

	return !hb_file_read(path, &content, NULL) && strstr(content, what);
}

/* Until it switches itself off; the power is cut when the disk's script says so. */
static void serve(void)
{
	HB_FREE char *path = below("console.log");
	HB_CLOSE int console = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	uint64_t deadline = hb_now_ns() + DEADLINE_S * NSEC_PER_SEC;
	pid_t pid = power_on(console);
	bool cut = false;

	while (!waitpid(pid, NULL, WNOHANG)) {
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 2);
		if (!cut && console_has("test: power")) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			pid = power_on(console);
			cut = true;
		}
		if (hb_now_ns() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			fail_msg("the server does not come to an end: %s", path);
		}
	}
	assert_true(cut);
}

static char *on_disk(const char *name)
{
	HB_FREE char *path = hb_strf("%s/root/%s", directory, name);
	char *content = NULL;

	if (hb_file_read(path, &content, NULL))
		fail_msg("the server's disk has no /root/%s", name);
	return content;
}

static int setup(void **state)
{
	HB_FREE char *path = NULL;

	(void)state;
	assert_non_null(mkdtemp(directory));
	make_disk();
	serve();
	must((char *[]){"sh", "-c", hb_strf("e2fsck -fp %s/disk || [ $? = 1 ]", directory), NULL});
	must((char *[]){"debugfs", "-R", hb_strf("rdump /root %s", directory), below("disk"),
			NULL});
	path = hb_strf("%s/root/results/metal/run.json", directory);
	run = json_load_file(path, 0, NULL);
	if (!run)
		fail_msg("no run: %s", on_disk("output"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(run);
	return getenv("KEEP_DISK") ? 0 : hb_remove_all(directory);
}

static json_t *cell(const char *id)
{
	HB_FREE char *path = hb_strf("%s/root/results/metal/cells/%s/cell.json", directory, id);
	json_t *got = json_load_file(path, 0, NULL);

	if (!got)
		fail_msg("no %s: %s", path, on_disk("output"));
	return got;
}

/* The cell whose id ends in @end. */
static json_t *cell_of(const char *end)
{
	HB_FREE char *path = hb_strf("%s/root/results/metal/plan.json", directory);
	json_t *plan = json_load_file(path, 0, NULL), *planned, *found = NULL;
	size_t i;

	json_array_foreach (json_object_get(plan, "cells"), i, planned) {
		const char *id = json_text(planned, "id");

		if (strlen(id) > strlen(end) && !strcmp(id + strlen(id) - strlen(end), end))
			found = cell(id);
	}
	json_decref(plan);
	assert_non_null(found);
	return found;
}

/* A run that cannot go on says why, in its journal and afterwards. */
static void a_run_stops(void **state)
{
	static const char *const want[] = {
		"stopped: there is no run gone in /nowhere\n",
		"`hugebench metal --continue` tries again",
		"run /nowhere/gone of `hugebench metal` has stopped: ",
	};
	HB_FREE char *said = on_disk("stopped");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (!strstr(said, want[i]))
			fail_msg("no '%s' in: %s", want[i], said);
}

/* What a power cut may leave is named and removed, once. */
static void doctor_tidies_up(void **state)
{
	HB_FREE char *said = on_disk("tidied");
	const char *named = strstr(said, "a run of `hugebench metal` left ");

	(void)state;
	if (!named || !strstr(named, "mend: hugebench doctor --restore\n") ||
	    !strstr(said, "\ndoctor: removed what `hugebench metal` left behind\n"
			  "doctor: nothing to put back\n"))
		fail_msg("%s", said);
}

/* Before the run: one that was given up, which another one could not take the place of. */
static void a_run_is_given_up(void **state)
{
	static const char *const want[] = {
		"results/given-up: 0 of 6 boots are done, about 30 m 27 s left\n",
		"mend: hugebench metal --abort\n",
		"a run is under way on this machine",
		"second: 2\n",
		"doctor: nothing to put back\n",
		"given up: 0\nhugebench: no run of `hugebench metal` is under way\nnone: 2\n",
	};
	HB_FREE char *said = on_disk("given-up"), *path = NULL;
	json_t *record;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (!strstr(said, want[i]))
			fail_msg("no '%s' in: %s", want[i], said);
	path = hb_strf("%s/root/results/given-up/run.json", directory);
	record = json_load_file(path, 0, NULL);
	assert_string_equal(json_text(record, "status"), "interrupted");
	json_decref(record);
}

static void the_plan_is_carried_out(void **state)
{
	HB_FREE char *path = hb_strf("%s/root/results/metal/plan.json", directory);
	json_t *plan = json_load_file(path, 0, NULL), *planned, *boots = json_object();
	size_t i;

	(void)state;
	assert_string_equal(json_text(run, "mode"), "metal");
	assert_string_equal(json_text(run, "status"), "finished");
	assert_int_equal(json_array_size(json_object_get(plan, "cells")), BOOTS);
	json_array_foreach (json_object_get(plan, "cells"), i, planned) {
		json_t *got = cell(json_text(planned, "id"));
		const char *boot = json_text(json_object_get(got, "environment"), "boot_id");

		assert_string_equal(json_text(got, "mode"), "metal");
		/* Every boot is one of its own. */
		assert_null(json_object_get(boots, boot));
		json_object_set_new(boots, boot, json_true());
		json_decref(got);
	}
	json_decref(boots);
	json_decref(plan);
}

static void undisturbed_boots_are_ok(void **state)
{
	static const char *const ends[] = {"hinode-faults-r1", "base-faults-r2",
					   "hinode-faults-r3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		json_t *got = cell_of(ends[i]);
		const json_t *kernels = json_object_get(run, "kernels"), *k;
		size_t n;

		assert_string_equal(json_text(got, "verdict"), "OK");
		assert_int_equal(
			json_array_size(json_object_get(json_object_get(got, "hello"), "nodes")),
			2);
		/* It was measured on the arm's kernel. */
		json_array_foreach (kernels, n, k)
			if (!strcmp(json_text(k, "name"), json_text(got, "kernel")))
				assert_string_equal(
					json_text(json_object_get(got, "hello"), "build_id"),
					json_text(k, "build_id"));
		json_decref(got);
	}
}

static void the_panic_is_recorded(void **state)
{
	json_t *got = cell_of("base-faults-r1");
	HB_FREE char *log = NULL;

	(void)state;
	assert_string_equal(json_text(got, "verdict"), "PANIC");
	assert_non_null(strstr(json_text(got, "reason"), "sysrq triggered crash"));
	assert_true(json_array_size(json_object_get(got, "evidence")) > 5);
	log = on_disk(hb_strf("results/metal/cells/%s/console.log", json_text(got, "id")));
	assert_non_null(strstr(log, "sysrq_handle_crash"));
	json_decref(got);
}

static void the_hang_is_recorded(void **state)
{
	json_t *got = cell_of("hinode-faults-r2");

	(void)state;
	assert_string_equal(json_text(got, "verdict"), "HANG");
	assert_non_null(strstr(json_text(got, "reason"), "the watchdog reset the machine"));
	json_decref(got);
}

static void the_power_cut_is_recorded(void **state)
{
	json_t *got = cell_of("base-faults-r3");

	(void)state;
	assert_string_equal(json_text(got, "verdict"), "INVALID");
	assert_non_null(strstr(json_text(got, "reason"), "no trace"));
	json_decref(got);
}

static void nothing_is_left_behind(void **state)
{
	HB_FREE char *left = on_disk("left"), *status = NULL;

	(void)state;
	assert_string_equal(left, "");
	/* Of the last command: some cells are not as expected. systemd keeps its services' own. */
	if (with_systemd())
		return;
	status = on_disk("status");
	assert_string_equal(status, "1\n");
}

static void the_report_says_so(void **state)
{
	HB_FREE char *report = on_disk("results/metal/report.txt");

	(void)state;
	assert_non_null(strstr(report, "(metal)"));
	assert_non_null(strstr(report, "METAL: "));
	assert_non_null(strstr(report, "Command line of vmlinuz-base:"));
	assert_null(strstr(report, "EMULATED"));
	assert_null(strstr(report, "Guest:"));
	assert_null(strstr(report, "Host, QEMU"));
	assert_non_null(strstr(report, "PANIC"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_stops),
		cmocka_unit_test(doctor_tidies_up),
		cmocka_unit_test(a_run_is_given_up),
		cmocka_unit_test(the_plan_is_carried_out),
		cmocka_unit_test(undisturbed_boots_are_ok),
		cmocka_unit_test(the_panic_is_recorded),
		cmocka_unit_test(the_hang_is_recorded),
		cmocka_unit_test(the_power_cut_is_recorded),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(the_report_says_so),
	};

	return cmocka_run_group_tests_name("metal_server", tests, setup, teardown);
}
