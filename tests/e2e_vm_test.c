// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells in real guests with the fake guest as init: a good one, and the ways in which a guest
 * fails.
 */
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/guest/accel.h"
#include "bench/build/cpio.h"
#include "bench/build/kernel.h"
#include "bench/guest/session.h"
#include "bench/guest/vm_user.h"
#include "tests/leftovers.h"

struct fixture {
	char directory[64];
	char *initramfs, *command_line;
	const char *bzimage;
	json_t *planned, *cell;
	struct hb_error e;
	unsigned int vcpus;
	enum vm_mode mode;
	uint64_t boot_timeout_ns, phase_timeout_ns;
	session_progress progress;
};

/* @mark: NULL, or an empty file to have beside init. */
static int make_initramfs(const char *path, const char *mark)
{
	char fake[4096];
	ssize_t n = readlink("/proc/self/exe", fake, sizeof(fake) - 32);
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	assert_true(n > 0);
	fake[n] = '\0';
	snprintf(strrchr(fake, '/'), 32, "/fake_guest");
	assert_int_equal(cpio_add(out, "dev", S_IFDIR | 0755, NULL, 0), 0);
	assert_int_equal(cpio_add_node(out, "dev/console", S_IFCHR | 0600, 5, 1), 0);
	assert_int_equal(cpio_add_file(out, "init", 0755, fake), 0);
	if (mark)
		assert_int_equal(cpio_add(out, mark, S_IFREG | 0644, "", 0), 0);
	assert_int_equal(cpio_end(out), 0);
	return fclose(out);
}

/* The kernel of all guests here; make test has built it before. */
static struct kernel kernel;

static int resolve_kernel(void **state)
{
	struct hb_error e;

	(void)state;
	if (kernel_resolve("base", &kernel, &e))
		fail_msg("%s", e.text);
	return 0;
}

static int free_kernel(void **state)
{
	(void)state;
	kernel_free(&kernel);
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(leftovers_adopt(), 0);
	snprintf(f->directory, sizeof(f->directory), "/tmp/e2e_vm_test.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->bzimage = kernel.bzimage;
	f->initramfs = hb_strf("%s/initramfs", f->directory);
	assert_int_equal(make_initramfs(f->initramfs, NULL), 0);
	f->planned = json_pack("{s:s, s:i, s:{s:{s:I, s:I}, s:[{s:s, s:s, s:i}]}}", "id", "001",
			       "deadline_s", 300, "spec", "phases", "warmup_ns", (json_int_t)1,
			       "measure_ns", (json_int_t)1, "instances", "workload", "null", "role",
			       "workload", "tasks", 1);
	assert_non_null(f->planned);
	f->vcpus = 2;
	f->mode = VM_EMULATED;
	f->boot_timeout_ns = 100 * NSEC_PER_SEC;
	f->phase_timeout_ns = 60 * NSEC_PER_SEC;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	json_decref(f->planned);
	json_decref(f->cell);
	free(f->initramfs);
	free(f->command_line);
	assert_int_equal(hb_remove_all(f->directory), 0);
	free(f);
	return leftovers_teardown(state);
}

static int run_as(struct fixture *f, const char *fake)
{
	HB_FREE char *command_line = hb_strf("fake=%s", fake);
	struct session_config c = {
		.planned = f->planned,
		.directory = f->directory,
		.boot_timeout_ns = f->boot_timeout_ns,
		.phase_timeout_ns = f->phase_timeout_ns,
		.progress = f->progress,
		.progress_arg = f,
		.vm = {.mode = f->mode,
		       .bzimage = f->bzimage,
		       .initramfs = f->initramfs,
		       .command_line = command_line,
		       .vcpus = f->vcpus,
		       .nodes = 2,
		       .memory = 512ULL << 20},
	};

	return session_run(&c, &f->cell, &f->e);
}

static void expect(struct fixture *f, const char *fake, const char *verdict, const char *reason)
{
	const char *got, *why;

	if (run_as(f, fake))
		fail_msg("%s", f->e.text);
	got = json_string_value(json_object_get(f->cell, "verdict"));
	why = json_string_value(json_object_get(f->cell, "reason"));
	if (strcmp(got, verdict) || !strstr(why, reason))
		fail_msg("%s (%s), expected %s (%s)", got, why, verdict, reason);
}

static bool evidence_has(const struct fixture *f, const char *text)
{
	size_t i;
	json_t *line;

	json_array_foreach (json_object_get(f->cell, "evidence"), i, line)
		if (strstr(json_string_value(line), text))
			return true;
	return false;
}

static bool has_file(const struct fixture *f, const char *name)
{
	HB_FREE char *path = hb_strf("%s/%s", f->directory, name);

	return !access(path, F_OK);
}

/* Processes whose parent is this one: a QEMU that is left over would be here. */
static int children(void)
{
	char path[64], *text = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	if (hb_file_read(path, &text, NULL))
		return -1;
	for (char *c = text; *c; c++)
		n += *c == ' ';
	free(text);
	return n;
}

static uid_t qemu_user; /* while the guest ran */

static void see_user(void *arg, const char *phase, const json_t *frame)
{
	HB_FREE char *path = hb_strf("/proc/self/task/%d/children", getpid());
	HB_FREE char *text = NULL, *process = NULL;
	struct stat st;

	(void)arg;
	(void)frame;
	if (strcmp(phase, "measure"))
		return;
	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	process = hb_strf("/proc/%d", atoi(text));
	assert_int_equal(stat(process, &st), 0);
	qemu_user = st.st_uid;
}

/* Root's QEMU is a user that has no account, where that is possible. */
static void expect_user(void)
{
	const char *why;
	bool apart = vm_user_apart(&why);

	print_message("QEMU was user %u %s\n", qemu_user, why);
	if (apart)
		assert_null(getpwuid(qemu_user));
	else
		assert_int_equal(qemu_user, geteuid());
}

static void test_ok(void **state)
{
	struct fixture *f = *state;
	json_t *times;

	f->progress = see_user;
	expect(f, "ok", "OK", "");
	expect_user();
	assert_int_equal(children(), 0);
	times = json_object_get(f->cell, "times");
	print_message("boot %.2f s, shutdown %.2f s, total %.2f s\n",
		      json_integer_value(json_object_get(times, "boot_ns")) / 1e9,
		      json_integer_value(json_object_get(times, "shutdown_ns")) / 1e9,
		      json_integer_value(json_object_get(times, "total_ns")) / 1e9);
}

static void test_exact(void **state)
{
	struct fixture *f = *state;

	f->mode = VM_EXACT;
	f->vcpus = 1;
	expect(f, "exact", "OK", "");
	assert_int_equal(children(), 0);
}

static void test_panic_at_once(void **state)
{
	struct fixture *f = *state;

	expect(f, "panic", "PANIC", "");
	assert_true(evidence_has(f, "Kernel panic - not syncing"));
	assert_int_equal(children(), 0);
}

static void test_panic_in_measure(void **state)
{
	struct fixture *f = *state;

	expect(f, "panic-later", "PANIC", "");
	/* The finished interval is kept. */
	assert_non_null(json_object_get(f->cell, "hello"));
}

static void test_never_hello(void **state)
{
	struct fixture *f = *state;

	f->boot_timeout_ns = 8 * NSEC_PER_SEC;
	expect(f, "silent", "TIMEOUT", "no hello");
	assert_int_equal(children(), 0);
	assert_true(has_file(f, "console.lost.log"));
}

static bool has_note(const struct fixture *f, const char *text)
{
	HB_FREE char *notes = json_dumps(json_object_get(f->cell, "notes"), 0);

	return notes && strstr(notes, text);
}

/* Give the second boot another initramfs as soon as the first one's kernel writes. */
static pid_t exchange_initramfs(const struct fixture *f, const char *other)
{
	HB_FREE char *console = hb_strf("%s/console.log", f->directory);
	struct stat st;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	while (stat(console, &st) || !st.st_size)
		usleep(10000);
	_exit(rename(other, f->initramfs) ? 1 : 0);
}

/* What the emulation lost at boot is no result of the kernel, but it is told. */
static void test_lost_boot_is_repeated(void **state)
{
	struct fixture *f = *state;
	HB_FREE char *other = hb_strf("%s/other", f->directory);
	int status;
	pid_t pid;

	assert_int_equal(make_initramfs(other, "second"), 0);
	pid = exchange_initramfs(f, other);
	f->boot_timeout_ns = 30 * NSEC_PER_SEC;
	expect(f, "silent-at-first", "OK", "");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(has_note(f, "booted twice"));
	assert_true(has_file(f, "console.lost.log"));
	assert_true(has_file(f, "console.log"));
}

static void test_warning_is_dirty(void **state)
{
	struct fixture *f = *state;

	expect(f, "warn", "DIRTY", "WARNING: CPU: 0");
	assert_true(evidence_has(f, "fake/guest.c"));
}

static void test_hang(void **state)
{
	struct fixture *f = *state;

	f->phase_timeout_ns = NSEC_PER_SEC;
	expect(f, "hang", "TIMEOUT", "phase measure");
	assert_int_equal(children(), 0);
}

static void test_blocked_task_is_hang(void **state)
{
	struct fixture *f = *state;

	f->phase_timeout_ns = NSEC_PER_SEC;
	expect(f, "blocked", "HANG", "blocked for more than 20 seconds");
	assert_true(evidence_has(f, "task mapper:9"));
}

static void test_init_exits(void **state)
{
	expect(*state, "die", "PANIC", "Attempted to kill init");
}

static void kill_qemu(void *arg, const char *phase, const json_t *frame)
{
	char path[64], *text = NULL;

	(void)arg;
	(void)frame;
	if (strcmp(phase, "measure"))
		return;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	kill(atoi(text), SIGKILL);
	free(text);
}

static void test_qemu_killed(void **state)
{
	struct fixture *f = *state;

	f->progress = kill_qemu;
	expect(f, "hang", "INVALID", "signal 9");
	assert_int_equal(children(), 0);
}

/* A process that is killed with -9 in the middle of a cell leaves no QEMU behind. */
static void test_we_are_killed(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid = fork(), qemu;
	char path[64], *text = NULL;

	if (!pid) {
		run_as(f, "silent");
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	for (int i = 0; i < 300; i++) {
		usleep(100000);
		free(text);
		text = NULL;
		assert_int_equal(hb_file_read(path, &text, NULL), 0);
		if (*text && i > 20)
			break;
	}
	qemu = atoi(text);
	free(text);
	assert_true(qemu > 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	alarm(20);
	assert_int_equal(waitpid(qemu, &status, 0), qemu);
	alarm(0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The accelerator's probe must be able to succeed: with emulation it does. */
static void test_probe_boot(void **state)
{
	struct fixture *f = *state;
	struct accel a;

	assert_int_equal(accel_boot(f->bzimage, VM_EMULATED, &a, &f->e), 0);
	if (!a.works)
		fail_msg("%s", a.reason);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_ok),
		T(test_exact),
		T(test_panic_at_once),
		T(test_panic_in_measure),
		T(test_never_hello),
		T(test_lost_boot_is_repeated),
		T(test_warning_is_dirty),
		T(test_hang),
		T(test_blocked_task_is_hang),
		T(test_init_exits),
		T(test_qemu_killed),
		T(test_we_are_killed),
		T(test_probe_boot),
	};

	return cmocka_run_group_tests_name("e2e_vm", tests, resolve_kernel, free_kernel);
}
