/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ext4 root image: agent, PostgreSQL, database. Made without root by mke2fs -d. */
#ifndef HB_ROOTFS_H
#define HB_ROOTFS_H

#include "bench/build/database.h"
#include "bench/build/hostpg.h"
#include "bench/build/initramfs.h"

/*
 * Write the image @path; @stage is a scratch directory that is made and removed. The agent is
 * /sbin/hugebench-agent, the database DATABASE_GUEST_PATH; there is room for WAL and logs.
 */
int rootfs_write(const struct agent_files *a, const struct hostpg *pg, const struct database *db,
		 const char *stage, const char *path, struct hb_error *e);

#endif
