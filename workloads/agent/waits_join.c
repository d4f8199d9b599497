// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/waits_join.h"

#include <stdlib.h>
#include <string.h>

/* One in so many is slow. */
#define SLOW_DIVISOR 1000

/* By class of the trace, the last one for what an operation executed itself. */
struct share {
	uint64_t count, sum; /* operations, ns */
};

struct join {
	const struct waits_trace *t;
	size_t own;	/* index of the last share */
	uint64_t *part; /* of one operation, ns */
	size_t *holder; /* class -> the first one of that lock and function, asleep or not */
	struct share *all, *held;
};

static int compare_waits(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

void waits_sort(struct waits_trace *t)
{
	if (t->nwaits)
		qsort(t->wait, t->nwaits, sizeof(*t->wait), compare_waits);
}

static int compare_slowest(const void *a, const void *b)
{
	const struct task_op *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	/* Equal ones in the same order everywhere. */
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* The first wait of @tid that ends behind @begin, or a later thread's. */
static size_t first_wait(const struct waits_trace *t, int tid, uint64_t begin)
{
	size_t low = 0, high = t->nwaits;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct wait *w = &t->wait[middle];

		if (w->tid < tid || (w->tid == tid && w->end <= begin))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What one operation took, by class; what it waited is no more than what it took. */
static void take_apart(struct join *j, const struct task_op *op)
{
	uint64_t ticks = ((unsigned __int128)op->ns << 32) / task_clock.ns_mult;
	uint64_t begin = op->end > ticks ? op->end - ticks : 0, left = op->ns;

	memset(j->part, 0, (j->own + 1) * sizeof(*j->part));
	for (size_t i = first_wait(j->t, op->tid, begin); i < j->t->nwaits; i++) {
		const struct wait *w = &j->t->wait[i];
		uint64_t from = w->begin > begin ? w->begin : begin;
		uint64_t to = w->end < op->end ? w->end : op->end, ns;

		if (w->tid != op->tid || w->begin >= op->end)
			break;
		ns = task_ticks_to_ns(to - from);
		ns = ns < left ? ns : left;
		j->part[w->class] += ns;
		left -= ns;
	}
	j->part[j->own] = left;
}

static void count_all(struct join *j)
{
	for (size_t c = 0; c <= j->own; c++) {
		j->all[c].count += j->part[c] > 0;
		j->all[c].sum += j->part[c];
	}
}

/* A slow one: its parts by holder, and the greatest of them held it up. */
static void count_held(struct join *j)
{
	size_t most = j->own;

	for (size_t c = 0; c < j->own; c++)
		if (j->holder[c] != c) {
			j->part[j->holder[c]] += j->part[c];
			j->part[c] = 0;
		}
	for (size_t c = 0; c <= j->own; c++) {
		j->held[c].sum += j->part[c];
		most = j->part[c] > j->part[most] ? c : most;
	}
	j->held[most].count++;
}

static bool same_holder(const struct wait_class *a, const struct wait_class *b)
{
	return !strcmp(a->kind, b->kind) && !strcmp(a->function, b->function);
}

static int join_open(struct join *j, const struct waits_trace *t)
{
	size_t n = t->nclasses + 1;

	*j = (struct join){.t = t,
			   .own = t->nclasses,
			   .part = calloc(n, sizeof(*j->part)),
			   .holder = calloc(n, sizeof(*j->holder)),
			   .all = calloc(n, sizeof(*j->all)),
			   .held = calloc(n, sizeof(*j->held))};
	if (!j->part || !j->holder || !j->all || !j->held)
		return -ENOMEM;
	for (size_t c = 0; c < j->own; c++)
		while (!same_holder(&t->classes[j->holder[c]], &t->classes[c]))
			j->holder[c]++;
	return 0;
}

static void join_close(struct join *j)
{
	free(j->part);
	free(j->holder);
	free(j->all);
	free(j->held);
}

static json_t *share_json(const struct wait_class *class, const struct share *s)
{
	return json_pack("{s:s, s:s, s:I, s:I}", "kind", class ? class->kind : "own", "function",
			 class ? class->function : "", "count", (json_int_t)s->count, "sum",
			 (json_int_t)task_latency_unit(s->sum));
}

static json_t *waits_json(const struct join *j)
{
	json_t *list = json_array();

	for (size_t c = 0; c < j->own; c++)
		if (j->all[c].count) {
			json_t *one = share_json(&j->t->classes[c], &j->all[c]);

			json_object_set_new(one, "how",
					    json_string(wait_how_name(j->t->classes[c].how)));
			json_array_append_new(list, one);
		}
	return list;
}

static json_t *held_json(const struct join *j)
{
	json_t *list = json_array();

	for (size_t c = 0; c <= j->own; c++)
		if (j->held[c].sum)
			json_array_append_new(
				list,
				share_json(c < j->own ? &j->t->classes[c] : NULL, &j->held[c]));
	return list;
}

json_t *waits_join(const struct waits_trace *t, struct task_op *op, size_t n)
{
	size_t slow = n > SLOW_DIVISOR ? n / SLOW_DIVISOR : 1;
	uint64_t total = 0;
	json_t *row = NULL;
	struct join j;

	if (!n)
		return NULL;
	qsort(op, n, sizeof(*op), compare_slowest);
	if (!join_open(&j, t)) {
		for (size_t i = 0; i < n; i++) {
			take_apart(&j, &op[i]);
			total += op[i].ns;
			count_all(&j);
			if (i < slow)
				count_held(&j);
		}
		row = json_pack("{s:I, s:I, s:I, s:o, s:{s:I, s:I, s:o}}", "count", (json_int_t)n,
				"total", (json_int_t)task_latency_unit(total), "executed",
				(json_int_t)task_latency_unit(j.all[j.own].sum), "waits",
				waits_json(&j), "slow", "count", (json_int_t)slow, "least",
				(json_int_t)task_latency_unit(op[slow - 1].ns), "held",
				held_json(&j));
	}
	join_close(&j);
	return row;
}
