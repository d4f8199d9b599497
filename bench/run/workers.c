// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/exit_status.h"
#include "bench/run/workers.h"

#define POLL_MS 250

/* What a worker writes into its pipe: how far it is, at last how it ended. Shorter than PIPE_BUF,
 * so that it comes whole. */
struct news {
	int ended; /* 0: more will come */
	int rc;
	char phase[sizeof(((struct progress_cell *)0)->phase)];
	char figure[sizeof(((struct progress_cell *)0)->figure)];
	struct hb_error error;
};

/* Written by the signal handler alone. */
static volatile int interrupted;

static void on_signal(int sig)
{
	(void)sig;
	if (interrupted++)
		_exit(EXIT_INT); /* workers and guests die with us */
}

int workers_signals(struct hb_error *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		if (sigaction(signals[i], &sa, &old))
			return hb_error_set(e, -errno, "sigaction: %s", strerror(errno));
		/* nohup has its way. */
		if (signals[i] == SIGHUP && old.sa_handler == SIG_IGN)
			signal(SIGHUP, SIG_IGN);
	}
	/* Who reads our output may go before the run is written down. */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

const volatile int *workers_interrupt_flag(void)
{
	return &interrupted;
}

bool workers_interrupted(void)
{
	return interrupted;
}

/* Progress, frames and histograms cost time too: not on a CPU that a vCPU has to itself. */
static void step_aside(struct workers *ws)
{
	const cpu_set_t *others = &ws->run->placement.others;

	ws->aside = CPU_COUNT(others) && !sched_getaffinity(0, sizeof(ws->before), &ws->before) &&
		    !sched_setaffinity(0, sizeof(*others), others);
}

int workers_open(const struct run *r, struct progress *p, struct workers *ws, struct hb_error *e)
{
	int rc = 0;

	*ws = (struct workers){.run = r, .progress = p, .w = calloc(r->jobs, sizeof(*ws->w))};
	if (!ws->w)
		return hb_error_set(e, -ENOMEM, "no memory");
	for (; ws->n < r->jobs && !rc; ws->n++) {
		struct memory *m = &ws->w[ws->n].memory;

		/* Mode exact begins with empty memory each time, which QEMU gets page by page. */
		if (!run_has_guest(r) || run_vm_mode(r) == VM_EXACT)
			continue;
		rc = memory_open(&r->placement, r->size.nodes, r->size.memory, &interrupted, m, e);
		if (!rc && !ws->n)
			progress_note(p, "guest memory: %u x %s", r->jobs, m->text);
		if (!rc && !ws->n && r->placement.unbound && run_vm_mode(r) == VM_KVM)
			progress_note(p, "memory of other nodes shows in the figures: %s",
				      r->placement.text);
		if (!rc && !ws->n && !m->huge && run_vm_mode(r) == VM_KVM)
			progress_note(
				p,
				"the host's 4 KiB pages cost the guest TLB misses that a "
				"server's own memory has not; mend: sysctl vm.nr_hugepages=%llu",
				(unsigned long long)r->size.memory >> 21);
	}
	if (!rc)
		step_aside(ws);
	return rc;
}

void workers_close(struct workers *ws)
{
	if (ws->aside)
		sched_setaffinity(0, sizeof(ws->before), &ws->before);
	for (unsigned int i = 0; i < ws->n; i++) {
		memory_close(&ws->w[i].memory);
		json_decref(ws->w[i].planned);
	}
	free(ws->w);
	*ws = (struct workers){0};
}

struct worker *workers_idle(struct workers *ws)
{
	for (unsigned int i = 0; i < ws->n; i++)
		if (!ws->w[i].pid)
			return &ws->w[i];
	return NULL;
}

bool workers_busy(const struct workers *ws)
{
	for (unsigned int i = 0; i < ws->n; i++)
		if (ws->w[i].pid)
			return true;
	return false;
}

/* In the worker: a session_progress callback. */
static void tell_progress(void *arg, const char *phase, const json_t *frame)
{
	struct worker *w = arg;
	struct news news = {.ended = 0};

	progress_frame(&w->cell, phase, frame);
	memcpy(news.phase, w->cell.phase, sizeof(news.phase));
	memcpy(news.figure, w->cell.figure, sizeof(news.figure));
	hb_write_all(w->news, &news, sizeof(news));
}

/* In the worker: the whole of its life. */
static void work(const struct workers *ws, struct worker *w)
{
	struct run_boot b = {
		.planned = w->cell.planned,
		.memory_fd = w->memory.nodes ? w->memory.fd : NULL,
		.interrupted = &interrupted,
		.progress = tell_progress,
		.progress_arg = w,
	};
	struct news news = {.ended = 1};

	news.rc = run_cell(ws->run, &b, &news.error);
	hb_write_all(w->news, &news, sizeof(news));
	_exit(EXIT_OK);
}

/* Fork with signals blocked: one that comes in between is for the worker to see, and once. */
static pid_t worker_fork(void)
{
	pid_t parent = getpid(), pid;
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (!pid) {
		interrupted = 0;
		if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
			_exit(EXIT_HOST);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

int workers_start(struct workers *ws, struct worker *w, size_t at, struct hb_error *e)
{
	int pipe_fd[2];

	json_decref(w->planned);
	w->planned = plan_boot(ws->run->plan, at);
	if (!w->planned)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (pipe2(pipe_fd, O_CLOEXEC))
		return hb_error_set(e, -errno, "pipe: %s", strerror(errno));
	progress_begin(ws->progress, &w->cell, w->planned);
	w->at = at;
	w->pid = worker_fork();
	w->news = w->pid ? pipe_fd[0] : pipe_fd[1];
	close(w->pid ? pipe_fd[1] : pipe_fd[0]);
	if (!w->pid)
		work(ws, w);
	if (w->pid > 0)
		return 0;
	close(w->news);
	w->pid = 0;
	return hb_error_set(e, -errno, "cannot start a process: fork: %s", strerror(errno));
}

void workers_interrupt(struct workers *ws)
{
	for (unsigned int i = 0; i < ws->n && !ws->interrupting; i++)
		if (ws->w[i].pid)
			kill(ws->w[i].pid, SIGTERM);
	ws->interrupting = true;
}

/* The process is gone, or about to: with @news, or without a word. */
static int worker_end(struct worker *w, const struct news *news, struct hb_error *e)
{
	int status = 0;

	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
	close(w->news);
	if (news && news->rc)
		return hb_error_set(e, news->rc, "%s", news->error.text);
	if (news)
		return 0;
	return hb_error_set(e, -EIO, "the process of cell %s died (%s %d)",
			    json_text(w->cell.planned, "id"),
			    WIFSIGNALED(status) ? "signal" : "exit status",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* One piece of news: 1 when the worker goes on, else as workers_wait(). */
static int worker_hear(struct worker *w, struct hb_error *e)
{
	struct news news;
	ssize_t n = read(w->news, &news, sizeof(news));

	if (n < 0 && errno == EINTR)
		return 1;
	if (n != sizeof(news) || news.ended)
		return worker_end(w, n == sizeof(news) ? &news : NULL, e);
	memcpy(w->cell.phase, news.phase, sizeof(news.phase));
	memcpy(w->cell.figure, news.figure, sizeof(news.figure));
	return 1;
}

static void show(const struct workers *ws)
{
	const struct progress_cell *running[ws->n];
	size_t n = 0;

	for (unsigned int i = 0; i < ws->n; i++)
		if (ws->w[i].pid)
			running[n++] = &ws->w[i].cell;
	progress_live(ws->progress, running, n);
}

/* The first worker that has something to say within POLL_MS, or NULL. */
static struct worker *workers_poll(struct workers *ws)
{
	struct pollfd fds[ws->n];

	for (unsigned int i = 0; i < ws->n; i++)
		fds[i] = (struct pollfd){ws->w[i].pid ? ws->w[i].news : -1, POLLIN, 0};
	if (poll(fds, ws->n, POLL_MS) <= 0)
		return NULL;
	for (unsigned int i = 0; i < ws->n; i++)
		if (fds[i].revents)
			return &ws->w[i];
	return NULL;
}

int workers_wait(struct workers *ws, struct worker **done, struct hb_error *e)
{
	int rc;

	do {
		show(ws);
		*done = workers_poll(ws);
		if (interrupted)
			workers_interrupt(ws);
		rc = *done ? worker_hear(*done, e) : 1;
	} while (rc > 0);
	return rc;
}
