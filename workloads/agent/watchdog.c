// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/watchdog.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/agent/kmsg.h"

#define LOOK_NS	       NSEC_PER_SEC
#define LOG_QUIET_NS   (NSEC_PER_SEC / 2)
#define QUIT_WAIT_NS   (60 * NSEC_PER_SEC)
#define EVIDENCE_LINES 400
/* Stalls in a row after which tasks that are not blocked are taken to hang, too. */
#define ALL_STALLED 3

struct watchdog_task {
	uint64_t progress, since_ns;   /* since when it is what it is */
	uint64_t switches, blocked_ns; /* context switches; since when it is in D state without one,
					  0: it is not */
};

/* Context switches of thread @tid so far when it is in uninterruptible sleep, else 0. Takes no
 * mmap_lock. */
static uint64_t blocked_switches(pid_t tid)
{
	HB_FREE char *path = hb_strf("/proc/%d/status", (int)tid), *text = NULL;
	uint64_t own, forced;

	if (!path || hb_file_read(path, &text, NULL) || !strstr(text, "\nState:\tD") ||
	    hb_text_number(text, "voluntary_ctxt_switches", &own) ||
	    hb_text_number(text, "nonvoluntary_ctxt_switches", &forced))
		return 0;
	return own + forced;
}

pid_t watchdog_child_blocked(pid_t parent)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (d && !found && (entry = readdir(d))) {
		HB_FREE char *path = hb_strf("/proc/%s/stat", entry->d_name), *text = NULL;
		const char *p;
		char state;
		int of;

		if (!strchr("123456789", entry->d_name[0]) || !path ||
		    hb_file_read(path, &text, NULL))
			continue;
		p = strrchr(text, ')');
		if (p && sscanf(p + 1, " %c %d", &state, &of) == 2 && of == parent && state == 'D')
			found = atoi(entry->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* Tells one uninterruptible sleep of the task, or of a child of its server, from the next; 0: none
 * sleeps. */
static uint64_t blocked_sleep(const struct instance *in, pid_t tid)
{
	uint64_t switches = blocked_switches(tid);
	pid_t child;

	if (switches || !in->server)
		return switches;
	child = watchdog_child_blocked(in->server);
	return child ? ((uint64_t)child << 32) + blocked_switches(child) : 0;
}

/* One look at a task: how long it has made no progress, and in *@blocked how long of this in one
 * sleep. */
static uint64_t look_task(struct watchdog_task *t, const struct instance *in,
			  const struct task_shared *s, uint64_t now, uint64_t *blocked)
{
	uint64_t progress = atomic_load_explicit(&s->progress, memory_order_relaxed), switches;

	*blocked = 0;
	if (progress != t->progress || !t->since_ns) {
		*t = (struct watchdog_task){.progress = progress, .since_ns = now};
		return 0;
	}
	switches = blocked_sleep(in, atomic_load(&s->tid));
	if (!switches || switches != t->switches || !t->blocked_ns)
		t->blocked_ns = switches ? now : 0;
	t->switches = switches;
	*blocked = t->blocked_ns ? now - t->blocked_ns : 0;
	return now - t->since_ns;
}

static char *look_tasks(struct watchdog *w, uint64_t now)
{
	uint64_t least = UINT64_MAX;
	unsigned int at = 0;

	for (unsigned int i = 0; i < w->gang->nprocesses; i++) {
		const struct gang_process *p = &w->gang->process[i];

		for (unsigned int k = p->first; k < p->first + p->count; k++, at++) {
			uint64_t idle, blocked;

			if (p->gone)
				continue;
			idle = look_task(&w->task[at], p->in, p->in->task[k], now, &blocked);
			least = idle < least ? idle : least;
			if (blocked >= w->stall_ns)
				return hb_strf(
					"%s task %u (pid %d) sleeps uninterruptibly since %.0f s",
					p->in->ops->name, k, atomic_load(&p->in->task[k]->tid),
					blocked / 1e9);
		}
	}
	if (least == UINT64_MAX || least < ALL_STALLED * w->stall_ns)
		return NULL;
	return hb_strf("no task made progress for %.0f s", least / 1e9);
}

static char *look_agent(struct watchdog *w, uint64_t now)
{
	uint64_t deadline = atomic_load(&w->deadline_ns);

	if (!deadline || now < deadline)
		return NULL;
	return hb_strf("the agent did not come back from: %s", atomic_load(&w->doing));
}

/* The last lines only: the stacks come last, and a frame has a limit. */
static json_t *evidence_cut(json_t *lines)
{
	while (json_array_size(lines) > EVIDENCE_LINES)
		json_array_remove(lines, 0);
	return lines;
}

static char *lines_text(const json_t *lines)
{
	size_t len = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < json_array_size(lines); i++)
		fprintf(f, "%s\n", json_string_value(json_array_get(lines, i)));
	return fclose(f) ? NULL : text;
}

static void report_hang(struct watchdog *w, const char *why)
{
	HB_FREE char *text = NULL;
	json_t *lines;

	if (w->kmsg >= 0)
		kmsg_dump_blocked();
	lines = evidence_cut(kmsg_read(w->kmsg, LOG_QUIET_NS));
	text = lines_text(lines);
	link_event(w->link, "stall", text ? text : "");
	link_send(w->link, WIRE_RESULT,
		  json_pack("{s:s, s:s, s:o, s:[], s:[], s:{}, s:O}", "verdict", "HANG", "reason",
			    why, "evidence", lines, "metrics", "notes", "conservation",
			    "parameters", w->parameters),
		  NULL);
}

/* The main thread may be the one that blocks, so the end is ours. */
static void await_quit(struct watchdog *w) __attribute__((noreturn));
static void await_quit(struct watchdog *w)
{
	uint64_t until = hb_now_ns() + QUIT_WAIT_NS;
	enum wire_type type;
	json_t *payload;

	while (link_wait(w->link, until, &type, &payload, NULL) == 1) {
		json_decref(payload);
		if (type == WIRE_QUIT)
			break;
	}
	w->end();
}

/*
 * Between two looks nothing but a nap passes here. When more time did, everybody stood still with
 * us (the guest was stopped, or its host asleep): it tells of no hang, and deadlines move on by it.
 */
static uint64_t time_lost(struct watchdog *w, uint64_t since_last)
{
	uint64_t lost = since_last > 2 * LOOK_NS ? since_last - LOOK_NS : 0;
	uint64_t deadline = atomic_load(&w->deadline_ns);

	if (lost && deadline)
		atomic_compare_exchange_strong(&w->deadline_ns, &deadline, deadline + lost);
	return lost;
}

static void *watch(void *arg)
{
	struct watchdog *w = arg;
	uint64_t last = hb_now_ns() - LOOK_NS, lost = 0;

	while (!atomic_load(&w->stop)) {
		HB_FREE char *why = NULL;
		uint64_t now = hb_now_ns();

		if (now - last >= LOOK_NS) {
			lost += time_lost(w, now - last);
			last = now;
			why = look_agent(w, now);
			if (!why && atomic_load(&w->watch_tasks))
				why = look_tasks(w, now - lost);
		}
		if (why) {
			atomic_store(&w->fired, 1);
			report_hang(w, why);
			await_quit(w);
		}
		/* Short naps, so that watchdog_stop() does not wait for a whole look. */
		hb_sleep_until_ns(now + LOOK_NS / 20);
	}
	return NULL;
}

int watchdog_start(struct watchdog *w, struct hb_error *e)
{
	w->task = calloc(w->gang->ntasks + 1, sizeof(*w->task));
	if (!w->task)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (pthread_create(&w->thread, NULL, watch, w))
		return hb_error_set(e, -EAGAIN, "cannot start the watchdog");
	w->running = 1;
	return 0;
}

void watchdog_agent(struct watchdog *w, const char *doing, uint64_t ns)
{
	if (!w->running)
		return;
	atomic_store(&w->doing, doing);
	atomic_store(&w->deadline_ns, doing ? hb_now_ns() + ns : 0);
}

void watchdog_stop(struct watchdog *w)
{
	if (w->running) {
		atomic_store(&w->stop, 1);
		pthread_join(w->thread, NULL);
	}
	w->running = 0;
	free(w->task);
	w->task = NULL;
}
