// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench selftests`: builds the kernel's own hugetlb selftests from the kernel's source
 * package, runs them on two kernels through the ordinary run, and compares their verdicts.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/build/cache.h"
#include "bench/commands/commands.h"
#include "bench/result/load.h"
#include "bench/host/paths.h"
#include "bench/commands/own_run.h"
#include "bench/build/source.h"

#define SOURCE	"linux-5.10"
#define SKIPPED 4 /* KSFT_SKIP */

static const char *const programs[] = {"hugepage-mmap", "hugepage-shm", "map_hugetlb",
				       "userfaultfd"};

struct build {
	char *root, *cache, *out; /* clone, cache directory, where the programs go */
	char *tree, *log;
	struct source source;
};

static void build_free(struct build *b)
{
	free(b->root);
	free(b->cache);
	free(b->out);
	free(b->tree);
	free(b->log);
	source_free(&b->source);
}

static int build_open(struct build *b, struct hb_error *e)
{
	*b = (struct build){.root = paths_root(e)};
	if (!b->root)
		return -ENOENT;
	b->cache = paths_cache(e);
	if (!b->cache)
		return -ENOENT;
	b->out = paths_beside("selftests");
	b->tree = hb_strf("%s/work/selftests", b->cache);
	b->log = hb_strf("%s/logs/selftests.log", b->cache);
	if (!b->out || !b->tree || !b->log)
		return hb_error_set(e, -ENOMEM, "out of memory");
	return source_load(b->root, SOURCE, &b->source, e);
}

/* The hash of the source that the programs beside the command were built from is in SOURCE there.
 */
static bool is_built(const struct build *b, const char *hash)
{
	HB_FREE char *stamp = hb_strf("%s/.source", b->out);
	HB_FREE char *text = NULL;

	return stamp && !hb_file_read(stamp, &text, NULL) && !strcmp(text, hash);
}

static int step(char *const argv[], int log, const struct build *b, struct hb_error *e)
{
	int rc = child_do(argv, log);

	return rc ? hb_error_set(e, -EIO, "selftests: %s failed; see %s", argv[0], b->log) : 0;
}

/* Against the tree's own headers: those of the host promise what an older kernel does not have. */
static int compile(const struct build *b, int log, struct hb_error *e)
{
	HB_FREE char *include = hb_strf("-I%s/usr/include", b->tree);
	char *headers[] = {(char *)"make", (char *)"-s",      (char *)"-C",
			   b->tree,	   (char *)"headers", NULL};
	int rc = step(headers, log, b, e);

	for (size_t i = 0; !rc && i < ARRAY_SIZE(programs); i++) {
		HB_FREE char *from =
			hb_strf("%s/tools/testing/selftests/vm/%s.c", b->tree, programs[i]);
		HB_FREE char *to = hb_strf("%s/%s", b->out, programs[i]);
		char *gcc[] = {(char *)"gcc", (char *)"-O2",	   (char *)"-static",
			       include,	      (char *)"-o",	   to,
			       from,	      (char *)"-lpthread", NULL};

		rc = include && from && to ? step(gcc, log, b, e)
					   : hb_error_set(e, -ENOMEM, "out of memory");
	}
	return rc;
}

static int build_programs(const struct build *b, const struct source_id *id, struct hb_error *e)
{
	HB_FREE char *stamp = hb_strf("%s/.source", b->out);
	HB_CLOSE int lock = -1;
	HB_CLOSE int log = -1;
	int rc = cache_lock(b->cache, "selftests", &lock, e);

	if (rc)
		return rc;
	log = open(b->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (!stamp || log < 0)
		return hb_error_set(e, -errno, "cannot write %s: %m", b->log);
	fprintf(stderr, "hugebench: building the kernel's selftests\n");
	rc = hb_remove_all(b->tree);
	if (!rc)
		rc = hb_mkdir_all(b->out);
	if (rc)
		return hb_error_set(e, rc, "cannot make %s: %s", b->out, strerror(-rc));
	rc = source_fetch(&b->source, b->cache, e);
	if (!rc)
		rc = source_unpack(&b->source, b->cache, id, b->tree, e);
	if (!rc)
		rc = compile(b, log, e);
	hb_remove_all(b->tree);
	if (rc)
		return rc;
	rc = hb_file_write_atomic(stamp, id->hash, strlen(id->hash));
	return rc ? hb_error_set(e, rc, "cannot write %s: %s", stamp, strerror(-rc)) : 0;
}

static int build_all(struct hb_error *e)
{
	struct source_id id = {NULL, NULL};
	struct build b;
	int rc = build_open(&b, e);

	if (!rc)
		rc = source_identify(&b.source, b.cache, &id, e);
	if (!rc && !is_built(&b, id.hash))
		rc = build_programs(&b, &id, e);
	source_id_free(&id);
	build_free(&b);
	return rc;
}

static const char *status_text(double status, char *text, size_t len)
{
	if (status == 0)
		return "pass";
	if (status == SKIPPED)
		return "skip";
	snprintf(text, len, "fail (%.0f)", status);
	return text;
}

static const struct load_metric *metric_find(const struct load_cell *c, const char *name)
{
	for (unsigned int i = 0; i < c->nmetrics; i++)
		if (!strcmp(c->metrics[i].name, name))
			return &c->metrics[i];
	return NULL;
}

/* A row per program, a column per boot; 1 when some program's verdict differs between them. */
static int print_row(const struct load_run *run, const struct load_metric *m)
{
	int differs = 0;

	printf("%-28s", m->name);
	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_metric *other = metric_find(&run->cells[i], m->name);
		char text[32];

		printf(" %-16s", other ? status_text(other->value, text, sizeof(text)) : "-");
		differs |= !other || other->value != m->value;
	}
	printf(" %s\n", differs ? "DIFFERS" : "same");
	return differs;
}

static int print_run(const struct load_run *run, struct hb_error *e)
{
	const struct load_cell *widest = NULL;
	int differs = 0;

	(void)e;
	printf("%-28s", "");
	for (size_t i = 0; i < run->ncells; i++) {
		printf(" %-16s", run->cells[i].kernel);
		if (!widest || run->cells[i].nmetrics > widest->nmetrics)
			widest = &run->cells[i];
	}
	putchar('\n');
	for (unsigned int i = 0; widest && i < widest->nmetrics; i++)
		differs |= print_row(run, &widest->metrics[i]);
	for (size_t i = 0; i < run->ncells; i++) {
		const struct load_cell *c = &run->cells[i];

		if (c->verdict != CELL_OK)
			printf("%s: %s: %s\n", c->kernel, cell_verdict_name(c->verdict), c->reason);
		for (unsigned int k = 0; k < c->nnotes; k++)
			if (!strncmp(c->notes[k].text, "exit ", 5))
				printf("%s: %s: %s\n", c->kernel, c->notes[k].key,
				       c->notes[k].text);
	}
	return differs;
}

int cmd_selftests(int argc, char **argv)
{
	static const struct argp argp = {
		.options = own_run_options,
		.parser = own_run_parse,
		.doc = "Builds the kernel's own hugetlb selftests, runs them and compares their "
		       "verdicts.",
	};
	struct own_run_args a = {.scenario = NULL};
	struct hb_error e = {.text = ""};

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	if (!a.show && build_all(&e)) {
		fprintf(stderr, "hugebench: %s\n", e.text);
		return EXIT_HOST;
	}
	return own_run_show(&a, "selftests", print_run);
}
