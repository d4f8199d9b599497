// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/restore.h"
#include "bench/base/units.h"
#include "bench/host/kexec.h"
#include "bench/host/paths.h"
#include "bench/host/pstore.h"
#include "bench/host/root_disk.h"
#include "bench/host/watchdog_device.h"
#include "bench/run/metal.h"
#include "bench/run/metal_arms.h"
#include "bench/run/metal_state.h"
#include "bench/run/metal_unit.h"
#include "bench/run/workers.h"
#include "bench/scenario/cell_costs.h"

#define ABORT_FILE METAL_DIRECTORY "/abort"
/* Beyond what a cell plans: its set-up, its end, the deadlines of both. */
#define CELL_BEYOND_NS (1800 * NSEC_PER_SEC)
#define ABORT_WAIT_NS  (5 * NSEC_PER_SEC)
/* What the way from one kernel's services to those of the next may take. */
#define BOOT_S 600

/* The cell that the running kernel is to measure; owned by the caller; NULL: it is the machine's
 * own kernel. */
static char *booted_cell(void)
{
	HB_FREE char *line = hb_file_line("/proc/cmdline");

	return line ? metal_booted_cell(line) : NULL;
}

/* The lock on the state, held until *@fd is closed. -ENOENT: there is none. */
static int lock(int *fd, struct hb_error *e)
{
	*fd = open(METAL_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return hb_error_set(e, -errno, METAL_DIRECTORY ": %s", strerror(errno));
	if (!flock(*fd, LOCK_EX | LOCK_NB))
		return 0;
	return hb_error_set(e, -EBUSY, "another `hugebench metal` is at work");
}

static bool state_is_there(void)
{
	struct metal_state s;
	int rc = metal_state_load(METAL_DIRECTORY, &s, NULL);

	metal_state_free(&s);
	return rc != -ENOENT;
}

static bool abort_asked(void)
{
	return !access(ABORT_FILE, F_OK);
}

/* Is @path there in an arm's kernel? */
static int disk_holds(const char *path, const struct metal_options *o, struct hb_error *e)
{
	int rc = root_disk_holds(path, e);
	struct stat root, st;

	if (rc || !o->as_init)
		return rc;
	if (stat("/", &root) || stat(path, &st))
		return hb_error_set(e, -errno, "%s: %s", path, strerror(errno));
	return root.st_dev == st.st_dev
		       ? 0
		       : hb_error_set(e, -EINVAL,
				      "%s is not on the root's file system; with --as-init "
				      "nothing else is mounted in an arm's kernel",
				      path);
}

int metal_check(const char *results, const struct metal_options *o, struct hb_error *e)
{
	HB_FREE char *executable = paths_beside("hugebench");
	int rc;

	if (geteuid())
		return hb_error_set(e, -EPERM, "booting this machine takes root");
	if (state_is_there())
		return hb_error_set(e, -EBUSY,
				    "a run is under way on this machine: `hugebench metal "
				    "--status`, --abort gives it up");
	if (!o->no_unit && !metal_unit_possible())
		return hb_error_set(e, -ENODEV,
				    "systemd does not run this machine, so nothing goes on with "
				    "the run after a boot; have `hugebench metal --continue` "
				    "called at every boot and give --no-unit");
	if (access("/sys/kernel/kexec_loaded", F_OK))
		return hb_error_set(e, -ENOSYS, "the running kernel has no kexec (CONFIG_KEXEC)");
	rc = store_ready(results, e);
	if (rc)
		return rc;
	rc = hb_mkdir_all(METAL_DIRECTORY);
	if (rc)
		return hb_error_set(e, rc, METAL_DIRECTORY ": %s", strerror(-rc));
	rc = disk_holds(METAL_DIRECTORY, o, e) ?: disk_holds(results, o, e);
	if (!rc && executable)
		rc = disk_holds(executable, o, e);
	metal_state_remove(METAL_DIRECTORY, NULL);
	return rc;
}

/* Unit and state; the run stays. */
static int leave_nothing(struct hb_error *e)
{
	int rc = metal_unit_remove(METAL_UNIT_DIR, e);

	return rc ? rc : metal_state_remove(METAL_DIRECTORY, e);
}

/* Index of the boot called @id, or -1. */
static int boot_index(const struct run *r, const char *id)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	size_t i;

	json_array_foreach (cells, i, planned)
		if (!strcmp(json_text(planned, "id"), id))
			return i;
	return -1;
}

/* Index of the first boot that has no result, or -1; *@done: those that have one. */
static int boot_missing(const struct run *r, size_t *done)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	int first = -1;
	size_t i;

	*done = 0;
	json_array_foreach (cells, i, planned)
		if (store_has_cell(&r->store, json_text(planned, "id")))
			++*done;
		else if (first < 0)
			first = i;
	return first;
}

static void run_init(struct run *r, const struct metal_state *s)
{
	*r = (struct run){.args = {.name = s->run,
				   .results = s->results,
				   .agent = s->agent,
				   .block = RUN_WHOLE,
				   .yes = 1,
				   .metal = true},
			  .store = {.lock = -1}};
}

static int run_begin(struct run *r, const struct metal_state *s, struct hb_error *e)
{
	run_init(r, s);
	return run_open(r, e) ?: run_take_up(r, e);
}

/* --- in an arm's kernel ----------------------------------------------------------- */

static uint64_t cell_most(const json_t *boot)
{
	const json_t *phases = json_object_get(json_object_get(boot, "spec"), "phases");
	double deadline = json_number_value(json_object_get(boot, "deadline_s"));

	return CELL_BEYOND_NS + (uint64_t)(deadline * NSEC_PER_SEC) +
	       json_integer_value(json_object_get(phases, "warmup_ns")) +
	       json_integer_value(json_object_get(phases, "measure_ns"));
}

/* Does the kernel that was measured have tasks that hang? */
static bool cell_hangs(const struct run *r, const char *id)
{
	HB_FREE char *file = hb_strf("cells/%s/cell.json", id);
	json_t *cell = file ? store_read(&r->store, file, NULL) : NULL;
	bool hangs = !strcmp(json_text(cell, "verdict"), "HANG");

	json_decref(cell);
	return hangs;
}

/* A machine that hangs once the state says that it measures is reset: the watchdog comes first. */
static int measure(struct metal_state *s, bool *hangs, pid_t *holder, struct hb_error *e)
{
	struct run r;
	int rc = run_begin(&r, s, e), at = rc ? -1 : boot_index(&r, s->cell);
	struct run_boot b = {.planned = at < 0 ? NULL : plan_boot(r.plan, at)};
	struct hb_error none = {""};

	if (!rc && !b.planned)
		rc = hb_error_set(e, -EPROTO, "the plan has no boot %s", s->cell);
	if (!rc) {
		*holder = watchdog_hold(cell_most(b.planned), &none);
		if (*holder < 0)
			fprintf(stderr, "hugebench: no watchdog: %s\n", none.text);
		s->measuring = true;
		rc = metal_state_store(METAL_DIRECTORY, s, e);
	}
	if (!rc) {
		fprintf(stderr, "hugebench: metal: measuring %s\n", s->cell);
		rc = run_cell(&r, &b, e);
	}
	*hangs = !rc && cell_hangs(&r, s->cell);
	json_decref((json_t *)b.planned);
	run_close(&r);
	return rc;
}

static int be_an_arm(struct metal_state *s, enum metal_step step, struct hb_error *e)
{
	struct hb_error failed = {""};
	bool hangs = false;
	pid_t holder = -1;

	if (step == METAL_MEASURE && !abort_asked() && measure(s, &hangs, &holder, &failed)) {
		fprintf(stderr, "hugebench: %s\n", failed.text);
		s->error = strdup(failed.text);
		metal_state_store(METAL_DIRECTORY, s, NULL);
	}
	if (!hangs)
		watchdog_release(holder);
	return kexec_reboot(hangs, e);
}

/* --- in the machine's own kernel ---------------------------------------------------- */

static void state_clear_boot(struct metal_state *s)
{
	free(s->cell);
	free(s->boot_id);
	free(s->error);
	free(s->stopped);
	s->cell = s->boot_id = s->error = s->stopped = NULL;
	s->measuring = false;
	s->tries = 0;
}

/* The verdict as cell.json with its evidence; @dmesg, where there is any, beside it. */
static int lost_commit(struct run *r, const json_t *planned, const struct metal_end *end,
		       const char *dmesg, struct hb_error *e)
{
	HB_FREE char *dir = store_cell_begin(&r->store, json_text(planned, "id"), e);
	HB_FREE char *log = dir ? hb_strf("%s/console.log", dir) : NULL;
	json_t *cell =
		run_unmeasured(r, planned, end->verdict, end->reason, json_incref(end->evidence));
	int rc = log && cell ? 0 : -ENOMEM;

	if (!rc && *dmesg)
		rc = hb_file_write_atomic(log, dmesg, strlen(dmesg));
	if (rc)
		hb_error_set(e, rc, "cannot record a lost boot: %s", strerror(-rc));
	else
		rc = run_cell_commit(r, dir, cell, e);
	json_decref(cell);
	return rc;
}

/* The boot under way ended without a result: find out how. */
static int lost_record(struct run *r, struct metal_state *s, struct hb_error *e)
{
	HB_FREE char *dmesg = pstore_read(s->since);
	int at = boot_index(r, s->cell), rc = 0;
	json_t *planned = at < 0 ? NULL : plan_boot(r->plan, at);
	struct metal_end end = {.evidence = NULL};

	if (!dmesg || !planned || metal_judge(s, dmesg, watchdog_has_fired(), &end))
		rc = hb_error_set(e, -EPROTO, "the plan has no boot %s, or no memory", s->cell);
	if (!rc) {
		fprintf(stderr, "hugebench: metal: %s: %s: %s\n", s->cell, end.verdict, end.reason);
		rc = lost_commit(r, planned, &end, dmesg, e);
	}
	if (!rc)
		pstore_clear(s->since);
	json_decref(end.evidence);
	json_decref(planned);
	return rc;
}

/* What a boot costs in all: the firmware's part, the own kernel's, the pause. */
static void boot_learn(struct run *r, const struct metal_state *s)
{
	int at = boot_index(r, s->cell);
	json_t *planned = at < 0 ? NULL : plan_boot(r->plan, at);
	json_int_t ns = (time(NULL) - s->since) * NSEC_PER_SEC + s->pause;
	json_t *took = json_pack("{s:{s:I}}", "times", "total_ns", ns);

	if (planned && took) {
		costs_learn(r->costs, planned, took);
		costs_save(r->costs, NULL);
	}
	json_decref(took);
	json_decref(planned);
}

/* Of the boots without a result; "about 20 m" into @buf. */
static const char *time_left(const struct run *r, char *buf, size_t size)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	double seconds = 0;
	size_t i;

	json_array_foreach (cells, i, planned) {
		json_t *boot = store_has_cell(&r->store, json_text(planned, "id"))
				       ? NULL
				       : plan_boot(r->plan, i);
		int measured;

		seconds += boot ? costs_estimate(r->costs, boot, &measured) : 0;
		json_decref(boot);
	}
	return hb_format_duration(buf, size, seconds * NSEC_PER_SEC);
}

/* The arm's settings went with its kernel; so does the note of what they were before. */
static void note_forget(void)
{
	HB_FREE char *path = restore_path();

	if (path && restore_pending(path, NULL) > 0)
		restore_apply(path, NULL);
}

/* Time for someone to log in and give the run up. */
static bool pause_ends(uint64_t ns)
{
	uint64_t until = hb_now_ns() + ns;

	while (hb_now_ns() < until && !abort_asked() && !workers_interrupted())
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 4);
	return !abort_asked() && !workers_interrupted();
}

/* State on disk, kernel in memory, and off. */
static int boot_arm(struct run *r, struct metal_state *s, int at, size_t done, struct hb_error *e)
{
	const json_t *cells = json_object_get(r->plan, "cells"),
		     *planned = json_array_get(cells, at);
	const json_t *arm = json_object_get(s->arms, json_text(planned, "kernel"));
	const char *initrd = json_string_value(json_object_get(arm, "initrd"));
	HB_FREE char *line = hb_strf("%s hugebench.metal=%s", json_text(arm, "command_line"),
				     json_text(planned, "id"));
	HB_FREE char *now = hb_boot_id();
	unsigned int tries = s->tries + 1;
	char left[32];
	bool armed;
	int rc;

	if (!line || !now)
		return hb_error_set(e, -ENOMEM, "no memory, or this boot has no id in /proc");
	state_clear_boot(s);
	s->cell = strdup(json_text(planned, "id"));
	s->boot_id = strdup(now);
	s->tries = tries;
	s->since = time(NULL);
	fprintf(stderr, "hugebench: metal: boot %zu of %zu: %s; about %s left\n", done + 1,
		json_array_size(cells), s->cell, time_left(r, left, sizeof(left)));
	rc = kexec_load(json_text(arm, "image"), initrd, line, e);
	if (!rc)
		rc = metal_state_store(METAL_DIRECTORY, s, e);
	if (rc)
		return rc;
	/* Where the driver lets it run on, an arm that hangs before its init comes back, too. */
	armed = !watchdog_arm(BOOT_S);
	rc = kexec_boot(e);
	if (rc && armed)
		watchdog_disarm();
	return rc;
}

static int end_run(struct run *r, const char *status, struct hb_error *e)
{
	int rc = run_record_status(r, status, e);

	return rc ? rc : leave_nothing(e);
}

/* @step is of the own kernel. */
static int go_on(struct run *r, struct metal_state *s, enum metal_step step,
		 enum metal_outcome *outcome, struct hb_error *e)
{
	size_t done;
	int at, rc = step == METAL_LOST ? lost_record(r, s, e) : 0;

	if (rc)
		return rc;
	if (step == METAL_NEXT && s->cell)
		boot_learn(r, s);
	if (step != METAL_AGAIN)
		state_clear_boot(s);
	at = boot_missing(r, &done);
	*outcome = at < 0 ? METAL_FINISHED : METAL_BOOTS;
	if (at >= 0 && !pause_ends(s->pause))
		*outcome = METAL_ABORTED;
	if (*outcome != METAL_BOOTS)
		return end_run(r, at < 0 ? "finished" : "interrupted", e);
	return boot_arm(r, s, at, done, e);
}

static unsigned int cells_unexpected(const struct run *r)
{
	const json_t *cells = json_object_get(r->plan, "cells"), *planned;
	unsigned int n = 0;
	size_t i;

	json_array_foreach (cells, i, planned) {
		HB_FREE char *file = hb_strf("cells/%s/cell.json", json_text(planned, "id"));
		json_t *cell = file ? store_read(&r->store, file, NULL) : NULL;

		n += json_is_false(json_object_get(cell, "expected")) &&
		     !json_is_true(json_object_get(planned, "warmup_boot"));
		json_decref(cell);
	}
	return n;
}

static int be_the_own(struct metal_state *s, enum metal_outcome *outcome, char **dir,
		      unsigned int *unexpected, struct hb_error *e)
{
	HB_FREE char *now = hb_boot_id();
	enum metal_step step;
	struct run r;
	int rc;

	note_forget();
	rc = run_begin(&r, s, e);
	if (!rc) {
		step = metal_next(s, NULL, s->cell && store_has_cell(&r.store, s->cell),
				  now ? now : "");
		rc = step == METAL_STUCK
			     ? hb_error_set(e, -EIO,
					    "this kernel was not left in %u tries; `hugebench "
					    "metal --continue` tries again after a boot, --abort "
					    "gives the run up",
					    s->tries)
			     : go_on(&r, s, step, outcome, e);
	}
	if (!rc && *outcome != METAL_BOOTS) {
		*dir = strdup(r.store.dir);
		*unexpected = cells_unexpected(&r);
	}
	run_close(&r);
	return rc;
}

/* For --status: what is on disk, and that it does not go on. */
static void stop_record(const char *why)
{
	struct metal_state s;

	if (!metal_state_load(METAL_DIRECTORY, &s, NULL)) {
		free(s.stopped);
		s.stopped = strdup(why);
		metal_state_store(METAL_DIRECTORY, &s, NULL);
	}
	metal_state_free(&s);
}

void metal_environment(void)
{
	struct metal_state s;
	const char *name;
	const json_t *value;

	metal_state_load(METAL_DIRECTORY, &s, NULL);
	json_object_foreach (s.environment, name, value)
		setenv(name, json_string_value(value), 1);
	metal_state_free(&s);
}

int metal_continue(enum metal_outcome *outcome, char **dir, unsigned int *unexpected,
		   struct hb_error *e)
{
	HB_FREE char *booted = booted_cell(), *now = hb_boot_id();
	HB_CLOSE int fd = -1;
	struct metal_state s = {0};
	int rc;

	*outcome = METAL_BOOTS;
	*dir = NULL;
	*unexpected = 0;
	rc = lock(&fd, e);
	if (!rc || rc == -ENOENT)
		rc = metal_state_load(METAL_DIRECTORY, &s, e);
	if (booted && rc != -EBUSY)
		rc = be_an_arm(
			&s, rc ? METAL_RETURN : metal_next(&s, booted, false, now ? now : ""), e);
	else if (!rc) {
		rc = be_the_own(&s, outcome, dir, unexpected, e);
		if (rc)
			stop_record(e->text);
	}
	metal_state_free(&s);
	return rc;
}

/* --- the command's other ends --------------------------------------------------------- */

/* What hugebench reads of the environment, {NAME: VALUE}; new reference. */
static json_t *environment_now(void)
{
	const char *home = getenv("HOME");

	return json_pack("{s:s, s:s*}", "HOME", home ? home : "/root", "XDG_CACHE_HOME",
			 getenv("XDG_CACHE_HOME"));
}

/* What comes up in an arm's kernel: the unit, hugebench itself, or what somebody else has seen to;
 * a word for its command line, or NULL. */
static const char *arm_begins(const struct metal_options *o, const char *executable,
			      struct hb_error *e)
{
	if (!o->as_init)
		return o->no_unit ? "" : METAL_UNIT_BOOT;
	if (!symlink(executable, METAL_INIT))
		return "init=" METAL_INIT;
	hb_error_set(e, -errno, METAL_INIT ": %s", strerror(errno));
	return NULL;
}

static int begin(struct run *r, const struct metal_options *o, struct metal_state *s,
		 enum metal_outcome *outcome, struct hb_error *e)
{
	HB_FREE char *executable = paths_beside("hugebench"), *unit = NULL;
	const char *word;
	int rc;

	s->results = realpath(r->results, NULL);
	s->run = strdup(r->store.name);
	s->agent = r->args.agent ? realpath(r->args.agent, NULL) : NULL;
	s->pause = o->pause;
	s->environment = environment_now();
	if (s->results && executable)
		unit = metal_unit_text(executable, s->results, s->environment);
	if (!s->run || !s->environment || !unit)
		return hb_error_set(e, -ENOMEM, "no memory");
	word = arm_begins(o, executable, e);
	rc = word ? metal_arms(r, METAL_DIRECTORY, word, &s->arms, e) : -EIO;
	if (!rc)
		rc = json_object_set_new(r->record, "metal", json_pack("{s:O}", "arms", s->arms));
	if (!rc)
		rc = run_record_status(r, "running", e);
	if (!rc)
		rc = metal_state_store(METAL_DIRECTORY, s, e);
	if (!rc && !o->no_unit)
		rc = metal_unit_install(METAL_UNIT_DIR, unit, e);
	return rc ? rc : go_on(r, s, METAL_NEXT, outcome, e);
}

int metal_begin(struct run *r, const struct metal_options *o, enum metal_outcome *outcome,
		struct hb_error *e)
{
	struct metal_state s = {0};
	HB_CLOSE int fd = -1;
	int rc = hb_mkdir_all(METAL_DIRECTORY) ?: lock(&fd, e) ?: workers_signals(e);

	if (rc)
		return rc;
	rc = begin(r, o, &s, outcome, e);
	metal_state_free(&s);
	if (!rc)
		return 0;
	kexec_unload();
	leave_nothing(NULL);
	store_discard(&r->store);
	return rc;
}

static int abort_now(struct metal_state *s, struct hb_error *e)
{
	struct run r;
	int rc;

	run_init(&r, s);
	rc = store_resume(s->results, s->run, &r.store, e);
	if (!rc)
		r.record = store_read(&r.store, "run.json", e);
	if (!rc && r.record)
		rc = run_record_status(&r, "interrupted", e);
	run_close(&r);
	/* A run that is gone or damaged does not keep the unit alive. */
	if (rc)
		fprintf(stderr, "hugebench: %s\n", e->text);
	kexec_unload();
	return leave_nothing(e);
}

int metal_abort(enum metal_outcome *outcome, struct hb_error *e)
{
	HB_FREE char *booted = booted_cell();
	uint64_t until = hb_now_ns() + ABORT_WAIT_NS;
	HB_CLOSE int fd = -1;
	struct metal_state s;
	int rc = metal_state_load(METAL_DIRECTORY, &s, e);

	*outcome = METAL_BOOTS;
	if (!rc)
		rc = hb_file_write_atomic(ABORT_FILE, "", 0);
	while (!rc && !booted && state_is_there() && lock(&fd, e) && hb_now_ns() < until) {
		close(fd);
		fd = -1;
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 4);
	}
	if (!rc && !booted && !state_is_there())
		*outcome = METAL_ABORTED;
	if (!rc && !booted && *outcome == METAL_BOOTS && fd >= 0 && !abort_now(&s, e))
		*outcome = METAL_ABORTED;
	metal_state_free(&s);
	return rc;
}

int metal_status(FILE *out, struct hb_error *e)
{
	struct metal_state s;
	struct run r = {.store = {.lock = -1}};
	size_t done = 0;
	char left[32];
	int rc = metal_state_load(METAL_DIRECTORY, &s, e);

	if (!rc) {
		r.store.dir = hb_strf("%s/%s", s.results, s.run);
		r.plan = r.store.dir ? store_read(&r.store, "plan.json", e) : NULL;
		rc = r.plan ? 0 : -EPROTO;
	}
	r.costs = costs_load();
	if (!rc) {
		boot_missing(&r, &done);
		fprintf(out, "run %s: %zu of %zu boots are done, about %s left\n", r.store.dir,
			done, json_array_size(json_object_get(r.plan, "cells")),
			time_left(&r, left, sizeof(left)));
		if (s.cell)
			fprintf(out, "under way: %s\n", s.cell);
		if (abort_asked())
			fputs("given up: it ends on the machine's own kernel\n", out);
	}
	if (s.stopped)
		fprintf(out,
			"stopped: %s\n`hugebench metal --continue` tries again, --abort "
			"gives it up\n",
			s.stopped);
	free(r.store.dir);
	json_decref(r.costs);
	json_decref(r.plan);
	metal_state_free(&s);
	return rc;
}

char *metal_left(const char **mend)
{
	struct metal_state s;
	int rc = metal_state_load(METAL_DIRECTORY, &s, NULL);
	char *text = NULL;

	*mend = "hugebench metal --abort";
	if (!rc)
		text = s.stopped ? hb_strf("run %s/%s of `hugebench metal` has stopped: %s",
					   s.results, s.run, s.stopped)
				 : hb_strf("run %s/%s of `hugebench metal` is under way: this "
					   "machine boots other kernels by itself",
					   s.results, s.run);
	metal_state_free(&s);
	if (text || (rc == -ENOENT && !metal_unit_is_there(METAL_UNIT_DIR) &&
		     access(METAL_DIRECTORY, F_OK)))
		return text;
	*mend = "hugebench doctor --restore";
	return hb_strf("a run of `hugebench metal` left %s or %s behind",
		       METAL_UNIT_DIR "/" METAL_UNIT, METAL_DIRECTORY);
}

int metal_restore(struct hb_error *e)
{
	struct metal_state s;
	int rc = metal_state_load(METAL_DIRECTORY, &s, NULL);

	metal_state_free(&s);
	if (!rc || (!metal_unit_is_there(METAL_UNIT_DIR) && access(METAL_DIRECTORY, F_OK)))
		return 0;
	rc = leave_nothing(e);
	return rc ? rc : 1;
}
