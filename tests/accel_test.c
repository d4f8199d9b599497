// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said of a KVM that does not work. tests/kvm_test.c has one that does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/base/json.h"
#include "bench/build/hostqemu.h"
#include "bench/guest/accel.h"
#include "bench/host/environment.h"

#define NOBODY 65534

static char cache[] = "/tmp/hugebench-accel.XXXXXX";

static int setup(void **state)
{
	(void)state;
	/* The host's, so that none is fetched into the empty cache. */
	setenv("QEMU", "qemu-system-x86_64", 0);
	return !mkdtemp(cache) || setenv("XDG_CACHE_HOME", cache, 1);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(cache);
}

static void software_is_told_from_hardware(void **state)
{
	(void)state;
	/* Of a host with PVM, half a second and ten after the guest's begin. */
	assert_true(accel_is_software(&(struct qmp_kvm_counts){742, 135915}));
	assert_true(accel_is_software(&(struct qmp_kvm_counts){9400, 6780735}));
	/* Each exit an access to a device; real mode where each exit is followed by 130. */
	assert_false(accel_is_software(&(struct qmp_kvm_counts){90000, 90000}));
	assert_false(accel_is_software(&(struct qmp_kvm_counts){2000, 260000}));
	/* Hardly begun. */
	assert_false(accel_is_software(&(struct qmp_kvm_counts){0, 0}));
	assert_false(accel_is_software(&(struct qmp_kvm_counts){2, 900}));
}

static void a_failed_probe_is_not_kept(void **state)
{
	HB_FREE char *kept = hb_strf("%s/hugebench/accel.json", cache);
	struct hb_error e = {""};
	struct accel a;

	(void)state;
	assert_int_equal(accel_probe("/no/kernel", false, &a, &e), 0);
	assert_false(a.works);
	assert_true(*a.reason);
	assert_int_not_equal(access(kept, F_OK), 0);
}

/* A kept answer with the key of this machine as it is now. */
static void keep(int works)
{
	HB_FREE char *at = hb_strf("%s/hugebench", cache);
	HB_FREE char *file = hb_strf("%s/accel.json", at), *key = NULL;
	struct hb_error e = {""};
	struct hostqemu qemu;
	struct utsname u;
	char cpu[128];
	json_t *j;

	assert_int_equal(uname(&u), 0);
	assert_int_equal(hostqemu_look(&qemu, &e), 0);
	key = hb_strf("%s %s | %s | %s", u.release, u.version,
		      environment_cpu_model(cpu, sizeof(cpu)), qemu.identity);
	hostqemu_free(&qemu);
	j = json_pack("{s:s, s:b, s:s}", "key", key, "works", works, "reason", "kept");
	assert_int_equal(hb_mkdir_all(at), 0);
	assert_int_equal(json_write(file, j, 0), 0);
	json_decref(j);
}

/* An earlier version kept failures, which a machine that has been mended still finds. */
static void a_kept_failure_is_not_believed(void **state)
{
	struct accel a;

	(void)state;
	if (access("/dev/kvm", R_OK | W_OK))
		skip();
	keep(true);
	assert_true(accel_known(&a));
	assert_true(a.works);
	assert_string_equal(a.reason, "kept");
	keep(false);
	assert_false(accel_known(&a));
}

/* 77: /dev/kvm is open to anybody, or is not there. */
static int ask_as_nobody(void)
{
	struct accel a;

	if ((!geteuid() && setuid(NOBODY)) || access("/dev/kvm", F_OK) || !access("/dev/kvm", R_OK))
		return 77;
	return accel_known(&a) && !a.works && strstr(a.reason, "adduser $USER kvm") ? 0 : 1;
}

static void without_permission_the_group_is_named(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(ask_as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(software_is_told_from_hardware),
		cmocka_unit_test(a_failed_probe_is_not_kept),
		cmocka_unit_test(a_kept_failure_is_not_believed),
		cmocka_unit_test(without_permission_the_group_is_named),
	};

	return cmocka_run_group_tests_name("accel", tests, setup, teardown);
}
