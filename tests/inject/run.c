// SPDX-License-Identifier: GPL-2.0-or-later
/* A run of some cells by the fake agent: in mode native, and in guests. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/inject/faults.h"

static const char native[] = "[scenario]\ndescription = for the test\nmode = native\nrepeat = 3\n"
			     "warmup = 0\nmeasure = 100ms\ninterval = 50ms\nseed = 7\n"
			     "[cell a]\nworkload = null\ndeadline = 4s\n";
/* %s: build-id of the kernel. */
static const char guest[] = "[scenario]\ndescription = for the test\nmode = emulated\nrepeat = 2\n"
			    "kernels = guest\nvcpus = 1\nnodes = 1\nmemory = 512M\n"
			    "warmup = 0\nmeasure = 100ms\ninterval = 50ms\nseed = 7\n"
			    "command_line = fake=slow fake_build_id=%s\n"
			    "[cell a]\nworkload = null\n";

static char *reference[2]; /* figures of the undisturbed runs: native, in guests */

static pid_t start(const char *file)
{
	HB_FREE char *path = hb_strf("%s/%s", site.top, file);

	return start_hugebench(true, (const char *const[]){"run", "--results", site.results, "-s",
							   path, "--name", "x", NULL});
}

static pid_t start_native(void)
{
	return start("run.ini");
}

static pid_t start_guest(void)
{
	return start("guest.ini");
}

/* Whatever has no plan yet was never a run; else it is taken up to its end. */
static int again(pid_t (*start_anew)(void))
{
	HB_FREE char *plan = hb_strf("%s/x/plan.json", site.results);
	HB_FREE char *run = hb_strf("%s/x", site.results);

	if (access(plan, F_OK)) {
		hb_remove_all(run);
		return finish(start_anew());
	}
	return finish(
		start_hugebench(true, (const char *const[]){"run", "--results", site.results,
							    "--resume", "--name", "x", NULL}));
}

static int again_native(void)
{
	return again(start_native);
}

static int again_guest(void)
{
	return again(start_guest);
}

/* cell.json of every finished cell. */
static json_t *finished(void)
{
	HB_FREE char *path = hb_strf("%s/x/cells", site.results);
	json_t *all = json_object();
	DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		HB_FREE char *cell = hb_strf("%s/%s/cell.json", path, entry->d_name);
		HB_FREE char *text = NULL;

		if (*entry->d_name != '.' && !hb_file_read(cell, &text, NULL))
			json_object_set_new(all, entry->d_name, json_string(text));
	}
	if (d)
		closedir(d);
	return all;
}

/* The report's figures, without what differs from run to run. */
static char *figures(void)
{
	HB_FREE char *out = hb_strf("%s/figures", site.top);
	HB_FREE char *line =
		hb_strf("%s report --format json %s/x >%s 2>&1", site.command, site.results, out);
	char *text = NULL;
	json_t *j, *group;
	size_t i;

	if (!out || !line || system(line))
		return NULL;
	j = json_load_file(out, 0, NULL);
	json_array_foreach (json_object_get(j, "cells"), i, group)
		json_object_del(group, "overhead_ns");
	text = j ? json_dumps(j, JSON_SORT_KEYS) : NULL;
	json_decref(j);
	return text;
}

static void reset(unsigned long number)
{
	HB_FREE char *run = hb_strf("%s/x", site.results);

	(void)number;
	hb_remove_all(run);
	setenv("fake", "slow", 1);
}

static int prepare(struct ground *g, const char *file, const char *text)
{
	HB_FREE char *path = hb_strf("%s/%s", site.top, file);

	if (!path || !text || hb_file_write_atomic(path, text, strlen(text)) || undisturbed(g))
		return -1;
	reference[g == &ground_guest] = figures();
	return reference[g == &ground_guest] ? 0 : -1;
}

static int prepare_native(struct ground *g)
{
	return prepare(g, "run.ini", native);
}

static int prepare_guest(struct ground *g)
{
	HB_FREE char *variant = hb_strf("%s/kernels/guest.ini", site.top);
	HB_FREE char *text = hb_strf("[kernel]\ndescription = for the test\nbzimage = %s\n"
				     "config = %s\n",
				     site.kernel, site.config);
	HB_FREE char *scenario = hb_strf(guest, site.build_id);

	if (!site.kernel)
		return -ENODEV;
	if (!variant || !text || hb_file_write_atomic(variant, text, strlen(text)))
		return -1;
	return prepare(g, "guest.ini", scenario);
}

static bool is_ok(const char *cell)
{
	json_t *j = json_loads(cell, 0, NULL);
	const char *verdict = json_string_value(json_object_get(j, "verdict"));
	bool ok = verdict && !strcmp(verdict, "OK");

	json_decref(j);
	return ok;
}

static void check(struct fault *f)
{
	HB_FREE char *text = figures();
	json_t *all = finished(), *cell;
	unsigned int spoiled = 0;
	const char *name;

	json_object_foreach (all, name, cell)
		spoiled += !is_ok(json_string_value(cell));
	if (json_object_size(all) != f->kind->ground->cells)
		complain(f, "%zu cells of %u", json_object_size(all), f->kind->ground->cells);
	if (spoiled > f->kind->spoils)
		complain(f, "%u cells are not OK", spoiled);
	if (!text)
		complain(f, "no report");
	else if (!spoiled && strcmp(text, reference[f->kind->ground == &ground_guest]))
		complain(f, "the report differs: %.300s", text);
	json_decref(all);
}

struct ground ground_run = {
	.prepare = prepare_native,
	.reset = reset,
	.start = start_native,
	.again = again_native,
	.finished = finished,
	.check = check,
	.below = "results",
	.cells = 3,
};

struct ground ground_guest = {
	.prepare = prepare_guest,
	.reset = reset,
	.start = start_guest,
	.again = again_guest,
	.finished = finished,
	.check = check,
	.below = "results",
	.cells = 2,
	.rare = true,
	.alone = true,
};
