// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/build/rootfs.h"

/* Room in the file system beyond what is in it: WAL, logs, new rows. */
#define FREE_BYTES (640ULL << 20)

/* Copy @from to @stage/@guest, with its directories. */
static int stage_file(const char *stage, const char *guest, const char *from, struct hb_error *e)
{
	HB_FREE char *to = hb_strf("%s%s", stage, guest);
	HB_FREE char *dir = to ? strndup(to, strrchr(to, '/') - to) : NULL;
	char *argv[] = {"cp", "-L", "--preserve=mode", (char *)from, to, NULL};
	int rc;

	if (!dir)
		return hb_error_set(e, -ENOMEM, "out of memory");
	rc = hb_mkdir_all(dir);
	if (rc)
		return hb_error_set(e, rc, "cannot make %s: %s", dir, strerror(-rc));
	return child_do(argv, -1) ? hb_error_set(e, -EIO, "cannot copy %s to %s", from, to) : 0;
}

static int stage_files(const char *stage, const json_t *files, struct hb_error *e)
{
	const char *guest;
	json_t *host;
	int rc = 0;

	json_object_foreach ((json_t *)files, guest, host)
		if (!rc)
			rc = stage_file(stage, guest, json_string_value(host), e);
	return rc;
}

static int stage_text(const char *stage, const char *guest, const char *text)
{
	HB_FREE char *path = hb_strf("%s%s", stage, guest);

	return path && text ? hb_file_write_atomic(path, text, strlen(text)) : -ENOMEM;
}

/* Directories and the few files of /etc. The server's user is the one that the database belongs to.
 */
static int stage_skeleton(const char *stage, const struct database *db, struct hb_error *e)
{
	static const char *const dirs[] = {"dev", "proc", "sys",  "tmp",
					   "run", "etc",  "root", "var/lib/hugebench"};
	HB_FREE char *passwd = hb_strf("root:x:0:0:root:/root:/bin/sh\n"
				       "postgres:x:%u:%u::/var/lib/hugebench:/bin/sh\n",
				       db->uid, db->gid);
	HB_FREE char *group = hb_strf("root:x:0:\npostgres:x:%u:\n", db->gid);
	HB_FREE char *tmp = hb_strf("%s/tmp", stage);
	int rc = tmp ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < ARRAY_SIZE(dirs); i++) {
		HB_FREE char *dir = hb_strf("%s/%s", stage, dirs[i]);

		rc = dir ? hb_mkdir_all(dir) : -ENOMEM;
	}
	if (!rc && chmod(tmp, 01777))
		rc = -errno;
	if (!rc)
		rc = stage_text(stage, "/etc/passwd", passwd);
	if (!rc)
		rc = stage_text(stage, "/etc/group", group);
	return rc ? hb_error_set(e, rc, "cannot write below %s: %s", stage, strerror(-rc)) : 0;
}

/*
 * The database, as hard links where that works: mke2fs only reads, and a second copy of gigabytes
 * would cost time and disk.
 */
static int stage_database(const char *stage, const struct database *db, struct hb_error *e)
{
	HB_FREE char *to = hb_strf("%s" DATABASE_GUEST_PATH, stage);
	char *link_argv[] = {"cp", "-al", db->directory, to, NULL};
	char *copy_argv[] = {"cp", "-a", db->directory, to, NULL};
	struct child c = {0};

	if (!to)
		return hb_error_set(e, -ENOMEM, "out of memory");
	if (!child_run(&c, link_argv, NULL, NULL))
		return 0;
	if (hb_remove_all(to) || child_run(&c, copy_argv, NULL, NULL))
		return hb_error_set(e, -EIO, "cannot copy %s to %s", db->directory, to);
	return 0;
}

/* Bytes on disk of everything below @path, as du counts them. */
static int disk_usage(const char *path, uint64_t *bytes)
{
	char *argv[] = {"du", "-s", "-B1", (char *)path, NULL};
	struct child c = {0};
	HB_FREE char *out = NULL;
	int rc = child_capture(&c, argv, &out);

	return !rc && sscanf(out, "%" SCNu64, bytes) == 1 ? 0 : -EIO;
}

/*
 * Without a journal: every boot starts from the same bytes and its changes are thrown away, so a
 * journal would only add writes and a thread. Few inodes, and their table written now: the guest's
 * kernel would otherwise initialise it in the background while we measure.
 */
static int make_ext4(const char *stage, const char *path, struct hb_error *e)
{
	HB_FREE char *size = NULL;
	char *argv[] = {"mke2fs", "-q",		 "-F",
			"-t",	  "ext4",	 "-b",
			"4096",	  "-O",		 "^has_journal",
			"-N",	  "16384",	 "-m",
			"0",	  "-E",		 "lazy_itable_init=0,root_owner=0:0",
			"-d",	  (char *)stage, (char *)path,
			NULL,	  NULL};
	struct child c = {0};
	HB_FREE char *out = NULL;
	uint64_t bytes = 0;
	int rc = disk_usage(stage, &bytes);

	if (rc)
		return hb_error_set(e, rc, "cannot tell the size of %s", stage);
	rc = cache_space(stage, bytes, "a guest image", e);
	if (rc)
		return rc;
	bytes += bytes / 32 + FREE_BYTES;
	size = hb_strf("%" PRIu64 "k", bytes >> 10);
	if (!size)
		return hb_error_set(e, -ENOMEM, "out of memory");
	argv[ARRAY_SIZE(argv) - 2] = size;
	rc = child_capture(&c, argv, &out);
	if (rc == 127)
		return hb_error_set(e, -ENODEV, "mke2fs is missing; apt-get install e2fsprogs");
	return rc ? hb_error_set(e, -EIO, "mke2fs exited with %d: %.300s", rc, out ? out : "") : 0;
}

static int stage_tree(const struct agent_files *a, const struct hostpg *pg,
		      const struct database *db, const char *stage, struct hb_error *e)
{
	int rc = stage_skeleton(stage, db, e);

	if (!rc)
		rc = stage_file(stage, "/sbin/hugebench-agent", a->agent, e);
	if (!rc)
		rc = stage_files(stage, a->libraries, e);
	if (!rc)
		rc = stage_files(stage, pg->files, e);
	return rc ? rc : stage_database(stage, db, e);
}

int rootfs_write(const struct agent_files *a, const struct hostpg *pg, const struct database *db,
		 const char *stage, const char *path, struct hb_error *e)
{
	/* Its permissions are the guest's, whatever the caller's files are to have. */
	mode_t callers = umask(CHILD_UMASK);
	int rc = hb_remove_all(stage);

	if (!rc)
		rc = hb_mkdir_all(stage);
	rc = rc ? hb_error_set(e, rc, "cannot make %s: %s", stage, strerror(-rc))
		: stage_tree(a, pg, db, stage, e);
	umask(callers);
	if (!rc)
		rc = make_ext4(stage, path, e);
	hb_remove_all(stage);
	return rc;
}
