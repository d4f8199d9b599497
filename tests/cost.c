// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/report/report.h"
#include "tests/cost.h"

int cost_measure(int (*step)(void), struct cost *c)
{
	uint64_t begin = hb_now_ns();
	struct rusage usage;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int failed = step();

		fflush(stdout);
		_exit(failed ? 1 : 0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status)
		return 1;
	*c = (struct cost){
		.processor = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
			     (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
		.wall = (hb_now_ns() - begin) / 1e9,
		.kib = usage.ru_maxrss,
	};
	return 0;
}

int cost_report(const char *dir, size_t *cells, size_t *comparisons)
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
		*cells = run->ncells;
		*comparisons = m->ncomparisons;
	}
	if (err)
		fprintf(stderr, "report: %s\n", *e.text ? e.text : strerror(-err));
	doc_free(&d);
	compare_free(m);
	load_free(run);
	if (out)
		fclose(out);
	return err;
}
