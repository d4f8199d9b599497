// SPDX-License-Identifier: GPL-2.0-or-later
/* A package fetched and unpacked, as QEMU and PostgreSQL are, but a small one. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/build/apt.h"
#include "tests/inject/faults.h"

#define PACKAGE "hello"
#define PROGRAM "root/usr/bin/hello"

static char *place(void)
{
	return hb_strf("%s/cache/fetch", site.top);
}

static char *program(void)
{
	return hb_strf("%s/cache/fetch/" PROGRAM, site.top);
}

static pid_t start(void)
{
	pid_t pid = fork();
	HB_FREE char *where = NULL;
	struct hb_error e = {""};

	if (pid)
		return pid;
	where = place();
	if (apt_unpacked(NULL, (const char *[]){PACKAGE, NULL}, where, &e)) {
		HB_FREE char *file = hb_strf("%s/output", site.top);

		hb_file_write_atomic(file, e.text, sizeof(e.text));
		_exit(3);
	}
	_exit(0);
}

static void reset(unsigned long number)
{
	HB_FREE char *where = place();

	(void)number;
	hb_remove_all(where);
}

static json_t *finished(void)
{
	return json_object();
}

static int prepare(struct ground *g)
{
	return undisturbed(g) ? -ENODEV : 0; /* no network, or no lists */
}

static void check(struct fault *f)
{
	HB_FREE char *where = place(), *path = program();
	DIR *d = opendir(where);
	struct dirent *entry;

	if (access(path, X_OK))
		complain(f, "%s is missing", path);
	while (d && (entry = readdir(d)))
		if (*entry->d_name != '.' && strcmp(entry->d_name, "root"))
			complain(f, "%s/%s is left", where, entry->d_name);
	if (d)
		closedir(d);
}

struct ground ground_fetch = {
	.prepare = prepare,
	.reset = reset,
	.start = start,
	.finished = finished,
	.check = check,
	.below = "cache/fetch",
	.rare = true,
	.alone = true,
};
