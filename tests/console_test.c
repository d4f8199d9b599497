// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/guest/console.h"

static struct console_scan scan;

static void scan_text(const char *text)
{
	assert_int_equal(console_scan_text(text, strlen(text), &scan), 0);
}

static int teardown(void **state)
{
	(void)state;
	console_scan_free(&scan);
	return 0;
}

static void only(enum console_kind kind, unsigned int count)
{
	for (enum console_kind k = 0; k < CONSOLE_KINDS; k++)
		assert_int_equal(scan.count[k], k == kind ? count : 0);
}

static const char *evidence(size_t i)
{
	const char *line = json_string_value(json_array_get(scan.evidence, i));

	return line ? line : "";
}

static void test_clean_boot(void **state)
{
	(void)state;
	scan_text("\033c\033[?7l\033[2JSeaBIOS (version 1.16.2)\r\nBooting from ROM...\r\n"
		  "[    0.028000] tsc: Unable to calibrate against PIT\r\n"
		  "[    0.870062] pci_bus 0000:00: Unknown NUMA node; performance will be "
		  "reduced\r\n");
	only(CONSOLE_KINDS, 0);
	assert_int_equal(json_array_size(scan.evidence), 0);
}

static void test_warning_with_trace(void **state)
{
	(void)state;
	scan_text("[    1.0] hello\r\n"
		  "[    2.000001] ------------[ cut here ]------------\r\n"
		  "[    2.000002] WARNING: CPU: 1 PID: 77 at mm/hugetlb.c:525 "
		  "hugetlb_split+0x1/0x2\r\n"
		  "[    2.000003] Call Trace:\r\n"
		  "[    2.000004]  __split_vma+0x1/0x2\r\n"
		  "[    2.000005] ---[ end trace 0 ]---\r\n"
		  "[    3.0] unrelated\r\n");
	only(CONSOLE_WARNING, 1);
	assert_string_equal(scan.first[CONSOLE_WARNING],
			    "WARNING: CPU: 1 PID: 77 at mm/hugetlb.c:525 hugetlb_split+0x1/0x2");
	assert_int_equal(json_array_size(scan.evidence), 4);
	assert_string_equal(evidence(1), "Call Trace:");
	assert_string_equal(evidence(3), "---[ end trace 0 ]---");
}

static void test_each_kind(void **state)
{
	static const struct {
		const char *text;
		enum console_kind kind;
	} rows[] = {
		{"BUG: unable to handle page fault for address: 0", CONSOLE_OOPS},
		{"BUG kmalloc-64 (Not tainted): Redzone overwritten", CONSOLE_WARNING},
		{"kernel BUG at mm/migrate.c:300!", CONSOLE_OOPS},
		{"general protection fault, probably for non-canonical address", CONSOLE_OOPS},
		{"INFO: task mapper:12 blocked for more than 20 seconds.", CONSOLE_HUNG},
		{"watchdog: BUG: soft lockup - CPU#1 stuck for 23s!", CONSOLE_HUNG},
		{"WARNING: possible circular locking dependency detected", CONSOLE_WARNING},
		{"rcu: INFO: rcu_sched self-detected stall on CPU", CONSOLE_WARNING},
		{"Out of memory: Killed process 7 (x)", CONSOLE_WARNING},
		{"task:mapper          state:D stack:    0 pid:  12", CONSOLE_BLOCKED},
		{"Kernel panic - not syncing: Fatal exception", CONSOLE_PANIC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *line = hb_strf("[   10.123456][ T12] %s\r\n", rows[i].text);

		scan_text(line);
		only(rows[i].kind, 1);
		assert_string_equal(evidence(0), rows[i].text);
		console_scan_free(&scan);
		free(line);
	}
}

static void test_harmless(void **state)
{
	(void)state;
	scan_text("WARNING: CPU: 1 PID: 0 at arch/x86/kernel/smpboot.c:426 "
		  "topology_sane.isra.0+0x6c\n");
	only(CONSOLE_KINDS, 0);
}

static void test_a_warning_at_boot_does_not_count(void **state)
{
	static const char srso[] = "Speculative Return Stack Overflow: WARNING: kernel not "
				   "compiled with CPU_SRSO.";
	HB_FREE char *boot = hb_strf("[    0.1] %s\r\n", srso);
	HB_FREE char *begun = hb_strf("%s[    2.0] hugebench: cell base-x-r1 begins\r\n", boot);
	HB_FREE char *again = hb_strf("%s[    3.0] WARNING: later\r\n", begun);

	(void)state;
	scan_text(boot);
	only(CONSOLE_WARNING, 1);
	console_scan_free(&scan);
	scan_text(begun);
	only(CONSOLE_KINDS, 0);
	assert_string_equal(scan.boot, srso);
	assert_int_equal(json_array_size(scan.evidence), 0);
	console_scan_free(&scan);
	scan_text(again);
	only(CONSOLE_WARNING, 1);
	assert_string_equal(scan.first[CONSOLE_WARNING], "WARNING: later");
}

static void test_blocked_stacks_without_the_others(void **state)
{
	(void)state;
	scan_text("task:mapper          state:D stack:    0 pid:  12\n"
		  " schedule+0x1/0x2\n"
		  "task:kthreadd        state:S stack:    0 pid:   2\n"
		  " kthread+0x1/0x2\n");
	only(CONSOLE_BLOCKED, 1);
	assert_int_equal(json_array_size(scan.evidence), 2);
	assert_string_equal(evidence(1), " schedule+0x1/0x2");
}

/* A kernel that warns without end fills the console, not the record. */
static void test_bounded(void **state)
{
	size_t n = 20000, one = strlen("WARNING: again\n");
	char *text = malloc(n * one + 1);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		snprintf(text + i * one, one + 1, "WARNING: again\n");
	scan_text(text);
	free(text);
	only(CONSOLE_WARNING, n);
	assert_true(json_array_size(scan.evidence) <= 400);
}

static void test_bytes_that_are_no_text(void **state)
{
	static const char bytes[] = "\xff\xfe\0\x01\x80 BUG: \xff bad\0\n\033[";

	(void)state;
	assert_int_equal(console_scan_text(bytes, sizeof(bytes), &scan), 0);
	only(CONSOLE_OOPS, 1);
	assert_non_null(strstr(evidence(0), "BUG: "));
}

static void test_no_file(void **state)
{
	(void)state;
	assert_int_equal(console_scan_file("/nonexistent/console.log", &scan), 0);
	only(CONSOLE_KINDS, 0);
}

/* More than any text file that is read whole; the end of it counts too. */
static void test_flood(void **state)
{
	char path[] = "/tmp/console_test.XXXXXX";
	int fd = mkstemp(path);
	static const char last[] = "\nKernel panic - not syncing: at last\n";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, last, strlen(last), 80 << 20), strlen(last));
	assert_int_equal(console_scan_file(path, &scan), 0);
	close(fd);
	unlink(path);
	only(CONSOLE_PANIC, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_clean_boot, teardown),
		cmocka_unit_test_teardown(test_warning_with_trace, teardown),
		cmocka_unit_test_teardown(test_each_kind, teardown),
		cmocka_unit_test_teardown(test_harmless, teardown),
		cmocka_unit_test_teardown(test_a_warning_at_boot_does_not_count, teardown),
		cmocka_unit_test_teardown(test_blocked_stacks_without_the_others, teardown),
		cmocka_unit_test_teardown(test_bounded, teardown),
		cmocka_unit_test_teardown(test_bytes_that_are_no_text, teardown),
		cmocka_unit_test_teardown(test_no_file, teardown),
		cmocka_unit_test_teardown(test_flood, teardown),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
