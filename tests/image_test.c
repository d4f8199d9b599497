// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes into the guest: ELF closures, the initramfs, the database, the root image. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/host/paths.h"
#include "bench/build/database.h"
#include "bench/build/elfinfo.h"
#include "bench/build/initramfs.h"
#include "bench/build/rootfs.h"

#define LIBC   "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LOADER "/lib64/ld-linux-x86-64.so.2"

static char dir[] = "/tmp/hb-image-test-XXXXXX";

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hb-image-test-XXXXXX");
	return !mkdtemp(dir);
}

static int teardown(void **state)
{
	(void)state;
	return hb_remove_all(dir);
}

static int run(const char *command, char **out)
{
	char *argv[] = {"sh", "-c", (char *)command, NULL};
	struct child c = {.directory = dir};

	return child_capture(&c, argv, out);
}

static void test_closure_of_shell(void **state)
{
	json_t *files = json_object();
	struct hb_error e = {.text = ""};

	(void)state;
	assert_int_equal(elf_closure("/bin/sh", NULL, NULL, files, &e), 0);
	assert_string_equal(json_string_value(json_object_get(files, "/bin/sh")), "/bin/sh");
	assert_non_null(json_object_get(files, LOADER));
	assert_non_null(json_object_get(files, LIBC));
	assert_int_equal(access(json_string_value(json_object_get(files, LIBC)), R_OK), 0);
	json_decref(files);
}

/* A library found by a run path keeps its place; its own needs are followed. */
static void test_closure_by_run_path(void **state)
{
	HB_FREE char *out = NULL, *program = hb_strf("%s/bin/p", dir);
	HB_FREE char *lib = hb_strf("%s/own/libb.so", dir), *search = hb_strf("%s/own", dir);
	const char *const dirs[] = {search, NULL};
	struct hb_error e = {.text = ""};
	json_t *files = json_object();

	(void)state;
	assert_int_equal(
		run("mkdir own bin; echo 'int b;' >b.c; echo 'int a;' >a.c; echo 'int "
		    "main(void){}' >p.c\n"
		    "gcc -shared -o own/libb.so b.c && gcc -shared -Wl,--no-as-needed -o "
		    "own/liba.so a.c "
		    "-Lown -lb && gcc -Wl,--no-as-needed,-rpath-link,own,-rpath,'$ORIGIN/../own' "
		    "-o bin/p p.c "
		    "-Lown -la",
		    &out),
		0);
	assert_int_equal(elf_closure(program, NULL, NULL, files, &e), -ENOENT);
	assert_non_null(strstr(e.text, "liba.so needs libb.so"));
	json_object_clear(files);
	/* As unpacked below a prefix: names in the guest are without it. */
	assert_int_equal(elf_closure(program, dir, dirs, files, &e), 0);
	assert_non_null(json_object_get(files, "/bin/p"));
	assert_non_null(json_object_get(files, "/bin/../own/liba.so"));
	assert_string_equal(
		json_string_value(json_object_get(files, "/usr/lib/x86_64-linux-gnu/libb.so")),
		lib);
	json_decref(files);
}

static void test_no_elf(void **state)
{
	json_t *files = json_object();
	struct hb_error e = {.text = ""};
	char *id;

	(void)state;
	assert_int_equal(elf_closure("/etc/passwd", NULL, NULL, files, &e), -ENOEXEC);
	assert_int_equal(elf_closure("/nonexistent", NULL, NULL, files, &e), -ENOENT);
	assert_int_equal(elf_build_id("/etc/passwd", &id, &e), -ENOEXEC);
	json_decref(files);
}

static void test_build_id(void **state)
{
	HB_FREE char *out = NULL, *id = NULL, *none = hb_strf("%s/none", dir);
	HB_FREE char *with = hb_strf("%s/with", dir);
	struct hb_error e = {.text = ""};

	(void)state;
	assert_int_equal(
		run("gcc -shared -nostdlib -Wl,--build-id=0x0123abcd -o with -xc /dev/null && "
		    "gcc -shared -nostdlib -Wl,--build-id=none -o none -xc /dev/null",
		    &out),
		0);
	assert_int_equal(elf_build_id(with, &id, &e), 0);
	assert_string_equal(id, "0123abcd");
	free(id);
	id = NULL;
	assert_int_equal(elf_build_id(none, &id, &e), -ENODATA);
}

/* A shell stands for the agent, which is not beside a test. */
static void fake_agent(struct agent_files *a)
{
	*a = (struct agent_files){.agent = strdup("/bin/sh"), .libraries = json_object()};
	assert_int_equal(elf_closure("/bin/sh", NULL, NULL, a->libraries, NULL), 0);
	json_object_del(a->libraries, "/bin/sh");
}

static void test_agent_missing(void **state)
{
	struct hb_error e = {.text = ""};
	struct agent_files a;

	(void)state;
	assert_int_equal(agent_files_find(&a, false, &e), -ENODEV);
	assert_non_null(strstr(e.text, "make all"));
}

static void test_initramfs(void **state)
{
	HB_FREE char *one = hb_strf("%s/one", dir), *two = hb_strf("%s/two", dir);
	char hash_one[CACHE_KEY_LEN + 1], hash_two[CACHE_KEY_LEN + 1];
	static const char *const wanted[] = {"init",
					     "dev/console",
					     "proc",
					     "sys",
					     "tmp",
					     "lib64/ld-linux-x86-64.so.2",
					     "usr/lib/x86_64-linux-gnu/libc.so.6",
					     "TRAILER!!!"};
	struct hb_error e = {.text = ""};
	HB_FREE char *data = NULL;
	struct agent_files a;
	size_t len;

	(void)state;
	fake_agent(&a);
	assert_int_equal(initramfs_write(&a, NULL, NULL, one, &e), 0);
	assert_int_equal(initramfs_write(&a, NULL, NULL, two, &e), 0);
	assert_int_equal(digest_of_file(one, hash_one), 0);
	assert_int_equal(digest_of_file(two, hash_two), 0);
	assert_string_equal(hash_one, hash_two);
	assert_int_equal(hb_file_read(one, &data, &len), 0);
	/* Another archive may follow. */
	assert_int_equal(len % 4, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!memmem(data, len, wanted[i], strlen(wanted[i]) + 1))
			fail_msg("%s is not in the archive", wanted[i]);
	assert_int_equal(initramfs_write(&a, NULL, NULL, "/nonexistent/x", &e), -ENOENT);
	agent_files_free(&a);
}

static char *image_files(void)
{
	char *out = NULL;

	assert_int_equal(
		run("XDG_CACHE_HOME=$PWD/cache bin/hugebench image --scale 0 2>/dev/null", &out),
		0);
	return out;
}

/* What `hugebench selftests` leaves beside the command is in the guests of its own runs alone. */
static void test_selftests_change_no_image(void **state)
{
	HB_FREE char *command = paths_beside("../hugebench"), *agent = paths_beside("fake_guest");
	HB_FREE char *line =
		hb_strf("mkdir bin && cp %s bin && cp %s bin/hugebench-agent", command, agent);
	HB_FREE char *before = NULL, *after = NULL, *out = NULL;

	(void)state;
	assert_int_equal(run(line, &out), 0);
	before = image_files();
	assert_non_null(strstr(before, "initramfs"));
	free(out);
	assert_int_equal(run("mkdir bin/selftests && cp /bin/true bin/selftests", &out), 0);
	after = image_files();
	assert_string_equal(before, after);
}

/* Is PostgreSQL another one, of the same version, when a program of it is? 77: not to be tried. */
static int find_rebuilt(const struct hostpg *pg)
{
	HB_FREE char *program = hb_strf("%s/pgbench", pg->bin);
	HB_FREE char *rebuilt = hb_strf("%s/pgbench", dir), *out = NULL;
	HB_FREE char *line = hb_strf("cp %s pgbench && echo >>pgbench", program);
	struct hostpg anew;

	if (run(line, &out) || unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(rebuilt, program, NULL, MS_BIND, NULL))
		return 77;
	if (hostpg_find(dir, 0, &anew, NULL) || strcmp(pg->identity, anew.identity))
		return 1;
	return strcmp(pg->hash, anew.hash) ? 0 : 2;
}

static void test_postgres_rebuilt(void **state)
{
	struct hb_error e = {.text = ""};
	struct hostpg pg;
	int status;
	pid_t pid;

	(void)state;
	if (hostpg_find(dir, 0, &pg, &e)) {
		print_message("%s\n", e.text);
		skip();
	}
	pid = fork();
	if (!pid)
		_exit(find_rebuilt(&pg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	hostpg_free(&pg);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_database_and_root_image(void **state)
{
	HB_FREE char *image = hb_strf("%s/root.ext4", dir), *stage = hb_strf("%s/stage", dir);
	HB_FREE char *memory = hb_strf("%s/memory.cpio", dir);
	HB_FREE char *control = NULL, *pid = NULL, *command = NULL, *out = NULL;
	struct hb_error e = {.text = ""};
	struct database db, again;
	struct agent_files a;
	struct hostpg pg;
	mode_t callers;
	char *bin;
	struct stat st;

	(void)state;
	if (hostpg_find(dir, 0, &pg, &e)) {
		print_message("%s\n", e.text);
		skip();
	}
	if (database_resolve(dir, &pg, 1, &db, &e))
		fail_msg("%s", e.text);
	assert_int_not_equal(db.uid, 0);
	assert_int_equal(stat(db.directory, &st), 0);
	assert_int_equal(st.st_uid, db.uid);
	assert_int_equal(st.st_mode & 0777, 0700);
	/* The server is gone. */
	pid = hb_strf("%s/postmaster.pid", db.directory);
	assert_int_not_equal(access(pid, F_OK), 0);
	/* Found again, and made again when damaged. */
	control = hb_strf("%s/global/pg_control", db.directory);
	assert_int_equal(stat(control, &st), 0);
	assert_int_equal(database_resolve(dir, &pg, 1, &again, &e), 0);
	assert_string_equal(db.directory, again.directory);
	database_free(&again);
	assert_int_equal(truncate(control, 100), 0);
	assert_int_equal(database_resolve(dir, &pg, 1, &again, &e), 0);
	assert_int_equal(stat(control, &st), 0);
	assert_int_equal(st.st_size, 8192);
	database_free(&again);
	/* Another PostgreSQL, whatever its version is called, has none yet, and cannot make one. */
	bin = pg.bin;
	pg.bin = dir;
	pg.hash[0] ^= 1;
	assert_int_equal(database_resolve(dir, &pg, 1, &again, &e), -EIO);
	pg.hash[0] ^= 1;
	assert_int_equal(database_resolve(dir, &pg, 1, &again, &e), 0);
	database_free(&again);
	pg.bin = bin;

	fake_agent(&a);
	/* The guest's files are for the server's user too, however private the caller's are. */
	callers = umask(077);
	if (rootfs_write(&a, &pg, &db, stage, image, &e))
		fail_msg("%s", e.text);
	assert_int_equal(umask(callers), 077);
	assert_int_not_equal(access(stage, F_OK), 0);
	command = hb_strf("export PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn root.ext4 && debugfs -R "
			  "'stat " DATABASE_GUEST_PATH
			  "' root.ext4 && debugfs -R 'stat /sbin/hugebench-agent' root.ext4 && "
			  "debugfs -R 'stat " DATABASE_GUEST_PATH
			  "/../../../../usr/lib/postgresql/%ld/bin/postgres' "
			  "root.ext4",
			  strtol(pg.version, NULL, 10));
	assert_int_equal(run(command, &out), 0);
	free(command);
	command = hb_strf("User: %5u", db.uid);
	assert_non_null(strstr(out, command));
	assert_null(strstr(out, "File not found"));
	assert_int_equal(run("export PATH=$PATH:/sbin:/usr/sbin; for f in /etc /sbin /usr /usr/lib "
			     "/var/lib; do debugfs -R \"stat $f\" root.ext4; done 2>/dev/null | "
			     "grep -c 'Mode:  "
			     "0755'; debugfs -R 'stat /etc/passwd' root.ext4 2>/dev/null",
			     &out),
			 0);
	assert_int_equal(strncmp(out, "5\n", 2), 0);
	assert_non_null(strstr(out, "Mode:  0644"));
	/* All of it in an initramfs, below the directories that lead there. */
	assert_int_equal(initramfs_write(&a, &pg, &db, memory, &e), 0);
	free(command);
	command = hb_strf("grep -aoE 'var/lib/hugebench(/pgdata/(global/pg_control|PG_VERSION))?|"
			  "usr/lib/postgresql/%ld/bin/(postgres|pgbench)' memory.cpio | sort -u | "
			  "wc -l",
			  strtol(pg.version, NULL, 10));
	assert_int_equal(run(command, &out), 0);
	assert_string_equal(out, "5\n");
	agent_files_free(&a);
	database_free(&db);
	hostpg_free(&pg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_closure_of_shell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closure_by_run_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_elf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_build_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_agent_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initramfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_selftests_change_no_image, setup, teardown),
		cmocka_unit_test_setup_teardown(test_postgres_rebuilt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_database_and_root_image, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
