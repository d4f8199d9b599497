// SPDX-License-Identifier: GPL-2.0-or-later
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/host/pstore.h"

#define PSTORE	"/sys/fs/pstore"
#define ARCHIVE "/var/lib/systemd/pstore"
/* Of one crash; what is left of a message of several hundred KiB will do. */
#define PARTS 64

struct part {
	int number; /* "Panic#1 Part3": 1 has the last lines */
	char *text;
};

static int by_number(const void *a, const void *b)
{
	return ((const struct part *)b)->number - ((const struct part *)a)->number;
}

/* systemd-pstore puts a dmesg.txt, all records in one, beside those it moves. */
static bool is_dmesg(const FTSENT *f, int64_t since)
{
	return f->fts_info == FTS_F && !strncmp(f->fts_name, "dmesg-", strlen("dmesg-")) &&
	       f->fts_statp->st_mtime >= since;
}

static size_t parts_find(const char *directory, int64_t since, struct part *parts)
{
	char *paths[] = {(char *)directory, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t n = 0;
	FTSENT *f;

	while (tree && n < PARTS && (f = fts_read(tree))) {
		struct part *p = &parts[n];
		const char *number;

		if (!is_dmesg(f, since) || hb_file_read(f->fts_accpath, &p->text, NULL))
			continue;
		number = strstr(p->text, " Part");
		p->number = number ? atoi(number + strlen(" Part")) : 0;
		n++;
	}
	if (tree)
		fts_close(tree);
	qsort(parts, n, sizeof(*parts), by_number);
	return n;
}

/* A record's first line is pstore's; "<6>" before the others is their level. */
static void part_write(FILE *out, const char *text)
{
	const char *line = strchr(text, '\n');

	while (line && *++line) {
		const char *end = strchr(line, '\n');
		const char *from = *line == '<' ? strchr(line, '>') : NULL;

		from = from && (!end || from < end) ? from + 1 : line;
		fprintf(out, "%.*s\n", end ? (int)(end - from) : (int)strlen(from), from);
		line = end;
	}
}

char *pstore_read_in(const char *directory, int64_t since)
{
	struct part parts[PARTS];
	size_t n = parts_find(directory, since, parts), size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < n; i++) {
		if (out)
			part_write(out, parts[i].text);
		free(parts[i].text);
	}
	if (out && !fclose(out))
		return text;
	free(text);
	return NULL;
}

char *pstore_read(int64_t since)
{
	char *text = pstore_read_in(PSTORE, since);

	if (text && *text)
		return text;
	free(text);
	return pstore_read_in(ARCHIVE, since);
}

void pstore_clear(int64_t since)
{
	char *paths[] = {PSTORE, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *f;

	while (tree && (f = fts_read(tree)))
		if (is_dmesg(f, since))
			unlink(f->fts_accpath);
	if (tree)
		fts_close(tree);
}
