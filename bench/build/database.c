// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/build/cache.h"
#include "bench/host/child.h"
#include "bench/host/paths.h"
#include "bench/build/database.h"
#include "bench/build/suitepg.h"

/* Part of the key: raise it when the steps below give another database. */
#define DATABASE_STEPS "1"
/* Size per unit of scale at DATABASE_FILLFACTOR, measured with PostgreSQL 15, and of an empty one.
 */
#define SCALE_BYTES (135ULL << 20)
#define EMPTY_BYTES (64ULL << 20)
#define START_NS    (120 * NSEC_PER_SEC)
#define STOP_NS	    (300 * NSEC_PER_SEC)
/* How many databases stay, those in use aside. */
#define KEPT	3
#define POLL_NS (50 * 1000 * 1000ULL)

/* A database being made. */
struct preparing {
	const struct hostpg *pg;
	const struct database *db;
	unsigned int scale;
	char *scratch;	 /* private directory that the server's user may enter; socket and data are
			    here */
	char *bin;	 /* the programs, where that user can read them */
	char *libraries; /* as in struct hostpg */
	char *data;
	char *log_path;
	int lock, log; /* the lock on scratch */
	pid_t server;
};

/* Who the server runs as: it refuses to be root. */
static int choose_user(struct database *db, struct hb_error *e)
{
	static const char *const names[] = {"postgres", "nobody"};

	db->uid = geteuid();
	db->gid = getegid();
	for (size_t i = 0; !db->uid && i < ARRAY_SIZE(names); i++) {
		const struct passwd *pw = getpwnam(names[i]);

		if (pw) {
			db->uid = pw->pw_uid;
			db->gid = pw->pw_gid;
		}
	}
	return db->uid ? 0
		       : hb_error_set(e, -ENODEV,
				      "neither user postgres nor nobody exists, and "
				      "PostgreSQL refuses to run as root");
}

static int database_key(struct database *db, const struct hostpg *pg, unsigned int scale)
{
	HB_FREE char *numbers =
		hb_strf("scale %u fillfactor %d uid %u", scale, DATABASE_FILLFACTOR, db->uid);
	struct digest *d = digest_begin();
	int rc;

	db->key = malloc(CACHE_KEY_LEN + 1);
	if (d && numbers) {
		digest_text(d, "steps", DATABASE_STEPS);
		digest_text(d, "postgres", pg->hash);
		digest_text(d, "numbers", numbers);
	}
	rc = db->key && numbers ? 0 : -ENOMEM;
	if (!rc)
		return digest_end(d, db->key);
	return rc;
}

/* Run a program of PostgreSQL as the server's user. */
static int step(struct preparing *p, const char *what, char *const args[], struct hb_error *e)
{
	const char *env[] = {"LC_ALL=C",
			     "TZ=UTC",
			     "PGUSER=postgres",
			     "PGDATABASE=postgres",
			     "PGCONNECT_TIMEOUT=60",
			     p->libraries,
			     NULL};
	static const char *const unset[] = {"PGDATA",	 "PGHOST",     "PGPORT", "PGOPTIONS",
					    "PGSERVICE", "PGPASSWORD", NULL};
	HB_FREE char *program = hb_strf("%s/%s", p->bin, args[0]);
	struct child c = {.directory = p->scratch, .env = env, .unset = unset};
	HB_FREE char *out = NULL;
	char *argv[24] = {program};
	int rc;

	if (!program)
		return hb_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 1; i + 1 < ARRAY_SIZE(argv) && args[i]; i++)
		argv[i] = args[i];
	if (!geteuid()) {
		c.uid = p->db->uid;
		c.gid = p->db->gid;
	}
	rc = child_capture(&c, argv, &out);
	if (out)
		hb_write_all(p->log, out, strlen(out));
	if (!rc)
		return 0;
	return hb_error_set(e, -EIO, "%s: %s exited with %d: %.300s (see %s)", what, args[0], rc,
			    out ? out : "", p->log_path);
}

static int run_initdb(struct preparing *p, struct hb_error *e)
{
	char *args[] = {"initdb", "-D",	  p->data,	"-U", "postgres", "-A", "trust",
			"-E",	  "UTF8", "--locale=C", "-N", NULL,	  NULL};

	/* From 18 on there would be some, and another server would have more to do per page. */
	if (strtol(p->pg->version, NULL, 10) >= 18)
		args[ARRAY_SIZE(args) - 2] = "--no-data-checksums";
	return step(p, "cannot make an empty database", args, e);
}

/* No durability and little WAL: a crash of this server means to begin again. */
static int start_server(struct preparing *p, struct hb_error *e)
{
	HB_FREE char *program = hb_strf("%s/postgres", p->bin);
	const char *env[] = {"LC_ALL=C", "TZ=UTC", p->libraries, NULL};
	struct child c = {.directory = p->scratch, .env = env};
	char *argv[] = {program,
			"-D",
			p->data,
			"-k",
			p->scratch,
			"-c",
			"listen_addresses=",
			"-c",
			"fsync=off",
			"-c",
			"full_page_writes=off",
			"-c",
			"synchronous_commit=off",
			"-c",
			"wal_level=minimal",
			"-c",
			"max_wal_senders=0",
			"-c",
			"max_wal_size=4GB",
			"-c",
			"autovacuum=off",
			"-c",
			"huge_pages=off",
			"-c",
			"shared_buffers=256MB",
			"-c",
			"maintenance_work_mem=128MB",
			"-c",
			"max_connections=10",
			"-c",
			"jit=off",
			NULL};

	if (!program)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (!geteuid()) {
		c.uid = p->db->uid;
		c.gid = p->db->gid;
	}
	p->server = child_start(&c, argv, p->log);
	return p->server < 0 ? hb_error_set(e, p->server, "cannot start %s: %s", program,
					    strerror(-p->server))
			     : 0;
}

/* Has the server gone? Reaps it. */
static int server_gone(struct preparing *p)
{
	int status;

	if (p->server <= 0)
		return 1;
	if (waitpid(p->server, &status, WNOHANG) == 0)
		return 0;
	p->server = 0;
	return 1;
}

static int wait_for_server(struct preparing *p, struct hb_error *e)
{
	char *args[] = {"psql", "-h", p->scratch, "-X", "-q", "-c", "SELECT 1", NULL};
	uint64_t deadline = hb_now_ns() + START_NS;

	while (hb_now_ns() < deadline) {
		if (server_gone(p))
			return hb_error_set(e, -EIO,
					    "the server that was to fill the database ended; "
					    "see %s",
					    p->log_path);
		if (!step(p, "connecting", args, NULL))
			return 0;
		hb_sleep_until_ns(hb_now_ns() + POLL_NS);
	}
	return hb_error_set(e, -EIO,
			    "the server that was to fill the database does not answer; see %s",
			    p->log_path);
}

/* Fast shutdown, which writes a checkpoint; kill it when that takes too long. */
static int stop_server(struct preparing *p, struct hb_error *e)
{
	uint64_t deadline = hb_now_ns() + STOP_NS;

	if (p->server <= 0)
		return 0;
	kill(p->server, SIGINT);
	while (!server_gone(p)) {
		if (hb_now_ns() > deadline) {
			kill(p->server, SIGKILL);
			waitpid(p->server, NULL, 0);
			p->server = 0;
			return hb_error_set(e, -EIO,
					    "the server that filled the database does not "
					    "stop; see %s",
					    p->log_path);
		}
		hb_sleep_until_ns(hb_now_ns() + POLL_NS);
	}
	return 0;
}

static int fill(struct preparing *p, struct hb_error *e)
{
	HB_FREE char *scale = hb_strf("%u", p->scale);
	HB_FREE char *fillfactor = hb_strf("%d", DATABASE_FILLFACTOR);
	char *pgbench[] = {"pgbench", "-h",  p->scratch, "-i",	     "-q",
			   "-s",      scale, "-F",	 fillfactor, NULL};
	char *psql[] = {"psql",
			"-h",
			p->scratch,
			"-X",
			"-q",
			"-v",
			"ON_ERROR_STOP=1",
			"-c",
			"CREATE EXTENSION pg_prewarm",
			"-c",
			"CREATE EXTENSION pg_buffercache",
			"-c",
			"VACUUM (FREEZE, ANALYZE)",
			"-c",
			"CHECKPOINT",
			NULL};
	int rc;

	if (!scale || !fillfactor)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = step(p, "cannot fill the database", pgbench, e);
	return rc ? rc : step(p, "cannot prepare the database", psql, e);
}

/* A database that was not shut down cleanly would be recovered at every boot. */
static int check_state(struct preparing *p, struct hb_error *e)
{
	HB_FREE char *program = hb_strf("%s/pg_controldata", p->bin);
	const char *env[] = {"LC_ALL=C", p->libraries, NULL};
	struct child c = {.env = env};
	char *argv[] = {program, p->data, NULL};
	HB_FREE char *out = NULL;
	const char *state;

	if (!program)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (child_capture(&c, argv, &out) || !(state = strstr(out, "cluster state:")))
		return hb_error_set(e, -EIO, "pg_controldata says: %.200s", out ? out : "nothing");
	state += strlen("cluster state:");
	state += strspn(state, " ");
	if (!strncmp(state, "shut down\n", 10))
		return 0;
	return hb_error_set(e, -EIO, "the database is not shut down cleanly but %.40s", state);
}

static int prepare_steps(struct preparing *p, struct hb_error *e)
{
	struct hb_error late = {.text = ""};
	int rc = run_initdb(p, e), stopped;

	if (!rc)
		rc = start_server(p, e);
	if (!rc)
		rc = wait_for_server(p, e);
	if (!rc)
		rc = fill(p, e);
	stopped = stop_server(p, &late);
	if (!rc && stopped)
		rc = hb_error_set(e, stopped, "%s", late.text);
	return rc ? rc : check_state(p, e);
}

/*
 * The cache of root is below a home that the server's user may not enter: programs that were
 * unpacked there are copied to the scratch directory. So are those of another suite, which the
 * cache has for the guest.
 */
static int programs_within_reach(struct preparing *p, struct hb_error *e)
{
	const char *prefix = p->pg->prefix;
	HB_FREE char *unpacked = hb_strf("%s/usr", prefix);
	char *argv[] = {"cp", "-a", unpacked, p->scratch, NULL};

	bool copied = *prefix && (!geteuid() || p->pg->suite);
	int rc = 0;

	if (copied) {
		if (!unpacked || child_do(argv, -1))
			return hb_error_set(e, -EIO, "cannot copy %s to %s", unpacked, p->scratch);
		if (p->pg->suite)
			rc = suitepg_settle(prefix, p->pg->suite, p->scratch, e);
		if (rc)
			return rc;
		prefix = p->scratch;
	}
	p->bin = hb_strf("%s%s", prefix, p->pg->bin + strlen(p->pg->prefix));
	if (p->pg->libraries)
		p->libraries = hostpg_libraries(prefix);
	return p->bin && (p->libraries || !p->pg->libraries)
		       ? 0
		       : hb_error_set(e, -ENOMEM, "out of memory");
}

/* Bring the data directory into the cache entry @work, which may be on another file system. */
static int keep(struct preparing *p, const char *work, struct hb_error *e)
{
	HB_FREE char *to = hb_strf("%s/pgdata", work);
	char *argv[] = {"cp", "-a", "--sparse=auto", p->data, to, NULL};
	int rc;

	if (!to)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_empty(work, e);
	if (rc)
		return rc;
	if (!rename(p->data, to))
		return 0;
	if (errno != EXDEV)
		return hb_error_set(e, -errno, "cannot rename %s to %s: %s", p->data, to,
				    strerror(errno));
	return child_do(argv, -1) ? hb_error_set(e, -EIO, "cannot copy %s to %s", p->data, to) : 0;
}

/*
 * Short, for a socket's name holds 107 bytes; and where an unprivileged user may enter. Locked
 * while it is in use: whoever finds it unlocked may remove it.
 */
static int scratch_make(struct preparing *p, struct hb_error *e)
{
	const char *root = paths_scratch();
	HB_FREE char *path = root ? hb_strf("%s/hugebench-XXXXXX", root) : NULL;

	if (!root)
		return hb_error_set(e, -ENODEV,
				    "/var/tmp and /tmp are both mounted noexec: PostgreSQL, which "
				    "makes the database, cannot be started in either");
	if (!path)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (!mkdtemp(path))
		return hb_error_set(e, -errno, "cannot make a directory in %s: %s", root,
				    strerror(errno));
	p->data = hb_strf("%s/pgdata", path);
	p->scratch = strdup(path);
	p->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!p->scratch || !p->data)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (p->lock < 0 || flock(p->lock, LOCK_EX | LOCK_NB))
		return hb_error_set(e, -errno, "cannot lock %s: %s", path, strerror(errno));
	if (!geteuid() && chown(path, p->db->uid, p->db->gid))
		return hb_error_set(e, -errno, "cannot give %s away: %s", path, strerror(errno));
	return 0;
}

/* Remove what killed preparations of user @uid left behind: up to 8 GiB each. */
static void scratch_sweep(uid_t uid)
{
	HB_FREE char *pattern = hb_strf("%s/hugebench-??????", paths_scratch() ?: "/var/tmp");
	struct stat st;
	glob_t g = {0};

	if (pattern && !glob(pattern, GLOB_ONLYDIR, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++) {
			HB_CLOSE int fd = open(g.gl_pathv[i],
					       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (fd >= 0 && !fstat(fd, &st) && st.st_uid == uid &&
			    !flock(fd, LOCK_EX | LOCK_NB))
				hb_remove_all(g.gl_pathv[i]);
		}
	globfree(&g);
}

static void preparing_end(struct preparing *p)
{
	if (p->scratch)
		hb_remove_all(p->scratch);
	if (p->lock >= 0)
		close(p->lock);
	if (p->log >= 0)
		close(p->log);
	free(p->scratch);
	free(p->data);
	free(p->bin);
	free(p->libraries);
	free(p->log_path);
}

static int prepare(struct preparing *p, const char *cache, const char *work, struct hb_error *e)
{
	uint64_t bytes = EMPTY_BYTES + p->scale * SCALE_BYTES;
	int rc;

	scratch_sweep(p->db->uid);
	p->log_path = hb_strf("%s/logs/database.log", cache);
	p->log = p->log_path ? open(p->log_path,
				    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666)
			     : -1;
	if (p->log < 0)
		rc = hb_error_set(e, -errno, "cannot write %s: %s", p->log_path, strerror(errno));
	else if (!(rc = cache_space(cache, bytes, "a database", e)) && !(rc = scratch_make(p, e)) &&
		 !(rc = cache_space(p->scratch, bytes, "a database", e)) &&
		 !(rc = programs_within_reach(p, e)))
		rc = prepare_steps(p, e);
	if (!rc)
		rc = keep(p, work, e);
	preparing_end(p);
	return rc;
}

static int database_make(const char *cache, const struct hostpg *pg, unsigned int scale,
			 const struct database *db, const char *dir, struct hb_error *e)
{
	/* Two files that change whenever anything does. */
	static const char *const names[] = {"pgdata/PG_VERSION", "pgdata/global/pg_control", NULL};
	HB_FREE char *work = hb_strf("%s/work/database", cache);
	HB_FREE char *logs = hb_strf("%s/logs", cache);
	struct preparing p = {.pg = pg, .db = db, .scale = scale, .lock = -1, .log = -1};
	uint64_t started = hb_now_ns();
	json_t *manifest;
	int rc;

	if (!work || !logs || hb_mkdir_all(logs))
		return hb_error_set(e, -ENOMEM, "cannot make %s/logs", cache);
	fprintf(stderr, "hugebench: preparing a database of scale %u (%llu MiB)\n", scale,
		(EMPTY_BYTES + scale * SCALE_BYTES) >> 20);
	rc = prepare(&p, cache, work, e);
	if (!rc) {
		manifest =
			json_pack("{s:s, s:s, s:i, s:i}", "key", db->key, "postgres", pg->identity,
				  "scale", scale, "fillfactor", DATABASE_FILLFACTOR);
		rc = cache_seal(work, manifest, names, 1, e);
		json_decref(manifest);
	}
	if (!rc)
		rc = cache_commit(work, dir, e);
	if (rc)
		hb_remove_all(work);
	else
		fprintf(stderr, "hugebench: database prepared in %.0f s\n",
			(hb_now_ns() - started) / 1e9);
	return rc;
}

int database_resolve(const char *cache, const struct hostpg *pg, unsigned int scale,
		     struct database *db, struct hb_error *e)
{
	HB_FREE char *parent = hb_strf("%s/databases", cache);
	HB_FREE char *dir = NULL;
	HB_CLOSE int lock = -1;
	int rc;

	*db = (struct database){.held = -1};
	rc = choose_user(db, e);
	if (!rc &&
	    ((rc = database_key(db, pg, scale)) || (rc = parent ? hb_mkdir_all(parent) : -ENOMEM)))
		hb_error_set(e, rc, "cannot look for a database in %s: %s", cache, strerror(-rc));
	if (!rc) {
		dir = hb_strf("%s/%s", parent, db->key);
		db->directory = hb_strf("%s/pgdata", dir);
		if (!dir || !db->directory)
			rc = hb_error_set(e, -ENOMEM, "out of memory");
	}
	if (!rc)
		rc = cache_lock(cache, "database", &lock, e);
	if (!rc) {
		rc = cache_lookup(dir, "database");
		if (rc == -ENOENT)
			rc = database_make(cache, pg, scale, db, dir, e);
	}
	if (!rc)
		rc = cache_hold(dir, &db->held, e);
	if (!rc)
		cache_prune(parent, "pgdata", KEPT);
	if (rc)
		database_free(db);
	return rc;
}

void database_free(struct database *db)
{
	free(db->key);
	free(db->directory);
	if (db->held > STDERR_FILENO)
		close(db->held);
	*db = (struct database){0};
}
