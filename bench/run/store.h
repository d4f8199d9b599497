/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory of a run, results/RUN. Nothing in it is ever half-written: a JSON file is
 * renamed into place, a cell's directory too; a cell that is there is never touched again.
 */
#ifndef HB_STORE_H
#define HB_STORE_H

#include <jansson.h>

#include "bench/base/util.h"

#define STORE_FORMAT 1

struct store {
	char *name; /* of the run */
	char *dir;  /* results/RUN */
	int lock;   /* held while open: the run, or a block of it, is ours (lock.h) */
	bool whole; /* the run */
};

/* May @name be a run's? -EINVAL with what is allowed. */
int store_name_check(const char *name, struct hb_error *e);
/*
 * Can @results (made when missing) take a run? -ENOSPC when the disk has less room than a run
 * needs; other errors of the file system, each with what to do.
 */
int store_ready(const char *results, struct hb_error *e);
/*
 * A new run in @results, see store_ready(). When @name is taken the run gets @name-2, -3, ...;
 * s->name tells.
 */
int store_create(const char *results, const char *name, struct store *s, struct hb_error *e);
/*
 * An existing run, to go on with it; what an interrupted cell left is removed. -ENOENT: no such
 * run; -EPROTO: no run.json that can be read, or of another format; -EBUSY: another hugebench runs
 * it.
 */
int store_resume(const char *results, const char *name, struct store *s, struct hb_error *e);
/*
 * An existing run, to carry out block @block of it (-1: only to complete run.json) beside others
 * that carry out theirs. Errors as store_resume(); -EBUSY: the block or the whole run is another's;
 * -ENOLCK: the file system's locks would not be seen by other machines.
 */
int store_join(const char *results, const char *name, int64_t block, struct store *s,
	       struct hb_error *e);
/* Wait until nobody else completes run.json; *@fd holds that lock. */
int store_lock_record(struct store *s, int *fd, struct hb_error *e);
/* Release the lock and the memory; the files stay. */
void store_close(struct store *s);
/* Remove a run that has no cell yet: its preparation failed. */
void store_discard(struct store *s);

/* The newest run in @results that is not finished; owned by the caller; NULL with the reason. */
char *store_unfinished(const char *results, struct hb_error *e);
/* Read @file of the run and check its format; new reference; NULL with the reason. */
json_t *store_read(const struct store *s, const char *file, struct hb_error *e);
/* Write @file of the run, whole or not at all. */
int store_write(const struct store *s, const char *file, const json_t *j, struct hb_error *e);

/* Is the cell finished? */
bool store_has_cell(const struct store *s, const char *id);
/* Throw a finished cell away. */
int store_cell_remove(const struct store *s, const char *id, struct hb_error *e);
/* A fresh directory for the files of cell @id; the path, owned by the caller; NULL with the reason.
 */
char *store_cell_begin(const struct store *s, const char *id, struct hb_error *e);
/* Add cell.json, make everything durable, rename to cells/ID. On an error the directory is removed.
 */
int store_cell_commit(const struct store *s, const char *id, const char *dir, const json_t *cell,
		      struct hb_error *e);
/*
 * Put what store_cell_begin() began in the place of whatever is there. To be durable before and
 * after: store_sync().
 */
int store_cell_replace(const struct store *s, const char *id, struct hb_error *e);
/* Make all of the run's file system durable. */
int store_sync(const struct store *s, struct hb_error *e);
/* Throw away what an interrupted cell has written. */
void store_cell_abort(const char *dir);

#endif
