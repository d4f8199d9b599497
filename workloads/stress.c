// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The correctness workload, for kernels with lockdep and VM checks: actors do to one shared file
 * whatever hugetlb supports, all at once, and check every word they read. Never timed.
 *
 * Task i plays actor i of the list `actors` (NAME or NAME:COUNT). The file is as large as a 1 GiB-
 * aligned mapping, so that the tasks share PMD tables, but only its first `pages` huge pages are
 * used: a guest of 2 GiB is enough.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/stress/stress.h"

/* Huge pages beside the file's: copies of private actors, targets of migrations, repairs. */
#define SPARE_PER_TASK 8
#define SPARE	       48
#define CGROUP_ROOT    "/sys/fs/cgroup"
#define CGROUP	       CGROUP_ROOT "/stress"

static const struct option_row options[] = {
	{"actors", OPTION_STRING, offsetof(struct stress_options, actors),
	 "fault:2,remap,punch,truncate,movepages,fork", NULL, NULL, NULL,
	 "list of NAME or NAME:COUNT, as many as tasks: fault remap reserve fork split mprotect "
	 "private "
	 "mlock "
	 "sysvshm punch truncate uffd movepages migratepages softoffline hwpoison pagewalk "
	 "account lateshare edges promises entry forced spliced subpool unreserved limit"},
	{"size", OPTION_SIZE, offsetof(struct stress_options, size), "1G", "1G", "1T", NULL,
	 "bytes of the file and of each mapping, a multiple of 1G"},
	{"pages", OPTION_U64, offsetof(struct stress_options, pages), "96", "8", "4096", NULL,
	 "huge pages that are used, from the start of the file"},
	{"sharing", OPTION_BOOL, offsetof(struct stress_options, sharing), "yes", NULL, NULL, NULL,
	 "yes: the cell is invalid unless a forked process shares the PMD table"},
	{"pause", OPTION_DURATION, offsetof(struct stress_options, pause), "0s", "0s", "10s", NULL,
	 "longest pause of a task between two steps, in every other second; its length is random. "
	 "Without a pause somebody has or wants the lock at any time, and migration, which only "
	 "tries to have it, hardly ever gets it. Actors that migrate do not pause"},
	OPTION_END,
};

#define COUNTER(metric, text)                                                                      \
	{                                                                                          \
		metric, METRIC_COUNT, "1", METRIC_NEITHER, 0, text                                 \
	}

static const struct metric_row metrics[] = {
	[STRESS_TOUCHES] = {"touches", METRIC_RATE, "1/s", METRIC_NEITHER, 0,
			    "words read, checked and written"},
	[STRESS_REMAPS] = COUNTER("remaps", "unmapped, mapped and touched anew"),
	[STRESS_RESERVES] = COUNTER("reserves", "mapped anew with all used pages reserved"),
	[STRESS_PUNCHES] = COUNTER("punches", "holes punched"),
	[STRESS_PUNCHED_PAGES] = COUNTER("punched_pages", "pages that left by it, at least"),
	[STRESS_TRUNCATES] = COUNTER("truncates", "times shortened and made long again"),
	[STRESS_TRUNCATED_PAGES] = COUNTER("truncated_pages", "pages that left by it, at least"),
	[STRESS_EOF_SIGBUS] = COUNTER("eof_sigbus", "accesses past i_size that got SIGBUS"),
	[STRESS_POISON_SIGBUS] = COUNTER("poison_sigbus", "accesses to lost pages that got SIGBUS"),
	[STRESS_MOVED_PAGES] = COUNTER("moved_pages", "pages moved by move_pages, by status"),
	[STRESS_BUSY_PAGES] = COUNTER("busy_pages", "pages that move_pages left where they were"),
	[STRESS_MIGRATED_PAGES] = COUNTER("migrated_pages", "sampled pages moved by migrate_pages"),
	[STRESS_FORKS] = COUNTER("forks", "processes forked that read and left"),
	[STRESS_SPLITS] = COUNTER("splits", "VMAs split inside a shared GiB"),
	[STRESS_MPROTECTS] = COUNTER("mprotects", "times made read-only and writable again"),
	[STRESS_PRIVATE_COWS] = COUNTER("private_cows", "pages copied on a private write"),
	[STRESS_UFFD_COPIES] = COUNTER("uffd_copies", "missing pages filled by UFFDIO_COPY"),
	[STRESS_SOFT_OFFLINED] =
		COUNTER("soft_offlined", "pages taken offline with their data kept"),
	[STRESS_POISONED] = COUNTER("poisoned", "pages lost to memory failure"),
	[STRESS_MLOCKS] = COUNTER("mlocks", "ranges locked and unlocked"),
	[STRESS_SHM_ATTACHES] = COUNTER("shm_attaches", "attachments of the SysV segment"),
	[STRESS_PAGEWALKS] = COUNTER("pagewalks", "times all page tables of a task were looked at"),
	[STRESS_GUP_READS] = COUNTER("gup_reads", "words read by get_user_pages()"),
	[STRESS_FRESH_CHECKS] =
		COUNTER("fresh_checks", "destroyed pages that were read again for stale data"),
	[STRESS_ENTRIES] =
		COUNTER("entries", "times all ways into the kernel but faults were checked"),
	[STRESS_DIRECT_READS] =
		COUNTER("direct_reads", "pages that direct I/O filled, where the kernel can"),
	[STRESS_POOLS] = COUNTER("pools", "bounds of a file system or control group checked"),
	[STRESS_VIOLATIONS] = {"violations", METRIC_COUNT, "1", METRIC_LOWER, 1,
			       "checks that failed; each is in the kernel log"},
	METRIC_END,
};
_Static_assert(STRESS_VIOLATIONS < TASK_COUNTERS, "more rows than a task has counters");

static uint64_t stress_huge_pages(const void *options, unsigned int tasks)
{
	return ((const struct stress_options *)options)->pages + STRESS_SHM_PAGES +
	       (uint64_t)tasks * SPARE_PER_TASK + SPARE;
}

static const struct stress_actor *actor_find(const char *name, size_t len)
{
	static const struct stress_actor *const tables[] = {
		stress_map_actors,   stress_file_actors,  stress_move_actors,
		stress_walk_actors,  stress_count_actors, stress_promise_actors,
		stress_entry_actors, stress_limit_actors, stress_split_actors};

	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct stress_actor *a = tables[i]; a->name; a++)
			if (strlen(a->name) == len && !strncmp(a->name, name, len))
				return a;
	return NULL;
}

static int actor_add(struct stress *s, const struct stress_actor *a, unsigned int count,
		     struct hb_error *e)
{
	if (count > STRESS_MAX_TASKS - s->nactors)
		return hb_error_set(e, -EINVAL, "stress.actors: more than %d", STRESS_MAX_TASKS);
	while (count--)
		s->actor[s->nactors++] = a;
	s->destroys |= a->destroys;
	return 0;
}

/* Fill s->actor[] from the option's text. */
static int actors_parse(struct stress *s, struct hb_error *e)
{
	const char *text = s->options->actors;

	while (*text) {
		size_t item = strcspn(text, ","), name = strcspn(text, ":,");
		const struct stress_actor *a = actor_find(text, name);
		unsigned long count = 1;
		char *end = NULL;
		int err;

		if (!a)
			return hb_error_set(e, -EINVAL, "stress.actors: no actor '%.*s'", (int)name,
					    text);
		if (name < item)
			count = strtoul(text + name + 1, &end, 10);
		if (!count || count > STRESS_MAX_TASKS || (end && end != text + item))
			return hb_error_set(e, -EINVAL,
					    "stress.actors: '%.*s': wanted is NAME or NAME:COUNT, "
					    "COUNT 1 to %d",
					    (int)item, text, STRESS_MAX_TASKS);
		err = actor_add(s, a, count, e);
		if (err)
			return err;
		text += item + (text[item] == ',');
	}
	return 0;
}

static int actors_check(struct stress *s, unsigned int tasks, struct hb_error *e)
{
	unsigned int truncaters = 0;

	for (unsigned int i = 0; i < s->nactors; i++)
		truncaters += !strcmp(s->actor[i]->name, "truncate");
	if (truncaters > 1)
		return hb_error_set(
			e, -EINVAL,
			"stress.actors: one truncate at most, its checks need to know i_size");
	if (s->nactors != tasks)
		return hb_error_set(e, -EINVAL, "stress.actors lists %u actors for %u tasks",
				    s->nactors, tasks);
	return 0;
}

static int shared_make(struct stress *s, struct hb_error *e)
{
	pthread_mutexattr_t attr;

	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		return hb_error_set(e, -errno, "shared memory: %m");
	}
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->shared->poison_lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return 0;
}

static int files_make(struct stress *s, struct hb_error *e)
{
	s->fd = memfd_create("stress", MFD_CLOEXEC | MFD_HUGETLB);
	if (s->fd < 0 || ftruncate(s->fd, s->options->size) < 0)
		return hb_error_set(e, -errno, "memfd_create(MFD_HUGETLB) of %llu bytes: %m",
				    (unsigned long long)s->options->size);
	s->shmid = shmget(IPC_PRIVATE, STRESS_GIB, SHM_HUGETLB | SHM_NORESERVE | IPC_CREAT | 0600);
	if (s->shmid < 0)
		return hb_error_set(e, -errno, "shmget(SHM_HUGETLB) (CONFIG_SYSVIPC): %m");
	return 0;
}

/*
 * The tasks' mapping, made here and looked at from a forked child: fork() copies every page table
 * entry, which HugetlbPages counts, unless it shares the table. Exit status of the child: 0 shared,
 * 1 not.
 */
static int sharing_prove(struct stress *s, struct hb_error *e)
{
	uint8_t *map = mmap(STRESS_ADDR, s->options->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, s->fd, 0);
	int status = -1;
	pid_t pid;

	if (map == MAP_FAILED)
		return hb_error_set(e, -errno, "mmap at %p: %m", (void *)STRESS_ADDR);
	*(volatile uint64_t *)map = 0;
	pid = fork();
	if (!pid)
		_exit(stress_hugetlb_kib() != 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	munmap(map, s->options->size);
	if (status < 0 || !WIFEXITED(status))
		return hb_error_set(e, -ECHILD, "the child that looks at its HugetlbPages failed");
	if (WEXITSTATUS(status))
		return hb_error_set(e, -ENODATA,
				    "HugetlbPages of a forked child is not 0: PMD tables are not "
				    "shared (CONFIG_ARCH_WANT_HUGE_PMD_SHARE)");
	instance_note(s->in, "sharing", "HugetlbPages of a child forked after a touch: 0 kB");
	return 0;
}

/*
 * Memory nodes, numbered from 0 without a gap as guests have them. Not by libnuma, which looks at
 * /sys when the program starts: too early for PID 1.
 */
static unsigned int memory_nodes(void)
{
	char path[64];
	unsigned int n = 0;

	do
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", n);
	while (!access(path, F_OK) && ++n);
	return n ? n : 1;
}

static int stress_setup(struct instance *in, struct hb_error *e)
{
	struct stress *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = s;
	s->in = in;
	s->options = in->options;
	s->fd = s->shmid = -1;
	s->npages = s->options->pages;
	s->nnodes = memory_nodes();
	if (in->cell->huge_page_bytes != STRESS_HUGE_PAGE)
		return hb_error_set(e, -EOPNOTSUPP, "the default huge page size is not 2 MiB");
	if (s->options->size % STRESS_GIB || s->npages > s->options->size / STRESS_HUGE_PAGE)
		return hb_error_set(e, -EINVAL,
				    "stress.size is not a multiple of 1G that holds stress.pages");
	err = actors_parse(s, e);
	err = err ?: actors_check(s, in->ntasks, e);
	err = err ?: shared_make(s, e);
	err = err ?: files_make(s, e);
	if (!err && s->options->sharing)
		err = sharing_prove(s, e);
	for (unsigned int i = 0; !err && i < s->nactors; i++)
		if (s->actor[i]->poisons && !s->poison)
			err = poison_begin(in->cell, &s->poison, e);
	if (err)
		return err;
	in->target->fd = s->fd;
	in->target->bytes = s->options->size;
	in->target->addr = STRESS_ADDR;
	in->target->page = STRESS_HUGE_PAGE;
	in->target->used = s->npages * STRESS_HUGE_PAGE;
	instance_note(in, "direct_io",
		      stress_direct_io() ? "by the disk of this guest"
					 : "none: no disk, so actor entry leaves it out");
	instance_note(in, "cgroup", stress_cgroup_enter(in->cell) ? "none" : "hugetlb, version 2");
	return 0;
}

static int stress_task_init(struct task *t, struct hb_error *e)
{
	struct stress *s = t->in->priv;
	struct stress_task *st = calloc(1, sizeof(*st));
	int err;

	if (!st)
		return hb_error_set(e, -ENOMEM, "no memory");
	t->priv = st;
	st->stress = s;
	st->task = t;
	err = stress_access_init(e);
	if (err)
		return err;
	st->map = STRESS_ADDR;
	err = stress_map_all(st, e);
	if (err)
		return err;
	if (s->actor[t->index]->init)
		return s->actor[t->index]->init(st, e);
	return 0;
}

/*
 * The seconds take turns: a storm, where everybody is at it all the time, and a calm, where pauses
 * leave the lock free now and then. The turns are those of the clock, the same for all tasks.
 */
static void pause_in_calm(struct task *t, uint64_t longest)
{
	uint64_t now = hb_now_ns();

	if (longest && now / NSEC_PER_SEC % 2)
		hb_sleep_until_ns(now + task_random(t) % longest);
}

static int stress_run(struct task *t, struct hb_error *e)
{
	struct stress_task *st = t->priv;
	const struct stress_actor *a = st->stress->actor[t->index];
	uint64_t pause = a->migrates ? 0 : st->stress->options->pause;

	while (task_continue(t)) {
		int err = a->step(st, e);

		if (err)
			return hb_error_prefix(e, err, "actor %s", a->name);
		pause_in_calm(t, pause);
	}
	return 0;
}

static void stress_task_exit(struct task *t)
{
	struct stress_task *st = t->priv;

	if (!st)
		return;
	if (st->stress->actor[t->index]->exit)
		st->stress->actor[t->index]->exit(st);
	if (st->map)
		munmap(st->map, st->stress->options->size);
	free(st);
	t->priv = NULL;
}

static void files_close(struct stress *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->shmid >= 0)
		shmctl(s->shmid, IPC_RMID, NULL);
	s->fd = s->shmid = -1;
	s->in->target->fd = -1;
}

static void stress_teardown(struct instance *in)
{
	struct stress *s = in->priv;

	if (!s)
		return;
	files_close(s);
	/* What cannot be repaired shows in the comparison of the pools. */
	if (s->poison)
		poison_repair(s->poison, NULL);
	poison_free(s->poison);
	stress_cgroup_leave(in->cell);
	if (s->shared)
		munmap(s->shared, sizeof(*s->shared));
	free(s);
	in->priv = NULL;
}

static const struct workload_ops stress_ops = {
	.abi = WORKLOAD_ABI,
	.name = "stress",
	.summary = "correctness of everything hugetlb does to a shared file, with checked data",
	.role = ROLE_WORKLOAD,
	.options = options,
	.options_size = sizeof(struct stress_options),
	.metrics = metrics,
	.huge_pages = stress_huge_pages,
	.setup = stress_setup,
	.task_init = stress_task_init,
	.run = stress_run,
	.task_exit = stress_task_exit,
	.teardown = stress_teardown,
};
WORKLOAD_REGISTER(stress_ops);
