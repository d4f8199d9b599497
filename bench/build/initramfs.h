/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent with the libraries it needs, and the two file trees that carry it. */
#ifndef HB_INITRAMFS_H
#define HB_INITRAMFS_H

#include <jansson.h>

#include "bench/base/util.h"
#include "bench/build/cache.h"
#include "bench/build/database.h"
#include "bench/build/hostpg.h"

struct agent_files {
	char *agent;	   /* hugebench-agent on the host */
	json_t *libraries; /* {"/guest/path": "/host/path"}, the dynamic linker included */
	char hash[CACHE_KEY_LEN + 1];
};

/*
 * The agent beside this executable, and with @selftests the kernel's selftests that `hugebench
 * selftests` has built there. -ENODEV: not built.
 */
int agent_files_find(struct agent_files *a, bool selftests, struct hb_error *e);
void agent_files_free(struct agent_files *a);

/*
 * Write the initramfs: the agent is /init. With @pg and @db, else NULL, it is all the guest has:
 * PostgreSQL's files, too, and the database at DATABASE_GUEST_PATH.
 */
int initramfs_write(const struct agent_files *a, const struct hostpg *pg, const struct database *db,
		    const char *path, struct hb_error *e);
/*
 * Write an addition to an initramfs: the files {"/guest/path": "/host/path"} and a script that the
 * kernel runs as rdinit=/@script_name.
 */
int initramfs_write_addition(const json_t *files, const char *script_name, const char *script,
			     const char *path, struct hb_error *e);

#endif
