// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/apt.h"
#include "bench/build/cache.h"
#include "bench/host/child.h"
#include "bench/build/elfinfo.h"
#include "bench/build/hostpg.h"
#include "bench/build/suitepg.h"

#define PG_ROOT "/usr/lib/postgresql"

/* Has PREFIX a server of major version @major, and its client? */
static bool has_major(const char *prefix, long major)
{
	HB_FREE char *server = hb_strf("%s" PG_ROOT "/%ld/bin/postgres", prefix, major);
	HB_FREE char *client = hb_strf("%s" PG_ROOT "/%ld/bin/pgbench", prefix, major);

	return server && client && !access(server, X_OK) && !access(client, X_OK);
}

/* The newest server below PREFIX/usr/lib/postgresql; 0: none. */
static long newest_major(const char *prefix)
{
	HB_FREE char *root = hb_strf("%s" PG_ROOT, prefix);
	DIR *dir = root ? opendir(root) : NULL;
	struct dirent *d;
	long best = 0;

	while (dir && (d = readdir(dir))) {
		long major = strtol(d->d_name, NULL, 10);

		if (major > best && has_major(prefix, major))
			best = major;
	}
	if (dir)
		closedir(dir);
	return best >= HOSTPG_MIN_VERSION ? best : 0;
}

/* "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)" */
static int ask_version(struct hostpg *pg, struct hb_error *e)
{
	HB_FREE char *program = hb_strf("%s/postgres", pg->bin);
	const char *env[] = {pg->libraries, NULL};
	struct child c = {.env = env};
	char *argv[] = {program, "--version", NULL};
	char *p = NULL;

	if (!program)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (pg->suite)
		pg->identity = suitepg_ask(pg->prefix, pg->suite, "postgres", "--version");
	else
		child_capture(&c, argv, &pg->identity);
	if (pg->identity)
		p = strstr(pg->identity, "(PostgreSQL) ");
	if (!p)
		return hb_error_set(e, -ENODEV, "%s --version says: %.200s", program,
				    pg->identity ? pg->identity : "nothing");
	pg->identity[strcspn(pg->identity, "\n")] = 0;
	p += strlen("(PostgreSQL) ");
	pg->version = strndup(p, strcspn(p, " "));
	return pg->version ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* All files that match a pattern below the prefix, as they are. */
static void add_plain(struct hostpg *pg, const char *pattern)
{
	HB_FREE char *full = hb_strf("%s%s", pg->prefix, pattern);
	glob_t g = {0};

	if (full && !glob(full, GLOB_NOSORT, NULL, &g))
		for (size_t i = 0; i < g.gl_pathc; i++)
			json_object_set_new(pg->files, g.gl_pathv[i] + strlen(pg->prefix),
					    json_string(g.gl_pathv[i]));
	globfree(&g);
}

static int add_elf(struct hostpg *pg, const char *search, char *path, struct hb_error *e)
{
	const char *const dirs[] = {search, NULL};

	if (!path)
		return hb_error_set(e, -ENOMEM, "out of memory");
	/* Another suite's libraries are all in one place, which is added whole. */
	if (pg->suite) {
		add_plain(pg, path + strlen(pg->prefix));
		return 0;
	}
	return elf_closure(path, pg->prefix, dirs, pg->files, e);
}

static int collect_files(struct hostpg *pg, long major, struct hb_error *e)
{
	static const char *const programs[] = {"postgres", "pgbench", "psql", "pg_controldata"};
	/* What initdb's catalogue and the prepared database refer to. */
	static const char *const modules[] = {"plpgsql", "dict_snowball", "pg_prewarm",
					      "pg_buffercache"};
	static const char *const extensions[] = {"plpgsql", "pg_prewarm", "pg_buffercache"};
	HB_FREE char *search = hb_strf("%s/usr/lib/x86_64-linux-gnu", pg->prefix);
	HB_FREE char *zones = hb_strf("/usr/share/postgresql/%ld/timezonesets/*", major);
	HB_FREE char *libraries = hb_strf(PG_ROOT "/%ld/libraries/*", major);
	int rc = 0;

	for (size_t i = 0; !rc && i < ARRAY_SIZE(programs); i++) {
		HB_FREE char *path = hb_strf("%s/%s", pg->bin, programs[i]);

		rc = add_elf(pg, search, path, e);
	}
	for (size_t i = 0; !rc && i < ARRAY_SIZE(modules); i++) {
		HB_FREE char *path =
			hb_strf("%s" PG_ROOT "/%ld/lib/%s.so", pg->prefix, major, modules[i]);

		rc = add_elf(pg, search, path, e);
	}
	for (size_t i = 0; !rc && i < ARRAY_SIZE(extensions); i++) {
		HB_FREE char *pattern =
			hb_strf("/usr/share/postgresql/%ld/extension/%s*", major, extensions[i]);

		if (pattern)
			add_plain(pg, pattern);
	}
	if (!rc && zones)
		add_plain(pg, zones);
	if (!rc && pg->suite && libraries)
		add_plain(pg, libraries);
	/* The server reads its time zone from here; it comes from the tzdata of the host. */
	if (!rc && !access("/usr/share/zoneinfo/Etc/UTC", R_OK)) {
		json_object_set_new(pg->files, "/usr/share/zoneinfo/Etc/UTC",
				    json_string("/usr/share/zoneinfo/Etc/UTC"));
		json_object_set_new(pg->files, "/usr/share/zoneinfo/UTC",
				    json_string("/usr/share/zoneinfo/Etc/UTC"));
	}
	return rc;
}

/* Unpacked, not installed: installing the package would make a cluster and start it. */
static int fetch(const char *cache, struct hb_error *e)
{
	HB_FREE char *place = hb_strf("%s/postgresql", cache);
	struct hb_error why = {""};
	int rc;

	if (!place)
		return hb_error_set(e, -ENOMEM, "out of memory");
	fprintf(stderr, "hugebench: fetching PostgreSQL for the guest; nothing is installed\n");
	rc = apt_unpacked(NULL, (const char *[]){"postgresql", NULL}, place, &why);
	return !rc ? 0
		   : hb_error_set(e, rc,
				  "PostgreSQL is missing and cannot be fetched (%.400s); as root: "
				  "apt-get update && apt-get install postgresql",
				  why.text);
}

int hostpg_check(unsigned int version, struct hb_error *e)
{
	return has_major("", version) ? 0 : suitepg_check(version, e);
}

/* Of that version, installed or another suite's. */
static int find_version(const char *cache, unsigned int version, struct hostpg *pg,
			struct hb_error *e)
{
	if (!has_major("", version)) {
		pg->suite = version;
		return suitepg_resolve(cache, version, &pg->prefix, e);
	}
	pg->prefix = strdup("");
	return pg->prefix ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

/* Where the programs are: "" when installed, else in the cache, fetched now if need be. */
static int find_prefix(const char *cache, char **prefix, long *major, struct hb_error *e)
{
	HB_CLOSE int lock = -1;
	int rc;

	*major = newest_major("");
	*prefix = *major ? strdup("") : hb_strf("%s/postgresql/root", cache);
	if (!*prefix)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (*major || (*major = newest_major(*prefix)))
		return 0;
	rc = cache_lock(cache, "postgresql", &lock, e);
	if (!rc && !newest_major(*prefix))
		rc = fetch(cache, e);
	if (rc)
		return rc;
	*major = newest_major(*prefix);
	return *major ? 0
		      : hb_error_set(e, -ENODEV, "%s has no PostgreSQL from %d on", *prefix,
				     HOSTPG_MIN_VERSION);
}

char *hostpg_libraries(const char *prefix)
{
	return hb_strf("LD_LIBRARY_PATH=%s/usr/lib/x86_64-linux-gnu", prefix);
}

static int files_digest(struct hostpg *pg, struct hb_error *e)
{
	struct digest *d = digest_begin();
	const char *guest;
	json_t *host;
	int rc;

	json_object_foreach (pg->files, guest, host)
		digest_file(d, guest, json_string_value(host));
	rc = digest_end(d, pg->hash);
	return rc ? hb_error_set(e, rc, "cannot read PostgreSQL's files: %s", strerror(-rc)) : 0;
}

int hostpg_find(const char *cache, unsigned int version, struct hostpg *pg, struct hb_error *e)
{
	long major = version;
	int rc;

	*pg = (struct hostpg){.files = json_object()};
	rc = version ? find_version(cache, version, pg, e)
		     : find_prefix(cache, &pg->prefix, &major, e);
	if (!rc) {
		pg->bin = hb_strf("%s" PG_ROOT "/%ld/bin", pg->prefix, major);
		if (*pg->prefix && !pg->suite)
			pg->libraries = hostpg_libraries(pg->prefix);
		rc = pg->bin && pg->files ? ask_version(pg, e)
					  : hb_error_set(e, -ENOMEM, "out of memory");
	}
	if (!rc)
		rc = collect_files(pg, major, e);
	if (!rc)
		rc = files_digest(pg, e);
	if (rc)
		hostpg_free(pg);
	return rc;
}

void hostpg_free(struct hostpg *pg)
{
	free(pg->prefix);
	free(pg->bin);
	free(pg->version);
	free(pg->identity);
	free(pg->libraries);
	json_decref(pg->files);
	*pg = (struct hostpg){0};
}
