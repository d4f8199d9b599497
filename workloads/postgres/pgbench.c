// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log goes through a pseudo terminal for every thread, not through a FIFO: stdio flushes a
 * FIFO every 4 KiB, that is about every hundred transactions, which leaves a slow load without a
 * sign of life for many seconds; on a terminal every line comes at once. pgbench opens
 * "PREFIX.PID" and "PREFIX.PID.THREAD", so these are links to the terminals.
 *
 * pgbench is told a run without end and stopped with SIGALRM, which is its own way of noticing
 * that -T is over: the phases of the cell decide, to the millisecond.
 */
#include "workloads/postgres/pgbench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "workloads/postgres/spawn.h"

#define OUTPUT_MAX (PGBENCH_OUTPUT - 1)
#define ARGS_MAX   64

struct output {
	int fd;
	size_t used;
	bool cut; /* more than OUTPUT_MAX came */
	char text[OUTPUT_MAX + 1];
};

struct log {
	int master, slave;
	char *link;
	struct pg_log_stream stream;
};

struct pgbench {
	pid_t pid;
	int ended, status;
	bool eof; /* the terminals have no writer any more */
	struct pg_expect expect;
	unsigned int threads;
	struct output out, err;
	struct log log[PGBENCH_THREADS];
};

/* Close once: pgbench_free() comes by again. */
static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int terminal_open(struct log *l, const struct pgbench_config *c, struct hb_error *e)
{
	struct termios raw;
	char name[64];
	int err;

	l->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (l->master < 0 || grantpt(l->master) || unlockpt(l->master))
		return hb_error_set(e, -errno, "no pseudo terminal for pgbench's log: %m");
	err = ptsname_r(l->master, name, sizeof(name));
	if (err)
		return hb_error_set(e, -err, "no name of a pseudo terminal");
	l->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (l->slave < 0 || tcgetattr(l->slave, &raw))
		return hb_error_set(e, -errno, "%s: %m", name);
	cfmakeraw(&raw);
	if (tcsetattr(l->slave, TCSANOW, &raw))
		return hb_error_set(e, -errno, "%s: cannot make it raw: %m", name);
	if (geteuid() != c->uid && fchown(l->slave, c->uid, c->gid))
		return hb_error_set(e, -errno, "%s: cannot give it to uid %u: %m", name, c->uid);
	l->stream.lag = c->rate > 0;
	return 0;
}

static int terminal_link(struct log *l, const char *directory, pid_t pid, unsigned int thread,
			 struct hb_error *e)
{
	char name[64];
	int err = ptsname_r(l->master, name, sizeof(name));

	if (err)
		return hb_error_set(e, -err, "no name of a pseudo terminal");
	l->link = thread ? hb_strf("%s/log.%d.%u", directory, pid, thread)
			 : hb_strf("%s/log.%d", directory, pid);
	if (!l->link)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (symlink(name, l->link))
		return hb_error_set(e, -errno, "cannot create %s: %m", l->link);
	return 0;
}

/* Numbers of the command line, kept until the exec. */
struct numbers {
	char clients[16], threads[16], rate[32], limit[32], seed[32], prefix[128], scale[40];
};

static int arguments(const struct pgbench_config *c, struct numbers *n, const char **argv,
		     struct hb_error *e)
{
	unsigned int i = 0;

	snprintf(n->clients, sizeof(n->clients), "%u", c->clients);
	snprintf(n->threads, sizeof(n->threads), "%u", c->threads);
	snprintf(n->rate, sizeof(n->rate), "%.6f", c->rate);
	snprintf(n->limit, sizeof(n->limit), "%.3f", c->latency_limit_ns / 1e6);
	snprintf(n->seed, sizeof(n->seed), "%" PRIu64, c->seed);
	snprintf(n->scale, sizeof(n->scale), "scale=%" PRIu64, c->scale);
	if ((size_t)snprintf(n->prefix, sizeof(n->prefix), "--log-prefix=%s/log", c->directory) >=
	    sizeof(n->prefix))
		return hb_error_set(e, -ENAMETOOLONG, "%s: too long a path", c->directory);
	/* -P beyond the end of the run: no progress lines, but the standard deviation is computed.
	 */
	const char *const common[] = {
		c->program,
		"-n",
		"-r",
		"-l",
		n->prefix,
		"-h",
		c->directory,
		"-U",
		"postgres",
		"-T",
		"1000000",
		"-P",
		"1000000",
		"-c",
		n->clients,
		"-j",
		n->threads,
		"-M",
		c->prepared ? "prepared" : "simple",
		"--random-seed",
		n->seed,
		"-D",
		n->scale,
	};
	for (; i < ARRAY_SIZE(common); i++)
		argv[i] = common[i];
	if (c->connect)
		argv[i++] = "-C";
	if (c->rate > 0) {
		argv[i++] = "-R";
		argv[i++] = n->rate;
	}
	if (c->latency_limit_ns) {
		argv[i++] = "-L";
		argv[i++] = n->limit;
	}
	for (const char *const *s = c->scripts; *s; s++) {
		if (i >= ARGS_MAX - 2)
			return hb_error_set(e, -E2BIG, "too many scripts for pgbench");
		argv[i++] = *s;
	}
	argv[i++] = "postgres";
	argv[i] = NULL;
	return 0;
}

static void expectations(struct pg_expect *x, const struct pgbench_config *c)
{
	*x = (struct pg_expect){
		.clients = c->clients,
		.threads = c->threads,
		.connect = c->connect,
		.rate = c->rate > 0,
		.latency_limit = c->latency_limit_ns > 0,
		.stddev = true,
		.statements = true,
	};
	for (const char *const *s = c->scripts; *s; s += 2)
		x->nscripts++;
}

static int nonblocking_pipe(int *read_end, int *write_end, struct hb_error *e)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return hb_error_set(e, -errno, "pipe: %m");
	*read_end = fd[0];
	*write_end = fd[1];
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0)
		return hb_error_set(e, -errno, "fcntl: %m");
	return 0;
}

static int launch(struct pgbench *p, const struct pgbench_config *c, const char *const *argv,
		  struct hb_error *e)
{
	const char *const envp[] = {"LC_ALL=C", "TZ=UTC", c->environment, NULL};
	HB_CLOSE int out = -1, errfd = -1, gate_read = -1, gate_write = -1;
	int gate[2], err;

	err = nonblocking_pipe(&p->out.fd, &out, e);
	if (!err)
		err = nonblocking_pipe(&p->err.fd, &errfd, e);
	if (err)
		return err;
	if (pipe2(gate, O_CLOEXEC))
		return hb_error_set(e, -errno, "pipe: %m");
	gate_read = gate[0];
	gate_write = gate[1];
	p->pid = pg_spawn(&(struct pg_spawn){.argv = argv,
					     .envp = envp,
					     .uid = c->uid,
					     .gid = c->gid,
					     .out = out,
					     .err = errfd,
					     .gate = gate_read,
					     .death = SIGKILL},
			  e);
	if (p->pid < 0)
		return p->pid;
	/* The links carry the child's pid: it waits for them at the gate. */
	for (unsigned int i = 0; i < p->threads && !err; i++)
		err = terminal_link(&p->log[i], c->directory, p->pid, i, e);
	if (!err && write(gate_write, "", 1) != 1)
		err = hb_error_set(e, -errno, "cannot release pgbench: %m");
	return err;
}

int pgbench_start(const struct pgbench_config *c, struct pgbench **result, struct hb_error *e)
{
	const char *argv[ARGS_MAX];
	struct numbers numbers;
	struct pgbench *p;
	int err;

	if (!c->threads || c->threads > PGBENCH_THREADS || c->threads > c->clients)
		return hb_error_set(e, -EINVAL,
				    "jobs must be 1 to the number of clients, at most %d",
				    PGBENCH_THREADS);
	p = calloc(1, sizeof(*p));
	if (!p)
		return hb_error_set(e, -ENOMEM, "no memory for pgbench");
	p->pid = p->out.fd = p->err.fd = -1;
	p->threads = c->threads;
	for (unsigned int i = 0; i < p->threads; i++)
		p->log[i].master = p->log[i].slave = -1;
	expectations(&p->expect, c);
	err = arguments(c, &numbers, argv, e);
	for (unsigned int i = 0; i < p->threads && !err; i++)
		err = terminal_open(&p->log[i], c, e);
	if (!err)
		err = launch(p, c, argv, e);
	if (err) {
		pgbench_free(p);
		return err;
	}
	*result = p;
	return 0;
}

/* Read what is there; 1 when there may be more, 0 for nothing now, -EPIPE at the end. */
static int output_read(struct output *o)
{
	ssize_t n;

	if (o->used == OUTPUT_MAX) {
		/* Keep the end: that is where a failure is told. */
		memmove(o->text, o->text + OUTPUT_MAX / 2, OUTPUT_MAX / 2);
		o->used = OUTPUT_MAX / 2;
		o->cut = true;
	}
	n = read(o->fd, o->text + o->used, OUTPUT_MAX - o->used);
	if (n > 0) {
		o->used += n;
		o->text[o->used] = '\0';
		return 1;
	}
	return n == 0 ? -EPIPE : errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* As output_read(); -EIO is how a terminal says that its last writer is gone. */
static int log_read(struct log *l, pg_log_fn fn, void *arg, struct hb_error *e)
{
	char buf[4096];
	ssize_t n = read(l->master, buf, sizeof(buf));
	int err;

	if (n > 0) {
		err = pg_log_feed(&l->stream, buf, n, fn, arg, e);
		return err ? err : 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return -EIO;
}

/* Everything that is there now. @last: until the last writer's end. */
static int drain(struct pgbench *p, bool last, pg_log_fn fn, void *arg, struct hb_error *e)
{
	int got;

	for (unsigned int i = 0; i < p->threads; i++) {
		do {
			got = log_read(&p->log[i], fn, arg, e);
			if (got < 0 && got != -EIO)
				return got;
		} while (got > 0 || (last && got == 0));
		if (last) {
			got = pg_log_end(&p->log[i].stream, e);
			if (got)
				return got;
		}
	}
	while (output_read(&p->out) > 0 || output_read(&p->err) > 0)
		;
	return 0;
}

static void wait_input(struct pgbench *p, int timeout_ms)
{
	struct pollfd fds[PGBENCH_THREADS];

	for (unsigned int i = 0; i < p->threads; i++)
		fds[i] = (struct pollfd){.fd = p->log[i].master, .events = POLLIN};
	poll(fds, p->threads, timeout_ms);
}

int pgbench_pump(struct pgbench *p, int timeout_ms, pg_log_fn fn, void *arg, struct hb_error *e)
{
	pid_t reaped;
	int err;

	if (p->eof)
		return 0;
	wait_input(p, timeout_ms);
	err = drain(p, false, fn, arg, e);
	if (err)
		return err;
	reaped = waitpid(p->pid, &p->status, WNOHANG);
	if (reaped < 0)
		return hb_error_set(e, -errno, "waiting for pgbench: %m");
	if (!reaped)
		return 1;
	p->ended = 1;
	/* Ours were the last open ends: what was written is read, then the terminal reports its
	 * end. */
	for (unsigned int i = 0; i < p->threads; i++)
		fd_close(&p->log[i].slave);
	err = drain(p, true, fn, arg, e);
	if (err)
		return err;
	p->eof = true;
	return 0;
}

void pgbench_stop(struct pgbench *p)
{
	if (p->pid > 0 && !p->ended)
		kill(p->pid, SIGALRM);
}

pid_t pgbench_pid(const struct pgbench *p)
{
	return p->pid;
}

/* The last lines of what it said, for a message. */
static const char *last_words(const struct output *o)
{
	return pg_last_lines(o->text, 400);
}

int pgbench_finish(struct pgbench *p, struct pg_summary *s, struct hb_error *e)
{
	if (!p->eof)
		return hb_error_set(e, -EBUSY, "pgbench still runs");
	/* Until it catches the signal it dies of it. */
	if (WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGALRM)
		return hb_error_set(e, -ENODATA, "pgbench was stopped before its load began");
	if (WIFSIGNALED(p->status))
		return hb_error_set(e, -ECHILD, "pgbench was killed by signal %d: %s",
				    WTERMSIG(p->status), last_words(&p->err));
	if (WEXITSTATUS(p->status))
		return hb_error_set(e, -ECHILD, "pgbench failed with exit status %d: %s",
				    WEXITSTATUS(p->status), last_words(&p->err));
	if (p->out.cut)
		return hb_error_set(e, -EFBIG, "pgbench's summary is longer than %d bytes",
				    OUTPUT_MAX);
	return pg_summary_parse(p->out.text, &p->expect, s, e);
}

const char *pgbench_output(const struct pgbench *p)
{
	return p->out.text;
}

void pgbench_free(struct pgbench *p)
{
	if (!p)
		return;
	if (p->pid > 0 && !p->ended) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	for (unsigned int i = 0; i < p->threads; i++) {
		fd_close(&p->log[i].master);
		fd_close(&p->log[i].slave);
		if (p->log[i].link)
			unlink(p->log[i].link);
		free(p->log[i].link);
	}
	fd_close(&p->out.fd);
	fd_close(&p->err.fd);
	free(p);
}
