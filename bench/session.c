// SPDX-License-Identifier: GPL-2.0-or-later
/* One cell: a guest (or the native agent), its frames, its console, its verdict. */
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/hist.h"
#include "bench/base/wire.h"
#include "bench/console.h"
#include "bench/cpio.h"
#include "bench/load.h"
#include "bench/native.h"
#include "bench/plan.h"
#include "bench/session.h"

#define SEC NSEC_PER_SEC
/* Between two looks at QEMU's events and at the interrupt flag. */
#define TICK_NS (SEC / 10)
/* A guest that answered QUIT powers off within this; emulated it takes about 0.3 s. */
#define SHUTDOWN_GRACE_NS (10 * SEC)
/* Time for a panicking kernel to print its trace, and for one to print its blocked tasks. */
#define PANIC_GRACE_NS (10 * SEC)
#define DUMP_GRACE_NS  (4 * SEC)
#define EVIDENCE_LINES 500
#define NAME_BYTES     64

enum step { STEP_BOOT, STEP_SETUP, STEP_WARMUP, STEP_MEASURE, STEP_DRAIN, STEP_COLLECT, STEPS };

static const char *const step_names[STEPS] = {"boot",	 "setup", "warmup",
					      "measure", "drain", "collect"};

struct session {
	const struct session_config *c;
	const json_t *spec;
	struct vm *vm;
	struct native native;
	struct wire_reader reader;
	FILE *intervals;
	int initrd_fd; /* exact: agent and specification in one initramfs */
	char *console_path;

	enum step step;
	uint64_t started, step_started, deadline;
	uint64_t took[STEPS];
	uint64_t shutdown_ns;
	bool have_hello, stalled, ended;
	json_t *hello, *result, *evidence;
	json_t *files; /* "SOURCE.NAME" -> file of the histogram */

	const char *verdict; /* the host's own, NULL: the agent's */
	char reason[1024];
};

/*
 * What the agent or QEMU says becomes a line of plain ASCII: a text cut in the middle of a
 * character is no JSON string, and a control sequence has no business on the user's terminal.
 */
static void plain_line(char *text)
{
	for (; *text; text++)
		if (isspace((unsigned char)*text))
			*text = ' ';
		else if (!isascii(*text) || !isprint(*text))
			*text = '?';
}

/* Settle the verdict; the first one stands. Returns 1: the cell is over. */
static int settle(struct session *s, const char *verdict, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int settle(struct session *s, const char *verdict, const char *fmt, ...)
{
	va_list ap;

	if (s->verdict)
		return 1;
	s->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(s->reason, sizeof(s->reason), fmt, ap);
	va_end(ap);
	plain_line(s->reason);
	return 1;
}

static bool has_string(const json_t *array, const char *text)
{
	size_t i;
	json_t *v;

	json_array_foreach (array, i, v)
		if (!strcmp(json_string_value(v), text))
			return true;
	return false;
}

/* Add @text line by line; what is there already is not said twice. */
static void add_evidence(struct session *s, const char *text)
{
	while (*text && json_array_size(s->evidence) < EVIDENCE_LINES) {
		size_t n = strcspn(text, "\n");
		HB_FREE char *line = strndup(text, n);

		if (line && n && !has_string(s->evidence, line))
			json_array_append_new(s->evidence, json_string(line));
		text += n + (text[n] == '\n');
	}
}

static void add_evidence_array(struct session *s, const json_t *lines)
{
	size_t i;
	json_t *line;

	json_array_foreach (lines, i, line)
		if (json_is_string(line))
			add_evidence(s, json_string_value(line));
}

static void progress(struct session *s, const json_t *frame)
{
	if (s->c->progress)
		s->c->progress(s->c->progress_arg, step_names[s->step], frame);
}

static uint64_t spec_ns(const struct session *s, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(json_object_get(s->spec, "phases"), key));

	return v > 0 ? v : 0;
}

static bool is_exact(const struct session *s)
{
	return !s->c->native && s->c->vm.mode == VM_EXACT;
}

/* Planned length of a step plus what it may take beyond; generous, for a loaded host is no bug. */
static uint64_t step_timeout(const struct session *s, enum step step)
{
	static const uint64_t boot[] = {
		[VM_KVM] = 60 * SEC,
		[VM_EMULATED] = 120 * SEC,
		[VM_EXACT] = 240 * SEC,
	};
	static const uint64_t beyond[STEPS] = {
		[STEP_SETUP] = 300 * SEC, [STEP_WARMUP] = 60 * SEC,   [STEP_MEASURE] = 60 * SEC,
		[STEP_DRAIN] = 60 * SEC,  [STEP_COLLECT] = 120 * SEC,
	};
	uint64_t planned = step == STEP_WARMUP	  ? spec_ns(s, "warmup_ns")
			   : step == STEP_MEASURE ? spec_ns(s, "measure_ns")
						  : 0;

	if (step == STEP_BOOT)
		return s->c->boot_timeout_ns ? s->c->boot_timeout_ns
		       : s->c->native	     ? 20 * SEC
					     : boot[s->c->vm.mode];
	return planned + (s->c->phase_timeout_ns ? s->c->phase_timeout_ns : beyond[step]);
}

/* Deadline of the running step: its own, but never past the cell's. */
static uint64_t step_deadline(const struct session *s)
{
	uint64_t own = s->step_started + step_timeout(s, s->step);

	/* Mode exact holds its frames back until the work is done: only the whole counts. */
	if (is_exact(s) && s->deadline && !s->c->boot_timeout_ns)
		return s->deadline;
	return s->deadline && s->deadline < own ? s->deadline : own;
}

static void enter_step(struct session *s, enum step step)
{
	uint64_t now = hb_now_ns();

	s->took[s->step] += now - s->step_started;
	s->step = step;
	s->step_started = now;
}

static int on_hello(struct session *s, json_t *hello, struct hb_error *e)
{
	const char *id = json_string_value(json_object_get(hello, "build_id"));
	json_int_t wire = json_integer_value(json_object_get(hello, "wire"));

	if (s->have_hello)
		return settle(s, "INVALID", "a second hello");
	s->have_hello = true;
	s->hello = json_incref(hello);
	if (wire != WIRE_VERSION)
		return settle(s, "INVALID", "the agent speaks wire version %lld, the host %d",
			      (long long)wire, WIRE_VERSION);
	if (s->c->kernel && s->c->kernel->build_id && (!id || strcmp(id, s->c->kernel->build_id)))
		return settle(s, "INVALID",
			      "another kernel runs than planned: build-id %s instead of %s",
			      id && *id ? id : "(none)", s->c->kernel->build_id);
	enter_step(s, STEP_SETUP);
	progress(s, hello);
	if (is_exact(s))
		return 0;
	/* An agent that is gone by now is seen by the loop. */
	return wire_send(s->vm ? vm_data_fd(s->vm) : s->native.fd, WIRE_RUN, s->spec, e) == -ENOMEM
		       ? -ENOMEM
		       : 0;
}

static int on_phase(struct session *s, const json_t *frame)
{
	const char *name = json_string_value(json_object_get(frame, "phase"));

	for (enum step step = STEP_SETUP; name && step < STEPS; step++) {
		if (strcmp(name, step_names[step]))
			continue;
		if (step < s->step)
			return settle(s, "INVALID", "phase %s after phase %s", name,
				      step_names[s->step]);
		if (step > s->step)
			enter_step(s, step);
		progress(s, frame);
		return 0;
	}
	return settle(s, "INVALID", "unknown phase \"%.40s\"", name ? name : "");
}

static int on_interval(struct session *s, const json_t *frame, struct hb_error *e)
{
	if (json_dumpf(frame, s->intervals, JSON_COMPACT) || fputc('\n', s->intervals) == EOF ||
	    fflush(s->intervals))
		return hb_error_set(e, -EIO, "%s/intervals.jsonl: cannot write: %s",
				    s->c->directory, strerror(errno));
	progress(s, frame);
	return 0;
}

static int on_event(struct session *s, const json_t *frame)
{
	const char *kind = json_string_value(json_object_get(frame, "kind"));
	const char *text = json_string_value(json_object_get(frame, "text"));

	if (!kind || !text)
		return settle(s, "INVALID", "an event without kind or text");
	if (!strcmp(kind, "stall"))
		s->stalled = true;
	if (!strcmp(kind, "stall") || !strcmp(kind, "kmsg"))
		add_evidence(s, text);
	progress(s, frame);
	return 0;
}

/* A name that may become part of a file's name. */
static bool is_name(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (!n || n >= NAME_BYTES || !isalnum((unsigned char)*s))
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static int write_hist(struct session *s, const char *file, const struct hist *h, const char *unit,
		      struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/%s", s->c->directory, file);
	json_t *j = hist_to_json(h, unit);
	HB_FREE char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	int rc;

	json_decref(j);
	if (!path || !text)
		return hb_error_set(e, -ENOMEM, "no memory for a histogram");
	rc = hb_file_write_atomic(path, text, strlen(text));
	return rc ? hb_error_set(e, rc, "%s: %s", path, strerror(-rc)) : 0;
}

static int on_hist(struct session *s, const json_t *frame, struct hb_error *e)
{
	const char *source = json_string_value(json_object_get(frame, "source"));
	const char *name = json_string_value(json_object_get(frame, "name"));
	const char *unit = json_string_value(json_object_get(frame, "unit"));
	HB_FREE struct hist *h = malloc(sizeof(*h));
	HB_FREE char *key = NULL, *file = NULL;
	struct hb_error why = {""};
	int rc;

	if (!is_name(source) || !is_name(name) || !unit)
		/* cppcheck-suppress memleak ; freed by the cleanup attribute */
		return settle(s, "INVALID", "a histogram without a proper source, name or unit");
	key = hb_strf("%s.%s", source, name);
	file = hb_strf("%s.%s.hist", source, name);
	if (!h || !key || !file)
		return hb_error_set(e, -ENOMEM, "no memory for a histogram");
	if (hist_from_json(h, frame, &why))
		return settle(s, "INVALID", "histogram %s: %s", key, why.text);
	rc = write_hist(s, file, h, unit, e);
	if (!rc)
		json_object_set_new(s->files, key, json_string(file));
	return rc;
}

static int on_result(struct session *s, json_t *frame)
{
	const char *verdict = json_string_value(json_object_get(frame, "verdict"));

	if (!verdict || cell_verdict_find(verdict) == CELL_VERDICTS)
		return settle(s, "INVALID", "a result with the unknown verdict \"%.40s\"",
			      verdict ? verdict : "");
	s->result = json_incref(frame);
	progress(s, frame);
	s->ended = true;
	return 1;
}

/* 1: the cell is over; 0: go on; negative: the host failed. */
static int on_frame(struct session *s, enum wire_type type, json_t *frame, struct hb_error *e)
{
	if (!s->have_hello && type != WIRE_HELLO)
		return settle(s, "INVALID", "a frame of type %d before the hello", type);
	switch (type) {
	case WIRE_HELLO:
		return on_hello(s, frame, e);
	case WIRE_PHASE:
		return on_phase(s, frame);
	case WIRE_INTERVAL:
		return on_interval(s, frame, e);
	case WIRE_EVENT:
		return on_event(s, frame);
	case WIRE_HIST:
		return on_hist(s, frame, e);
	case WIRE_RESULT:
		return on_result(s, frame);
	default:
		return settle(s, "INVALID", "a frame of type %d, which only the host sends", type);
	}
}

static int take_frames(struct session *s, struct hb_error *e)
{
	struct hb_error why = {""};
	enum wire_type type;
	json_t *frame;
	int rc;

	while ((rc = wire_next(&s->reader, &type, &frame, &why)) > 0) {
		rc = on_frame(s, type, frame, e);
		json_decref(frame);
		if (rc)
			return rc;
	}
	return rc < 0 ? settle(s, "INVALID", "the agent's stream: %s", why.text) : 0;
}

static int guest_exited(struct session *s, int *status)
{
	return s->vm ? vm_exited(s->vm, status) : native_exited(&s->native, status);
}

static void describe_status(char *buf, size_t len, int status)
{
	if (WIFSIGNALED(status))
		snprintf(buf, len, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(buf, len, "exited with status %d", WEXITSTATUS(status));
}

/* The stream ended before the result: give the process a moment to be reaped, then say how it went.
 */
static int on_gone(struct session *s)
{
	uint64_t until = hb_now_ns() + PANIC_GRACE_NS;
	const char *who = s->vm ? "QEMU" : "the agent";
	HB_FREE char *words = NULL;
	char how[64];
	int status;

	while (!guest_exited(s, &status)) {
		if (hb_now_ns() >= until)
			return settle(s, "INVALID", "the data port was closed in phase %s",
				      step_names[s->step]);
		poll(NULL, 0, 10);
	}
	describe_status(how, sizeof(how), status);
	words = s->vm ? vm_stderr(s->vm) : NULL;
	return settle(s, "INVALID", "%s %s in phase %s%s%.200s", who, how, step_names[s->step],
		      words && *words ? ": " : "", words ? words : "");
}

static int on_panic(struct session *s)
{
	uint64_t until = hb_now_ns() + PANIC_GRACE_NS;
	int status;

	while (!vm_exited(s->vm, &status) && hb_now_ns() < until)
		poll(NULL, 0, 20);
	return settle(s, "PANIC", "the guest's kernel panicked");
}

/* A deadline has passed: blocked stacks make it a hang. */
static int on_deadline(struct session *s)
{
	struct console_scan scan;
	bool blocked = false;
	uint64_t until;

	if (s->vm && s->step != STEP_BOOT && !vm_dump_blocked(s->vm, NULL)) {
		until = hb_now_ns() + DUMP_GRACE_NS;
		hb_sleep_until_ns(until);
		blocked = !console_scan_file(s->console_path, &scan) && scan.count[CONSOLE_BLOCKED];
		console_scan_free(&scan);
	}
	if (blocked || s->stalled)
		return settle(s, "HANG",
			      "no end of phase %s within its deadline; tasks are blocked",
			      step_names[s->step]);
	if (s->step == STEP_BOOT)
		return settle(s, "TIMEOUT", "no hello within %llu s",
			      (unsigned long long)((hb_now_ns() - s->step_started) / SEC));
	return settle(s, "TIMEOUT", "no end of phase %s within its deadline", step_names[s->step]);
}

/* Take frames until the cell is over. 0: see verdict or result; -EINTR; other: the host failed. */
static int converse(struct session *s, struct hb_error *e)
{
	int fd = s->vm ? vm_data_fd(s->vm) : s->native.fd;
	int rc = 0;

	while (!rc) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (s->c->interrupted && *s->c->interrupted)
			return hb_error_set(e, -EINTR, "interrupted");
		if (s->vm && vm_panicked(s->vm))
			rc = on_panic(s);
		else if (hb_now_ns() >= step_deadline(s))
			rc = on_deadline(s);
		else if (poll(&p, 1, TICK_NS / 1000000) > 0) {
			rc = wire_fill(&s->reader, fd);
			if (rc == -EPIPE || rc == -ECONNRESET)
				rc = on_gone(s);
			else if (rc == -EAGAIN)
				rc = 0;
			else if (!rc)
				rc = take_frames(s, e);
			else
				hb_error_set(e, rc, "data port: %s", strerror(-rc));
		}
	}
	return rc < 0 ? rc : 0;
}

/* Exact mode: no input during the run, so the specification is part of the initramfs. */
static int make_initrd(struct session *s, char *path, size_t len, struct hb_error *e)
{
	HB_FREE char *agent = NULL, *text = json_dumps(s->spec, JSON_COMPACT);
	HB_FCLOSE FILE *out = NULL;
	size_t size;
	int rc = hb_file_read(s->c->vm.initramfs, &agent, &size), fd;

	if (rc)
		return hb_error_set(e, rc, "%s: %s", s->c->vm.initramfs, strerror(-rc));
	s->initrd_fd = memfd_create("initramfs", MFD_CLOEXEC);
	fd = s->initrd_fd < 0 ? -1 : dup(s->initrd_fd);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out || !text)
		return hb_error_set(e, -errno, "initramfs: %s", strerror(errno));
	if (fwrite(agent, 1, size, out) != size ||
	    fwrite("\0\0\0", 1, -size & 3, out) != (-size & 3))
		rc = -EIO;
	if (!rc)
		rc = cpio_add(out, "spec.json", S_IFREG | 0444, text, strlen(text));
	if (!rc)
		rc = cpio_end(out);
	snprintf(path, len, "/proc/%d/fd/%d", getpid(), s->initrd_fd);
	return rc ? hb_error_set(e, rc, "initramfs: %s", strerror(-rc)) : 0;
}

static int start_guest(struct session *s, struct hb_error *e)
{
	struct vm_config vm = s->c->vm;
	char initrd[64];
	int rc = 0;

	if (s->c->native)
		return native_start(s->c->agent, s->c->native_yes, &s->native, e);
	vm.console_path = s->console_path;
	if (is_exact(s)) {
		if (!vm.initramfs)
			return hb_error_set(e, -EINVAL,
					    "mode exact needs an initramfs, not a disk");
		rc = make_initrd(s, initrd, sizeof(initrd), e);
		vm.initramfs = initrd;
	}
	return rc ? rc : vm_start(&vm, &s->vm, e);
}

static void end_guest(struct session *s)
{
	uint64_t start = hb_now_ns();
	uint64_t grace = s->ended ? SHUTDOWN_GRACE_NS : 0;

	s->took[s->step] += start - s->step_started;
	if (s->ended)
		wire_send(s->vm ? vm_data_fd(s->vm) : s->native.fd, WIRE_QUIT, NULL, NULL);
	if (s->vm)
		vm_end(s->vm, grace);
	else
		/* Without a result, too, the agent gets time to give the huge pages back. */
		native_end(&s->native, SHUTDOWN_GRACE_NS);
	s->vm = NULL;
	s->shutdown_ns = hb_now_ns() - start;
}

/* What the console says outweighs what the agent thinks, see session.h. */
static int judge_console(struct session *s, struct hb_error *e)
{
	struct console_scan scan;
	int rc = console_scan_file(s->console_path, &scan);
	const char *agent = json_string_value(json_object_get(s->result, "verdict"));
	bool ok = agent && !strcmp(agent, "OK");
	enum console_kind worst = CONSOLE_KINDS;

	if (rc) {
		console_scan_free(&scan);
		return hb_error_set(e, rc, "%s: %s", s->console_path, strerror(-rc));
	}
	add_evidence_array(s, scan.evidence);
	if (scan.count[CONSOLE_PANIC]) {
		s->verdict = NULL;
		settle(s, "PANIC", "%s",
		       scan.count[CONSOLE_OOPS] ? scan.first[CONSOLE_OOPS]
						: scan.first[CONSOLE_PANIC]);
	} else if (!s->result && (scan.count[CONSOLE_HUNG] || scan.count[CONSOLE_BLOCKED]) &&
		   (!s->verdict || !strcmp(s->verdict, "TIMEOUT"))) {
		s->verdict = NULL;
		worst = scan.count[CONSOLE_HUNG] ? CONSOLE_HUNG : CONSOLE_BLOCKED;
		settle(s, "HANG", "%s", scan.first[worst]);
	} else if (ok) {
		for (enum console_kind k = CONSOLE_WARNING; k < CONSOLE_PANIC; k++)
			if (scan.count[k] && k != CONSOLE_BLOCKED)
				worst = k;
		if (worst < CONSOLE_KINDS)
			settle(s, "DIRTY", "%s", scan.first[worst]);
	}
	console_scan_free(&scan);
	return 0;
}

/*
 * The agent keeps to the guest's clock. That clock may be late to tell us, never early: a measured
 * phase that was shorter by our clock means that the guest's ran fast, and every rate is wrong.
 */
static void judge_clock(struct session *s)
{
	uint64_t planned = spec_ns(s, "measure_ns"), took = s->took[STEP_MEASURE];
	const char *agent = json_string_value(json_object_get(s->result, "verdict"));

	if (agent && !strcmp(agent, "OK") && took < planned - planned / 10)
		settle(s, "INVALID", "the guest's clock runs fast: %.1f s of it took %.1f s here",
		       planned / 1e9, took / 1e9);
}

static void fill_times(const struct session *s, json_t *cell)
{
	/* The names of results/FORMAT.md; draining belongs to the collecting. */
	static const struct {
		const char *key;
		enum step first, last;
	} rows[] = {
		{"boot_ns", STEP_BOOT, STEP_BOOT},
		{"setup_ns", STEP_SETUP, STEP_SETUP},
		{"warmup_ns", STEP_WARMUP, STEP_WARMUP},
		{"measure_ns", STEP_MEASURE, STEP_MEASURE},
		{"collect_ns", STEP_DRAIN, STEP_COLLECT},
	};
	json_t *times = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 0;

		for (enum step step = rows[i].first; step <= rows[i].last; step++)
			ns += s->took[step];
		if (ns)
			json_object_set_new(times, rows[i].key, json_integer(ns));
	}
	json_object_set_new(times, "shutdown_ns", json_integer(s->shutdown_ns));
	json_object_set_new(times, "total_ns", json_integer(hb_now_ns() - s->started));
	json_object_set_new(cell, "times", times);
}

static void fill_planned(const struct session *s, json_t *cell)
{
	static const char *const keys[] = {"id", "seq", "kernel", "cell", "rep", "warmup_boot"};
	json_t *workloads = json_array(), *antagonists = json_array(), *instance;
	size_t i;

	json_object_set_new(cell, "format", json_integer(1));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(s->c->planned, keys[i]))
			json_object_set(cell, keys[i], json_object_get(s->c->planned, keys[i]));
	json_object_set_new(cell, "mode",
			    json_string(s->c->native ? "native" : vm_mode_name(s->c->vm.mode)));
	json_array_foreach (json_object_get(s->spec, "instances"), i, instance) {
		const char *role = json_string_value(json_object_get(instance, "role"));
		bool antagonist = role && !strcmp(role, "antagonist");

		json_array_append(antagonist ? antagonists : workloads,
				  json_object_get(instance, "workload"));
		if (!antagonist && !json_object_get(cell, "tasks"))
			json_object_set(cell, "tasks", json_object_get(instance, "tasks"));
	}
	json_object_set_new(cell, "workloads", workloads);
	json_object_set_new(cell, "antagonists", antagonists);
}

/* Name the file of each histogram that came. */
static json_t *metrics(const struct session *s)
{
	json_t *list = json_deep_copy(json_object_get(s->result, "metrics")), *m;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(list);
		return json_array();
	}
	json_array_foreach (list, i, m) {
		const char *source = json_string_value(json_object_get(m, "source"));
		const char *name = json_string_value(json_object_get(m, "name"));
		const char *kind = json_string_value(json_object_get(m, "kind"));
		HB_FREE char *key = source && name ? hb_strf("%s.%s", source, name) : NULL;
		json_t *file = key ? json_object_get(s->files, key) : NULL;

		if (file)
			json_object_set(m, "file", file);
		else if (kind && !strcmp(kind, "hist"))
			json_array_remove(list, i--); /* nothing was recorded: absent */
	}
	return list;
}

static json_t *make_cell(struct session *s, const char *started)
{
	static const char *const objects[] = {"parameters", "conservation"};
	json_t *cell = json_object(), *notes;
	const char *verdict, *reason;

	if (!s->verdict) {
		verdict = json_string_value(json_object_get(s->result, "verdict"));
		reason = json_string_value(json_object_get(s->result, "reason"));
		settle(s, verdict, "%s", reason ? reason : "");
	}
	verdict = s->verdict;
	fill_planned(s, cell);
	json_object_set_new(cell, "verdict", json_string(verdict));
	json_object_set_new(cell, "reason", json_string(s->reason));
	json_object_set_new(cell, "expected", json_boolean(plan_expects(s->c->planned, verdict)));
	json_object_set(cell, "evidence", s->evidence);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		if (json_is_object(json_object_get(s->result, objects[i])))
			json_object_set(cell, objects[i], json_object_get(s->result, objects[i]));
	if (s->hello)
		json_object_set(cell, "hello", s->hello);
	json_object_set_new(cell, "metrics", metrics(s));
	notes = json_object_get(s->result, "notes");
	json_object_set_new(cell, "notes",
			    json_is_array(notes) ? json_deep_copy(notes) : json_array());
	fill_times(s, cell);
	json_object_set_new(cell, "started", json_string(started));
	return cell;
}

static int open_files(struct session *s, struct hb_error *e)
{
	HB_FREE char *path = hb_strf("%s/intervals.jsonl", s->c->directory);

	s->console_path = hb_strf("%s/console.log", s->c->directory);
	s->evidence = json_array();
	s->files = json_object();
	if (!path || !s->console_path || !s->evidence || !s->files)
		return hb_error_set(e, -ENOMEM, "no memory");
	s->intervals = fopen(path, "we");
	return s->intervals ? 0 : hb_error_set(e, -errno, "%s: %s", path, strerror(errno));
}

static void release(struct session *s)
{
	if (s->intervals)
		fclose(s->intervals);
	if (s->initrd_fd >= 0)
		close(s->initrd_fd);
	free(s->console_path);
	wire_reader_free(&s->reader);
	json_decref(s->hello);
	json_decref(s->result);
	json_decref(s->evidence);
	json_decref(s->files);
}

static int run_guest(struct session *s, json_t **cell, struct hb_error *e)
{
	double deadline_s = json_number_value(json_object_get(s->c->planned, "deadline_s"));
	HB_FREE char *placement = NULL;
	char started[32];
	time_t now = time(NULL);
	struct tm tm;
	int rc;

	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	s->started = s->step_started = hb_now_ns();
	s->deadline = deadline_s > 0 ? s->started + (uint64_t)(deadline_s * SEC) : 0;
	rc = start_guest(s, e);
	if (rc)
		return rc;
	if (s->vm)
		placement = strdup(vm_placement(s->vm));
	rc = converse(s, e);
	end_guest(s);
	if (!rc && s->stalled && !s->result)
		settle(s, "HANG", "the tasks made no progress");
	if (!rc && !s->c->native)
		rc = judge_console(s, e);
	if (!rc && !s->c->native && s->c->vm.mode != VM_EXACT)
		judge_clock(s);
	if (!rc && s->result)
		add_evidence_array(s, json_object_get(s->result, "evidence"));
	if (rc)
		return rc;
	*cell = make_cell(s, started);
	if (placement)
		json_array_append_new(json_object_get(*cell, "notes"),
				      json_pack("{s:s, s:s, s:s}", "source", "host", "key",
						"placement", "text", placement));
	return 0;
}

int session_run(const struct session_config *c, json_t **cell, struct hb_error *e)
{
	struct session s = {
		.c = c,
		.spec = json_object_get(c->planned, "spec"),
		.initrd_fd = -1,
		.native = {.fd = -1},
	};
	int rc;

	*cell = NULL;
	if (!json_is_object(s.spec))
		return hb_error_set(e, -EINVAL, "the planned cell has no specification");
	/* A guest that dies while we write to it is a verdict, not our end. */
	signal(SIGPIPE, SIG_IGN);
	rc = open_files(&s, e);
	if (!rc)
		rc = run_guest(&s, cell, e);
	release(&s);
	return rc;
}
