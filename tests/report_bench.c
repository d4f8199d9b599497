// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a report costs: 1,000 cells with 100,000 intervals must take less than 2 s of processor
 * time and 64 MiB. A part of `make bench-self`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/report/report.h"
#include "tests/synthetic.h"

#define MAX_SECONDS 2.0
#define MAX_KIB	    (64 * 1024)

/* 20 cells, 2 arms, 25 boots of 100 intervals: 1,000 boots. */
static struct synthetic large(const char *dir)
{
	struct synthetic s = synthetic_default(dir);

	for (unsigned int i = 0; i < 20; i++)
		s.tasks[i] = i + 1;
	s.boots = 25;
	s.intervals = 100;
	return s;
}

/* What `hugebench report` does, to the last byte but the screen. */
static int report(const char *dir)
{
	struct compare_options options = {0};
	struct compare_model *m = NULL;
	struct load_run *run = NULL;
	struct doc d = {0};
	struct hb_error e = {""};
	FILE *out = fopen("/dev/null", "we");
	int err = out ? load_run(dir, &run, &e) : -errno;

	err = err ?: compare_build(run, NULL, &options, &m, &e);
	if (!err) {
		report_build(m, &d, false);
		err = doc_text(&d, out, false);
		printf("report of %zu cells, %zu comparisons", run->ncells, m->ncomparisons);
	}
	if (err)
		fprintf(stderr, "report_bench: %s\n", *e.text ? e.text : strerror(-err));
	doc_free(&d);
	compare_free(m);
	load_free(run);
	if (out)
		fclose(out);
	return err;
}

/* In a process of its own, so that its peak of memory is not ours. */
static int measure(const char *dir)
{
	struct rusage usage;
	uint64_t begin = hb_now_ns();
	double wall, processor;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return 1;
	if (!pid) {
		int err = report(dir);

		fflush(stdout);
		_exit(err ? 1 : 0);
	}
	if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		return 1;
	wall = (hb_now_ns() - begin) / 1e9;
	processor = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf(": %.2f s of processor time (%.2f s by the clock, at most %.0f s), %ld KiB (at most "
	       "%d)\n",
	       processor, wall, MAX_SECONDS, usage.ru_maxrss, MAX_KIB);
	return processor > MAX_SECONDS || usage.ru_maxrss > MAX_KIB;
}

int main(void)
{
	char dir[] = "/tmp/hugebench-bench-XXXXXX";
	HB_FREE char *run = NULL;
	struct synthetic s;
	int failed = 1;

	if (!mkdtemp(dir))
		return 1;
	run = hb_strf("%s/run", dir);
	if (run) {
		s = large(run);
		failed = synthetic_write(&s) || measure(run);
	}
	hb_remove_all(dir);
	if (failed)
		printf("report_bench: over the limit, or failed\n");
	return failed;
}
