// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/host/kexec.h"
#include "bench/host/paths.h"
#include "bench/host/root_disk.h"
#include "bench/run/metal_arms.h"
#include "bench/run/metal_boots.h"
#include "bench/run/workers.h"
#include "bench/scenario/cell_costs.h"

#define ABORT_WAIT_NS (5 * NSEC_PER_SEC)

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
		rc = metal_be_an_arm(
			&s, rc ? METAL_RETURN : metal_next(&s, booted, false, now ? now : ""), e);
	else if (!rc) {
		rc = metal_be_the_own(&s, outcome, dir, unexpected, e);
		if (rc)
			stop_record(e->text);
	}
	metal_state_free(&s);
	return rc;
}

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
	return rc ? rc : metal_go_on(r, s, METAL_NEXT, outcome, e);
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
	metal_leave_nothing(NULL);
	store_discard(&r->store);
	return rc;
}

static int abort_now(struct metal_state *s, struct hb_error *e)
{
	struct run r;
	int rc;

	metal_run_init(&r, s);
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
	return metal_leave_nothing(e);
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
		rc = hb_file_write_atomic(METAL_ABORT_FILE, "", 0);
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
		metal_boot_missing(&r, &done);
		fprintf(out, "run %s: %zu of %zu boots are done, about %s left\n", r.store.dir,
			done, json_array_size(json_object_get(r.plan, "cells")),
			metal_time_left(&r, left, sizeof(left)));
		if (s.cell)
			fprintf(out, "under way: %s\n", s.cell);
		if (metal_abort_asked())
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
	rc = metal_leave_nothing(e);
	return rc ? rc : 1;
}
