// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/waits.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/agent/tracefs.h"
#include "workloads/agent/waits_join.h"

#define INSTANCE TRACEFS "/instances/hugebench"
#define SWITCH	 INSTANCE "/events/sched/sched_switch"
#define PROBES	 TRACEFS "/kprobe_events"
#define GROUP	 "hb_waits"
/* Tasks that may be in one probed function at a time; the returns of others are missed. */
#define PROBE_DEPTH 512
/* Of the trace, over all CPUs; a switch with its stack takes some 250 bytes. */
#define TRACE_KIB 65536
/*
 * What lies on the stack at the entry of a slow path, cheaper than a whole stack: what called it,
 * registers that were saved, and what called that.
 */
#define CALLERS                                                                                    \
	"s0=$stack0:symbol s1=$stack1:symbol s2=$stack2:symbol s3=$stack3:symbol "                 \
	"s4=$stack4:symbol s5=$stack5:symbol s6=$stack6:symbol s7=$stack7:symbol"
/* Off its CPU to wait: TASK_INTERRUPTIBLE or TASK_UNINTERRUPTIBLE. Others were preempted. */
#define STACK_TRIGGER "stacktrace if prev_state & 3"

static int lacks(struct hb_error *e, const char *what, const char *symbol)
{
	return hb_error_set(e, -EOPNOTSUPP, "observe = waits: the kernel has no %s (%s)", what,
			    symbol);
}

static int setting(const char *file, const char *text)
{
	HB_FREE char *path = hb_strf(INSTANCE "/%s", file);

	return path ? hb_file_write(path, text) : -ENOMEM;
}

static void probe_remove(const struct wait_probe *p)
{
	tracefs_command(PROBES, hb_strf("-:" GROUP "/%s\n", p->name));
	tracefs_command(PROBES, hb_strf("-:" GROUP "/%s_ret\n", p->name));
}

/* The probe of the return first: the other one, made later, then sees the stack before it does. */
static int probe_make(const struct wait_probe *p)
{
	int rc = tracefs_command(
		PROBES, hb_strf("r%d:" GROUP "/%s_ret %s\n", PROBE_DEPTH, p->name, p->function));

	if (!rc)
		rc = tracefs_command(
			PROBES, hb_strf("p:" GROUP "/%s %s " CALLERS "\n", p->name, p->function));
	if (rc)
		probe_remove(p);
	return rc;
}

static void probes_make(json_t *notes)
{
	unsigned int n = 0;

	for (const struct wait_probe *p = wait_probes; p->name; p++) {
		HB_FREE char *key = hb_strf("waits.%s", p->function), *text = NULL;
		int rc = probe_make(p);

		n += !rc;
		text = hb_strf("not probed, so spinning in it counts as executed: %s",
			       strerror(-rc));
		if (rc && key && text)
			json_array_append_new(notes,
					      json_pack("{s:s, s:s, s:s}", "source", "observe",
							"key", key, "text", text));
	}
	if (n)
		setting("events/" GROUP "/enable", "1");
}

static int buffer_size(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	HB_FREE char *kib = hb_strf("%ld", TRACE_KIB / (cpus > 0 ? cpus : 1));

	return kib ? setting("buffer_size_kb", kib) : -ENOMEM;
}

/* This process, and whatever it forks. */
static int trace_children(void)
{
	HB_FREE char *pid = hb_strf("%ld", (long)getpid());
	int rc = setting("options/event-fork", "1");

	return rc ? rc : pid ? setting("set_event_pid", pid) : -ENOMEM;
}

int waits_open(json_t *notes, struct hb_error *e)
{
	if (!task_clock.tsc)
		return hb_error_set(e, -EOPNOTSUPP,
				    "observe = waits: the CPU's counter is not fit to be a clock, "
				    "and no other is the trace's too");
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		return lacks(e, "tracing", "CONFIG_TRACING");
	if (setting("tracing_on", "0") || setting("trace_clock", "x86-tsc") || buffer_size())
		return lacks(e, "trace by the CPU's counter", "CONFIG_TRACING, CONFIG_X86_TSC");
	if (trace_children() || access(SWITCH, F_OK))
		return lacks(e, "tracepoint sched_switch", "CONFIG_EVENT_TRACING");
	if (tracefs_command(SWITCH "/trigger", hb_strf("%s\n", STACK_TRIGGER)))
		return lacks(e, "stacks in its trace", "CONFIG_STACKTRACE");
	if (access(PROBES, F_OK))
		return lacks(e, "probes for its trace", "CONFIG_KPROBE_EVENTS");
	probes_make(notes);
	return setting("events/sched/sched_switch/enable", "1")
		       ? lacks(e, "tracepoint sched_switch", "CONFIG_EVENT_TRACING")
		       : 0;
}

void waits_begin(void)
{
	setting("tracing_on", "1");
}

void waits_end(void)
{
	setting("tracing_on", "0");
}

/* Events that a CPU's buffer had no room for: "overrun: 12". */
static uint64_t overrun(void)
{
	glob_t files;
	uint64_t sum = 0, n;

	if (glob(INSTANCE "/per_cpu/cpu*/stats", 0, NULL, &files))
		return 0;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		HB_FREE char *text = NULL;
		const char *at;

		if (hb_file_read(files.gl_pathv[i], &text, NULL))
			continue;
		at = strstr(text, "overrun: ");
		sum += at && sscanf(at, "overrun: %" SCNu64, &n) == 1 ? n : 0;
	}
	globfree(&files);
	return sum;
}

static int read_trace(struct waits_trace *t, struct hb_error *e)
{
	FILE *f = fopen(INSTANCE "/trace", "re");
	HB_FREE char *line = NULL;
	size_t size = 0;

	if (!f)
		return hb_error_set(e, -errno, "the trace cannot be read: %s", strerror(errno));
	while (getline(&line, &size, f) > 0)
		waits_take_line(t, line);
	fclose(f);
	waits_sort(t);
	return t->failed ? hb_error_set(e, -ENOMEM, "no memory for the trace") : 0;
}

/* The operations of @row of all tasks; owned by the caller, NULL: there are none. */
static struct task_op *operations(const struct instance *in, unsigned int row, size_t *n)
{
	struct task_op *op = NULL;
	size_t most = 0;

	*n = 0;
	for (unsigned int k = 0; k < in->ntasks; k++)
		most += in->task[k]->log->n;
	op = most ? calloc(most, sizeof(*op)) : NULL;
	for (unsigned int k = 0; op && k < in->ntasks; k++) {
		const struct task_log *log = in->task[k]->log;

		for (uint32_t i = 0; i < log->n; i++)
			if (log->op[i].row == row)
				op[(*n)++] = log->op[i];
	}
	return op;
}

static void report_row(const struct waits_trace *t, const struct instance *in, unsigned int row,
		       json_t *rows)
{
	size_t n;
	HB_FREE struct task_op *op = operations(in, row, &n);
	json_t *joined = op ? waits_join(t, op, n) : NULL;

	if (!joined)
		return;
	json_object_set_new(joined, "source", json_string(in->ops->name));
	json_object_set_new(joined, "name", json_string(in->ops->metrics[row].name));
	json_array_append_new(rows, joined);
}

/* Operations that had no room in their task's log. */
static uint64_t not_kept(const struct cell *cell)
{
	uint64_t lost = 0;

	for (unsigned int i = 0; i < cell->ninstances; i++)
		for (unsigned int k = 0; k < cell->instances[i].ntasks; k++)
			lost += cell->instances[i].task[k]->log->lost;
	return lost;
}

int waits_report(const struct cell *cell, json_t **rows, struct hb_error *e)
{
	struct waits_trace t = {0};
	uint64_t lost = overrun() + not_kept(cell);
	int rc = lost ? hb_error_set(e, -ENOSPC,
				     "no room for %" PRIu64 " operations or events of the trace; "
				     "a shorter phase has room",
				     lost)
		      : read_trace(&t, e);

	*rows = json_array();
	for (unsigned int i = 0; i < cell->ninstances && !rc; i++)
		for (unsigned int row = 0; cell->instances[i].ops->metrics[row].name; row++)
			if (cell->instances[i].ops->metrics[row].kind == METRIC_HIST)
				report_row(&t, &cell->instances[i], row, *rows);
	waits_trace_free(&t);
	return rc;
}

void waits_close(void)
{
	setting("events/enable", "0");
	tracefs_command(SWITCH "/trigger", hb_strf("!%s\n", STACK_TRIGGER));
	for (const struct wait_probe *p = wait_probes; p->name; p++)
		probe_remove(p);
	rmdir(INSTANCE);
}
