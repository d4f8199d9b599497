// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The proof is a process of our own that maps like a task and touches one page per GiB: with
 * sharing its page table has the entries that the tasks made (Shared_Hugetlb + Private_Hugetlb of
 * smaps), though its own faults mapped next to none (HugetlbPages of status). Without sharing the
 * two agree.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/pmdshare/pmdshare.h"

#define PROBE_NS	(5 * NSEC_PER_SEC)
#define PROBE_INSN	120000000ULL
#define PROBE_TRIES_MIN 3
#define PROBE_LOOKS	20
#define PROBE_PAUSE_NS	2500000ULL

/* Pages that the probe touches. One that it loses between its two looks is counted once only. */
static uint64_t probed_pages(const struct pmdshare_options *o)
{
	return (pmdshare_touched_bytes(o) + HUGETLB_1G - 1) / HUGETLB_1G;
}

static bool sees_others(const struct pmdshare_options *o, const struct hugetlb_usage *u)
{
	return u->smaps_kb > u->status_kb + probed_pages(o) * (pmdshare_page_bytes(o) >> 10);
}

/*
 * A process that maps like task 0 and touches the first page of every GiB; what it sees goes into
 * the pipe. Beside hole punching tables are taken away and empty most of the time: it looks again,
 * not after @until: in mode exact a look has taken 270 ms of the guest's clock.
 */
static int probe_child(const struct instance *in, uint64_t until, int fd)
{
	const struct pmdshare_options *o = in->options;
	char *addr = in->target->addr;
	struct hugetlb_usage before, u;

	/* The agent's own attachment of a System V segment is inherited. */
	if (hugetlb_usage_read(0, addr, o->size, &before, NULL) || pmdshare_map(in, addr, NULL))
		return 1;
	for (unsigned int look = 0; !look || (look < PROBE_LOOKS && hb_now_ns() < until); look++) {
		if (look)
			hb_sleep_until_ns(hb_now_ns() + PROBE_PAUSE_NS);
		for (uint64_t at = 0; at < pmdshare_touched_bytes(o); at += HUGETLB_1G)
			((volatile char *)addr)[at] = 1;
		if (hugetlb_usage_read(0, addr, o->size, &u, NULL))
			return 1;
		u.status_kb -= before.status_kb < u.status_kb ? before.status_kb : u.status_kb;
		if (sees_others(o, &u))
			break;
	}
	return hb_write_all(fd, &u, sizeof(u)) ? 1 : 0;
}

/* 0 and *@u; -EAGAIN: the probe fell into a truncated part and died of its SIGBUS. */
static int probe(const struct instance *in, uint64_t until, struct hugetlb_usage *u,
		 struct hb_error *e)
{
	HB_CLOSE int out = -1;
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return hb_error_set(e, -errno, "pipe: %s", strerror(errno));
	out = fd[0];
	pid = fork();
	if (!pid)
		_exit(probe_child(in, until, fd[1]));
	close(fd[1]);
	if (pid < 0)
		return hb_error_set(e, -errno, "fork: %s", strerror(errno));
	n = read(out, u, sizeof(*u));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		return -EAGAIN;
	if (status || n != sizeof(*u))
		return hb_error_set(
			e, -EIO,
			"the process that looks for shared tables failed (wait status %#x)",
			status);
	return 0;
}

/* A machine of mode exact is slower by its own clock; the watchdog waits longer than this. */
static uint64_t probe_ns(const struct cell *cell)
{
	return cell->exact ? PROBE_INSN * task_clock.insn_ns : PROBE_NS;
}

static int prove_shared(struct instance *in, uint64_t until, struct hugetlb_usage *best,
			struct hb_error *e)
{
	const struct pmdshare_options *o = in->options;
	unsigned int tries = 0;

	/* Tasks of shape remap hold a populated table only part of the time. */
	while (tries < PROBE_TRIES_MIN || hb_now_ns() < until) {
		struct hugetlb_usage u = {0};
		int rc = probe(in, until, &u, e);

		tries++;
		if (rc && rc != -EAGAIN)
			return rc;
		if (!rc && u.smaps_kb > u.status_kb &&
		    u.smaps_kb - u.status_kb > best->smaps_kb - best->status_kb)
			*best = u;
		if (sees_others(o, best))
			return 0;
		hb_sleep_until_ns(hb_now_ns() + PROBE_PAUSE_NS);
	}
	return hb_error_set(e, -ENODATA,
			    "no PMD table was shared: a process that maps like the tasks has no "
			    "entries of theirs in %u tries",
			    tries);
}

int pmdshare_prove(struct instance *in, struct hb_error *e)
{
	const struct pmdshare_options *o = in->options;
	uint64_t until = hb_now_ns() + probe_ns(in->cell);
	struct hugetlb_usage u = {0};
	int rc;

	if (o->private || o->page_size)
		return 0;
	rc = o->aligned ? prove_shared(in, until, &u, e) : probe(in, until, &u, e);
	if (rc == -EAGAIN || (!rc && !o->aligned && u.smaps_kb == u.status_kb)) {
		instance_note(in, "proof",
			      "not shared: smaps %" PRIu64 " kB, HugetlbPages %" PRIu64 " kB",
			      u.smaps_kb, u.status_kb);
		return 0;
	}
	if (rc)
		return rc;
	instance_note(
		in, "proof",
		"a process that mapped like the tasks and touched a page per GiB: smaps %" PRIu64
		" kB, HugetlbPages %" PRIu64 " kB",
		u.smaps_kb, u.status_kb);
	instance_gauge(in, ROW_SHARED, ((double)u.smaps_kb - u.status_kb) / 1024);
	if (!o->aligned)
		return hb_error_set(e, -EINVAL, "PMD tables are shared although aligned = no");
	return 0;
}
