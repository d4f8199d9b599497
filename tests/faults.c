// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Injected faults: `hugebench run` with the fake agent, disturbed in one way of the table at a
 * random moment, then taken up again by --resume. Afterwards
 *
 *	every cell that was finished when the fault struck has the same bytes,
 *	no process is left, and no file beside results, cache and what the test put there,
 *	--resume ends, and the figures are those of an undisturbed run.
 *
 *	faults [N [SEED]]	N faults, the kinds in turn (default: one of each); TAP
 */
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "bench/result/load.h"
#include "tests/leftovers.h"

#define CELLS 3
/* A run of cells that take their time is over after about this; faults strike within it, ns. */
#define RUN_NS	 (1600 * 1000000ULL)
#define PATIENCE (120 * NSEC_PER_SEC)

static const char scenario[] = "[scenario]\ndescription = for the test\nmode = native\nrepeat = 3\n"
			       "warmup = 0\nmeasure = 100ms\ninterval = 50ms\nseed = 7\n"
			       "[cell a]\nworkload = null\n";

static char top[] = "/tmp/hugebench-faults-XXXXXX";
static char self[PATH_MAX];
static char *command, *agent, *preload, *file, *results, *reference;

/* What the fault of the moment is about. */
struct fault {
	const struct kind *kind;
	uint64_t seed;
	bool missed;   /* the run was over before */
	char why[512]; /* the first invariant that does not hold; "": all of them do */
};

struct kind {
	const char *name;
	void (*inject)(struct fault *f);
	int number;	  /* a signal, an error number, seconds */
	const char *fake; /* how the agent behaves */
};

static void complain(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct fault *f, const char *fmt, ...)
{
	va_list ap;

	if (*f->why)
		return;
	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
}

/* The next of a sequence that the seed decides (xorshift), below @n. */
static uint64_t below(struct fault *f, uint64_t n)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return f->seed % n;
}

static void set_number(const char *name, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

/* Start `hugebench ARGS` in the background, its output in top/output. */
static pid_t start(const char *const args[])
{
	HB_FREE char *output = hb_strf("%s/output", top);
	char *argv[20] = {command};
	size_t n = 1;
	pid_t pid;

	while (*args)
		argv[n++] = (char *)*args++;
	pid = fork();
	if (pid)
		return pid;
	int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(99);
	execv(command, argv);
	_exit(98);
}

static pid_t start_run(void)
{
	return start((const char *const[]){"run", "--results", results, "--agent", agent, "-s",
					   file, "--name", "x", NULL});
}

static pid_t start_resume(void)
{
	return start((const char *const[]){"run", "--results", results, "--agent", agent,
					   "--resume", "--name", "x", NULL});
}

/* The exit status, 1000 + signal, or -1: it did not end. */
static int finish(pid_t pid)
{
	uint64_t until = hb_now_ns() + PATIENCE;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (hb_now_ns() >= until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(2000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static bool still_runs(pid_t pid)
{
	siginfo_t info = {0};

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

static void moment(struct fault *f)
{
	hb_sleep_until_ns(hb_now_ns() + below(f, RUN_NS));
}

static void inject_signal(struct fault *f)
{
	pid_t pid = start_run();

	moment(f);
	f->missed = !still_runs(pid);
	kill(pid, f->kind->number);
	finish(pid);
}

static bool is_called(const char *pid, const char *name)
{
	HB_FREE char *path = hb_strf("/proc/%s/comm", pid);
	HB_FREE char *comm = NULL;

	return path && !hb_file_read(path, &comm, NULL) && !strncmp(comm, name, strlen(name));
}

/* A process below @pid, whichever thread started it, that runs a program called @name; or 0. */
static pid_t descendant(pid_t pid, const char *name)
{
	HB_FREE char *pattern = hb_strf("/proc/%d/task/*/children", pid);
	pid_t found = 0;
	glob_t g = {0};

	if (!pattern || glob(pattern, 0, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		HB_FREE char *list = NULL;
		char *rest, *word;

		if (hb_file_read(g.gl_pathv[i], &list, NULL))
			continue;
		for (rest = list; !found && (word = strsep(&rest, " "));)
			if (*word)
				found = is_called(word, name) ? atoi(word)
							      : descendant(atoi(word), name);
	}
	globfree(&g);
	return found;
}

/* Kill the program that f->kind->fake names, once it is there. */
static void inject_child(struct fault *f)
{
	pid_t pid = start_run(), child = 0;
	uint64_t until = hb_now_ns() + PATIENCE;

	if (!strcmp(f->kind->fake, "fake_guest"))
		moment(f);
	while (!child && hb_now_ns() < until && still_runs(pid)) {
		child = descendant(pid, f->kind->fake);
		usleep(500);
	}
	f->missed = !child || kill(child, SIGKILL);
	finish(pid);
}

static void inject_errno(struct fault *f)
{
	set_number("FAULT_ERRNO", f->kind->number);
	set_number("FAULT_AT", 1 + below(f, 40));
	setenv("FAULT_BELOW", results, 1);
	setenv("LD_PRELOAD", preload, 1);
	/* Made too few changes to come to the one that fails. */
	f->missed = !finish(start_run());
	unsetenv("LD_PRELOAD");
}

static void inject_clock(struct fault *f)
{
	set_number("FAULT_ERRNO", 0);
	set_number("FAULT_JUMP", f->kind->number);
	set_number("FAULT_AT", 1 + below(f, 20));
	setenv("LD_PRELOAD", preload, 1);
	finish(start_run());
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_JUMP");
}

static void inject_guest(struct fault *f)
{
	pid_t pid;

	setenv("fake", f->kind->fake, 1);
	pid = start((const char *const[]){"run", "--results", results, "--agent", agent, "-s", file,
					  "--name", "x", "-o", "deadline=2s", NULL});
	if (finish(pid) != 1)
		complain(f, "an agent that is \"%s\" gives another exit status than 1",
			 f->kind->fake);
}

/* A second hugebench takes the same run up, while the first works on it. */
static void inject_second(struct fault *f)
{
	HB_FREE char *plan = hb_strf("%s/x/plan.json", results);
	pid_t pid = start_run();
	HB_FREE char *output = hb_strf("%s/output", top);
	HB_FREE char *text = NULL;
	uint64_t until = hb_now_ns() + PATIENCE;
	int status;

	while (access(plan, F_OK) && hb_now_ns() < until)
		usleep(1000);
	usleep(below(f, 800000));
	status = finish(start_resume());
	f->missed = !still_runs(pid);
	if (!f->missed &&
	    (hb_file_read(output, &text, NULL) || !strstr(text, "in use by another hugebench")))
		complain(f, "two work on one run, the second ends with %d", status);
	status = finish(pid);
	if (status)
		complain(f, "the first of two ended with %d", status);
}

/* Only who is not root meets such a wall. */
static void inject_read_only(struct fault *f)
{
	HB_FREE char *cells = hb_strf("%s/x/cells", results);
	pid_t pid = start_run();

	moment(f);
	chmod(cells, 0555);
	finish(pid);
	chmod(cells, 0777);
}

static void inject_head(struct fault *f)
{
	HB_FREE char *pipe = hb_strf("%s report %s/x 2>&1 | head -c %d >/dev/null", command,
				     results, (int)below(f, 4000));

	finish(start_run());
	if (!pipe || system(pipe))
		complain(f, "report | head fails");
}

static const struct kind kinds[] = {
	{"hugebench killed", inject_signal, SIGKILL, NULL},
	{"hugebench interrupted", inject_signal, SIGINT, NULL},
	{"hugebench terminated", inject_signal, SIGTERM, NULL},
	{"hugebench hung up", inject_signal, SIGHUP, NULL},
	{"broken pipe", inject_signal, SIGPIPE, NULL},
	{"agent killed", inject_child, 0, "fake_guest"},
	{"gnuplot killed", inject_child, 0, "gnuplot"},
	{"disk full", inject_errno, ENOSPC, NULL},
	{"I/O error", inject_errno, EIO, NULL},
	{"quota exceeded", inject_errno, EDQUOT, NULL},
	{"clock an hour ahead", inject_clock, 3600, NULL},
	{"clock an hour back", inject_clock, -3600, NULL},
	{"agent stops in mid-frame", inject_guest, 0, "half"},
	{"agent sends garbage", inject_guest, 0, "garbage"},
	{"agent sends the largest frame", inject_guest, 0, "largest"},
	{"agent never stops sending", inject_guest, 0, "flood"},
	{"agent dies", inject_guest, 0, "die"},
	{"two hugebench on one run", inject_second, 0, NULL},
	{"report | head", inject_head, 0, NULL},
	{"directory made read-only", inject_read_only, 0, NULL},
};

/* cell.json of every finished cell, NULL where there is none. */
static json_t *finished_cells(void)
{
	HB_FREE char *path = hb_strf("%s/x/cells", results);
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

/* Whatever has no plan yet was never a run; else it is taken up to its end. */
static void resume(struct fault *f)
{
	HB_FREE char *plan = hb_strf("%s/x/plan.json", results);
	HB_FREE char *run = hb_strf("%s/x", results);
	HB_FREE char *output = hb_strf("%s/output", top);
	HB_FREE char *text = NULL;
	int status;

	if (access(plan, F_OK)) {
		hb_remove_all(run);
		status = finish(start_run());
	} else {
		status = finish(start_resume());
	}
	/* A boot whose agent went wrong is a finished one, and INVALID. */
	if (status == 0 || (f->kind->fake && status == 1))
		return;
	hb_file_read(output, &text, NULL);
	complain(f, "--resume ends with %d: %.300s", status, text ? text : "");
}

/* The report's figures, without what differs from run to run. */
static char *figures(const char *run)
{
	HB_FREE char *out = hb_strf("%s/figures", top);
	HB_FREE char *line = hb_strf("%s report --format json %s >%s 2>&1", command, run, out);
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

static void check_cells(struct fault *f, const json_t *before)
{
	json_t *after = finished_cells(), *text;
	const char *id;

	json_object_foreach ((json_t *)before, id, text)
		if (!json_equal(text, json_object_get(after, id)))
			complain(f, "cell %s is lost or changed", id);
	if (json_object_size(after) != CELLS)
		complain(f, "%zu cells of %d", json_object_size(after), CELLS);
	json_decref(after);
}

static void check_figures(struct fault *f)
{
	HB_FREE char *run = hb_strf("%s/x", results);
	HB_FREE char *text = figures(run);

	if (!text)
		complain(f, "no report");
	else if (!f->kind->fake && strcmp(text, reference))
		complain(f, "the report differs: %.300s", text);
}

/* Only what belongs there. */
static void check_files(struct fault *f)
{
	static const char *const known[] = {".",     "..",     "results", "cache",
					    "t.ini", "output", "figures", "tmp"};
	HB_FREE char *tmp = hb_strf("%s/tmp", top);
	DIR *d = opendir(top);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			found = found || !strcmp(entry->d_name, known[i]);
		if (!found)
			complain(f, "a file is left: %s", entry->d_name);
	}
	if (d)
		closedir(d);
	if (rmdir(tmp) || mkdir(tmp, 0777))
		complain(f, "files are left in TMPDIR");
}

static void one(struct fault *f)
{
	HB_FREE char *run = hb_strf("%s/x", results);
	unsigned int left;
	json_t *before;

	hb_remove_all(run);
	setenv("fake", "slow", 1);
	f->kind->inject(f);
	unsetenv("fake");
	left = leftovers_end();
	if (left)
		complain(f, "%u processes are left", left);
	before = finished_cells();
	resume(f);
	check_cells(f, before);
	json_decref(before);
	check_figures(f);
	check_files(f);
}

static int prepare(void)
{
	HB_FREE char *cache = NULL, *tmp = NULL, *run = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0 || !mkdtemp(top) || leftovers_adopt())
		return -1;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	agent = hb_strf("%s/fake_guest", self);
	preload = hb_strf("%s/fault_preload.so", self);
	command = hb_strf("%s/../hugebench", self);
	file = hb_strf("%s/t.ini", top);
	results = hb_strf("%s/results", top);
	cache = hb_strf("%s/cache", top);
	tmp = hb_strf("%s/tmp", top);
	run = hb_strf("%s/x", results);
	setenv("XDG_CACHE_HOME", cache, 1);
	setenv("TMPDIR", tmp, 1);
	if (mkdir(results, 0777) || mkdir(tmp, 0777) || hb_file_write(file, scenario) ||
	    finish(start_run()))
		return -1;
	reference = figures(run);
	return reference ? 0 : -1;
}

static void clean(void)
{
	hb_remove_all(top);
	free(agent);
	free(preload);
	free(command);
	free(file);
	free(results);
	free(reference);
}

static bool possible(const struct kind *k)
{
	return k->inject != inject_read_only || geteuid();
}

int main(int argc, char **argv)
{
	unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : ARRAY_SIZE(kinds);
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	unsigned int bad[ARRAY_SIZE(kinds)] = {0}, done[ARRAY_SIZE(kinds)] = {0};
	unsigned int missed = 0, total = 0, failed = 0;

	if (prepare()) {
		printf("1..1\nnot ok 1 - an undisturbed run\n");
		clean();
		return 1;
	}
	for (unsigned long i = 0; i < wanted; i++) {
		size_t k = i % ARRAY_SIZE(kinds);
		struct fault f = {.kind = &kinds[k], .seed = (seed + i) * 0x9e3779b97f4a7c15};

		if (!possible(f.kind))
			continue;
		one(&f);
		done[k] += !f.missed;
		missed += f.missed;
		bad[k] += *f.why != '\0';
		if (*f.why)
			fprintf(stderr, "# fault %lu, %s: %s\n", i, f.kind->name, f.why);
	}
	printf("1..%zu\n", ARRAY_SIZE(kinds));
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		printf("%sok %zu - %s: %u injected, %u failed%s\n", bad[k] ? "not " : "", k + 1,
		       kinds[k].name, done[k], bad[k],
		       possible(&kinds[k]) ? "" : " # SKIP root is not stopped by it");
		total += done[k];
		failed += bad[k];
	}
	printf("# %u injected, %u failed; %u came too late\n", total, failed, missed);
	clean();
	return failed != 0;
}
