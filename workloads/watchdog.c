// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/watchdog.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/kmsg.h"

#define LOOK_NS	       NSEC_PER_SEC
#define LOG_QUIET_NS   (NSEC_PER_SEC / 2)
#define QUIT_WAIT_NS   (60 * NSEC_PER_SEC)
#define EVIDENCE_LINES 400

struct watchdog_task {
	uint64_t progress;
	uint64_t since_ns; /* when it was last seen to change */
	int blocked;	   /* looks in a row in D state */
};

/* Is a thread of @pid in uninterruptible sleep? /proc/PID/task/TID/stat takes no mmap_lock. */
static bool process_blocked(pid_t pid)
{
	HB_FREE char *dir = hb_strf("/proc/%d/task", (int)pid);
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *entry;
	bool blocked = false;

	while (d && !blocked && (entry = readdir(d))) {
		HB_FREE char *path = hb_strf("%s/%s/stat", dir, entry->d_name), *text = NULL;
		const char *p;

		if (entry->d_name[0] == '.' || !path || hb_file_read(path, &text, NULL))
			continue;
		p = strrchr(text, ')');
		blocked = p && p[1] == ' ' && p[2] == 'D';
	}
	if (d)
		closedir(d);
	return blocked;
}

bool watchdog_child_blocked(pid_t parent)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	bool blocked = false;

	while (d && !blocked && (entry = readdir(d))) {
		HB_FREE char *path = hb_strf("/proc/%s/stat", entry->d_name);
		HB_FREE char *text = NULL;
		const char *p;
		char state;
		int of;

		if (!strchr("123456789", entry->d_name[0]) || !path ||
		    hb_file_read(path, &text, NULL))
			continue;
		p = strrchr(text, ')');
		blocked = p && sscanf(p + 1, " %c %d", &state, &of) == 2 && of == parent &&
			  state == 'D';
	}
	if (d)
		closedir(d);
	return blocked;
}

static bool task_blocked(const struct gang_process *p)
{
	return process_blocked(p->pid) || (p->in->server && watchdog_child_blocked(p->in->server));
}

/* One look at a process's tasks. The number of its tasks that stall; *@why is set when that is a
 * hang. */
static unsigned int look_process(struct watchdog *w, const struct gang_process *p,
				 struct watchdog_task *task, uint64_t now, char **why)
{
	unsigned int stalled = 0;

	for (unsigned int k = 0; k < p->count; k++) {
		uint64_t progress = atomic_load_explicit(&p->in->task[p->first + k]->progress,
							 memory_order_relaxed);
		struct watchdog_task *t = &task[k];

		if (progress != t->progress || !t->since_ns) {
			*t = (struct watchdog_task){.progress = progress, .since_ns = now};
			continue;
		}
		if (now - t->since_ns < w->stall_ns)
			continue;
		stalled++;
		t->blocked = task_blocked(p) ? t->blocked + 1 : 0;
		if (t->blocked >= 2 && !*why)
			*why = hb_strf(
				"%s task %u (pid %d) is blocked and made no progress for %.0f s",
				p->in->ops->name, p->first + k, (int)p->pid,
				(now - t->since_ns) / 1e9);
	}
	return stalled;
}

static char *look_tasks(struct watchdog *w, uint64_t now)
{
	unsigned int stalled = 0, alive = 0, at = 0;
	char *why = NULL;

	for (unsigned int i = 0; i < w->gang->nprocesses; i++) {
		const struct gang_process *p = &w->gang->process[i];

		if (!p->gone) {
			alive += p->count;
			stalled += look_process(w, p, &w->task[at], now, &why);
		}
		at += p->count;
	}
	if (!why && alive && stalled == alive)
		why = hb_strf("no task made progress for %.0f s", w->stall_ns / 1e9);
	return why;
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
	const json_t *line;
	size_t i;

	if (!f)
		return NULL;
	json_array_foreach (lines, i, line)
		fprintf(f, "%s\n", json_string_value(line));
	return fclose(f) ? NULL : text;
}

static void report_hang(struct watchdog *w, const char *why)
{
	HB_FREE char *text = NULL;
	json_t *lines;

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

static void *watch(void *arg)
{
	struct watchdog *w = arg;
	uint64_t next = hb_now_ns();

	while (!atomic_load(&w->stop)) {
		HB_FREE char *why = NULL;
		uint64_t now = hb_now_ns();

		if (now >= next) {
			next = now + LOOK_NS;
			why = look_agent(w, now);
			if (!why && atomic_load(&w->watch_tasks))
				why = look_tasks(w, now);
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
