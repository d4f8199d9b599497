// SPDX-License-Identifier: GPL-2.0-or-later
/* Formats: kernel/trace/trace_output.c, include/trace/events/sched.h, trace_kprobe.c. */
#include "workloads/agent/waits_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/util.h"

/* PID_MAX_LIMIT of a 64-bit kernel. */
#define TID_MOST     (4 << 20)
#define CLASSES_MOST 512

/* 5.10 to 6.12 have them by these names. */
const struct wait_probe wait_probes[] = {
	{"rwsem_read", "rwsem_down_read_slowpath", "rwsem-read"},
	{"rwsem_write", "rwsem_down_write_slowpath", "rwsem-write"},
	{"mutex", "__mutex_lock_slowpath", "mutex"},
	{NULL, NULL, NULL},
};

/*
 * Functions that only carry out the waiting, by the beginnings of their names, and the kind of lock
 * that they tell of. The first one in a stack that is none of them is the function that waited.
 */
static const struct {
	const char *prefix, *kind;
} carriers[] = {
	{"rwsem_down_read", "rwsem-read"},
	{"down_read", "rwsem-read"},
	{"rwsem_down_write", "rwsem-write"},
	{"down_write", "rwsem-write"},
	{"__mutex_lock", "mutex"},
	{"mutex_lock", "mutex"},
	{"__lock_page", "page-lock"},
	{"__folio_lock", "page-lock"},
	{"wait_on_page", "page-lock"},
	{"__wait_on_page", "page-lock"},
	{"put_and_wait_on_page", "page-lock"},
	{"folio_wait", "page-lock"},
	{"wait_for_completion", "completion"},
	{"__wait_for_common", "completion"},
	{"schedule", NULL},
	{"__schedule", NULL},
	{"preempt_schedule", NULL},
	{"io_schedule", NULL},
	{"bit_wait", NULL},
	{"__wait_on_bit", NULL},
	{"out_of_line_wait_on_bit", NULL},
	{"kretprobe_trampoline", NULL},
	{"__kretprobe_trampoline", NULL},
	{"arch_rethook_trampoline", NULL},
	/* The tracing itself. */
	{"trace_", NULL},
	{"__trace", NULL},
	{"stack_trace", NULL},
	{"event_trigger", NULL},
	{"stacktrace_trigger", NULL},
};

const char *wait_how_name(enum wait_how how)
{
	static const char *const names[] = {
		[WAIT_ASLEEP] = "asleep", [WAIT_SPUN] = "spun", [WAIT_READY] = "ready"};

	return names[how];
}

static uint32_t class_of(struct waits_trace *t, enum wait_how how, const char *kind,
			 const char *function)
{
	struct wait_class *more;
	size_t i;

	for (i = 0; i < t->nclasses; i++)
		if (t->classes[i].how == how && !strcmp(t->classes[i].kind, kind) &&
		    !strncmp(t->classes[i].function, function, WAIT_FUNCTION - 1))
			return i;
	/* A trace with so many is none of a kernel's. */
	more = i < CLASSES_MOST ? reallocarray(t->classes, i + 1, sizeof(*more)) : NULL;
	if (!more) {
		t->failed = true;
		return 0;
	}
	t->classes = more;
	more[i] = (struct wait_class){.how = how, .kind = kind};
	snprintf(more[i].function, sizeof(more[i].function), "%s", function);
	t->nclasses++;
	return i;
}

static struct wait_thread *thread_of(struct waits_trace *t, int tid)
{
	if (tid <= 0 || tid > TID_MOST)
		return NULL;
	if (tid >= t->nthreads) {
		int n = tid + tid / 2 + 1;
		struct wait_thread *more = reallocarray(t->thread, n, sizeof(*more));

		if (!more) {
			t->failed = true;
			return NULL;
		}
		memset(more + t->nthreads, 0, (n - t->nthreads) * sizeof(*more));
		t->thread = more;
		t->nthreads = n;
	}
	return &t->thread[tid];
}

/* The thread has waited in @class since s->since, until @now. */
static void add(struct waits_trace *t, const struct wait_thread *s, uint32_t class, uint64_t now)
{
	if (now <= s->since)
		return;
	if (t->nwaits == t->room) {
		size_t room = t->room ? 2 * t->room : 4096;
		struct wait *more = reallocarray(t->wait, room, sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		t->wait = more;
		t->room = room;
	}
	t->wait[t->nwaits++] =
		(struct wait){.begin = s->since, .end = now, .tid = s - t->thread, .class = class};
}

/* Executed in the innermost slow path that it is in, if any. */
static void spun(struct waits_trace *t, const struct wait_thread *s, uint64_t now)
{
	if (s->depth && !s->off)
		add(t, s, s->slow[s->depth - 1], now);
}

static void switch_out(struct waits_trace *t, int tid, bool runnable, uint64_t now)
{
	struct wait_thread *s = thread_of(t, tid);

	if (!s)
		return;
	spun(t, s, now);
	s->unnamed = !runnable && !s->depth;
	if (runnable) {
		s->class = class_of(t, WAIT_READY, "cpu", "");
	} else if (s->depth) {
		struct wait_class slow = t->classes[s->slow[s->depth - 1]];

		s->class = class_of(t, WAIT_ASLEEP, slow.kind, slow.function);
	} else {
		s->class = class_of(t, WAIT_ASLEEP, "sleep", "unknown");
		s->kind = "sleep";
	}
	s->since = now;
	s->off = true;
}

static void switch_in(struct waits_trace *t, int tid, uint64_t now)
{
	struct wait_thread *s = thread_of(t, tid);

	if (!s)
		return;
	if (s->off)
		add(t, s, s->class, now);
	s->off = s->unnamed = false;
	s->since = now;
}

/* Without what the compiler appends to a part or a clone of a function. */
static void take_name(char name[WAIT_FUNCTION], const char *text)
{
	size_t n = strcspn(text, "+. \t\n");

	snprintf(name, WAIT_FUNCTION, "%.*s", n < WAIT_FUNCTION ? (int)n : WAIT_FUNCTION - 1, text);
}

/* Is it one of those that only carry out the waiting? Then *@kind, if it tells. */
static bool is_carrier(const char *function, const char **kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(carriers); i++)
		if (!strncmp(function, carriers[i].prefix, strlen(carriers[i].prefix))) {
			*kind = carriers[i].kind ? carriers[i].kind : *kind;
			return true;
		}
	return false;
}

/* " => function": of the stack of a thread that has left its CPU. */
static void take_stack(struct waits_trace *t, const char *text)
{
	struct wait_thread *s = thread_of(t, t->stack_of);
	char name[WAIT_FUNCTION];

	if (!s || !s->unnamed)
		return;
	take_name(name, text);
	if (!*name || is_carrier(name, &s->kind))
		return;
	s->class = class_of(t, WAIT_ASLEEP, s->kind, name);
	s->unnamed = false;
}

static void take_switch(struct waits_trace *t, const char *text, uint64_t now)
{
	const char *prev = strstr(text, " prev_pid="), *state, *next;
	int out, in;

	/* Comms are the tasks' own, and come before each of these. */
	state = prev ? strstr(prev, " prev_state=") : NULL;
	next = state ? strstr(state, " next_pid=") : NULL;
	if (!next || sscanf(prev, " prev_pid=%d", &out) != 1 ||
	    sscanf(next, " next_pid=%d", &in) != 1)
		return;
	switch_out(t, out, state[strlen(" prev_state=")] == 'R', now);
	switch_in(t, in, now);
}

/* " s0=down_read+0x2e/0x90 s1=0xffff...": what lies on the stack, the caller's caller first. */
static void take_caller(char name[WAIT_FUNCTION], const char *text)
{
	const char *kind = NULL;

	for (const char *p = strchr(text, '='); p; p = strchr(p + 1, '=')) {
		size_t n = strcspn(p, " \n");

		if (!memchr(p, '+', n) || p[1] == '0')
			continue;
		take_name(name, p + 1);
		if (!is_carrier(name, &kind))
			return;
	}
	snprintf(name, WAIT_FUNCTION, "unknown");
}

static void slow_in(struct waits_trace *t, int tid, const struct wait_probe *probe,
		    const char *text, uint64_t now)
{
	struct wait_thread *s = thread_of(t, tid);
	char name[WAIT_FUNCTION];

	if (!s)
		return;
	spun(t, s, now);
	s->since = now;
	s->off = s->unnamed = false;
	take_caller(name, text);
	/* Its return was missed: no slow path is deeper in another of its kind. */
	for (uint8_t i = 0; i < s->depth; i++)
		if (t->classes[s->slow[i]].kind == probe->kind)
			s->depth = i;
	if (s->depth < WAIT_DEPTH)
		s->slow[s->depth++] = class_of(t, WAIT_SPUN, probe->kind, name);
}

static void slow_out(struct waits_trace *t, int tid, const struct wait_probe *probe, uint64_t now)
{
	struct wait_thread *s = thread_of(t, tid);

	for (uint8_t i = s ? s->depth : 0; i > 0; i--) {
		if (t->classes[s->slow[i - 1]].kind != probe->kind)
			continue;
		spun(t, s, now);
		s->depth = i - 1;
		s->since = now;
		return;
	}
}

static void take_probe(struct waits_trace *t, int tid, const char *event, const char *text,
		       uint64_t now)
{
	for (const struct wait_probe *p = wait_probes; p->name; p++) {
		size_t n = strlen(p->name);

		if (strncmp(event, p->name, n))
			continue;
		if (!event[n])
			slow_in(t, tid, p, text, now);
		else if (!strcmp(event + n, "_ret"))
			slow_out(t, tid, p, now);
	}
}

void waits_take_line(struct waits_trace *t, const char *line)
{
	static const char arrow[] = " => ", stack[] = "<stack trace>";
	unsigned long long now;
	char event[32];
	int tid, at;

	if (!strncmp(line, arrow, strlen(arrow))) {
		take_stack(t, line + strlen(arrow));
		return;
	}
	t->stack_of = 0;
	/* "comm-tid [cpu] flags time: event: text"; a comm may hold anything. */
	for (const char *p = strchr(line, '-'); p; p = strchr(p + 1, '-')) {
		at = 0;
		if (sscanf(p, "-%d [%*u] %*s %llu: %n", &tid, &now, &at) != 2 || !at)
			continue;
		p += at;
		if (!strncmp(p, stack, strlen(stack))) {
			t->stack_of = tid;
		} else if (sscanf(p, "%31[a-z_]:%n", event, &at) == 1) {
			if (!strcmp(event, "sched_switch"))
				take_switch(t, p + at, now);
			else
				take_probe(t, tid, event, p + at, now);
		}
		return;
	}
}

void waits_trace_free(struct waits_trace *t)
{
	free(t->wait);
	free(t->classes);
	free(t->thread);
	*t = (struct waits_trace){0};
}
