// SPDX-License-Identifier: GPL-2.0-or-later
/* A real server in a scratch directory: its life, its processes, its end. Skipped without
 * PostgreSQL. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "workloads/postgres/probe.h"
#include "workloads/postgres/segment.h"
#include "workloads/postgres/postgres.h"
#include "workloads/postgres/spawn.h"

#define NOBODY	 65534
#define START_NS (60 * NSEC_PER_SEC)

struct fixture {
	char directory[64], data[96];
	struct pg_server server;
};

/* The newest PostgreSQL of the machine makes a cluster, as nobody when we are root. */
static int cluster_make(struct fixture *f, const char *programs)
{
	HB_FREE char *initdb = hb_strf("%s/initdb", programs);
	const char *const argv[] = {initdb,  "-D", f->data,	 "-U", "postgres", "-A",
				    "trust", "-N", "--locale=C", "-E", "UTF8",	   NULL};
	const char *const envp[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
	uid_t uid = geteuid() ? geteuid() : NOBODY;
	HB_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int status;
	pid_t pid;

	assert_true(null >= 0);
	if (!geteuid())
		assert_int_equal(chown(f->directory, NOBODY, NOBODY), 0);
	pid = pg_spawn(&(struct pg_spawn){.argv = argv,
					  .envp = envp,
					  .uid = uid,
					  .gid = geteuid() ? getegid() : NOBODY,
					  .out = null,
					  .err = STDERR_FILENO,
					  .gate = -1,
					  .death = SIGKILL},
		       NULL);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int group_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct pg_server probe = {0};

	assert_non_null(f);
	*state = f;
	/* An empty directory is no cluster, but the programs are looked for first. */
	if (pg_server_init(&probe, "", 0, "/", NULL) == -ENOENT && !probe.data[0])
		return 0;
	snprintf(f->directory, sizeof(f->directory), "/tmp/hugebench-test-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->data, sizeof(f->data), "%s/data", f->directory);
	return cluster_make(f, probe.programs);
}

static int group_teardown(void **state)
{
	struct fixture *f = *state;

	if (f->directory[0])
		hb_remove_all(f->directory);
	free(f);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;

	pg_server_free(&f->server);
	return 0;
}

static void start(struct fixture *f)
{
	struct hb_error e = {""};

	if (!f->directory[0])
		skip();
	if (pg_server_init(&f->server, "", 0, f->data, &e) ||
	    pg_server_set(&f->server, &e, "unix_socket_directories=%s", f->server.directory) ||
	    pg_server_set(&f->server, &e, "listen_addresses=") ||
	    pg_server_set(&f->server, &e, "restart_after_crash=off") ||
	    pg_server_set(&f->server, &e, "shared_buffers=16MB") ||
	    pg_server_set(&f->server, &e, "fsync=off") || pg_server_start(&f->server, START_NS, &e))
		fail_msg("%s", e.text);
}

static void lives_and_ends_clean(void **state)
{
	struct fixture *f = *state;
	char conninfo[PG_CONNINFO], directory[PG_PATH];
	struct pg_session *s = NULL;
	struct hb_error e = {""};
	struct pg_segment seg;
	pid_t pids[64];
	char value[16];
	uint64_t before, after;
	int n;

	start(f);
	pg_server_conninfo(&f->server, conninfo, sizeof(conninfo));
	if (pg_session_open(conninfo, &s, &e))
		fail_msg("%s", e.text);
	assert_int_equal(pg_session_query(s, "SELECT 6 * 7", value, sizeof(value), &e), 0);
	assert_string_equal(value, "42");
	assert_int_not_equal(pg_session_query(s, "SELECT nothing", NULL, 0, &e), 0);
	assert_non_null(strstr(e.text, "nothing"));
	n = pg_server_pids(&f->server, pids, ARRAY_SIZE(pids));
	assert_true(n >= 3);
	assert_int_equal(pids[0], f->server.postmaster);
	assert_int_equal(pg_segment_read(pg_session_backend(s), &seg, &e), 0);
	assert_true(seg.end - seg.start >= 16 << 20);
	assert_int_equal(pg_server_faults(&f->server, &before), 0);
	assert_int_equal(
		pg_session_query(s, "SELECT count(*) FROM generate_series(1, 100000)", NULL, 0, &e),
		0);
	assert_int_equal(pg_server_faults(&f->server, &after), 0);
	assert_true(after > before);
	/* What a backend did is not lost when it ends. */
	assert_int_equal(pg_server_faults(&f->server, &before), 0);
	pg_session_close(s);
	for (int i = 0; i < 500 && pg_server_pids(&f->server, pids, ARRAY_SIZE(pids)) >= n; i++)
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 50);
	assert_true(pg_server_pids(&f->server, pids, ARRAY_SIZE(pids)) < n);
	assert_int_equal(pg_server_faults(&f->server, &after), 0);
	assert_true(after >= before);
	assert_int_equal(pg_server_check(&f->server, &e), 0);
	snprintf(directory, sizeof(directory), "%s", f->server.directory);
	assert_int_equal(pg_server_stop(&f->server, &e), 0);
	pg_server_free(&f->server);
	assert_int_not_equal(access(directory, F_OK), 0);
}

/* A backend that dies is told with the line of the log, whatever failed first. */
static void crash_is_told(void **state)
{
	struct fixture *f = *state;
	char conninfo[PG_CONNINFO];
	struct pg_session *s = NULL;
	struct hb_error e = {""};
	int err;

	start(f);
	pg_server_conninfo(&f->server, conninfo, sizeof(conninfo));
	assert_int_equal(pg_session_open(conninfo, &s, &e), 0);
	assert_int_equal(kill(pg_session_backend(s), SIGSEGV), 0);
	err = pg_session_query(s, "SELECT pg_sleep(10)", NULL, 0, &e);
	assert_int_not_equal(err, 0);
	assert_int_equal(pg_server_explain(&f->server, err, &e), err);
	assert_non_null(strstr(e.text, "was terminated by signal 11"));
	pg_session_close(s);
}

/* A task is no parent of the postmaster, and sees its end all the same. */
/*
 * Until nobody is attached to the System V segment by which a server knows that backends of one
 * before it still run; the seventh line of postmaster.pid has its key and id (pidfile.h).
 */
static void wait_for_backends(const struct fixture *f)
{
	HB_FREE char *path = hb_strf("%s/postmaster.pid", f->data);
	HB_FREE char *text = NULL;
	uint64_t deadline = hb_now_ns() + 20 * NSEC_PER_SEC;
	struct shmid_ds segment;
	unsigned long key;
	char *line;
	int id;

	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	line = text;
	for (int i = 0; i < 6 && line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	assert_non_null(line);
	assert_int_equal(sscanf(line, "%lu %d", &key, &id), 2);
	while (!shmctl(id, IPC_STAT, &segment) && segment.shm_nattch) {
		assert_true(hb_now_ns() < deadline);
		usleep(20000);
	}
}

static void killed_postmaster_is_told(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};
	int status;
	pid_t pid;

	start(f);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (pg_server_check(&f->server, &e) || kill(f->server.postmaster, SIGKILL))
			_exit(1);
		_exit(pg_server_explain(&f->server, -EIO, &e) == -EIO &&
				      strstr(e.text, "the server has ended; its last log lines")
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pg_server_check(&f->server, &e), -ECHILD);
	wait_for_backends(f);
}

/* A server that is set up, its socket in a directory of its own, and not yet started. */
static void server_prepare(struct fixture *f)
{
	struct hb_error e = {""};

	assert_int_equal(pg_server_init(&f->server, "", 0, f->data, &e), 0);
	assert_int_equal(
		pg_server_set(&f->server, &e, "unix_socket_directories=%s", f->server.directory),
		0);
}

/* Huge pages that are not there: what the server itself says about it. */
static void no_huge_pages_is_told(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};
	uint64_t available;

	if (!f->directory[0] || hb_file_number("/proc/meminfo", "HugePages_Free", &available) ||
	    available)
		skip();
	server_prepare(f);
	assert_int_equal(pg_server_set(&f->server, &e, "huge_pages=on"), 0);
	assert_int_equal(pg_server_start(&f->server, START_NS, &e), -ECHILD);
	assert_non_null(strstr(e.text, "PostgreSQL did not start"));
	assert_non_null(strstr(e.text, "could not map anonymous shared memory"));
}

/* Each of the two can tell of a fallback, the server's own words first; old servers say nothing. */
static void fallback_is_told(void **state)
{
	struct hb_error e = {""};

	(void)state;
	assert_int_equal(pg_huge_pages_agree(true, "on", true, &e), 0);
	assert_int_equal(pg_huge_pages_agree(false, "off", false, &e), 0);
	assert_int_equal(pg_huge_pages_agree(true, "", true, &e), 0);
	assert_int_equal(pg_huge_pages_agree(false, "", false, &e), 0);
	assert_int_equal(pg_huge_pages_agree(true, "off", false, &e), -ENXIO);
	assert_string_equal(e.text, "huge_pages = on, but the server says huge_pages_status = off");
	assert_int_equal(pg_huge_pages_agree(true, "unknown", true, &e), -ENXIO);
	assert_non_null(strstr(e.text, "huge_pages_status = unknown"));
	assert_int_equal(pg_huge_pages_agree(false, "on", false, &e), -ENXIO);
	assert_int_equal(pg_huge_pages_agree(true, "on", false, &e), -ENXIO);
	assert_non_null(strstr(e.text, "the segment is not hugetlb"));
	assert_int_equal(pg_huge_pages_agree(true, "", false, &e), -ENXIO);
	assert_int_equal(pg_huge_pages_agree(false, "", true, &e), -ENXIO);
}

/* A real server that would rather have had huge pages, on a machine without any. */
static void fallback_is_seen(void **state)
{
	struct fixture *f = *state;
	char conninfo[PG_CONNINFO], status[32], version[16];
	struct pg_session *s = NULL;
	struct hb_error e = {""};
	struct pg_segment seg;
	uint64_t available;

	if (!f->directory[0] || hb_file_number("/proc/meminfo", "HugePages_Free", &available) ||
	    available)
		skip();
	server_prepare(f);
	assert_int_equal(pg_server_set(&f->server, &e, "huge_pages=try"), 0);
	assert_int_equal(pg_server_start(&f->server, START_NS, &e), 0);
	pg_server_conninfo(&f->server, conninfo, sizeof(conninfo));
	assert_int_equal(pg_session_open(conninfo, &s, &e), 0);
	assert_int_equal(
		pg_session_query(s, "SHOW server_version_num", version, sizeof(version), &e), 0);
	assert_int_equal(pg_huge_pages_told(s, status, sizeof(status), &e), 0);
	assert_string_equal(status, atoi(version) < 170000 ? "" : "off");
	assert_int_equal(pg_segment_read(pg_session_backend(s), &seg, &e), 0);
	assert_int_equal(pg_huge_pages_agree(true, status, seg.hugetlb, &e), -ENXIO);
	pg_session_close(s);
}

/* A backend that met a limit of the server is gone when its segment is wanted. */
static void ended_backend_is_told(void **state)
{
	struct fixture *f = *state;
	char conninfo[PG_CONNINFO];
	struct pg_session *s = NULL;
	struct hb_error e = {""};
	struct pg_segment seg;
	pid_t backend;

	if (!f->directory[0])
		skip();
	server_prepare(f);
	/* of version 14 and later */
	assert_int_equal(pg_server_set(&f->server, &e, "idle_session_timeout=100ms"), 0);
	if (pg_server_start(&f->server, START_NS, &e))
		skip();
	pg_server_conninfo(&f->server, conninfo, sizeof(conninfo));
	assert_int_equal(pg_session_open(conninfo, &s, &e), 0);
	assert_int_equal(pg_warm_segment(s, &seg, &e), 0);
	backend = pg_session_backend(s);
	for (int i = 0; i < 500 && !kill(backend, 0); i++)
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 50);
	assert_int_not_equal(pg_warm_segment(s, &seg, &e), 0);
	assert_non_null(strstr(e.text, "the backend that stays: query failed: FATAL:  terminating "
				       "connection due to idle-session timeout"));
	pg_session_close(s);
}

/* A server that does not know its size, as before version 15: the same comes of its segment. */
static void old_server_is_measured(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};
	HB_FREE char *script = NULL, *path = NULL;
	uint64_t told = 0, measured = 0;
	unsigned int settings;

	if (!f->directory[0])
		skip();
	server_prepare(f);
	assert_int_equal(pg_server_set(&f->server, &e, "shared_buffers=48MB"), 0);
	if (pg_server_huge_pages(&f->server, &told, &e))
		fail_msg("%s", e.text);
	script = hb_strf(
		"#!/bin/sh\nfor a; do case $a in -C) echo FATAL: unrecognized "
		"configuration parameter >&2; exit 1;; esac; done\nexec %s/postgres \"$@\"\n",
		f->server.programs);
	snprintf(f->server.programs, sizeof(f->server.programs), "%s", f->directory);
	path = hb_strf("%s/postgres", f->directory);
	assert_int_equal(hb_file_write(path, script), 0);
	assert_int_equal(chmod(path, 0755), 0);
	settings = f->server.nsettings;
	if (pg_server_huge_pages(&f->server, &measured, &e))
		fail_msg("%s", e.text);
	assert_int_equal(unlink(path), 0);
	assert_true(measured > 24);
	assert_int_equal(measured, told);
	assert_int_equal(f->server.nsettings, settings);
	assert_int_equal(f->server.postmaster, 0);
}

static void late_server_is_told(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	if (!f->directory[0])
		skip();
	server_prepare(f);
	assert_int_equal(pg_server_start(&f->server, 1, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "was not ready within"));
}

/* The log decides about a verdict: what it says in the course of things must not. */
static void bad_lines_are_known(void **state)
{
	static const char *const bad[] = {
		"2026-01-01 [7] PANIC:  could not write to file \"pg_wal/xlogtemp.7\"",
		"2026-01-01 [7] LOG:  server process (PID 12) was terminated by signal 9: Killed",
		"2026-01-01 [7] FATAL:  could not map anonymous shared memory: Cannot allocate",
		"2026-01-01 [7] ERROR:  invalid page in block 3 of relation base/5/16384",
		"2026-01-01 [7] LOG:  could not fork new process for connection: Cannot allocate",
		"2026-01-01 [7] ERROR:  out of memory",
		"2026-01-01 [7] FATAL:  terminating connection due to unexpected postmaster exit",
	};
	static const char *const good[] = {
		"",
		"\x01\xff garbage \t 100%s",
		"2026-01-01 [7] LOG:  database system is ready to accept connections",
		"2026-01-01 [7] ERROR:  relation \"panic\" does not exist",
		"2026-01-01 [7] LOG:  checkpoint starting: time",
		"2026-01-01 [7] FATAL:  terminating connection due to administrator command",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(pg_server_line_is_bad(bad[i]));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_false(pg_server_line_is_bad(good[i]));
}

static void bad_setting_is_told(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	if (!f->directory[0])
		skip();
	server_prepare(f);
	assert_int_equal(pg_server_set(&f->server, &e, "shared_buffers=a lot"), 0);
	assert_int_equal(pg_server_start(&f->server, START_NS, &e), -ECHILD);
	assert_non_null(strstr(e.text, "shared_buffers"));
}

/* Is @setting among those of the server, and if so, does none of the same name follow? */
static bool in_force(const struct pg_server *s, const char *setting)
{
	size_t name = strcspn(setting, "=") + 1;

	for (unsigned int i = s->nsettings; i > 0; i--)
		if (!strncmp(s->setting[i - 1], setting, name))
			return !strcmp(s->setting[i - 1], setting);
	return false;
}

/* With churn twice as many backends as clients, and some of our own; fewer if the user says so. */
static void has_room_for_clients(void **state)
{
	struct pg_options o = {.clients = 400, .shared_buffers = 16 << 20};
	struct fixture *f = *state;
	struct hb_error e = {""};

	if (!f->directory[0])
		skip();
	snprintf(o.data, sizeof(o.data), "%s", f->data);
	assert_int_equal(pg_config_server(&f->server, &o, &e), 0);
	assert_true(in_force(&f->server, "max_connections=830"));
	pg_server_free(&f->server);
	snprintf(o.conf, sizeof(o.conf), "max_connections=20\n");
	assert_int_equal(pg_config_server(&f->server, &o, &e), 0);
	assert_true(in_force(&f->server, "max_connections=20"));
}

static void no_cluster_is_told(void **state)
{
	struct fixture *f = *state;
	struct hb_error e = {""};

	if (!f->directory[0])
		skip();
	assert_int_equal(pg_server_init(&f->server, "", 0, f->directory, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no data directory"));
	assert_int_equal(pg_server_init(&f->server, "", 99, f->data, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no PostgreSQL 99"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lives_and_ends_clean, stop),
		cmocka_unit_test_teardown(crash_is_told, stop),
		cmocka_unit_test_teardown(killed_postmaster_is_told, stop),
		cmocka_unit_test_teardown(no_huge_pages_is_told, stop),
		cmocka_unit_test(fallback_is_told),
		cmocka_unit_test_teardown(fallback_is_seen, stop),
		cmocka_unit_test_teardown(ended_backend_is_told, stop),
		cmocka_unit_test_teardown(old_server_is_measured, stop),
		cmocka_unit_test_teardown(late_server_is_told, stop),
		cmocka_unit_test(bad_lines_are_known),
		cmocka_unit_test_teardown(bad_setting_is_told, stop),
		cmocka_unit_test_teardown(no_cluster_is_told, stop),
		cmocka_unit_test_teardown(has_room_for_clients, stop),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
