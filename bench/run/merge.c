// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/host/environment.h"
#include "bench/result/load.h"
#include "bench/run/merge.h"
#include "bench/run/merge_repeat.h"
#include "bench/scenario/plan.h"

/* A run or a copy of it, read. */
struct part {
	struct store store;
	json_t *record, *plan;
};

static int part_read(struct part *p, struct hb_error *e)
{
	p->record = store_read(&p->store, "run.json", e);
	p->plan = p->record ? store_read(&p->store, "plan.json", e) : NULL;
	return p->plan ? 0 : -EPROTO;
}

static void part_free(struct part *p)
{
	json_decref(p->record);
	json_decref(p->plan);
	store_close(&p->store);
}

/* A copy of run @name: @dir itself, or below it. */
static int part_open(const char *dir, const char *name, struct part *p, struct hb_error *e)
{
	HB_FREE char *plan = hb_strf("%s/plan.json", dir);

	*p = (struct part){.store = {.lock = -1, .name = strdup(name)}};
	p->store.dir = plan && !access(plan, F_OK) ? strdup(dir) : hb_strf("%s/%s", dir, name);
	if (!plan || !p->store.name || !p->store.dir)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (access(p->store.dir, F_OK))
		return hb_error_set(e, -ENOENT, "%s is no run, and has no run %s in it", dir, name);
	return part_read(p, e);
}

static int alien(const struct part *p, const char *what, const char *theirs, const char *ours,
		 struct hb_error *e)
{
	return hb_error_set(
		e, -EXDEV,
		"%s does not belong to run %s: its %s is %s, the run's is %s; nothing was "
		"taken",
		p->store.dir, p->store.name, what, *theirs ? theirs : "not known",
		*ours ? ours : "not known");
}

static int same_kernels(const struct part *run, const struct part *p, struct hb_error *e)
{
	const json_t *ours = json_object_get(run->record, "kernels"), *k;
	size_t i;

	json_array_foreach (ours, i, k) {
		const json_t *other = json_array_get(json_object_get(p->record, "kernels"), i);
		HB_FREE char *what = hb_strf("kernel %s", json_text(k, "name"));

		if (what && strcmp(json_text(k, "build_id"), json_text(other, "build_id")))
			return alien(p, what, json_text(other, "build_id"),
				     json_text(k, "build_id"), e);
	}
	return 0;
}

/* Were both prepared with the same, as far as machines that share a run must? */
static int same_environment(const struct part *run, const struct part *p, struct hb_error *e)
{
	json_t *ours = load_environment(run->record), *theirs = load_environment(p->record);
	char *difference = NULL;
	int rc = environment_difference(ours, theirs, json_text(run->record, "mode"),
					ENVIRONMENT_MACHINES, &difference);
	HB_FREE char *what = difference;

	json_decref(ours);
	json_decref(theirs);
	if (rc)
		return hb_error_set(e, rc, "no memory");
	return what ? hb_error_set(e, -EXDEV, "%s does not belong to run %s: %s; nothing was taken",
				   p->store.dir, p->store.name, what)
		    : 0;
}

/* Are the boots of @p some of @run? Its plan is the run's then, and not kept: it is large. */
static int belongs(const struct part *run, struct part *p, struct hb_error *e)
{
	if (!json_equal(run->plan, p->plan))
		return alien(p, "plan", "another", "its own", e);
	json_decref(p->plan);
	p->plan = NULL;
	return same_kernels(run, p, e) ?: same_environment(run, p, e);
}

/* The boots of a block: entries @first to @end - 1 of the plan. */
struct block {
	const json_t *cells;
	size_t first, end;
};

static json_int_t block_at(const json_t *cells, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(cells, i), "block"));
}

/* The block that begins at entry @first. */
static struct block block_from(const json_t *plan, size_t first)
{
	struct block b = {json_object_get(plan, "cells"), first, first};

	while (b.end < json_array_size(b.cells) &&
	       block_at(b.cells, b.end) == block_at(b.cells, first))
		b.end++;
	return b;
}

static const char *id_at(const struct block *b, size_t i)
{
	return json_text(json_array_get(b->cells, i), "id");
}

/* How many of the block's boots are in @s? */
static size_t boots_there(const struct block *b, const struct store *s)
{
	size_t n = 0;

	for (size_t i = b->first; i < b->end; i++)
		n += store_has_cell(s, id_at(b, i));
	return n;
}

static int file_copy(const char *from, const char *to)
{
	HB_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
	HB_CLOSE int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ssize_t n;

	if (in < 0 || out < 0)
		return -errno;
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0);
	return n < 0 ? -errno : 0;
}

/* The plain files of a cell's directory. */
static int files_copy(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *entry;
	int rc = d ? 0 : -errno;

	while (!rc && (entry = readdir(d))) {
		HB_FREE char *source = hb_strf("%s/%s", from, entry->d_name);
		HB_FREE char *target = hb_strf("%s/%s", to, entry->d_name);
		struct stat st;

		if (!source || !target)
			rc = -ENOMEM;
		else if (!lstat(source, &st) && S_ISREG(st.st_mode))
			rc = file_copy(source, target);
	}
	if (d)
		closedir(d);
	return rc;
}

/* What cell.json has of a boot's environment is what run.json has otherwise: @p's or the run's. */
static int cell_rebase(const struct part *run, const struct part *p, json_t *cell)
{
	json_t *ours = load_environment(run->record), *theirs = load_environment(p->record);
	int rc = json_object_update(theirs, json_object_get(cell, "environment"));

	rc = rc ?: json_object_set_new(cell, "environment", environment_news(ours, theirs));
	json_decref(ours);
	json_decref(theirs);
	return rc;
}

/* cell.json of a boot of @p, as the run would have it; NULL with the reason. */
static json_t *cell_read(const struct part *run, const struct part *p, const char *id,
			 struct hb_error *e)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", id);
	json_t *cell = file ? store_read(&p->store, file, e) : NULL;

	if (!cell)
		return NULL;
	if (!json_is_object(json_object_get(cell, "environment")))
		hb_error_set(e, -EINVAL, "%s/%s: \"environment\" is missing", p->store.dir, file);
	else if (cell_rebase(run, p, cell))
		hb_error_set(e, -ENOMEM, "no memory");
	else
		return cell;
	json_decref(cell);
	return NULL;
}

static int cell_write(const char *dir, const json_t *cell)
{
	HB_FREE char *file = hb_strf("%s/cell.json", dir);
	HB_FREE char *made = json_dumps(cell, JSON_INDENT(1));

	return file && made ? hb_file_write(file, made) : -ENOMEM;
}

/* One boot of @p, copied into the run and not in its place yet. */
static int cell_copy(const struct part *run, const struct part *p, const char *id,
		     struct hb_error *e)
{
	HB_FREE char *from = hb_strf("%s/cells/%s", p->store.dir, id);
	json_t *cell = from ? cell_read(run, p, id, e) : NULL;
	HB_FREE char *to = cell ? store_cell_begin(&run->store, id, e) : NULL;
	int rc = !cell ? -EPROTO : to ? files_copy(from, to) : -EIO;

	if (to && !rc)
		rc = cell_write(to, cell);
	json_decref(cell);
	if (!to || !rc)
		return rc;
	store_cell_abort(to);
	return hb_error_set(e, rc, "cannot copy %s: %s", from, strerror(-rc));
}

/* The run has the block, and so has @p: in mode exact with the same digits. */
static int block_check(const struct part *run, const struct part *p, const struct block *b,
		       struct merge_count *count, struct hb_error *e)
{
	int rc = 0;

	count->known++;
	if (strcmp(json_text(run->record, "mode"), "exact"))
		return 0;
	for (size_t i = b->first; i < b->end && !rc; i++) {
		json_t *ours = cell_read(run, run, id_at(b, i), e);
		json_t *theirs = ours ? cell_read(run, p, id_at(b, i), e) : NULL;

		rc = theirs ? merge_repeat(run->record, ours, theirs, count, e) : -EPROTO;
		json_decref(ours);
		json_decref(theirs);
	}
	return rc;
}

/* Copy the block from @p if the run wants it; *@taken: it does. */
static int block_copy(const struct part *run, const struct part *p, const struct block *b,
		      struct merge_count *count, bool *taken, struct hb_error *e)
{
	size_t whole = b->end - b->first, theirs = boots_there(b, &p->store);
	size_t ours = theirs ? boots_there(b, &run->store) : 0;
	int rc = 0;

	if (theirs == whole && ours == whole)
		return block_check(run, p, b, count, e);
	*taken = theirs == whole;
	count->partial += theirs && !*taken;
	if (!*taken)
		return 0;
	for (size_t i = b->first; i < b->end && !rc; i++)
		rc = cell_copy(run, p, id_at(b, i), e);
	return rc;
}

/* The copied block in its place. What the run has of it is of a block that was not finished. */
static int block_place(const struct part *run, const struct block *b, struct hb_error *e)
{
	int rc = 0;

	for (size_t i = b->first; i < b->end && !rc; i++)
		rc = store_cell_replace(&run->store, id_at(b, i), e);
	return rc;
}

/* All is copied and made durable before anything is put in its place: a sync for each boot would
 * cost more than the copies. */
static int part_take(const struct part *run, const struct part *p, struct merge_count *count,
		     struct hb_error *e)
{
	size_t n = json_array_size(json_object_get(run->plan, "cells"));
	HB_FREE bool *taken = calloc(n + 1, sizeof(*taken)); /* [first boot of a block] */
	int rc = taken ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	struct block b;

	for (size_t i = 0; i < n && !rc; i = b.end) {
		b = block_from(run->plan, i);
		rc = block_copy(run, p, &b, count, &taken[i], e);
	}
	if (!rc)
		rc = store_sync(&run->store, e);
	for (size_t i = 0; i < n && !rc; i = b.end) {
		b = block_from(run->plan, i);
		if (!taken[i])
			continue;
		rc = block_place(run, &b, e);
		count->taken += !rc;
	}
	return rc ? rc : store_sync(&run->store, e);
}

static bool is_unexpected(const struct store *s, const char *id)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", id);
	json_t *cell = file ? store_read(s, file, NULL) : NULL;
	bool unexpected = json_is_false(json_object_get(cell, "expected")) &&
			  !json_is_true(json_object_get(cell, "warmup_boot"));

	json_decref(cell);
	return unexpected;
}

/* What the run has now. Warm-up boots, block 0, need not be there. */
static void run_count(const struct part *run, struct merge_count *count)
{
	size_t n = json_array_size(json_object_get(run->plan, "cells"));

	for (size_t i = 0; i < n;) {
		struct block b = block_from(run->plan, i);

		if (boots_there(&b, &run->store) < b.end - b.first)
			count->missing += block_at(b.cells, i) > 0;
		for (i = b.first; i < b.end; i++)
			count->unexpected += is_unexpected(&run->store, id_at(&b, i));
	}
}

static int run_finish(struct part *run, const struct merge_count *count, struct hb_error *e)
{
	char now[32] = "";
	time_t t = time(NULL);
	struct tm tm;

	if (count->missing && !count->repeated)
		return 0;
	if (gmtime_r(&t, &tm))
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!count->missing &&
	    (json_object_set_new(run->record, "status", json_string("finished")) ||
	     json_object_set_new(run->record, "finished", json_string(now))))
		return hb_error_set(e, -ENOMEM, "no memory");
	return store_write(&run->store, "run.json", run->record, e);
}

/* Open and check all of them, then take. */
static int parts_take(const struct part *run, char *const *dirs, size_t n, struct part *parts,
		      struct merge_count *count, struct hb_error *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		rc = part_open(dirs[i], run->store.name, &parts[i], e);
		if (!rc)
			rc = belongs(run, &parts[i], e);
	}
	for (size_t i = 0; i < n && !rc; i++)
		rc = part_take(run, &parts[i], count, e);
	return rc;
}

int merge_run(const char *results, const char *name, char *const *dirs, size_t n,
	      struct merge_count *count, char **dir, struct hb_error *e)
{
	HB_FREE struct part *parts = calloc(n + 1, sizeof(*parts));
	struct part run = {.record = NULL};
	int rc = parts ? store_resume(results, name, &run.store, e) : -ENOMEM;

	*count = (struct merge_count){0};
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		parts[i].store.lock = -1;
	rc = part_read(&run, e);
	if (!rc)
		rc = parts_take(&run, dirs, n, parts, count, e);
	if (!rc)
		run_count(&run, count);
	if (!rc)
		rc = run_finish(&run, count, e);
	*dir = rc ? NULL : strdup(run.store.dir);
	for (size_t i = 0; i < n; i++)
		part_free(&parts[i]);
	part_free(&run);
	return rc;
}
