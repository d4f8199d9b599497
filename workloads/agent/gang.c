// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/gang.h"

#include <fcntl.h>
#include <numa.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads/agent/contract.h"

#define POLL_NS	     2000000ULL
#define KILL_WAIT_NS NSEC_PER_SEC
/* Share of fixed work that a task does before it counts. */
#define WORK_WARMUP_DIVISOR 8
#define EXIT_TASK_FAILED    1

static bool is_hist(const struct metric_row *row)
{
	return row->kind == METRIC_HIST;
}

static size_t shared_size(const struct cell *cell, unsigned int *ntasks)
{
	size_t bytes = sizeof(struct cell_shared) + CACHE_LINE;

	*ntasks = 0;
	for (unsigned int i = 0; i < cell->ninstances; i++) {
		const struct instance *in = &cell->instances[i];
		size_t one = sizeof(struct task_shared);

		for (const struct metric_row *m = in->ops->metrics; m->name; m++)
			one += is_hist(m) ? sizeof(struct hist) + CACHE_LINE : 0;
		one += cell->logged ? sizeof(struct task_log) + CACHE_LINE : 0;
		bytes += sizeof(struct target) + CACHE_LINE + one * in->ntasks;
		*ntasks += in->ntasks;
	}
	return bytes;
}

/* Hand out zeroed, cache-aligned pieces of the shared mapping; shared_size() has counted them. */
static void *carve(char **at, size_t bytes)
{
	void *p = *at;

	*at += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	return p;
}

static struct task_shared *carve_task(char **at, const struct workload_ops *ops)
{
	struct task_shared *s = carve(at, sizeof(*s));
	unsigned int row = 0;

	for (const struct metric_row *m = ops->metrics; m->name; m++, row++)
		s->hist[row] = is_hist(m) ? carve(at, sizeof(struct hist)) : NULL;
	return s;
}

/* Memory alone, as of a CXL device, does not run a task. */
static bool node_runs_tasks(int node)
{
	struct bitmask *cpus = numa_allocate_cpumask();
	bool runs = numa_bitmask_isbitset(numa_all_nodes_ptr, node) &&
		    !numa_node_to_cpus(node, cpus) && numa_bitmask_weight(cpus);

	numa_free_cpumask(cpus);
	return runs;
}

static int placement_nodes(struct gang *g, const char *nodes, struct hb_error *e)
{
	char *end;
	long one;

	if (!strcmp(nodes, "any"))
		return 0;
	if (numa_available() < 0)
		return strcmp(nodes, "spread")
			       ? hb_error_set(e, -EINVAL, "nodes = %s: the kernel has no NUMA",
					      nodes)
			       : 0;
	if (!strcmp(nodes, "spread")) {
		for (int n = 0; n <= numa_max_node() && g->nnodes < ARRAY_SIZE(g->node); n++)
			if (node_runs_tasks(n))
				g->node[g->nnodes++] = n;
		return 0;
	}
	one = strtol(nodes, &end, 10);
	if (*end || end == nodes || one < 0 || one > numa_max_node() || !node_runs_tasks(one))
		return hb_error_set(
			e, -EINVAL,
			"nodes = %s: neither spread, any, nor a node with memory and CPUs", nodes);
	g->node[g->nnodes++] = one;
	return 0;
}

int gang_prepare(struct gang *g, struct cell *cell, struct hb_error *e)
{
	char *at;

	*g = (struct gang){.cell = cell, .gun = {-1, -1}, .ready = {-1, -1}};
	g->shared_bytes = shared_size(cell, &g->ntasks);
	g->process = calloc(g->ntasks ? g->ntasks : 1, sizeof(*g->process));
	g->shared = mmap(NULL, g->shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (g->shared == MAP_FAILED)
		g->shared = NULL;
	if (!g->shared || !g->process)
		return hb_error_set(e, -ENOMEM, "no memory for the figures of %u tasks", g->ntasks);
	if (pipe2(g->gun, O_CLOEXEC) || pipe2(g->ready, O_CLOEXEC))
		return hb_error_set(e, -errno, "pipe: %s", strerror(errno));
	at = g->shared;
	cell->shared = carve(&at, sizeof(*cell->shared));
	for (unsigned int i = 0; i < cell->ninstances; i++) {
		struct instance *in = &cell->instances[i];

		in->target = carve(&at, sizeof(*in->target));
		in->target->fd = -1;
		atomic_store(&in->target->floor, UINT64_MAX);
		in->task = calloc(in->ntasks + 1, sizeof(void *));
		if (!in->task)
			return hb_error_set(e, -ENOMEM, "no memory");
		for (unsigned int k = 0; k < in->ntasks; k++) {
			in->task[k] = carve_task(&at, in->ops);
			in->task[k]->log =
				cell->logged ? carve(&at, sizeof(struct task_log)) : NULL;
		}
	}
	return 0;
}

/* Whole nodes, not single CPUs: a task that shares its CPU with an antagonist can move within the
 * node. */
static int task_place(const struct gang *g, unsigned int order, struct hb_error *e)
{
	int node = g->nnodes ? g->node[order % g->nnodes] : -1;

	return node >= 0 && numa_run_on_node(node)
		       ? hb_error_set(e, -errno, "cannot run on node %d: %s", node, strerror(errno))
		       : 0;
}

static void figures_reset(struct task_shared *s)
{
	for (unsigned int i = 0; i < TASK_COUNTERS; i++)
		if (s->hist[i])
			hist_reset(s->hist[i]);
}

/* The scratch figures, and every page of both written once: none is faulted in while we measure. */
static int task_figures(struct task *t, struct hb_error *e)
{
	const struct workload_ops *ops = t->in->ops;
	size_t bytes = sizeof(struct task_shared) + CACHE_LINE;
	char *at;

	for (const struct metric_row *m = ops->metrics; m->name; m++)
		bytes += is_hist(m) ? sizeof(struct hist) + CACHE_LINE : 0;
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		  -1, 0);
	if (at == MAP_FAILED)
		return hb_error_set(e, -ENOMEM, "no memory for the scratch figures");
	t->scratch = carve_task(&at, ops);
	figures_reset(t->scratch);
	figures_reset(t->live);
	if (t->live->log)
		memset(t->live->log, 0, sizeof(*t->live->log));
	t->shared = t->scratch;
	return 0;
}

static int wait_gun(const struct gang *g)
{
	struct pollfd p = {.fd = g->gun[0], .events = POLLIN};

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	/* The agent died or gave up: its end is closed without a byte. */
	return p.revents & POLLIN ? 0 : -EPIPE;
}

static void task_failed(struct task_shared *s, int rc, const struct hb_error *e)
{
	snprintf(s->error, sizeof(s->error), "%.*s", (int)sizeof(s->error) - 1,
		 e->text[0] ? e->text : strerror(-rc));
	atomic_store(&s->exit_code, rc);
}

/* One task from its start to its end; @order counts the tasks of the whole cell. */
static void task_main(const struct gang *g, struct instance *in, unsigned int index,
		      unsigned int order)
{
	struct task t = {.in = in, .index = index, .live = in->task[index], .phase = PHASE_WARMUP};
	struct hb_error e = {""};
	char name[16];
	int rc;

	/* Seen in the stacks of a hang; longer names are cut off. */
	snprintf(name, sizeof(name), "%u-%s", index, in->ops->name);
	prctl(PR_SET_NAME, name);
	atomic_store(&t.live->tid, syscall(SYS_gettid));
	t.rng = task_seed(in->cell->seed, in - in->cell->instances, index);
	t.left = in->cell->work / WORK_WARMUP_DIVISOR + 1;
	rc = task_place(g, order, &e);
	if (!rc)
		rc = task_figures(&t, &e);
	if (!rc && in->ops->task_init)
		rc = in->ops->task_init(&t, &e);
	if (rc)
		task_failed(t.live, rc, &e);
	if (write(g->ready[1], "", 1) != 1 || rc)
		return;
	if (!wait_gun(g)) {
		rc = in->ops->run(&t, &e);
		task_window_end(&t);
		if (rc)
			task_failed(t.live, rc, &e);
	}
	if (in->ops->task_exit)
		in->ops->task_exit(&t);
}

struct thread_arg {
	const struct gang *g;
	struct instance *in;
	unsigned int index, order;
};

static void *thread_main(void *arg)
{
	struct thread_arg *a = arg;

	task_main(a->g, a->in, a->index, a->order);
	return NULL;
}

/* The process exits when it returns, so a thread that could not be made takes the others along. */
static void process_threads(const struct gang *g, const struct gang_process *p, unsigned int order)
{
	struct thread_arg *arg = calloc(p->count, sizeof(*arg));
	pthread_t *thread = calloc(p->count, sizeof(*thread));
	unsigned int n = 0;

	for (; arg && thread && n < p->count; n++) {
		arg[n] = (struct thread_arg){g, p->in, p->first + n, order + n};
		if (pthread_create(&thread[n], NULL, thread_main, &arg[n]))
			break;
	}
	if (n < p->count) {
		struct hb_error e = {"cannot start a thread"};

		task_failed(p->in->task[p->first + n], -EAGAIN, &e);
		return;
	}
	while (n--)
		pthread_join(thread[n], NULL);
}

static int process_main(const struct gang *g, const struct gang_process *p, unsigned int order,
			pid_t agent)
{
	int failed = 0;

	/* A note on the parent's death comes only for a parent that was there when we asked. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != agent)
		return EXIT_TASK_FAILED;
	signal(SIGPIPE, SIG_DFL);
	close(g->gun[1]);
	if (p->in->threads)
		process_threads(g, p, order);
	else
		task_main(g, p->in, p->first, order);
	for (unsigned int i = 0; i < p->count; i++)
		failed |= atomic_load(&p->in->task[p->first + i]->exit_code);
	return failed ? EXIT_TASK_FAILED : 0;
}

static int start_process(struct gang *g, struct instance *in, unsigned int first,
			 unsigned int count, unsigned int order, struct hb_error *e)
{
	struct gang_process *p = &g->process[g->nprocesses];
	pid_t agent = getpid();

	*p = (struct gang_process){.in = in, .first = first, .count = count};
	p->pid = fork();
	if (p->pid < 0)
		return hb_error_set(e, -errno, "fork: %s", strerror(errno));
	if (!p->pid)
		_exit(process_main(g, p, order, agent));
	g->nprocesses++;
	if (in->ops->role == ROLE_WORKLOAD) {
		unsigned int n = atomic_load(&in->target->npids);

		if (n < TARGET_PIDS) {
			atomic_store(&in->target->pids[n], p->pid);
			atomic_store(&in->target->npids, n + 1);
		}
	}
	return 0;
}

static int start_all(struct gang *g, struct hb_error *e)
{
	unsigned int order = 0;
	int rc = 0;

	for (unsigned int i = 0; i < g->cell->ninstances && !rc; i++) {
		struct instance *in = &g->cell->instances[i];
		unsigned int step = in->threads ? in->ntasks : 1;

		for (unsigned int k = 0; k < in->ntasks && !rc; k += step, order += step)
			rc = start_process(g, in, k, step, order, e);
	}
	return rc;
}

static int wait_ready(struct gang *g, uint64_t deadline, struct hb_error *e)
{
	struct pollfd p = {.fd = g->ready[0], .events = POLLIN};
	unsigned int n = 0;
	char buf[256];

	while (n < g->ntasks) {
		uint64_t now = hb_now_ns();
		ssize_t got;

		if (now >= deadline)
			return hb_error_set(e, -ETIMEDOUT, "%u of %u tasks came to the start", n,
					    g->ntasks);
		if (poll(&p, 1, 100) <= 0) {
			gang_reap(g);
			if (gang_check(g, e))
				return -EIO;
			continue;
		}
		got = read(g->ready[0], buf, sizeof(buf));
		if (got > 0)
			n += got;
	}
	return 0;
}

int gang_start(struct gang *g, const char *nodes, uint64_t timeout_ns, struct hb_error *e)
{
	int rc = placement_nodes(g, nodes, e);

	/* What stdio holds back would be written by every child again. */
	fflush(NULL);
	if (!rc)
		rc = start_all(g, e);
	if (!rc)
		rc = wait_ready(g, hb_now_ns() + timeout_ns, e);
	return rc ? rc : gang_check(g, e);
}

int gang_fire(struct gang *g)
{
	gang_phase(g, PHASE_WARMUP);
	return hb_write_all(g->gun[1], "", 1);
}

void gang_phase(struct gang *g, enum cell_phase phase)
{
	atomic_store(&g->cell->shared->phase, phase);
}

unsigned int gang_reap(struct gang *g)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < g->nprocesses; i++) {
		struct gang_process *p = &g->process[i];

		if (!p->gone && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
			p->gone = 1;
		left += !p->gone;
	}
	return left;
}

unsigned int gang_wait(struct gang *g, uint64_t deadline_ns)
{
	unsigned int left;

	if (!deadline_ns) {
		/* Without a limit nothing has to tick meanwhile: mode exact wants that. */
		for (unsigned int i = 0; i < g->nprocesses; i++) {
			struct gang_process *p = &g->process[i];

			while (!p->gone && waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
				;
			p->gone = 1;
		}
		return 0;
	}
	while ((left = gang_reap(g)) && hb_now_ns() < deadline_ns)
		hb_sleep_until_ns(hb_now_ns() + POLL_NS);
	return left;
}

unsigned int gang_kill(struct gang *g)
{
	for (unsigned int i = 0; i < g->nprocesses; i++)
		if (!g->process[i].gone)
			kill(g->process[i].pid, SIGKILL);
	return g->nprocesses ? gang_wait(g, hb_now_ns() + KILL_WAIT_NS) : 0;
}

static bool window_open(const struct task_shared *s)
{
	return atomic_load(&s->begin_ns) && !atomic_load(&s->end_ns);
}

int gang_check(const struct gang *g, struct hb_error *e)
{
	for (unsigned int i = 0; i < g->nprocesses; i++) {
		const struct gang_process *p = &g->process[i];

		for (unsigned int k = p->first; k < p->first + p->count; k++)
			if (atomic_load(&p->in->task[k]->exit_code))
				return hb_error_set(e, -EIO, "%s task %u: %s", p->in->ops->name, k,
						    p->in->task[k]->error);
		if (p->gone && WIFSIGNALED(p->status))
			return hb_error_set(e, -EIO, "%s task %u was killed by signal %d (%s)",
					    p->in->ops->name, p->first, WTERMSIG(p->status),
					    strsignal(WTERMSIG(p->status)));
		if (p->gone && WEXITSTATUS(p->status))
			return hb_error_set(e, -EIO, "%s task %u ended with status %d",
					    p->in->ops->name, p->first, WEXITSTATUS(p->status));
		for (unsigned int k = p->first; p->gone && k < p->first + p->count; k++)
			if (window_open(p->in->task[k]))
				return hb_error_set(e, -EIO,
						    "%s task %u exited in the measured phase",
						    p->in->ops->name, k);
	}
	return 0;
}

void gang_free(struct gang *g)
{
	for (unsigned int i = 0; g->cell && i < g->cell->ninstances; i++) {
		free(g->cell->instances[i].task);
		g->cell->instances[i].task = NULL;
	}
	for (int i = 0; i < 2; i++) {
		hb_cleanup_fd(&g->gun[i]);
		hb_cleanup_fd(&g->ready[i]);
	}
	if (g->shared)
		munmap(g->shared, g->shared_bytes);
	free(g->process);
}
