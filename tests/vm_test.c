// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's command line in each mode; nothing is started here. */
#include <grp.h>
#include <pwd.h>
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

#include "bench/build/hostqemu.h"
#include "bench/base/exact.h"
#include "bench/guest/vm_argv.h"
#include "bench/guest/vm_user.h"
#include "bench/host/memory.h"

/* Unpacked somewhere; the words that start it come first. */
static const struct hostqemu qemu = {
	.sandbox = true, .words = {"env", "LD_LIBRARY_PATH=/q/lib", "/q/qemu", "-L", "/q/share"}};

static struct vm_config emulated(void)
{
	return (struct vm_config){
		.mode = VM_EMULATED,
		.bzimage = "/k/bzImage",
		.initramfs = "/i/initramfs",
		.console_path = "/r/console.log",
		.vcpus = 4,
		.nodes = 2,
		.memory = 2ULL << 30,
	};
}

/* The whole command line, words separated by blanks; owned by the caller. */
static char *line_of(const struct hostqemu *q, const struct vm_config *c, struct vm_wiring w)
{
	struct hb_error e = {""};
	char **argv, *all = strdup("");

	if (vm_argv(q, c, &w, &argv, &e))
		fail_msg("%s", e.text);
	for (char **a = argv; *a; a++) {
		char *longer = hb_strf("%s%s ", all, *a);

		free(all);
		all = longer;
	}
	vm_argv_free(argv);
	return all;
}

static char *line(const struct vm_config *c, int node0, int node1)
{
	return line_of(
		&qemu, c,
		(struct vm_wiring){
			.data_fd = 7, .qmp_fd = 8, .console_fd = 9, .host_node = {node0, node1}});
}

static void has(const char *all, const char *part)
{
	if (!strstr(all, part))
		fail_msg("\"%s\" is missing in: %s", part, all);
}

static void lacks(const char *all, const char *part)
{
	if (strstr(all, part))
		fail_msg("\"%s\" should not be in: %s", part, all);
}

static void test_emulated(void **state)
{
	struct vm_config c = emulated();
	char *all = line(&c, -1, -1);

	(void)state;
	assert_ptr_equal(strstr(all, "env LD_LIBRARY_PATH=/q/lib /q/qemu -L /q/share -"), all);
	has(all, "-accel tcg,thread=multi ");
	has(all, "-smp 4,sockets=2,cores=2,threads=1 ");
	has(all, "-m 2048M ");
	has(all, "-numa node,nodeid=0,cpus=0-1,memdev=mem0 ");
	has(all, "-numa node,nodeid=1,cpus=2-3,memdev=mem1 ");
	has(all, "-object memory-backend-ram,id=mem1,size=1024M,prealloc=off ");
	has(all, "-no-reboot ");
	has(all, "-nodefaults ");
	has(all, "-machine pc,hpet=off,");
	/* QEMU 9 refuses this spelling. */
	lacks(all, "-no-hpet");
	has(all, "-display none ");
	has(all, "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny ");
	has(all, "-initrd /i/initramfs ");
	has(all, "-device pvpanic ");
	has(all, "-device virtserialport,chardev=data,name=org.hugebench.data ");
	has(all, "socket,id=data,fd=7 ");
	has(all, "socket,id=qmp,fd=8 ");
	has(all, "logfile=/r/console.log");
	lacks(all, "-icount");
	lacks(all, "-drive");
	free(all);
}

/* Who has taken one QEMU over has no rights on the next: its user is nobody else. */
static void test_users_differ(void **state)
{
	uid_t first = vm_user_new(), second = vm_user_new();

	(void)state;
	assert_int_not_equal(first, second);
	assert_null(getpwuid(first));
	assert_null(getgrgid(second));
}

/* A number that a process has is left out: the next would be it. */
static void test_user_of_a_process(void **state)
{
	uid_t taken = vm_user_new() + 1, given;
	int ready[2];
	char c;
	pid_t pid;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (setuid(taken) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	given = vm_user_new();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	assert_int_not_equal(given, taken);
}

/* QEMU may become another user where it is told to, and there alone. */
static void test_user(void **state)
{
	const struct vm_wiring w = {.host_node = {-1, -1}, .user = 61190};
	struct hostqemu later = qemu, earlier = qemu;
	struct vm_config c = emulated();
	char *all;

	(void)state;
	later.number = QEMU_NUMBER(9, 1);
	all = line_of(&later, &c, w);
	has(all, "-run-with user=61190:61190 ");
	has(all, "-sandbox on,obsolete=deny,spawn=deny ");
	lacks(all, "-runas");
	free(all);
	earlier.number = QEMU_NUMBER(9, 0);
	all = line_of(&earlier, &c, w);
	has(all, "-runas 61190:61190 ");
	lacks(all, "-run-with");
	free(all);
	all = line(&c, -1, -1);
	lacks(all, "-runas");
	lacks(all, "-run-with");
	free(all);
}

static void test_kvm_keeps_the_hosts_cpu(void **state)
{
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.mode = VM_KVM;
	all = line(&c, -1, -1);
	has(all, "-accel kvm ");
	has(all, "-cpu host,migratable=no ");
	/* One policy in all modes. */
	has(all, "mitigations=off");
	/* What people run has its randomised layout. */
	lacks(all, "nokaslr");
	free(all);
}

/* Two sockets of 100 number their cores 0 to 99 and 128 to 227; three of 80 would reach 335. */
static void test_apic_ids_end_at_254(void **state)
{
	struct vm_wiring w = {.host_node = {-1, -1, -1}};
	struct vm_config c = emulated();
	struct hb_error e = {""};
	char **argv;

	(void)state;
	c.vcpus = 200;
	assert_int_equal(vm_argv(&qemu, &c, &w, &argv, &e), 0);
	vm_argv_free(argv);
	c.vcpus = 240;
	c.nodes = 3;
	c.memory = 3ULL << 30;
	assert_int_equal(vm_argv(&qemu, &c, &w, &argv, &e), -EINVAL);
	assert_non_null(strstr(e.text, "APIC ids up to 335"));
}

static void test_exact_is_deterministic(void **state)
{
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.mode = VM_EXACT;
	c.vcpus = 1;
	all = line(&c, -1, -1);
	has(all, "-accel tcg,thread=single ");
	has(all, "-icount shift=3,sleep=off ");
	has(all, "-rtc clock=vm,base=2020-01-01 ");
	has(all, "-smp 1,sockets=1,cores=1,threads=1 ");
	has(all, "nokaslr");
	has(all, "norandmaps");
	/* The second node has memory alone; one migrates to it. */
	has(all, "-numa node,nodeid=0,cpus=0,memdev=mem0 ");
	has(all, "-numa node,nodeid=1,memdev=mem1 ");
	lacks(all, "rdrand");
	lacks(all, "virtio-serial");
	has(all, "hpet=off");
	lacks(all, "idle=poll");
	free(all);
}

static void test_exact_vcpus_take_turns(void **state)
{
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.mode = VM_EXACT;
	c.vcpus = 4;
	all = line(&c, -1, -1);
	has(all, "-accel tcg,thread=single ");
	has(all, "-icount shift=2,sleep=off ");
	has(all, "hpet=on");
	has(all, " idle=poll maxcpus=1 hpet=disable nr_cpus=4 ");
	has(all, "-global hpet.timers=32 ");
	/* Twelve that never run, after the first and before the others. */
	has(all, "-smp 1,maxcpus=16,sockets=8,cores=2,threads=1 -device qemu64-x86_64-cpu,"
		 "socket-id=2,core-id=0,thread-id=0 ");
	has(all, "socket-id=7,core-id=1,thread-id=0 -device qemu64-x86_64-cpu,socket-id=0,"
		 "core-id=1,thread-id=0 ");
	has(all, "-numa node,nodeid=0,cpus=0-1,cpus=4-15,memdev=mem0 ");
	has(all, "-numa node,nodeid=1,cpus=2-3,memdev=mem1 ");
	has(all, "prealloc=off");
	free(all);
	c.vcpus = 48;
	all = line(&c, -1, -1);
	has(all, "-icount shift=0,sleep=off ");
	free(all);
}

static void test_memory_files_and_binding(void **state)
{
	static const int memory[] = {7, 9};
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.memory_fd = memory;
	all = line(&c, 0, 1);
	has(all, "-object memory-backend-file,mem-path=/proc/self/fd/7,share=on,id=mem0,size=1024M,"
		 "prealloc=on,host-nodes=0,policy=bind ");
	has(all, "mem-path=/proc/self/fd/9,share=on,id=mem1,size=1024M,prealloc=on,host-nodes=1");
	free(all);
}

static void test_initramfs_without_a_name(void **state)
{
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.initramfs_fd = 11;
	all = line(&c, -1, -1);
	has(all, "-initrd /proc/self/fd/11 ");
	lacks(all, "/i/initramfs");
	free(all);
}

static void test_root_disk(void **state)
{
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.root = "/i/root.ext4";
	all = line(&c, -1, -1);
	has(all, "file=/i/root.ext4,if=none,id=root,format=raw,snapshot=on");
	has(all, "-device virtio-blk-pci,drive=root ");
	has(all, "root=/dev/vda rw init=/sbin/hugebench-agent");
	lacks(all, "-initrd");
	free(all);
	/* One with modules is unpacked first. */
	c.initramfs_fd = 11;
	all = line(&c, -1, -1);
	has(all, "file=/i/root.ext4,");
	has(all, "-initrd /proc/self/fd/11 ");
	free(all);
}

static void test_command_line(void **state)
{
	struct vm_config c = emulated();
	char *all;

	(void)state;
	c.command_line = "lockdep=1";
	all = vm_command_line(&c);
	assert_non_null(all);
	has(all, "console=ttyS0 ");
	has(all, " oops=panic ");
	lacks(all, "tsc_early_khz");
	assert_string_equal(all + strlen(all) - strlen(" lockdep=1"), " lockdep=1");
	free(all);
	c.tsc_khz = 2596000;
	all = vm_command_line(&c);
	has(all, " tsc_early_khz=2596000 ");
	free(all);
	c.mode = VM_EXACT;
	all = vm_command_line(&c);
	lacks(all, "tsc_early_khz");
	free(all);
}

static void test_memory_is_whole_huge_pages(void **state)
{
	struct vm_config c = emulated();

	(void)state;
	c.memory = (2ULL << 30) + 12345;
	assert_int_equal(memory_node_bytes(c.memory, c.nodes), 1ULL << 30);
	c.memory = (2ULL << 30) - 1;
	assert_int_equal(memory_node_bytes(c.memory, c.nodes), (1ULL << 30) - (2ULL << 20));
}

static void refused(struct vm_config c, const char *why)
{
	struct vm_wiring w = {.host_node = {-1, -1}};
	struct hb_error e = {""};
	char **argv;

	assert_int_equal(vm_argv(&qemu, &c, &w, &argv, &e), -EINVAL);
	assert_null(argv);
	has(e.text, why);
}

static void test_impossible_guests(void **state)
{
	struct vm_config c = emulated();

	(void)state;
	c.vcpus = 3;
	refused(c, "3 vCPUs");
	c = emulated();
	c.vcpus = 0;
	refused(c, "0 vCPUs");
	c = emulated();
	c.nodes = 0;
	refused(c, "NUMA nodes");
	c = emulated();
	c.nodes = VM_MAX_NODES + 1;
	refused(c, "NUMA nodes");
	c = emulated();
	c.mode = VM_EXACT;
	c.vcpus = EXACT_VCPUS_MAX + 2;
	refused(c, "at most 64 vCPUs");
	c = emulated();
	c.memory = 100 << 20;
	refused(c, "64 MiB");
	c = emulated();
	c.initramfs = NULL;
	refused(c, "an initramfs or a root image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_emulated),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_users_differ),
		cmocka_unit_test(test_user_of_a_process),
		cmocka_unit_test(test_kvm_keeps_the_hosts_cpu),
		cmocka_unit_test(test_apic_ids_end_at_254),
		cmocka_unit_test(test_exact_is_deterministic),
		cmocka_unit_test(test_exact_vcpus_take_turns),
		cmocka_unit_test(test_memory_files_and_binding),
		cmocka_unit_test(test_initramfs_without_a_name),
		cmocka_unit_test(test_root_disk),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_memory_is_whole_huge_pages),
		cmocka_unit_test(test_impossible_guests),
	};

	return cmocka_run_group_tests_name("vm", tests, NULL, NULL);
}
