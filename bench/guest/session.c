// SPDX-License-Identifier: GPL-2.0-or-later
/* One cell: a guest (or the native agent), its frames, its console, its verdict. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/guest/console.h"
#include "bench/build/cpio.h"
#include "bench/base/exact.h"
#include "bench/guest/session_state.h"
#include "bench/host/memory.h"

/* Between two looks at QEMU's events and at the interrupt flag. */
#define TICK_NS (SEC / 10)
/* A guest that answered QUIT powers off within this; emulated it takes about 0.3 s. */
#define SHUTDOWN_GRACE_NS (10 * SEC)
/* Time for a panicking kernel to print its trace, and for one to print its blocked tasks. */
#define PANIC_GRACE_NS (10 * SEC)
#define DUMP_GRACE_NS  (4 * SEC)
/* Mode exact: boot and set-up on a slow host, and what such a host executes. */
#define EXACT_BEYOND_S	 900
#define EXACT_INSN_PER_S 500000.
/* A console that never ends does not fill the disk. */
#define CONSOLE_MOST (256LL << 20)
/* Mode exact: seeds move the layout of memory by up to so much. */
#define PADDING_BYTES (4u << 20)
/* A frame from the guest may be on its way for this long. */
#define FRAME_LATE_NS (SEC / 2)

/* What its memory adds to a guest's deadlines: the agent fills most of it before it measures. */
static uint64_t memory_allowance(const struct session *s)
{
	return s->c->native || session_is_exact(s) ? 0 : memory_slowest_ns(s->c->vm.memory);
}

/* Planned length of a step plus what it may take beyond; generous, for a loaded host is no bug. */
static uint64_t step_timeout(const struct session *s, enum session_step step)
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
	uint64_t planned = step == STEP_WARMUP	  ? session_spec(s, "warmup_ns")
			   : step == STEP_MEASURE ? session_spec(s, "measure_ns")
			   : step == STEP_SETUP	  ? memory_allowance(s)
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
	if (session_is_exact(s) && s->deadline && !s->c->boot_timeout_ns)
		return s->deadline;
	return s->deadline && s->deadline < own ? s->deadline : own;
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
			return session_settle(s, "INVALID", "the data port was closed in phase %s",
					      session_steps[s->step]);
		poll(NULL, 0, 10);
	}
	describe_status(how, sizeof(how), status);
	words = s->vm ? vm_stderr(s->vm) : NULL;
	return session_settle(s, "INVALID", "%s %s in phase %s%s%.200s", who, how,
			      session_steps[s->step], words && *words ? ": " : "",
			      words ? words : "");
}

static int on_panic(struct session *s)
{
	uint64_t until = hb_now_ns() + PANIC_GRACE_NS;
	int status;

	while (!vm_exited(s->vm, &status) && hb_now_ns() < until)
		poll(NULL, 0, 20);
	return session_settle(s, "PANIC", "the guest's kernel panicked");
}

/* A host that has other work is no bug of the guest's: what it was kept waiting does not count. */
static bool deadline_passed(const struct session *s)
{
	uint64_t now = hb_now_ns(), deadline = step_deadline(s), waited;

	if (now < deadline)
		return false;
	waited = session_waited_ns(s);
	/* The cell's deadline counts from the boot on, the step's own from its begin. */
	return now >= deadline + waited - (deadline == s->deadline ? 0 : s->step_waited);
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
		return session_settle(s, "HANG",
				      "no end of phase %s within its deadline; tasks are blocked",
				      session_steps[s->step]);
	if (s->step == STEP_BOOT)
		return session_settle(
			s, "TIMEOUT",
			"no hello within %.0f s, %.0f of them without a CPU of the host",
			(double)((hb_now_ns() - s->step_started) / SEC),
			(double)(session_waited_ns(s) - s->step_waited) / SEC);
	return session_settle(s, "TIMEOUT", "no end of phase %s within its deadline",
			      session_steps[s->step]);
}

static bool console_floods(const struct session *s)
{
	struct stat st;

	return s->vm && !stat(s->console_path, &st) && st.st_size > CONSOLE_MOST;
}

/* Take frames until the cell is over. 0: see verdict or result; -EINTR; other: the host failed. */
static int converse(struct session *s, struct hb_error *e)
{
	int fd = session_fd(s);
	int rc = 0;

	while (!rc) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (s->c->interrupted && *s->c->interrupted)
			return hb_error_set(e, -EINTR, "interrupted");
		if (s->vm && vm_panicked(s->vm))
			rc = on_panic(s);
		else if (console_floods(s))
			rc = session_settle(s, "INVALID", "the console is longer than %lld MiB",
					    CONSOLE_MOST >> 20);
		else if (deadline_passed(s))
			rc = on_deadline(s);
		else if (poll(&p, 1, TICK_NS / 1000000) > 0) {
			rc = wire_fill(&s->reader, fd);
			if (rc == -EPIPE || rc == -ECONNRESET)
				rc = on_gone(s);
			else if (rc == -EAGAIN)
				rc = 0;
			else if (!rc)
				rc = session_take_frames(s, e);
			else
				hb_error_set(e, rc, "data port: %s", strerror(-rc));
		}
	}
	return rc < 0 ? rc : 0;
}

/* The cell's specification with the machine's; owned by the caller. */
static char *exact_spec(struct session *s)
{
	json_t *spec = json_copy((json_t *)s->spec);
	uint64_t seed = json_integer_value(json_object_get(s->spec, "seed"));
	char *text;

	s->machine = exact_machine(s->c->vm.vcpus, seed, session_spec(s, "turn_insn"));
	json_object_set(spec, "machine", s->machine);
	text = json_dumps(spec, JSON_COMPACT);
	json_decref(spec);
	return text;
}

/*
 * A file that nobody reads, as large as the seed says: what is allocated after it lies elsewhere,
 * and so does the length of lists and searches that depend on it.
 */
static int add_padding(const struct session *s, FILE *out)
{
	uint64_t state = json_integer_value(json_object_get(s->spec, "seed"));
	size_t bytes = hb_random(&state) % PADDING_BYTES;
	HB_FREE char *zeros = calloc(1, bytes + 1);

	return zeros ? cpio_add(out, "padding", S_IFREG | 0444, zeros, bytes) : -ENOMEM;
}

/* Exact mode: no input during the run, so the specification is part of the initramfs. */
static int append_spec(struct session *s, FILE *out)
{
	HB_FREE char *text = exact_spec(s);
	int rc = text ? cpio_add(out, "spec.json", S_IFREG | 0444, text, strlen(text)) : -ENOMEM;

	if (!rc)
		rc = add_padding(s, out);
	return rc ? rc : cpio_end(out);
}

/* The initramfs of this boot: the agent, the kernel's modules, the specification. */
static int make_initrd(struct session *s, struct hb_error *e)
{
	const char *modules = s->c->kernel ? s->c->kernel->modules : NULL;
	HB_FCLOSE FILE *out = NULL;
	int rc, fd;

	s->initrd_fd = memfd_create("initramfs", MFD_CLOEXEC);
	fd = s->initrd_fd < 0 ? -1 : dup(s->initrd_fd);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out && fd >= 0)
		close(fd);
	if (!out)
		return hb_error_set(e, -ENOMEM, "cannot keep the initramfs in memory");
	rc = cpio_add_archive(out, s->c->vm.initramfs);
	if (!rc && modules)
		rc = cpio_add_archive(out, modules);
	if (!rc && session_is_exact(s))
		rc = append_spec(s, out);
	if (!rc && fflush(out))
		rc = -errno;
	return rc ? hb_error_set(e, rc, "initramfs: %s", strerror(-rc)) : 0;
}

static int start_guest(struct session *s, struct hb_error *e)
{
	struct vm_config vm = s->c->vm;
	int rc = 0;

	if (s->c->native)
		return native_start(s->c->agent, s->c->native_yes, &s->native, e);
	vm.console_path = s->console_path;
	if (session_is_exact(s) && vm.root)
		return hb_error_set(e, -EINVAL, "mode exact needs an initramfs, not a disk");
	if (session_is_exact(s) || (s->c->kernel && s->c->kernel->modules)) {
		rc = make_initrd(s, e);
		vm.initramfs_fd = s->initrd_fd;
	}
	return rc ? rc : vm_start(&vm, &s->vm, e);
}

static void end_guest(struct session *s)
{
	uint64_t start = hb_now_ns();
	uint64_t grace = s->ended ? SHUTDOWN_GRACE_NS : 0;

	s->took[s->step] += start - s->step_started;
	if (s->ended)
		wire_send(session_fd(s), WIRE_QUIT, NULL, NULL);
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
	session_evidence_array(s, scan.evidence);
	if (*scan.boot)
		s->boot_warning = strdup(scan.boot);
	if (scan.count[CONSOLE_PANIC]) {
		s->verdict = NULL;
		session_settle(s, "PANIC", "%s",
			       scan.count[CONSOLE_OOPS] ? scan.first[CONSOLE_OOPS]
							: scan.first[CONSOLE_PANIC]);
	} else if (!s->result && (scan.count[CONSOLE_HUNG] || scan.count[CONSOLE_BLOCKED]) &&
		   (!s->verdict || !strcmp(s->verdict, "TIMEOUT"))) {
		s->verdict = NULL;
		worst = scan.count[CONSOLE_HUNG] ? CONSOLE_HUNG : CONSOLE_BLOCKED;
		session_settle(s, "HANG", "%s", scan.first[worst]);
	} else if (ok) {
		for (enum console_kind k = CONSOLE_WARNING; k < CONSOLE_PANIC; k++)
			if (scan.count[k] && k != CONSOLE_BLOCKED)
				worst = k;
		if (worst < CONSOLE_KINDS)
			session_settle(s, "DIRTY", "%s", scan.first[worst]);
	}
	console_scan_free(&scan);
	return 0;
}

/*
 * The agent keeps to the guest's clock. A measured phase that was shorter by our clock means that
 * the guest's ran fast, and every rate is wrong. How late the frame with its begin may come is
 * allowed for: 0.4 s were seen where others had the host's CPUs. A clock at twice the speed, which
 * is how an emulated one fails, is found from 1.3 s on.
 */
static void judge_clock(struct session *s)
{
	uint64_t planned = session_spec(s, "measure_ns"), took = s->took[STEP_MEASURE];
	const char *agent = json_string_value(json_object_get(s->result, "verdict"));

	if (agent && !strcmp(agent, "OK") && took + planned / 10 + FRAME_LATE_NS < planned)
		session_settle(s, "INVALID",
			       "the guest's clock runs fast: %.1f s of it took %.1f s here",
			       planned / 1e9, took / 1e9);
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
	free(s->boot_warning);
	wire_reader_free(&s->reader);
	json_decref(s->machine);
	json_decref(s->hello);
	json_decref(s->result);
	json_decref(s->evidence);
	json_decref(s->files);
}

static void add_note(json_t *cell, const char *key, const char *text)
{
	json_array_append_new(
		json_object_get(cell, "notes"),
		json_pack("{s:s, s:s, s:s}", "source", "host", "key", key, "text", text));
}

/*
 * Seconds for a cell of mode exact: what its instructions take on a slow host, those included that
 * the watchdog needs to find a hang. Of fixed work nothing is known.
 */
static double exact_deadline(const struct session *s)
{
	static const char *const keys[] = {"warmup_insn", "measure_insn", "stall_insn"};
	static const unsigned int times[] = {1, 1, 6};
	double insn = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		insn += (double)times[i] * session_spec(s, keys[i]);
	return EXACT_BEYOND_S + insn * s->c->vm.vcpus / EXACT_INSN_PER_S;
}

uint64_t session_most_ns(const struct session *s)
{
	double planned = json_number_value(json_object_get(s->c->planned, "deadline_s"));

	if (session_is_exact(s) && planned <= 0)
		planned = exact_deadline(s);
	return planned > 0 ? (uint64_t)(planned * SEC) + memory_allowance(s) : 0;
}

/* From here on the guest runs: QEMU's start, which takes as long as its memory, has its own limit.
 */
static void deadline_begin(struct session *s)
{
	uint64_t most = session_most_ns(s);

	session_enter(s, STEP_BOOT);
	s->deadline = most ? s->step_started + most : 0;
}

static int run_guest(struct session *s, json_t **cell, struct hb_error *e)
{
	HB_FREE char *placement = NULL;
	char started[32];
	time_t now = time(NULL);
	struct tm tm;
	int rc;

	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	s->started = s->step_started = hb_now_ns();
	rc = start_guest(s, e);
	if (rc)
		return rc;
	deadline_begin(s);
	if (s->vm)
		placement = strdup(vm_placement(s->vm));
	rc = converse(s, e);
	end_guest(s);
	if (!rc && s->stalled && !s->result)
		session_settle(s, "HANG", "the tasks made no progress");
	if (!rc && !s->c->native)
		rc = judge_console(s, e);
	if (!rc && !s->c->native && s->c->vm.mode != VM_EXACT)
		judge_clock(s);
	if (!rc && s->result)
		session_evidence_array(s, json_object_get(s->result, "evidence"));
	if (rc)
		return rc;
	*cell = session_cell(s, started);
	if (placement)
		add_note(*cell, "placement", placement);
	if (s->boot_warning)
		add_note(*cell, "warning at boot, not counted", s->boot_warning);
	return 0;
}

static int run_once(const struct session_config *c, json_t **cell, struct hb_error *e)
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
	rc = open_files(&s, e);
	if (!rc)
		rc = run_guest(&s, cell, e);
	release(&s);
	return rc;
}

/* An emulated guest that stopped before the agent ran: it has shown nothing of what is measured. */
static bool boot_lost(const struct session_config *c, const json_t *cell)
{
	const char *verdict = json_string_value(json_object_get(cell, "verdict"));

	return !c->native && c->vm.mode == VM_EMULATED && !json_object_get(cell, "hello") &&
	       verdict && (!strcmp(verdict, "TIMEOUT") || !strcmp(verdict, "HANG"));
}

/* Keep the lost boot's console beside the next one's, and what to say of it in the new *@cell. */
static int boot_again(const struct session_config *c, json_t **cell, struct hb_error *e)
{
	HB_FREE char *from = hb_strf("%s/console.log", c->directory);
	HB_FREE char *to = hb_strf("%s/console.lost.log", c->directory);
	HB_FREE char *text =
		hb_strf("booted twice: the first boot ended before the agent ran, %s: %s "
			"(console.lost.log)",
			json_text(*cell, "verdict"), json_text(*cell, "reason"));
	int rc;

	json_decref(*cell);
	*cell = NULL;
	if (!from || !to || !text)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (rename(from, to))
		return hb_error_set(e, -errno, "%s: %s", to, strerror(errno));
	rc = run_once(c, cell, e);
	if (!rc)
		add_note(*cell, "boot", text);
	return rc;
}

int session_run(const struct session_config *c, json_t **cell, struct hb_error *e)
{
	int rc;

	/* A guest that dies while we write to it is a verdict, not our end. */
	signal(SIGPIPE, SIG_IGN);
	rc = run_once(c, cell, e);
	return !rc && boot_lost(c, *cell) ? boot_again(c, cell, e) : rc;
}
