// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shape attach. An attached process is to be as a server's new one: small, and without a mapping of
 * the file. The task has it mapped, and to execute a program anew costs a hundred times what the
 * attaching does; so each task has a process, executed before the phase, that forks them. It gets
 * the file as descriptor 3 and the socket as 4.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/clock.h"
#include "workloads/pmdshare/pmdshare.h"

#define ATTACH_MAX    512
#define ATTACH_FD_MIN 10

/* What an attached process found, a packet to its task. */
struct attach_report {
	uint64_t begin;	     /* task_ticks(), before mapping */
	uint64_t total;	     /* ticks from mapping to the last touch */
	uint64_t sigbus_low; /* the lowest offset that was past the end of the file */
	uint32_t n, sigbus;  /* touches; others that were past the end */
	pid_t pid;
	struct {
		uint64_t ticks;
		uint32_t faults;
		uint32_t end; /* ticks behind begin */
	} touch[ATTACH_MAX];
};

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

int pmdshare_server_start(struct task *t, struct hb_error *e)
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

void pmdshare_server_stop(struct pmdshare_task *p)
{
	close(p->requests);
	while (waitpid(p->server, NULL, 0) < 0 && errno == EINTR)
		;
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
		task_latency_of(t, r->touch[i].faults ? ROW_FAULT_LATENCY : ROW_TOUCH_LATENCY,
				task_ticks_to_ns(r->touch[i].ticks), r->begin + r->touch[i].end,
				r->pid);
		task_count(t, ROW_FAULTS, r->touch[i].faults);
		if (r->touch[i].faults > 1)
			task_count(t, ROW_REPEATED, r->touch[i].faults - 1);
	}
	task_count(t, ROW_TOUCHES, r->n + r->sigbus);
	task_count(t, ROW_SIGBUS, r->sigbus);
	task_latency_of(t, ROW_ATTACH_LATENCY, task_ticks_to_ns(r->total), r->begin + r->total,
			r->pid);
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

int pmdshare_attach_pass(struct task *t, struct hb_error *e)
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
	uint64_t at, end, before = touch_fault_count();

	if (sigsetjmp(attach_past_end, 0)) {
		if (!r->sigbus++ || offset < r->sigbus_low)
			r->sigbus_low = offset;
		return;
	}
	at = task_ticks();
	((volatile char *)base)[offset] = 1;
	end = task_ticks();
	r->touch[r->n].ticks = end - at;
	r->touch[r->n].end = end - r->begin;
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
	struct attach_report r = {.pid = getpid()};

	r.begin = task_ticks();
	if (hugetlb_file_map(&a->file, (void *)(uintptr_t)a->addr, 0, a->sparse, NULL))
		return 1;
	for (uint64_t i = 0; i < a->touches; i++) {
		rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
		attach_touch(&r, (char *)(uintptr_t)a->addr,
			     (rng >> 33) % a->npages * a->file.page);
	}
	r.total = task_ticks() - r.begin;
	return send(4, &r, sizeof(r), MSG_NOSIGNAL) == sizeof(r) ? 0 : 1;
}

int pmdshare_server_main(int argc, char **argv)
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
