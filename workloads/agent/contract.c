// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/contract.h"

#include <stdlib.h>
#include <string.h>

/* How often a task looks whether the proof is over. */
#define PROOF_POLL_NS 2000000ULL
/* A pause looks at the phase this often. */
#define PACE_SLICE_NS 20000000ULL

extern const struct workload_ops *const __start_workloads[];
extern const struct workload_ops *const __stop_workloads[];

static int compare_names(const void *a, const void *b)
{
	const struct workload_ops *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

const struct workload_ops *const *workloads_sorted(unsigned int *n)
{
	static const struct workload_ops **sorted;

	/* cppcheck-suppress comparePointers ; both ends of one section */
	*n = __stop_workloads - __start_workloads;
	if (!sorted) {
		sorted = calloc(*n + 1, sizeof(void *));
		if (!sorted)
			abort();
		memcpy(sorted, __start_workloads, *n * sizeof(void *));
		qsort(sorted, *n, sizeof(void *), compare_names);
	}
	return sorted;
}

const struct workload_ops *workload_find(const char *name)
{
	unsigned int n;
	const struct workload_ops *const *all = workloads_sorted(&n);

	for (unsigned int i = 0; i < n; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

struct instance *cell_target(struct cell *cell)
{
	for (unsigned int i = 0; i < cell->ninstances; i++) {
		struct instance *in = &cell->instances[i];

		if (in->ops->role == ROLE_WORKLOAD && in->target->bytes)
			return in;
	}
	return NULL;
}

uint64_t task_random(struct task *t)
{
	/* xorshift64* (Marsaglia 2003; Vigna, "An experimental exploration of Marsaglia's xorshift
	 * generators"). */
	t->rng ^= t->rng >> 12;
	t->rng ^= t->rng << 25;
	t->rng ^= t->rng >> 27;
	return t->rng * 0x2545f4914f6cdd1dULL;
}

uint64_t task_seed(uint64_t seed, uint64_t instance, uint64_t task)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15ULL * (1 + (instance << 16) + task);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return z ? z : 1;
}

void instance_gauge(struct instance *in, unsigned int row, double value)
{
	json_object_set_new(in->gauges, in->ops->metrics[row].name, json_real(value));
}

void instance_note(struct instance *in, const char *key, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(in->notes, json_pack("{s:s, s:s, s:s}", "source", in->ops->name,
						   "key", key, "text", text));
}

void task_log_add(struct task *t, unsigned int row, uint64_t ns, uint64_t end, int tid)
{
	struct task_log *log = t->shared->log;

	if (log->n == TASK_LOG_OPS) {
		log->lost++;
		return;
	}
	log->op[log->n++] = (struct task_op){
		.end = end, .ns = ns, .row = row, .tid = tid ? tid : atomic_load(&t->live->tid)};
}

static void window_begin(struct task *t)
{
	t->shared = t->live;
	atomic_store(&t->live->begin_ns, hb_now_ns());
}

void task_window_end(struct task *t)
{
	if (t->shared != t->live)
		return;
	atomic_store(&t->live->end_ns, hb_now_ns());
	t->shared = t->scratch;
}

static bool work_advance(struct task *t)
{
	if (t->left) {
		t->left--;
		return true;
	}
	if (t->phase != PHASE_WARMUP) {
		task_window_end(t);
		return false;
	}
	t->phase = PHASE_MEASURE;
	t->left = t->in->cell->work - 1;
	window_begin(t);
	return true;
}

/*
 * An antagonist sits out the proof, which is of what the tasks' mappings share: where it takes
 * pages as fast as they come, there would be nothing to see. The phase after it.
 */
static int sit_out_proof(const struct task *t)
{
	int phase;

	while ((phase = atomic_load(&t->in->cell->shared->phase)) == PHASE_PROVE)
		hb_sleep_until_ns(hb_now_ns() + PROOF_POLL_NS);
	return phase;
}

bool task_advance(struct task *t)
{
	int phase = atomic_load(&t->in->cell->shared->phase);

	if (t->in->cell->work)
		return work_advance(t);
	if (phase == t->phase)
		return phase < PHASE_DRAIN;
	/* A short measured phase that fell into one operation has no window: nothing is counted. */
	if (phase == PHASE_MEASURE)
		window_begin(t);
	else
		task_window_end(t);
	if (phase == PHASE_PROVE && t->in->ops->role == ROLE_ANTAGONIST)
		phase = sit_out_proof(t);
	t->phase = phase;
	return phase < PHASE_DRAIN;
}

double cell_second_ns(const struct cell *cell)
{
	return cell->exact ? (double)TASK_PACE_INSN * task_clock.insn_ns : NSEC_PER_SEC;
}

void task_pace(struct task *t, uint64_t *next_ns, double rate)
{
	uint64_t now = hb_now_ns();

	if (rate <= 0)
		return;
	if (!*next_ns)
		*next_ns = now;
	while (now < *next_ns && atomic_load(&t->in->cell->shared->phase) == t->phase) {
		hb_sleep_until_ns(now + PACE_SLICE_NS < *next_ns ? now + PACE_SLICE_NS : *next_ns);
		now = hb_now_ns();
	}
	*next_ns =
		(now > *next_ns ? now : *next_ns) + (uint64_t)(cell_second_ns(t->in->cell) / rate);
}
