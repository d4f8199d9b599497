// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/restore.h"
#include "bench/base/units.h"
#include "bench/host/kexec.h"
#include "bench/host/pstore.h"
#include "bench/host/watchdog_device.h"
#include "bench/run/metal_boots.h"
#include "bench/run/workers.h"
#include "bench/scenario/cell_costs.h"

/* Beyond what a cell plans: its set-up, its end, the deadlines of both. */
#define CELL_BEYOND_NS (1800 * NSEC_PER_SEC)
/* What the way from one kernel's services to those of the next may take. */
#define BOOT_S 600

bool metal_abort_asked(void)
{
	return !access(METAL_ABORT_FILE, F_OK);
}

int metal_leave_nothing(struct hb_error *e)
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

int metal_boot_missing(const struct run *r, size_t *done)
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

void metal_run_init(struct run *r, const struct metal_state *s)
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
	metal_run_init(r, s);
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

int metal_be_an_arm(struct metal_state *s, enum metal_step step, struct hb_error *e)
{
	struct hb_error failed = {""};
	bool hangs = false;
	pid_t holder = -1;

	if (step == METAL_MEASURE && !metal_abort_asked() && measure(s, &hangs, &holder, &failed)) {
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

const char *metal_time_left(const struct run *r, char *buf, size_t size)
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

	while (hb_now_ns() < until && !metal_abort_asked() && !workers_interrupted())
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 4);
	return !metal_abort_asked() && !workers_interrupted();
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
		json_array_size(cells), s->cell, metal_time_left(r, left, sizeof(left)));
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

	return rc ? rc : metal_leave_nothing(e);
}

int metal_go_on(struct run *r, struct metal_state *s, enum metal_step step,
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
	at = metal_boot_missing(r, &done);
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

int metal_be_the_own(struct metal_state *s, enum metal_outcome *outcome, char **dir,
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
			     : metal_go_on(&r, s, step, outcome, e);
	}
	if (!rc && *outcome != METAL_BOOTS) {
		*dir = strdup(r.store.dir);
		*unexpected = cells_unexpected(&r);
	}
	run_close(&r);
	return rc;
}
