// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/postgres/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/postgres/segment.h"
#include "workloads/postgres/spawn.h"

#define STOP_NS	   (20 * NSEC_PER_SEC)
#define EXPLAIN_NS (NSEC_PER_SEC / 2)
#define MEASURE_NS (120 * NSEC_PER_SEC)
#define POLL_NS	   (20 * 1000 * 1000ULL)

static const char *const environment[] = {"LC_ALL=C", "TZ=UTC", NULL};

static int find_programs(struct pg_server *s, const char *programs, uint64_t wanted,
			 struct hb_error *e)
{
	const char *root = "/usr/lib/postgresql";
	struct dirent *d;
	long best = 0, version;
	char *end;
	DIR *dir;

	if (*programs) {
		snprintf(s->programs, sizeof(s->programs), "%s", programs);
		return 0;
	}
	dir = opendir(root);
	if (!dir)
		return hb_error_set(e, -errno, "no PostgreSQL in %s: %m (package postgresql)",
				    root);
	while ((d = readdir(dir))) {
		version = strtol(d->d_name, &end, 10);
		if (!*end && version > best && (!wanted || version == (long)wanted))
			best = version;
	}
	closedir(dir);
	snprintf(s->programs, sizeof(s->programs), "%s/%ld/bin", root, best);
	if (best)
		return 0;
	if (wanted)
		return hb_error_set(e, -ENOENT, "no PostgreSQL %" PRIu64 " in %s", wanted, root);
	return hb_error_set(e, -ENOENT, "no PostgreSQL in %s (package postgresql)", root);
}

static int check_data(struct pg_server *s, const char *data, struct hb_error *e)
{
	HB_FREE char *file = hb_strf("%s/PG_VERSION", data);
	struct stat st;

	if (!file)
		return hb_error_set(e, -ENOMEM, "no memory");
	snprintf(s->data, sizeof(s->data), "%s", data);
	if (stat(file, &st))
		return hb_error_set(e, -errno, "%s is no data directory of PostgreSQL: %s: %m",
				    data, file);
	s->uid = st.st_uid;
	s->gid = st.st_gid;
	if (!s->uid)
		return hb_error_set(e, -EPERM,
				    "%s belongs to root; PostgreSQL refuses to run as root", data);
	if (geteuid() && geteuid() != s->uid)
		return hb_error_set(e, -EPERM, "%s belongs to uid %u: run as root or as that user",
				    data, s->uid);
	return 0;
}

int pg_server_init(struct pg_server *s, const char *programs, uint64_t version, const char *data,
		   struct hb_error *e)
{
	char directory[] = "/tmp/hugebench-pg-XXXXXX";
	int err = find_programs(s, programs, version, e);

	if (!err)
		err = check_data(s, data, e);
	if (err)
		return err;
	if (!mkdtemp(directory))
		return hb_error_set(e, -errno, "cannot create %s: %m", directory);
	snprintf(s->directory, sizeof(s->directory), "%s", directory);
	if (geteuid() != s->uid && chown(directory, s->uid, s->gid))
		return hb_error_set(e, -errno, "cannot give %s to uid %u: %m", directory, s->uid);
	return 0;
}

int pg_server_set(struct pg_server *s, struct hb_error *e, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	if (s->nsettings == PG_SETTINGS)
		return hb_error_set(e, -E2BIG, "more than %d settings of PostgreSQL", PG_SETTINGS);
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return hb_error_set(e, -ENOMEM, "no memory");
	s->setting[s->nsettings++] = text;
	return 0;
}

/* postgres -D DATA [-c name=value]... [-C @query] */
static pid_t run_postgres(struct pg_server *s, const char *query, int out, int err,
			  struct hb_error *e)
{
	const char *argv[2 * PG_SETTINGS + 8];
	HB_FREE char *program = hb_strf("%s/postgres", s->programs);
	unsigned int n = 0;

	if (!program)
		return hb_error_set(e, -ENOMEM, "no memory");
	argv[n++] = program;
	argv[n++] = "-D";
	argv[n++] = s->data;
	for (unsigned int i = 0; i < s->nsettings; i++) {
		argv[n++] = "-c";
		argv[n++] = s->setting[i];
	}
	if (query) {
		argv[n++] = "-C";
		argv[n++] = query;
	}
	argv[n] = NULL;
	return pg_spawn(&(struct pg_spawn){.argv = argv,
					   .envp = environment,
					   .uid = s->uid,
					   .gid = s->gid,
					   .out = out,
					   .err = err,
					   .gate = -1,
					   /* Immediate shutdown: no server outlives the agent. */
					   .death = SIGQUIT},
			e);
}

/* A file in the working directory, emptied; the server writes through the descriptor. */
static int open_file(const struct pg_server *s, const char *name, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/%s", s->directory, name);
	int fd;

	if (!path)
		return hb_error_set(e, -ENOMEM, "no memory");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	return fd >= 0 ? fd : hb_error_set(e, -errno, "cannot create %s: %m", path);
}

static char *read_tail(const struct pg_server *s, const char *name, size_t max)
{
	HB_FREE char *path = hb_strf("%s/%s", s->directory, name);
	HB_FREE char *text = NULL;

	if (!path || hb_file_read(path, &text, NULL))
		return NULL;
	return strdup(pg_last_lines(text, max));
}

char *pg_server_log(const struct pg_server *s, size_t max)
{
	return *s->directory ? read_tail(s, "server.log", max) : NULL;
}

const char *pg_server_conninfo(const struct pg_server *s, char *buf, size_t len)
{
	snprintf(buf, len,
		 "host=%s user=postgres dbname=postgres application_name=hugebench "
		 "options='-c client_min_messages=warning'",
		 s->directory);
	return buf;
}

int pg_server_line_is_bad(const char *line)
{
	static const char *const bad[] = {
		"PANIC:",
		"was terminated by signal",
		"unexpected postmaster exit",
		"could not map anonymous shared memory",
		"invalid page in block",
		"could not fork",
		"out of memory",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(line, bad[i]))
			return 1;
	return 0;
}

/* 1: ended (and reaped), 0: alive. */
static int reap(struct pg_server *s, int *status)
{
	if (!s->postmaster || waitpid(s->postmaster, status, WNOHANG) != s->postmaster)
		return 0;
	s->postmaster = 0;
	return 1;
}

/* The postmaster is a child of the agent; a task of the workload can but look at it. */
static bool has_ended(struct pg_server *s)
{
	char path[64], *name_end, state;
	HB_FREE char *text = NULL;
	int status;

	if (!s->postmaster || reap(s, &status))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/stat", s->postmaster);
	if (hb_file_read(path, &text, NULL))
		return true;
	name_end = strrchr(text, ')');
	return name_end && sscanf(name_end + 1, " %c", &state) == 1 && state == 'Z';
}

static int log_check(const struct pg_server *s, struct hb_error *e)
{
	HB_FREE char *text = pg_server_log(s, 64 << 20);
	char *save, *line;

	if (!text)
		return hb_error_set(e, -EIO, "the server's log cannot be read");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (pg_server_line_is_bad(line))
			return hb_error_set(e, -ECHILD, "the server's log: %s", line);
	return 0;
}

int pg_server_check(struct pg_server *s, struct hb_error *e)
{
	HB_FREE char *tail = NULL;
	int err = log_check(s, e);

	if (err || !has_ended(s))
		return err;
	tail = pg_server_log(s, 600);
	return hb_error_set(e, -ECHILD, "the server has ended; its last log lines: %s",
			    tail ? tail : "");
}

int pg_server_explain(struct pg_server *s, int err, struct hb_error *e)
{
	uint64_t until = hb_now_ns() + EXPLAIN_NS;
	struct hb_error own = {""};

	do {
		if (pg_server_check(s, &own))
			return hb_error_prefix(e, err, "%s", own.text);
		hb_sleep_until_ns(hb_now_ns() + POLL_NS);
	} while (hb_now_ns() < until);
	return err;
}

/*
 * Does it accept connections? It says so in its lock file, as pg_ctl reads it (lines of
 * src/include/utils/pidfile.h); trying to connect would fill its log with refusals.
 */
static bool is_ready(const struct pg_server *s)
{
	enum { LINE_PID = 1, LINE_STATUS = 8 };
	HB_FREE char *path = hb_strf("%s/postmaster.pid", s->data);
	HB_FREE char *text = NULL;
	char *rest, *line;
	bool ours = false;
	int number = 0;

	if (!path || hb_file_read(path, &text, NULL))
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		number++;
		if (number == LINE_PID)
			ours = strtol(line, NULL, 10) == s->postmaster;
		if (number == LINE_STATUS)
			return ours && !strncmp(line, "ready", strlen("ready"));
	}
	return false;
}

static int wait_ready(struct pg_server *s, uint64_t deadline_ns, struct hb_error *e)
{
	uint64_t until = hb_now_ns() + deadline_ns;
	HB_FREE char *tail = NULL;
	int err;

	do {
		err = pg_server_check(s, e);
		if (err)
			return hb_error_prefix(e, err, "PostgreSQL did not start");
		if (is_ready(s))
			return 0;
		hb_sleep_until_ns(hb_now_ns() + POLL_NS);
	} while (hb_now_ns() < until);
	tail = pg_server_log(s, 600);
	return hb_error_set(e, -ETIMEDOUT,
			    "PostgreSQL was not ready within %.0f s; its last log lines: %s",
			    deadline_ns / 1e9, tail ? tail : "");
}

int pg_server_start(struct pg_server *s, uint64_t deadline_ns, struct hb_error *e)
{
	HB_CLOSE int log = open_file(s, "server.log", e);
	pid_t pid;

	if (log < 0)
		return log;
	pid = run_postgres(s, NULL, log, log, e);
	if (pid < 0)
		return pid;
	s->postmaster = pid;
	return wait_ready(s, deadline_ns, e);
}

int pg_server_stop(struct pg_server *s, struct hb_error *e)
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGKILL};
	int status = 0;
	uint64_t until;

	if (!s->postmaster)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		kill(s->postmaster, signals[i]);
		until = hb_now_ns() + STOP_NS;
		while (hb_now_ns() < until) {
			if (!reap(s, &status)) {
				hb_sleep_until_ns(hb_now_ns() + POLL_NS);
				continue;
			}
			if (i || status)
				return hb_error_set(
					e, -ECHILD,
					"the server did not shut down cleanly (status %#x)",
					status);
			return 0;
		}
	}
	return hb_error_set(e, -ETIMEDOUT, "the server cannot be killed");
}

/* What `postgres -C @query` says on stdout and stderr, owned by the caller; its exit status, or the
 * error. */
static int ask(struct pg_server *s, const char *query, char **text, char **said, struct hb_error *e)
{
	HB_CLOSE int out = open_file(s, "size", e);
	HB_CLOSE int err = out < 0 ? -1 : open_file(s, "size.err", e);
	int status;
	pid_t pid;

	if (err < 0)
		return out < 0 ? out : err;
	pid = run_postgres(s, query, out, err, e);
	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return hb_error_set(e, -errno, "waiting for postgres -C: %m");
	*said = read_tail(s, "size.err", 400);
	*text = read_tail(s, "size", 400);
	return status ? 1 : 0;
}

/* Before version 15: start it without huge pages, and see how large the segment is. */
static int measure_huge_pages(struct pg_server *s, uint64_t *pages, struct hb_error *e)
{
	struct pg_segment seg;
	uint64_t kib;
	int err = hb_file_number("/proc/meminfo", "Hugepagesize", &kib), stopped;

	if (err)
		return hb_error_set(e, err, "/proc/meminfo has no Hugepagesize");
	err = pg_server_set(s, e, "huge_pages=off");
	if (err)
		return err;
	err = pg_server_start(s, MEASURE_NS, e);
	if (!err)
		err = pg_segment_read(s->postmaster, &seg, e);
	stopped = pg_server_stop(s, err ? NULL : e);
	free(s->setting[--s->nsettings]);
	if (!err && !stopped)
		*pages = (seg.end - seg.start + (kib << 10) - 1) / (kib << 10);
	return err ? err : stopped;
}

int pg_server_huge_pages(struct pg_server *s, uint64_t *pages, struct hb_error *e)
{
	HB_FREE char *said = NULL;
	HB_FREE char *text = NULL;
	int status, end = -1;

	status = ask(s, "shared_memory_size_in_huge_pages", &text, &said, e);
	if (status < 0)
		return status;
	if (status && said && strstr(said, "unrecognized configuration parameter"))
		return measure_huge_pages(s, pages, e);
	if (status || !text)
		return hb_error_set(e, -EIO,
				    "postgres -C shared_memory_size_in_huge_pages failed: %s",
				    said ? said : "");
	if (sscanf(text, "%" SCNu64 " %n", pages, &end) != 1 || text[0] == '-' || end < 0 ||
	    text[end])
		return hb_error_set(e, -EIO, "postgres says it cannot size its huge pages: %s",
				    text);
	return 0;
}

/* Field @number (1-based) and @number + 1.. of /proc/PID/stat; the name in field 2 may hold
 * anything. */
static int proc_stat(pid_t pid, pid_t *parent, uint64_t faults[4])
{
	char path[64], *name_end;
	HB_FREE char *text = NULL;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	err = hb_file_read(path, &text, NULL);
	if (err)
		return err;
	name_end = strrchr(text, ')');
	if (!name_end ||
	    sscanf(name_end + 1,
		   " %*c %d %*d %*d %*d %*d %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   parent, &faults[0], &faults[1], &faults[2], &faults[3]) != 5)
		return -EBADMSG;
	return 0;
}

int pg_server_pids(const struct pg_server *s, pid_t *pids, unsigned int max)
{
	uint64_t faults[4];
	unsigned int n = 0;
	struct dirent *d;
	pid_t pid, parent;
	char *end;
	DIR *dir;

	if (!s->postmaster || !max)
		return 0;
	pids[n++] = s->postmaster;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (n < max && (d = readdir(dir))) {
		pid = strtol(d->d_name, &end, 10);
		/* A process that ends meanwhile is no member any more. */
		if (!*end && pid > 0 && !proc_stat(pid, &parent, faults) && parent == s->postmaster)
			pids[n++] = pid;
	}
	closedir(dir);
	return n;
}

int pg_server_faults(const struct pg_server *s, uint64_t *faults)
{
	uint64_t f[4];
	pid_t pids[1024] = {0}, parent;
	int n = pg_server_pids(s, pids, ARRAY_SIZE(pids));

	if (n < 1)
		return n < 0 ? n : -ESRCH;
	if (n == ARRAY_SIZE(pids))
		return -E2BIG;
	*faults = 0;
	for (int i = 0; i < n; i++) {
		if (proc_stat(pids[i], &parent, f))
			continue;
		*faults += f[0] + f[2];
		if (!i)
			*faults += f[1] + f[3]; /* of the backends it has reaped */
	}
	return 0;
}

void pg_server_free(struct pg_server *s)
{
	pg_server_stop(s, NULL);
	if (*s->directory)
		hb_remove_all(s->directory);
	for (unsigned int i = 0; i < s->nsettings; i++)
		free(s->setting[i]);
	memset(s, 0, sizeof(*s));
}
