// SPDX-License-Identifier: GPL-2.0-or-later
/* Conservation of the pool, the restore note, and what the kernel log is searched for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/base/restore.h"
#include "workloads/agent/functime.h"
#include "workloads/agent/hugetlb.h"
#include "workloads/agent/kmsg.h"
#include "workloads/agent/observe.h"

#define SWAPPINESS "/proc/sys/vm/swappiness"

static struct hugetlb_pool pool(void)
{
	return (struct hugetlb_pool){
		.page = HUGETLB_2M,
		.all = {.total = 160, .free = 160},
		.nnodes = 2,
		.node = {{.total = 80, .free = 80}, {.total = 80, .free = 80}},
	};
}

static void same_pool_is_conserved(void **state)
{
	struct hugetlb_pool a = pool(), b = pool();

	(void)state;
	assert_int_equal(hugetlb_pool_conserved(&a, &b, NULL), 0);
	/* A migration moves a page of the pool from one node to the other. */
	b.node[0].total = b.node[0].free = 81;
	b.node[1].total = b.node[1].free = 79;
	assert_int_equal(hugetlb_pool_conserved(&a, &b, NULL), 0);
}

static void leaks_are_named(void **state)
{
	struct hugetlb_pool a = pool(), b = pool();
	struct hb_error e = {""};

	(void)state;
	b.all.free = 159;
	assert_int_equal(hugetlb_pool_conserved(&a, &b, &e), -EUCLEAN);
	assert_string_equal(e.text, "HugePages_Free of the system was 160 before and is 159 after");
	b = pool();
	b.all.reserved = UINT64_MAX;
	assert_int_equal(hugetlb_pool_conserved(&a, &b, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "HugePages_Rsvd"));
	b = pool();
	b.node[1].free = 78;
	assert_int_equal(hugetlb_pool_conserved(&a, &b, &e), -EUCLEAN);
	assert_string_equal(e.text, "pages in use on node 1 were 0 before and are 2 after");
	a.all.reserved = b.all.reserved = 200;
	b.node[1].free = 80;
	assert_int_equal(hugetlb_pool_conserved(&a, &b, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "above HugePages_Total"));
}

/* A guest keeps something for its kernel, a machine with other users half. */
static void pool_leaves_memory(void **state)
{
	const uint64_t mib = 1 << 20;
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(hugetlb_may_take(HUGETLB_2M, 968, 2000 * mib, false, &e), 0);
	assert_int_equal(hugetlb_may_take(HUGETLB_2M, 969, 2000 * mib, false, &e), -ENOMEM);
	assert_non_null(strstr(e.text, "969 huge pages of 2048 KiB are too many for the guest: "
				       "2000 MiB of its memory are available"));
	assert_int_equal(hugetlb_may_take(HUGETLB_2M, 1, 10 * mib, false, &e), -ENOMEM);
	assert_int_equal(hugetlb_may_take(HUGETLB_2M, UINT64_MAX, 2000 * mib, false, &e), -ENOMEM);
	assert_int_equal(hugetlb_may_take(HUGETLB_2M, 500, 2000 * mib, true, &e), 0);
	assert_int_equal(hugetlb_may_take(HUGETLB_2M, 501, 2000 * mib, true, &e), -ENOMEM);
	assert_non_null(strstr(e.text, "more than half of this machine's available memory"));
}

static void sizes_must_fit_the_page(void **state)
{
	struct hugetlb_file f;
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(hugetlb_file_make(&f, HUGETLB_MEMFD, HUGETLB_2M + 4096, HUGETLB_2M, &e),
			 -EINVAL);
	assert_int_equal(hugetlb_file_make(&f, HUGETLB_MEMFD, 0, HUGETLB_2M, &e), -EINVAL);
}

static bool is_trouble(const char *line, bool lost)
{
	json_t *lines = json_pack("[s, s]", "hugebench: cell a begins", line);
	json_t *found = kmsg_trouble(lines, lost);
	size_t n = json_array_size(found);

	if (n)
		assert_string_equal(json_string_value(json_array_get(found, 0)), line);
	json_decref(found);
	json_decref(lines);
	return n;
}

static void log_trouble_is_found(void **state)
{
	static const char *const trouble[] = {
		"WARNING: CPU: 1 PID: 7 at mm/hugetlb.c:99",
		"INFO: task hugebench-agent:7 blocked for more than 20 seconds.",
		"BUG: unable to handle page fault for address: 0000000000001234",
		"BUG kmalloc-64 (Not tainted): Redzone overwritten",
		"watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [0-pmdshare:91]",
		"rcu: INFO: rcu_sched self-detected stall on CPU",
		"0-pmdshare invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0",
		"Out of memory: Killed process 91 (0-pmdshare) total-vm:1061104kB",
		"Memory cgroup out of memory: Killed process 91 (0-stress) total-vm:8kB",
		"kernel BUG at mm/hugetlb.c:512!",
	};
	static const char *const harmless[] = {
		"virtio_blk virtio0: 1 queue",
		"topology_sane: is harmless here",
		"sysrq: Show Blocked State",
		"Memory failure: 0x1a00: recovery action for huge page: Recovered",
		"Soft offlining pfn 0x12345 at process virtual address 0x100000000000",
		"x86/fpu: DEBUG feature",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trouble); i++)
		assert_true(is_trouble(trouble[i], false));
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		assert_false(is_trouble(harmless[i], true));
}

/* As kmsg_read() says it. */
static void lost_records_are_trouble_where_nobody_has_them(void **state)
{
	static const char lost[] =
		"(records of the kernel log were overwritten before they were read)";

	(void)state;
	assert_true(is_trouble(lost, true));
	assert_false(is_trouble(lost, false));
}

static void probe_histogram_is_sorted(void **state)
{
	HB_FREE char *text =
		observe_hist_text("# event histogram\n#\n\n"
				  "{ lat: ~ 2^14                     } hitcount:          3\n"
				  "{ lat: ~ 2^1                      } hitcount:         42\n"
				  "\nTotals:\n    Hits: 45\n    Entries: 2\n    Dropped: 0\n");

	(void)state;
	assert_string_equal(text, "<4 us: 42, <32768 us: 3");
	assert_null(observe_hist_text("# event histogram\n\nTotals:\n    Hits: 0\n"));
}

static void contended_locks_are_told(void **state)
{
	HB_FREE char *text = observe_lock_text(
		"                &mapping->i_mmap_rwsem-W:            41             52           "
		"1.25        1000.00        5200.40          100.01            300            900  "
		" "
		"        0.10          20.00         400.00           0.44");

	(void)state;
	assert_string_equal(text, "&mapping->i_mmap_rwsem-W: 52 of 900 acquisitions waited, "
				  "5200 us in all, 1000 us at most");
	assert_null(observe_lock_text("  &p->lock:  0  0  0.00  0.00  0.00  0.00  3  9  0.1 0.2"));
	assert_null(observe_lock_text("lock_stat version 0.4"));
	assert_null(observe_lock_text("  &p->lock   52   [<0000000012345678>] walk+0x1/0x2"));
}

#define TOTALS(hits, dropped)                                                                      \
	"\nTotals:\n    Hits: " hits "\n    Entries: 2\n    Dropped: " dropped "\n"

static const char *const times_head = "# event histogram\n#\n\n";

static int times_read(const char *lines, const char *totals, struct hist *h, struct hb_error *e)
{
	HB_FREE char *text = hb_strf("%s%s%s", times_head, lines, totals);

	hist_reset(h);
	return functime_hist(text, h, e);
}

static void function_times_become_a_histogram(void **state)
{
	struct hb_error e = {""};
	struct hist h;

	(void)state;
	assert_int_equal(times_read("{ lat:       4242 } hitcount:          3\n"
				    "{ lat:        100 } hitcount:          1\n",
				    TOTALS("4", "0"), &h, &e),
			 0);
	assert_int_equal(h.count, 4);
	assert_int_equal(h.min, 100);
	assert_int_equal(h.max, 4242);
	assert_true(h.sum == 3 * 4242 + 100);
	assert_int_equal(h.bucket[hist_index(4242)], 3);
	assert_int_equal(times_read("", TOTALS("0", "0"), &h, &e), 0);
	assert_int_equal(h.count, 0);
}

/* What is lost or not understood is no histogram, and nothing of it is kept. */
static void function_times_are_whole_or_refused(void **state)
{
	static const struct {
		const char *lines, *totals;
		int code;
		const char *says;
	} bad[] = {
		{"{ lat: 42 } hitcount: 3\n", TOTALS("5", "2"), -ENOSPC, "dropped 2 of 5"},
		{"{ lat: 42 } hitcount: 3\n", TOTALS("4", "0"), -EBADMSG, "3 of 4"},
		{"{ lat: ~ 2^4 } hitcount: 3\n", TOTALS("3", "0"), -EBADMSG, "not known"},
		{"{ lat: 42 } hits: 3\n", TOTALS("3", "0"), -EBADMSG, "not known"},
		{"{ lat: 42 } hitcount: 3\n", "", -EBADMSG, "no totals"},
		{"", "", -EBADMSG, "no totals"},
		{"Dropped: 0 Hits: 0", "", -EBADMSG, "no totals"},
	};
	struct hb_error e;
	struct hist h;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e.text[0] = '\0';
		assert_int_equal(times_read(bad[i].lines, bad[i].totals, &h, &e), bad[i].code);
		assert_non_null(strstr(e.text, bad[i].says));
		assert_int_equal(h.count, 0);
	}
}

static void unknown_observation_is_refused(void **state)
{
	json_t *names = json_pack("[s, s]", "vmstat", "stars"), *notes = json_array();
	struct hb_error e = {""};
	struct observe o;

	(void)state;
	assert_int_equal(observe_open(&o, names, 0, notes, &e), -EINVAL);
	assert_non_null(strstr(e.text, "observe = stars"));
	json_decref(names);
	json_decref(notes);
}

static char dir[] = "/tmp/hugebench-restore-XXXXXX";

static void note_write(const char *path, const char *text)
{
	assert_int_equal(hb_file_write_atomic(path, text, strlen(text)), 0);
}

static void restore_needs_a_note(void **state)
{
	HB_FREE char *path = hb_strf("%s/none.json", dir);

	(void)state;
	assert_int_equal(restore_pending(path, NULL), 0);
	assert_int_equal(restore_apply(path, NULL), 0);
}

static void noted_values_come_back(void **state)
{
	HB_FREE char *path = hb_strf("%s/cache/restore.json", dir), *before = NULL, *after = NULL;
	struct hb_error e = {""};

	(void)state;
	if (access(SWAPPINESS, W_OK))
		skip();
	assert_int_equal(hb_file_read(SWAPPINESS, &before, NULL), 0);
	assert_int_equal(restore_note(path, SWAPPINESS, &e), 0);
	assert_int_equal(hb_file_write(SWAPPINESS, strcmp(before, "59\n") ? "59" : "58"), 0);
	/* The value of a second note is no longer the original one. */
	assert_int_equal(restore_note(path, SWAPPINESS, &e), 0);
	assert_int_equal(restore_apply(path, &e), 0);
	assert_int_equal(hb_file_read(SWAPPINESS, &after, NULL), 0);
	assert_string_equal(before, after);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void foreign_paths_are_refused(void **state)
{
	HB_FREE char *path = hb_strf("%s/evil.json", dir), *boot = NULL, *text = NULL;
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(hb_file_read("/proc/sys/kernel/random/boot_id", &boot, NULL), 0);
	boot[strcspn(boot, "\n")] = '\0';
	text = hb_strf("{\"format\": 1, \"pid\": 1, \"start\": 1, \"boot_id\": \"%s\", "
		       "\"values\": [{\"path\": \"/proc/sys/vm/../../../%s/evil.json\", \"value\": "
		       "\"x\"}]}",
		       boot, dir);
	note_write(path, text);
	assert_int_equal(restore_apply(path, &e), -EINVAL);
	assert_int_equal(access(path, F_OK), 0);
}

static void note_of_another_boot_is_dropped(void **state)
{
	HB_FREE char *path = hb_strf("%s/old.json", dir);

	(void)state;
	note_write(path,
		   "{\"format\": 1, \"pid\": 1, \"start\": 1, \"boot_id\": \"x\", "
		   "\"values\": [{\"path\": \"/proc/sys/vm/swappiness\", \"value\": \"7777\"}]}");
	assert_int_equal(restore_pending(path, NULL), 1);
	assert_int_equal(restore_apply(path, NULL), 0);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void running_writer_is_respected(void **state)
{
	HB_FREE char *path = hb_strf("%s/live.json", dir);
	struct hb_error e = {""};
	pid_t child;

	(void)state;
	child = fork();
	if (!child)
		_exit(restore_note(path, SWAPPINESS, NULL) ? 1 : (pause(), 0));
	assert_true(child > 0);
	for (int i = 0; i < 500 && access(path, F_OK); i++)
		usleep(10000);
	assert_int_equal(restore_pending(path, &e), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(restore_pending(path, &e), 1);
}

static void not_a_note(void **state)
{
	HB_FREE char *path = hb_strf("%s/bad.json", dir);
	struct hb_error e = {""};

	(void)state;
	note_write(path, "[1, 2]");
	assert_int_equal(restore_pending(path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "is not a restore note"));
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_pool_is_conserved),
		cmocka_unit_test(leaks_are_named),
		cmocka_unit_test(pool_leaves_memory),
		cmocka_unit_test(sizes_must_fit_the_page),
		cmocka_unit_test(log_trouble_is_found),
		cmocka_unit_test(lost_records_are_trouble_where_nobody_has_them),
		cmocka_unit_test(probe_histogram_is_sorted),
		cmocka_unit_test(contended_locks_are_told),
		cmocka_unit_test(function_times_become_a_histogram),
		cmocka_unit_test(function_times_are_whole_or_refused),
		cmocka_unit_test(unknown_observation_is_refused),
		cmocka_unit_test(restore_needs_a_note),
		cmocka_unit_test(noted_values_come_back),
		cmocka_unit_test(foreign_paths_are_refused),
		cmocka_unit_test(note_of_another_boot_is_dropped),
		cmocka_unit_test(running_writer_is_respected),
		cmocka_unit_test(not_a_note),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
