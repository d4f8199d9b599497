// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's own hugetlb selftests (tools/testing/selftests/vm), as the image brings them: each
 * program is run once, its exit status is its verdict. No figure of it is a time.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/hugetlb.h"
#include "workloads/workload.h"

#define DIRECTORY "/selftests"
/* The programs open files here; hugepage-mmap by the relative path huge/hugepagefile. */
#define HUGE	"/tmp/huge"
#define LOG	"/tmp/selftest.log"
#define POLL_NS (20 * 1000000ULL)
/* 256 MiB for the largest, as their own script asks for, and as much for userfaultfd's second area.
 */
#define POOL_BYTES (256ULL << 20)

struct program {
	const char *name;
	const char *argv[6];
};

static const struct program programs[] = {
	{"hugepage_mmap", {"hugepage-mmap", NULL}},
	{"hugepage_shm", {"hugepage-shm", NULL}},
	{"map_hugetlb", {"map_hugetlb", NULL}},
	{"userfaultfd_hugetlb", {"userfaultfd", "hugetlb", "64", "4", HUGE "/ufd", NULL}},
	{"userfaultfd_hugetlb_shared",
	 {"userfaultfd", "hugetlb_shared", "64", "4", HUGE "/ufd_shared", NULL}},
};

struct selftests_options {
	uint64_t limit;
};

static const struct option_row options[] = {
	{"limit", OPTION_DURATION, offsetof(struct selftests_options, limit), "90s", "1s", "1h",
	 NULL, "time that a program may take"},
	OPTION_END,
};

#define STATUS(row, metric)                                                                        \
	[row] = {                                                                                  \
		metric, METRIC_GAUGE,                                                              \
		"exit", METRIC_LOWER,                                                              \
		1,	"exit status: 0 passed, 4 skipped; 124: it ran out of time, 128 + signal"}

static const struct metric_row metrics[] = {
	STATUS(0, "hugepage_mmap"),
	STATUS(1, "hugepage_shm"),
	STATUS(2, "map_hugetlb"),
	STATUS(3, "userfaultfd_hugetlb"),
	STATUS(4, "userfaultfd_hugetlb_shared"),
	METRIC_END,
};
_Static_assert(ARRAY_SIZE(programs) + 1 == ARRAY_SIZE(metrics), "a row per program");

/* Shared with the task. */
struct results {
	_Atomic int status[ARRAY_SIZE(programs)]; /* exit status, -1: did not run to its end */
	char last[ARRAY_SIZE(programs)][200];	  /* last line of its output */
};

static uint64_t selftests_huge_pages(const void *options, unsigned int tasks)
{
	(void)options;
	(void)tasks;
	return POOL_BYTES / HUGETLB_2M + 16;
}

static int selftests_setup(struct instance *in, struct hb_error *e)
{
	struct results *r;

	if (in->cell->native)
		return hb_error_set(e, -EOPNOTSUPP,
				    "selftests need a guest: they mount and signal");
	if (in->ntasks != 1)
		return hb_error_set(e, -EINVAL, "selftests.tasks: 1, the programs run one by one");
	if (access(DIRECTORY "/map_hugetlb", X_OK))
		return hb_error_set(e, -EOPNOTSUPP,
				    "the image has no selftests; run `hugebench selftests`");
	if ((mkdir(HUGE, 0755) < 0 && errno != EEXIST) ||
	    mount("none", HUGE, "hugetlbfs", 0, NULL) < 0)
		return hb_error_set(e, -errno, "hugetlbfs at " HUGE ": %m");
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return hb_error_set(e, -errno, "shared memory: %m");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		atomic_store(&r->status[i], -1);
	in->priv = r;
	return 0;
}

static void program_exec(const struct program *p)
{
	HB_FREE char *path = hb_strf(DIRECTORY "/%s", p->argv[0]);
	int log = open(LOG, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (path && log >= 0 && chdir("/tmp") == 0 && dup2(log, STDOUT_FILENO) >= 0 &&
	    dup2(log, STDERR_FILENO) >= 0)
		execv(path, (char *const *)p->argv);
	_exit(127);
}

/* Wait for the program, with the task's progress going on; the status as the metrics have it. */
static int program_wait(struct task *t, pid_t pid, uint64_t limit_ns)
{
	uint64_t deadline = hb_now_ns() + limit_ns;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (hb_now_ns() > deadline) {
			kill(pid, SIGKILL);
			/* It may never end: then the agent's watchdog has the word. */
			waitpid(pid, &status, 0);
			return 124;
		}
		hb_sleep_until_ns(hb_now_ns() + POLL_NS);
		task_step(t);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void last_line(char *line, size_t len)
{
	HB_FREE char *text = NULL;
	char *start;
	size_t n;

	if (hb_file_read(LOG, &text, &n))
		return;
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	start = strrchr(text, '\n');
	snprintf(line, len, "%s", start ? start + 1 : text);
}

static int selftests_run(struct task *t, struct hb_error *e)
{
	const struct selftests_options *o = t->in->options;
	struct results *r = t->in->priv;
	size_t i = 0;

	while (task_continue(t)) {
		pid_t pid;

		if (i == ARRAY_SIZE(programs)) {
			hb_sleep_until_ns(hb_now_ns() + POLL_NS);
			continue;
		}
		pid = fork();
		if (pid < 0)
			return hb_error_set(e, -errno, "fork: %m");
		if (!pid)
			program_exec(&programs[i]);
		atomic_store(&r->status[i], program_wait(t, pid, o->limit));
		last_line(r->last[i], sizeof(r->last[i]));
		i++;
	}
	return 0;
}

static int selftests_report(struct instance *in, struct hb_error *e)
{
	struct results *r = in->priv;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		int status = atomic_load(&r->status[i]);

		if (status < 0)
			return hb_error_set(e, -ETIME, "%s did not run to its end; measure longer",
					    programs[i].name);
		instance_gauge(in, i, status);
		if (status)
			instance_note(in, programs[i].name, "exit %d: %s", status, r->last[i]);
	}
	return 0;
}

static void selftests_teardown(struct instance *in)
{
	if (!in->priv)
		return;
	unlink(HUGE "/ufd");
	unlink(HUGE "/ufd_shared");
	umount(HUGE);
	munmap(in->priv, sizeof(struct results));
	in->priv = NULL;
}

static const char *const needs[] = {"CONFIG_HUGETLBFS", "CONFIG_USERFAULTFD", "CONFIG_SYSVIPC",
				    NULL};

static const struct workload_ops selftests_ops = {
	.abi = WORKLOAD_ABI,
	.name = "selftests",
	.summary = "the kernel's own hugetlb selftests, each once; exit status as verdict",
	.role = ROLE_WORKLOAD,
	.options = options,
	.options_size = sizeof(struct selftests_options),
	.metrics = metrics,
	.needs = needs,
	.huge_pages = selftests_huge_pages,
	.setup = selftests_setup,
	.run = selftests_run,
	.report = selftests_report,
	.teardown = selftests_teardown,
};
WORKLOAD_REGISTER(selftests_ops);
