// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pmdshare: tasks that map one file on huge pages so that they share PMD page tables, or
 * deliberately not.
 *
 * What sharing takes (arch/x86, mm/hugetlb.c, page_table_shareable() and vma_shareable()): 2 MiB
 * pages, a shared mapping that holds a whole aligned GiB, the same file page at the same offset in
 * the GiB, equal VMA flags. So with aligned = yes all tasks map at one fixed 1 GiB-aligned address,
 * and with aligned = no task i maps i + 1 huge pages behind such an address: the offsets in the GiB
 * differ, and no two mappings match.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/clock.h"
#include "workloads/agent/touch.h"
#include "workloads/pmdshare/pmdshare.h"

#define STEADY_TOUCHES 256
#define ATTACH_MAX     512
#define ATTACH_FD_MIN  10

static const char *const shape_names[] = {"remap", "attach", "steady", NULL};
static const char *const order_names[] = {"seq", "random", NULL};
static const char *const page_names[] = {"2M", "1G", NULL};

#define OPT(field) offsetof(struct pmdshare_options, field)
static const struct option_row pmdshare_options_rows[] = {
	{"size", OPTION_SIZE, OPT(size), "1G", "2M", "16T", NULL,
	 "of the file and of every mapping of it"},
	{"touched", OPTION_SIZE, OPT(touched), "0", "0", "16T", NULL,
	 "touch only so much of it, from its start; 0: all. The pool then needs no more than this"},
	{"file", OPTION_ENUM, OPT(file), "hugetlbfs", NULL, NULL, hugetlb_kinds,
	 "hugetlbfs: unlinked file; memfd: memfd_create(MFD_HUGETLB); shm: System V segment"},
	{"aligned", OPTION_BOOL, OPT(aligned), "yes", NULL, NULL, NULL,
	 "yes: mapped so that PMD tables are shared, which is proved; no: so that none can be"},
	{"shape", OPTION_ENUM, OPT(shape), "remap", NULL, NULL, shape_names,
	 "remap: map, write a byte per page, unmap; attach: a new process maps and touches; "
	 "steady: touches only"},
	{"order", OPTION_ENUM, OPT(order), "seq", NULL, NULL, order_names,
	 "of the pages within a pass"},
	{"page_size", OPTION_ENUM, OPT(page_size), "2M", NULL, NULL, page_names,
	 "1G: no PMD tables, so aligned = no; a guest needs about 8 GiB to have room for one"},
	{"prealloc", OPTION_BOOL, OPT(prealloc), "yes", NULL, NULL, NULL,
	 "yes: all pages are in the page cache at the start; no: the first fault allocates and "
	 "clears"},
	{"threads", OPTION_BOOL, OPT(threads), "no", NULL, NULL, NULL,
	 "tasks are threads of one process, each with a mapping of its own"},
	{"private", OPTION_BOOL, OPT(private), "no", NULL, NULL, NULL,
	 "MAP_PRIVATE: each write fault makes a copy"},
	{"attach_pages", OPTION_U64, OPT(attach_pages), "16", "1", "512", NULL,
	 "shape attach: pages, at random places, that the new process touches"},
	{"rest", OPTION_U64, OPT(rest), "0", "0", "1000", NULL,
	 "shape remap: after a pass rest for a random time of up to so many percent of what it "
	 "took, so that equal tasks do not map and unmap in step"},
	OPTION_END,
};

static const struct metric_row pmdshare_metrics[] = {
	[ROW_TOUCHES] = {"touches", METRIC_RATE, "1/s", METRIC_HIGHER, 1,
			 "pages written to, with or without a fault"},
	[ROW_FAULTS] = {"faults", METRIC_RATE, "1/s", METRIC_NEITHER, 1,
			"page faults as the kernel counted them; where PMD tables are shared one "
			"serves all tasks, and more of them are no gain"},
	[ROW_PASSES] = {"passes", METRIC_RATE, "1/s", METRIC_HIGHER, 0,
			"remap: map-touch-unmap rounds; attach: processes"},
	[ROW_FAULT_LATENCY] = {"fault_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
			       "of one touch that faulted"},
	[ROW_TOUCH_LATENCY] = {"touch_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			       "of one touch that did not; memory is not waited for"},
	[ROW_MMAP_LATENCY] = {"mmap_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
			      "of mapping the whole file"},
	[ROW_MUNMAP_LATENCY] = {"munmap_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
				"of unmapping it again"},
	[ROW_ATTACH_LATENCY] = {"attach_latency", METRIC_HIST, "ns", METRIC_LOWER, 1,
				"attach: from mapping to the last touch, in the new process"},
	[ROW_LIFE_LATENCY] =
		{"life_latency", METRIC_HIST, "ns", METRIC_LOWER, 0,
		 "attach: from asking for the process to its end, as its task sees it"},
	[ROW_UNSETTLED] = {"unsettled", METRIC_COUNT, "touches", METRIC_NEITHER, 0,
			   "touches in runs of faults and others"},
	[ROW_REPEATED] = {"repeated", METRIC_COUNT, "faults", METRIC_NEITHER, 0,
			  "further faults of one touch"},
	[ROW_UNCLASSIFIED] = {"unclassified", METRIC_COUNT, "faults", METRIC_NEITHER, 0,
			      "faults without a latency"},
	[ROW_SIGBUS] = {"sigbus", METRIC_COUNT, "touches", METRIC_NEITHER, 0,
			"touches past the end, after a truncation"},
	[ROW_SHARED] = {"shared", METRIC_GAUGE, "MiB", METRIC_NEITHER, 0,
			"entries a process found in its page table that others had made"},
	METRIC_END,
};

static const struct touch_rows pmdshare_touch_rows = {
	.faults = ROW_FAULTS,
	.touches = ROW_TOUCHES,
	.fault_latency = ROW_FAULT_LATENCY,
	.touch_latency = ROW_TOUCH_LATENCY,
	.unsettled = ROW_UNSETTLED,
	.repeated = ROW_REPEATED,
	.unclassified = ROW_UNCLASSIFIED,
	.sigbus = ROW_SIGBUS,
};

struct pmdshare_task {
	struct touch touch;
	char *addr;
	uint32_t *order; /* NULL: ascending */
	int mapped;
	pid_t server; /* shape attach: forks the attached processes; 0: none */
	int requests; /* socket to it */
};

/* What an attached process found, a packet to its task. */
struct attach_report {
	uint64_t total;	     /* ticks from mapping to the last touch */
	uint64_t sigbus_low; /* the lowest offset that was past the end of the file */
	uint32_t n, sigbus;  /* touches; others that were past the end */
	struct {
		uint64_t ticks;
		uint32_t faults;
	} touch[ATTACH_MAX];
};

/* Pages in use at once: the file's, and with MAP_PRIVATE a copy of each per task. */
static uint64_t pages_wanted(const struct pmdshare_options *o, unsigned int tasks)
{
	uint64_t copies = o->private ? tasks * pmdshare_touched_pages(o) : 0;

	return pmdshare_touched_pages(o) + copies;
}

static uint64_t pmdshare_huge_pages(const void *options, unsigned int tasks)
{
	const struct pmdshare_options *o = options;

	return o->page_size ? 0 : pages_wanted(o, tasks);
}

static int check_options(const struct pmdshare_options *o, struct hb_error *e)
{
	uint64_t page = pmdshare_page_bytes(o);

	if (o->size % page || pmdshare_touched_bytes(o) % page ||
	    pmdshare_touched_bytes(o) > o->size)
		return hb_error_set(e, -EINVAL,
				    "size and touched must be multiples of the page size, touched "
				    "at most size");
	if (o->aligned && o->private)
		return hb_error_set(e, -EINVAL,
				    "private = yes shares no page tables; say aligned = no");
	if (o->aligned && o->page_size)
		return hb_error_set(e, -EINVAL,
				    "page_size = 1G has no PMD tables to share; say aligned = no");
	if (o->aligned && o->size < HUGETLB_1G)
		return hb_error_set(e, -EINVAL,
				    "sharing takes a whole GiB: size = 1G or more, or aligned = no "
				    "(touched = 64M keeps the pool small)");
	if (o->file == HUGETLB_SHM && o->private)
		return hb_error_set(e, -EINVAL, "a System V segment cannot be mapped private");
	if (o->file == HUGETLB_SHM && o->touched)
		return hb_error_set(
			e, -EINVAL,
			"a System V segment reserves all of its pages: leave touched = 0");
	if (o->shape == SHAPE_ATTACH && o->threads)
		return hb_error_set(e, -EINVAL,
				    "shape = attach makes processes; leave threads = no");
	return 0;
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* Address of task @index; see the top of the file. Threads have a mapping each in one address
 * space. */
static char *task_addr(const struct instance *in, unsigned int index)
{
	const struct target *target = in->target;

	return (char *)target->addr + index * target->step;
}

static void publish(struct instance *in, const struct pmdshare_options *o,
		    const struct hugetlb_file *f)
{
	struct target *target = in->target;

	target->fd = f->fd;
	target->bytes = o->size;
	target->page = f->page;
	target->used = pmdshare_touched_bytes(o);
	target->addr = HUGETLB_BASE + (o->aligned ? 0 : f->page);
	target->step = o->aligned ? 0 : f->page;
	if (o->threads)
		target->step += round_up(o->size, HUGETLB_1G) + HUGETLB_1G;
}

/* With touched < size only that part is in the cache, and nothing else is reserved. */
static int fill(const struct pmdshare_options *o, const struct hugetlb_file *f, struct hb_error *e)
{
	struct hugetlb_file part = *f;

	part.bytes = pmdshare_touched_bytes(o);
	return o->prealloc ? hugetlb_file_fill(&part, e) : 0;
}

/*
 * The cell sizes the pool of the default page size only. A guest grows that of 1 GiB here, which is
 * SKIP where its memory has no such place left; a host's has to be large enough.
 */
static int gigantic_pool(const struct instance *in, uint64_t pages, struct hb_error *e)
{
	struct hugetlb_pool p;
	int rc;

	if (!in->cell->native)
		return hugetlb_pool_grow(HUGETLB_1G, pages, NULL, e) ? -EOPNOTSUPP : 0;
	rc = hugetlb_pool_read(HUGETLB_1G, &p, e);
	if (rc)
		return -EOPNOTSUPP;
	if (p.all.free >= p.all.reserved + pages)
		return 0;
	return hb_error_set(e, -EOPNOTSUPP,
			    "%" PRIu64 " free huge pages of 1 GiB are needed, there are %" PRIu64
			    "; boot with hugepagesz=1G hugepages=%" PRIu64,
			    pages, p.all.free - p.all.reserved, pages);
}

static int pmdshare_setup(struct instance *in, struct hb_error *e)
{
	const struct pmdshare_options *o = in->options;
	struct hugetlb_file *f;
	int rc = check_options(o, e);

	if (rc)
		return rc;
	if (o->page_size)
		rc = gigantic_pool(in, pages_wanted(o, in->ntasks), e);
	if (rc)
		return rc;
	f = calloc(1, sizeof(*f));
	if (!f)
		return hb_error_set(e, -ENOMEM, "no memory");
	in->priv = f;
	in->threads = o->threads;
	rc = hugetlb_file_make(f, o->file, o->size, pmdshare_page_bytes(o), e);
	if (!rc)
		rc = fill(o, f, e);
	if (!rc)
		publish(in, o, f);
	return rc;
}

int pmdshare_map(const struct instance *in, char *addr, struct hb_error *e)
{
	const struct pmdshare_options *o = in->options;

	return hugetlb_file_map(in->priv, addr, o->private, o->touched != 0, e);
}

/* Fisher-Yates from the task's own stream: the same order in both arms. */
static uint32_t *shuffled(struct task *t, uint64_t n)
{
	uint32_t *order = calloc(n, sizeof(*order));

	for (uint64_t i = 0; order && i < n; i++) {
		uint64_t j = task_random(t) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

/*
 * An attached process is to be as a server's new one: small, and without a mapping of the file. The
 * task has it mapped, and to execute a program anew costs a hundred times what the attaching does;
 * so each task has a process, executed before the phase, that forks them. It gets the file as
 * descriptor 3 and the socket as 4.
 */
static int server_spawn(struct task *t, int socket, pid_t *pid)
{
	const struct pmdshare_options *o = t->in->options;
	const struct pmdshare_task *p = t->priv;
	const struct hugetlb_file *f = t->in->priv;
	HB_FREE char *text =
		hb_strf("%d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, f->kind,
			f->shm, f->bytes, f->page, pmdshare_touched_pages(o), o->attach_pages,
			(uint64_t)(uintptr_t)p->addr);
	char *argv[] = {"hugebench-agent",
			"--exec",
			"pmdshare",
			clock_name()[0] == 't' ? "tsc" : "gettime",
			o->touched ? "sparse" : "whole",
			text,
			NULL};
	posix_spawn_file_actions_t fa;
	int rc;

	if (!text)
		return -ENOMEM;
	posix_spawn_file_actions_init(&fa);
	if (f->fd >= 0)
		posix_spawn_file_actions_adddup2(&fa, f->fd, 3);
	posix_spawn_file_actions_adddup2(&fa, socket, 4);
	rc = posix_spawn(pid, "/proc/self/exe", &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return -rc;
}

static ssize_t receive(int socket, void *packet, size_t size)
{
	ssize_t n;

	do
		n = recv(socket, packet, size, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Returns when it has said that it is ready: what executing it takes is not to be in the phase. */
static int server_start(struct task *t, struct hb_error *e)
{
	struct pmdshare_task *p = t->priv;
	int ends[2], theirs, ready, rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return hb_error_set(e, -errno, "socket: %s", strerror(errno));
	p->requests = ends[0];
	/* Out of the way of the descriptors that the new process expects. */
	theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, ATTACH_FD_MIN);
	rc = theirs < 0 ? -errno : server_spawn(t, theirs, &p->server);
	close(ends[1]);
	if (theirs >= 0)
		close(theirs);
	if (rc)
		return hb_error_set(e, rc, "cannot start a process: %s", strerror(-rc));
	if (receive(p->requests, &ready, sizeof(ready)) != sizeof(ready))
		return hb_error_set(e, -EIO, "a process that is to fork others has ended");
	return 0;
}

/* Its children end with their reports; it ends when nobody can ask any more. */
static void server_stop(struct pmdshare_task *p)
{
	close(p->requests);
	while (waitpid(p->server, NULL, 0) < 0 && errno == EINTR)
		;
}

static int pmdshare_task_init(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	struct pmdshare_task *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return hb_error_set(e, -ENOMEM, "no memory");
	t->priv = p;
	p->addr = task_addr(t->in, t->index);
	if (o->order == ORDER_RANDOM) {
		p->order = shuffled(t, pmdshare_touched_pages(o));
		if (!p->order)
			return hb_error_set(e, -ENOMEM, "no memory");
	}
	rc = touch_init(&p->touch, t, &pmdshare_touch_rows, e);
	if (rc || o->shape == SHAPE_REMAP)
		return rc;
	/* steady and attach hold a populated mapping all the time; attached processes share with
	 * it. */
	rc = o->shape == SHAPE_ATTACH ? server_start(t, e) : 0;
	rc = rc ? rc : pmdshare_map(t->in, p->addr, e);
	if (rc)
		return rc;
	p->mapped = 1;
	return touch_pages(&p->touch, p->addr, o->size, pmdshare_page_bytes(o), p->order,
			   pmdshare_touched_pages(o), e);
}

/* After a pass that began at @start (task_ticks()). */
static void rest(struct task *t, uint64_t start)
{
	const struct pmdshare_options *o = t->in->options;
	uint64_t most = task_ticks_to_ns(task_ticks() - start) * o->rest / 100;

	if (most)
		hb_sleep_until_ns(hb_now_ns() + task_random(t) % most);
}

static int remap_pass(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	struct pmdshare_task *p = t->priv;
	uint64_t start = task_ticks(), begin = start;
	int rc = pmdshare_map(t->in, p->addr, e);

	if (rc)
		return rc;
	task_latency(t, ROW_MMAP_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	rc = touch_pages(&p->touch, p->addr, o->size, pmdshare_page_bytes(o), p->order,
			 pmdshare_touched_pages(o), e);
	begin = task_ticks();
	if (hugetlb_file_unmap(t->in->priv, p->addr))
		return hb_error_set(e, -errno, "munmap: %s", strerror(errno));
	task_latency(t, ROW_MUNMAP_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	task_count(t, ROW_PASSES, 1);
	if (o->rest)
		rest(t, start);
	return rc;
}

static int steady_pass(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	struct pmdshare_task *p = t->priv;
	uint64_t n = pmdshare_touched_pages(o);
	uint32_t order[STEADY_TOUCHES];

	for (unsigned int i = 0; i < STEADY_TOUCHES; i++)
		order[i] = task_random(t) % n;
	return touch_pages(&p->touch, p->addr, o->size, pmdshare_page_bytes(o), order,
			   STEADY_TOUCHES, e);
}

static int count_report(struct task *t, const struct attach_report *r, struct hb_error *e)
{
	uint64_t floor = atomic_load(&t->in->target->floor);

	if (r->sigbus && r->sigbus_low < floor)
		return hb_error_set(e, -EFAULT,
				    "SIGBUS at offset %" PRIu64
				    " of an attached process, but the file was never that small",
				    r->sigbus_low);
	for (uint32_t i = 0; i < r->n; i++) {
		task_latency(t, r->touch[i].faults ? ROW_FAULT_LATENCY : ROW_TOUCH_LATENCY,
			     task_ticks_to_ns(r->touch[i].ticks));
		task_count(t, ROW_FAULTS, r->touch[i].faults);
		if (r->touch[i].faults > 1)
			task_count(t, ROW_REPEATED, r->touch[i].faults - 1);
	}
	task_count(t, ROW_TOUCHES, r->n + r->sigbus);
	task_count(t, ROW_SIGBUS, r->sigbus);
	task_latency(t, ROW_ATTACH_LATENCY, task_ticks_to_ns(r->total));
	return 0;
}

/* A process's report, if it lived to send one, and its wait status. */
static int read_report(int socket, struct attach_report *r, int *status)
{
	ssize_t n = receive(socket, r, sizeof(*r));

	if (n == sizeof(*r) && r->n <= ATTACH_MAX)
		return receive(socket, status, sizeof(*status)) == sizeof(*status) ? 0 : -EIO;
	if (n != sizeof(*status))
		return -EIO;
	memcpy(status, r, sizeof(*status));
	return *status ? 0 : -EIO;
}

static int attach_pass(struct task *t, struct hb_error *e)
{
	struct pmdshare_task *p = t->priv;
	uint64_t begin = task_ticks(), seed = task_random(t);
	struct attach_report r;
	int rc, status = 0;

	if (send(p->requests, &seed, sizeof(seed), MSG_NOSIGNAL) != sizeof(seed))
		return hb_error_set(e, -errno, "cannot ask for a process: %s", strerror(errno));
	rc = read_report(p->requests, &r, &status);
	task_latency(t, ROW_LIFE_LATENCY, task_ticks_to_ns(task_ticks() - begin));
	if (rc || status)
		return hb_error_set(e, -EIO, "an attached process failed (wait status %#x)",
				    status);
	task_count(t, ROW_PASSES, 1);
	return count_report(t, &r, e);
}

static int pmdshare_run(struct task *t, struct hb_error *e)
{
	const struct pmdshare_options *o = t->in->options;
	int (*const pass[])(struct task *, struct hb_error *) = {
		[SHAPE_REMAP] = remap_pass,
		[SHAPE_ATTACH] = attach_pass,
		[SHAPE_STEADY] = steady_pass,
	};
	int rc = 0;

	while (!rc && task_continue(t))
		rc = pass[o->shape](t, e);
	return rc;
}

static void pmdshare_task_exit(struct task *t)
{
	struct pmdshare_task *p = t->priv;

	if (p->server)
		server_stop(p);
	if (p->mapped)
		hugetlb_file_unmap(t->in->priv, p->addr);
	free(p->order);
	free(p);
}

/* Of an attached process, which is this workload's alone. */
static sigjmp_buf attach_past_end;

static void attach_on_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)context;
	if (si->si_code == BUS_ADRERR)
		siglongjmp(attach_past_end, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

/*
 * One timed touch at @offset; the faults it took. A place past the end of the file, which an
 * antagonist may have truncated, is no touch.
 */
static void attach_touch(struct attach_report *r, char *base, uint64_t offset)
{
	uint64_t at, before = touch_fault_count();

	if (sigsetjmp(attach_past_end, 0)) {
		if (!r->sigbus++ || offset < r->sigbus_low)
			r->sigbus_low = offset;
		return;
	}
	at = task_ticks();
	((volatile char *)base)[offset] = 1;
	r->touch[r->n].ticks = task_ticks() - at;
	r->touch[r->n++].faults = touch_fault_count() - before;
}

/* What all attached processes of a task have in common. */
struct attach_place {
	struct hugetlb_file file;
	uint64_t addr, npages, touches;
	bool sparse;
};

/* The attached process: map, touch, report, leave. */
static int attach(const struct attach_place *a, uint64_t rng)
{
	struct attach_report r = {0};
	uint64_t begin = task_ticks();

	if (hugetlb_file_map(&a->file, (void *)(uintptr_t)a->addr, 0, a->sparse, NULL))
		return 1;
	for (uint64_t i = 0; i < a->touches; i++) {
		rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
		attach_touch(&r, (char *)(uintptr_t)a->addr,
			     (rng >> 33) % a->npages * a->file.page);
	}
	r.total = task_ticks() - begin;
	return send(4, &r, sizeof(r), MSG_NOSIGNAL) == sizeof(r) ? 0 : 1;
}

/* The process that forks them, one at a time and each with the random seed that it is sent. */
static int server_main(int argc, char **argv)
{
	/* SA_NODEFER: siglongjmp() out of the handler does not have to restore the mask. */
	struct sigaction sa = {.sa_sigaction = attach_on_sigbus,
			       .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct attach_place a = {.file = {.fd = 3}};
	int kind, status = 0;
	uint64_t seed;

	if (argc != 4 ||
	    sscanf(argv[3], "%d %d %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &kind,
		   &a.file.shm, &a.file.bytes, &a.file.page, &a.npages, &a.touches, &a.addr) != 7 ||
	    a.touches > ATTACH_MAX || !a.npages || sigaction(SIGBUS, &sa, NULL))
		return 2;
	a.file.kind = kind;
	a.sparse = !strcmp(argv[2], "sparse");
	clock_choose(!strcmp(argv[1], "tsc"));
	/* The first packet says that this process is ready. */
	while (send(4, &status, sizeof(status), MSG_NOSIGNAL) == sizeof(status) &&
	       receive(4, &seed, sizeof(seed)) == sizeof(seed)) {
		pid_t pid = fork();

		if (!pid)
			_exit(attach(&a, seed));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
	}
	return 0;
}

static int pmdshare_report(struct instance *in, struct hb_error *e)
{
	return touch_report(in, &pmdshare_touch_rows, e);
}

static void pmdshare_teardown(struct instance *in)
{
	if (in->priv)
		hugetlb_file_close(in->priv);
	free(in->priv);
	in->priv = NULL;
}

static const struct workload_ops pmdshare_ops = {
	.abi = WORKLOAD_ABI,
	.name = "pmdshare",
	.summary = "tasks that fault in a file on huge pages through shared PMD tables",
	.role = ROLE_WORKLOAD,
	.options = pmdshare_options_rows,
	.options_size = sizeof(struct pmdshare_options),
	.metrics = pmdshare_metrics,
	.needs = hugetlb_needs,
	.huge_pages = pmdshare_huge_pages,
	.setup = pmdshare_setup,
	.task_init = pmdshare_task_init,
	.run = pmdshare_run,
	.task_exit = pmdshare_task_exit,
	.prove = pmdshare_prove,
	.report = pmdshare_report,
	.teardown = pmdshare_teardown,
	.exec = server_main,
};

WORKLOAD_REGISTER(pmdshare_ops);
