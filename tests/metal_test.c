// SPDX-License-Identifier: GPL-2.0-or-later
/* What `hugebench metal` decides between two boots, and what it writes for the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/host/kexec.h"
#include "bench/host/pstore.h"
#include "bench/host/root_disk.h"
#include "bench/run/metal_arms.h"
#include "bench/run/metal_state.h"
#include "bench/run/metal_unit.h"

static char directory[] = "/tmp/hugebench-metal.XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(directory);
}

static char *below(const char *name)
{
	return hb_strf("%s/%s", directory, name);
}

static void put(const char *name, const char *text)
{
	HB_FREE char *path = below(name), *dir = strdup(path);

	*strrchr(dir, '/') = '\0';
	assert_int_equal(hb_mkdir_all(dir), 0);
	assert_int_equal(hb_file_write(path, text), 0);
}

static struct metal_state under_way(void)
{
	return (struct metal_state){
		.results = strdup("/r"),
		.run = strdup("m"),
		.arms = json_pack("{s:{s:s, s:s}}", "base", "image", "/i", "command_line", "ro"),
		.pause = 7,
		.cell = strdup("003-base-a-r1"),
		.boot_id = strdup("own"),
		.tries = 1,
		.since = 1234};
}

/* --- the state ------------------------------------------------------------------------ */

static void state_survives(void **state)
{
	HB_FREE char *dir = below("state");
	struct metal_state s = under_way(), got;
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(metal_state_load(dir, &got, &e), -ENOENT);
	s.error = strdup("why");
	s.stopped = strdup("no disk");
	s.environment = json_pack("{s:s}", "HOME", "/h");
	s.measuring = true;
	assert_int_equal(metal_state_store(dir, &s, &e), 0);
	assert_int_equal(metal_state_load(dir, &got, &e), 0);
	assert_string_equal(got.results, "/r");
	assert_string_equal(got.run, "m");
	assert_string_equal(got.cell, "003-base-a-r1");
	assert_string_equal(got.boot_id, "own");
	assert_string_equal(got.error, "why");
	assert_string_equal(got.stopped, "no disk");
	assert_true(json_equal(got.environment, s.environment));
	assert_null(got.agent);
	assert_true(got.measuring && got.tries == 1 && got.since == 1234 && got.pause == 7);
	assert_true(json_equal(got.arms, s.arms));
	metal_state_free(&got);
	metal_state_free(&s);
	put("state/state.json", "{\"format\": 1}");
	assert_int_equal(metal_state_load(dir, &got, &e), -EPROTO);
	metal_state_free(&got);
	assert_int_equal(metal_state_remove(dir, &e), 0);
	assert_int_equal(metal_state_load(dir, &got, &e), -ENOENT);
	metal_state_free(&got);
}

static void the_next_step(void **state)
{
	struct metal_state s = under_way(), idle = {.run = NULL};

	(void)state;
	/* the machine's own kernel */
	assert_int_equal(metal_next(&idle, NULL, false, "own"), METAL_NEXT);
	assert_int_equal(metal_next(&s, NULL, true, "later"), METAL_NEXT);
	assert_int_equal(metal_next(&s, NULL, false, "later"), METAL_LOST);
	assert_int_equal(metal_next(&s, NULL, false, "own"), METAL_AGAIN);
	s.tries = 3;
	assert_int_equal(metal_next(&s, NULL, false, "own"), METAL_STUCK);
	/* an arm's */
	assert_int_equal(metal_next(&s, "003-base-a-r1", false, "arm"), METAL_MEASURE);
	assert_int_equal(metal_next(&s, "004-base-a-r2", false, "arm"), METAL_RETURN);
	assert_int_equal(metal_next(&s, "003-base-a-r1", true, "arm"), METAL_RETURN);
	assert_int_equal(metal_next(&idle, "003-base-a-r1", false, "arm"), METAL_RETURN);
	/* the unit was started twice in one boot of the arm */
	s.measuring = true;
	assert_int_equal(metal_next(&s, "003-base-a-r1", false, "arm"), METAL_RETURN);
	metal_state_free(&s);
}

/* --- command lines --------------------------------------------------------------------- */

static void command_lines(void **state)
{
	HB_FREE char *line = kexec_command_line(
		"BOOT_IMAGE=/vmlinuz root=UUID=12 ro quiet panic=0 crashkernel=256M initrd=/i "
		"rootwait hugebench.metal=old\n",
		"PARTUUID=ab", "isolcpus=3");
	HB_FREE char *kept = kexec_command_line("root=/dev/sda1 rw", NULL, "");
	HB_FREE char *cell = metal_booted_cell("root=/dev/sda1 hugebench.metal=007-b-c-r2 ro\n");

	(void)state;
	assert_non_null(line);
	assert_ptr_equal(strstr(line, "ro quiet root=PARTUUID=ab panic=10 oops=panic "), line);
	/* What is asked for comes last, where it wins. */
	assert_string_equal(strrchr(line, ' '), " isolcpus=3");
	assert_null(strstr(line, "rootwait"));
	assert_ptr_equal(strstr(kept, "root=/dev/sda1 rw panic=10 oops=panic softlockup_panic=1 "),
			 kept);
	assert_string_equal(cell, "007-b-c-r2");
	assert_null(metal_booted_cell("root=/dev/sda1 xhugebench.metal=1 hugebench.metal="));
}

/* --- how a boot without a result ended --------------------------------------------------- */

static void expect_end(const struct metal_state *s, const char *dmesg, bool watchdog,
		       const char *verdict, const char *reason)
{
	struct metal_end end;

	assert_int_equal(metal_judge(s, dmesg, watchdog, &end), 0);
	assert_string_equal(end.verdict, verdict);
	if (!strstr(end.reason, reason))
		fail_msg("'%s' has no '%s'", end.reason, reason);
	assert_int_equal(json_array_size(end.evidence) > 0, *dmesg != '\0');
	json_decref(end.evidence);
}

static void ends(void **state)
{
	struct metal_state s = under_way();

	(void)state;
	expect_end(&s,
		   "[ 9.1] BUG: kernel NULL pointer dereference\n"
		   "[ 9.2] Kernel panic - not syncing: Fatal exception\n",
		   false, "PANIC", "NULL pointer");
	expect_end(&s, "[ 9.2] Kernel panic - not syncing: softlockup: hung tasks\n", false, "HANG",
		   "softlockup");
	/* The panic is known better than what the watchdog did to it. */
	expect_end(&s, "[ 9.2] Kernel panic - not syncing: sysrq triggered crash\n", true, "PANIC",
		   "sysrq");
	expect_end(&s, "", true, "HANG", "before the cell began");
	expect_end(&s, "", false, "INVALID", "no trace");
	s.measuring = true;
	expect_end(&s, "", false, "INVALID", "while the cell was measured");
	s.error = strdup("other kernel");
	expect_end(&s, "", false, "INVALID", "other kernel");
	metal_state_free(&s);
}

static void pstore_is_read(void **state)
{
	HB_FREE char *dir = below("pstore"), *text = NULL, *later = NULL, *none = NULL;

	(void)state;
	put("pstore/dmesg-erst-1", "Panic#1 Part1\n<0>[ 2.0] last\n");
	put("pstore/1234/dmesg-erst-2", "Panic#1 Part2\n<6>[ 1.0] first\nplain");
	put("pstore/console-ramoops-0", "not this\n");
	put("pstore/1234/dmesg.txt", "all of it once more\n");
	text = pstore_read_in(dir, 0);
	assert_string_equal(text, "[ 1.0] first\nplain\n[ 2.0] last\n");
	later = pstore_read_in(dir, INT32_MAX);
	assert_string_equal(later, "");
	none = pstore_read_in("/nonexistent", 0);
	assert_string_equal(none, "");
}

/* --- the root's disk ----------------------------------------------------------------------- */

static void link_to(const char *to, const char *name)
{
	HB_FREE char *path = below(name);

	assert_int_equal(symlink(to, path), 0);
}

static void disks(void **state)
{
	HB_FREE char *part = below("sys/pci0/0000:00:1f.2/ata1/host0/0:0:0:0/block/sda/sda2");
	HB_FREE char *nvme = below("sys/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
	HB_FREE char *lvm = below("sys/virtual/block/dm-0"), *ids = below("by-partuuid");
	struct root_disk d;
	struct hb_error e = {""};
	json_t *want =
		json_pack("[s, s, s]", "CONFIG_EXT4_FS", "CONFIG_BLK_DEV_SD", "CONFIG_SATA_AHCI");

	(void)state;
	assert_int_equal(hb_mkdir_all(part), 0);
	assert_int_equal(hb_mkdir_all(ids), 0);
	link_to("../../bus/pci/drivers/ahci", "sys/pci0/0000:00:1f.2/driver");
	link_to("../../../bus/scsi/drivers/sd", "sys/pci0/0000:00:1f.2/ata1/host0/0:0:0:0/driver");
	link_to("../../sda1", "by-partuuid/11-01");
	link_to("../../sda2", "by-partuuid/11-02");
	assert_int_equal(root_disk_read(part, ids, "ext4", &d, &e), 0);
	assert_string_equal(d.argument, "PARTUUID=11-02");
	assert_true(json_equal(d.needs, want));
	json_decref(want);
	root_disk_free(&d);
	assert_int_equal(root_disk_read(nvme, ids, "xfs", &d, &e), 0);
	assert_string_equal(d.argument, "/dev/nvme0n1");
	assert_string_equal(json_string_value(json_array_get(d.needs, 1)), "CONFIG_BLK_DEV_NVME");
	root_disk_free(&d);
	assert_int_equal(root_disk_read(lvm, ids, "ext4", &d, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "dm-0"));
	root_disk_free(&d);
}

static void results_that_would_be_gone(void **state)
{
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(root_disk_holds("/proc/self/nothing", &e), -ENOENT);
	if (!access("/dev/shm", F_OK)) {
		assert_int_equal(root_disk_holds("/dev/shm", &e), -EINVAL);
		assert_non_null(strstr(e.text, "tmpfs"));
	}
}

static void initramfs_beside_an_image(void **state)
{
	HB_FREE char *debian = below("boot/vmlinuz-6.1"), *dracut = below("boot/vmlinuz-6.2");
	HB_FREE char *tree = below("boot/bzImage"), *want = below("boot/initrd.img-6.1");
	HB_FREE char *other = below("boot/initramfs-6.2.img");
	HB_FREE char *a = NULL, *b = NULL;

	(void)state;
	assert_null(metal_initrd(debian));
	put("boot/initrd.img-6.1", "x");
	put("boot/initramfs-6.2.img", "x");
	a = metal_initrd(debian);
	b = metal_initrd(dracut);
	assert_string_equal(a, want);
	assert_string_equal(b, other);
	assert_null(metal_initrd(tree));
}

/* --- the unit ----------------------------------------------------------------------------------
 */

static char *unit(void)
{
	json_t *environment = json_pack("{s:s, s:s*, s:s}", "HOME", "/root", "XDG_CACHE_HOME", NULL,
					"ODD", "50% \"of\"");
	char *text = metal_unit_text("/bin/true", "/tmp", environment);

	json_decref(environment);
	return text;
}

static void unit_text(void **state)
{
	HB_FREE char *text = unit();

	(void)state;
	assert_non_null(strstr(text, "\nExecStart=\"/bin/true\" metal --continue\n"));
	assert_non_null(strstr(text, "\nEnvironment=\"HOME=/root\"\n"));
	assert_non_null(strstr(text, "\nEnvironment=\"ODD=50%% \\\"of\\\"\"\n"));
	assert_null(strstr(text, "XDG_CACHE_HOME"));
	assert_non_null(strstr(text, "\nWantedBy=multi-user.target\n"));
}

/* systemd's own opinion, where it is installed. */
static void unit_verified(void **state)
{
	HB_FREE char *text = unit(), *path = below(METAL_UNIT), *output = NULL;
	char *argv[] = {"systemd-analyze", "verify", "--man=no", path, NULL};
	int rc;

	(void)state;
	put(METAL_UNIT, text);
	rc = child_capture(&(struct child){0}, argv, &output);
	if (rc == 127)
		skip();
	if (rc || strstr(output, METAL_UNIT))
		fail_msg("status %d: %s", rc, output);
}

static void unit_comes_and_goes(void **state)
{
	HB_FREE char *dir = below("units"),
		     *link = below("units/multi-user.target.wants/" METAL_UNIT);
	struct hb_error e = {""};
	struct stat st;

	(void)state;
	assert_false(metal_unit_is_there(dir));
	assert_int_equal(metal_unit_install(dir, "x", &e), 0);
	assert_int_equal(metal_unit_install(dir, "y", &e), 0);
	assert_int_equal(stat(link, &st), 0);
	assert_true(metal_unit_is_there(dir));
	assert_int_equal(metal_unit_remove(dir, &e), 0);
	assert_int_equal(lstat(link, &st), -1);
	assert_false(metal_unit_is_there(dir));
	assert_int_equal(metal_unit_remove(dir, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_survives),
		cmocka_unit_test(the_next_step),
		cmocka_unit_test(command_lines),
		cmocka_unit_test(ends),
		cmocka_unit_test(pstore_is_read),
		cmocka_unit_test(disks),
		cmocka_unit_test(results_that_would_be_gone),
		cmocka_unit_test(initramfs_beside_an_image),
		cmocka_unit_test(unit_text),
		cmocka_unit_test(unit_verified),
		cmocka_unit_test(unit_comes_and_goes),
	};

	return cmocka_run_group_tests_name("metal", tests, setup, teardown);
}
