/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The database that every guest starts from: made once, by a server that runs only for that. */
#ifndef HB_DATABASE_H
#define HB_DATABASE_H

#include "bench/build/hostpg.h"

/* Where it is in the guest. Its owner is the user that the server is to run as. */
#define DATABASE_GUEST_PATH "/var/lib/hugebench/pgdata"
/*
 * Rows fill a tenth of each page: 131 MiB per unit of pgbench's scale, so that few rows fill a
 * large segment of shared buffers.
 */
#define DATABASE_FILLFACTOR 10

struct database {
	char *key;
	char *directory; /* the data directory on the host; never changed once it is there */
	uid_t uid;	 /* its owner: us, or the user "postgres" or "nobody" when we are root */
	gid_t gid;
	int held; /* open while it may not be removed to make room */
};

/*
 * Find the database of pgbench scale @scale in @cache, or make it: initdb, pgbench -i, extensions
 * pg_prewarm and pg_buffercache, VACUUM, clean shutdown. The server listens on a Unix socket in a
 * private directory alone. -EIO: a step failed, the log is named. Release with database_free().
 */
int database_resolve(const char *cache, const struct hostpg *pg, unsigned int scale,
		     struct database *db, struct hb_error *e);
void database_free(struct database *db);

#endif
