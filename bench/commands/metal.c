// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench metal`: the arms on this machine itself, boot after boot. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/commands/commands.h"
#include "bench/commands/plan_options.h"
#include "bench/commands/print_report.h"
#include "bench/host/init.h"
#include "bench/host/kexec.h"
#include "bench/host/watchdog_device.h"
#include "bench/run/metal.h"
#include "bench/run/metal_state.h"

#define PAUSE_DEFAULT_NS (30 * NSEC_PER_SEC)
/* From process 1 of an arm to its cell, where the watchdog is taken over. */
#define INIT_S 300

enum {
	KEY_YES = 512,
	KEY_CONTINUE,
	KEY_STATUS,
	KEY_ABORT,
	KEY_PAUSE,
	KEY_NO_UNIT,
	KEY_AS_INIT,
};

static const char given_up[] = "hugebench: the run is given up; what is measured is kept\n";

struct metal_args {
	struct run_args run;
	struct metal_options options;
	int what; /* KEY_CONTINUE, KEY_STATUS, KEY_ABORT, or 0: a new run */
};

static const struct argp_option options[] = {
	{"yes", KEY_YES, NULL, 0,
	 "boot this machine, again and again: whoever works on it, and every service, is cut off",
	 0},
	{"status", KEY_STATUS, NULL, 0, "how far the run is", 0},
	{"abort", KEY_ABORT, NULL, 0, "give the run up; what is measured is kept", 0},
	{"continue", KEY_CONTINUE, NULL, 0, "what the unit calls at every boot", 0},
	{"pause", KEY_PAUSE, "TIME", 0,
	 "wait so long on the own kernel before each boot of an arm (default 30s): the time to log "
	 "in and --abort",
	 0},
	{"no-unit", KEY_NO_UNIT, NULL, 0,
	 "install no systemd unit: something else calls `hugebench metal --continue` at every boot",
	 0},
	{"as-init", KEY_AS_INIT, NULL, 0,
	 "be process 1 of the arms' kernels: nothing of the machine's own system runs beside what "
	 "is "
	 "measured, and its watchdog is set first of all; hugebench and results have to be on the "
	 "root's file system",
	 0},
	{0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct metal_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->run;
		return 0;
	case KEY_YES:
		a->run.yes = 1;
		return 0;
	case KEY_STATUS:
	case KEY_ABORT:
	case KEY_CONTINUE:
		a->what = key;
		return 0;
	case KEY_PAUSE:
		if (!hb_parse_duration(arg, &a->options.pause))
			return 0;
		fprintf(stderr, "hugebench: --pause %s is not a duration; write it like 30s\n",
			arg);
		return EINVAL;
	case KEY_NO_UNIT:
		a->options.no_unit = true;
		return 0;
	case KEY_AS_INIT:
		a->options.as_init = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The plan without its store, to tell what --yes would do. */
static int show(struct run *r, struct hb_error *e)
{
	int rc = run_show(r, e);

	if (!rc)
		fputs("\nThis machine would boot each of these, and its own kernel in between. "
		      "Say --yes to begin.\n",
		      stderr);
	return rc;
}

static int begin(struct metal_args *a)
{
	struct run r = {.args = a->run, .store = {.lock = -1}};
	struct hb_error e = {""};
	enum metal_outcome outcome;
	int rc;

	r.args.metal = true;
	json_array_append_new(r.args.overrides, json_string("mode=metal"));
	rc = run_open(&r, &e);
	if (!rc)
		rc = metal_check(r.results, &a->options, &e);
	if (!rc)
		rc = run_read(&r, &e);
	if (!rc && !run_is_metal(&r))
		rc = hb_error_set(&e, -EINVAL, "leave --mode out: this is mode metal");
	if (!rc && !a->run.yes)
		rc = show(&r, &e) ?: 1;
	if (!rc)
		rc = run_prepare(&r, &e) ?: metal_begin(&r, &a->options, &outcome, &e);
	run_close(&r);
	if (!rc)
		fputs(outcome == METAL_BOOTS
			      ? "hugebench: this machine boots now; `hugebench metal --status` "
				"says how far it is\n"
			      : given_up,
		      stderr);
	return rc < 0 ? plan_fail(rc, &e) : rc ? EXIT_USAGE : EXIT_OK;
}

static int go_on(void)
{
	enum metal_outcome outcome;
	unsigned int unexpected;
	struct hb_error e = {""};
	char *got = NULL;
	int rc = metal_continue(&outcome, &got, &unexpected, &e);
	HB_FREE char *dir = got;

	if (!rc && outcome != METAL_BOOTS)
		rc = print_report(dir, &e);
	if (rc)
		return plan_fail(rc, &e);
	return unexpected ? EXIT_CELLS : EXIT_OK;
}

bool metal_as_init(const char *program, int *status)
{
	struct hb_error e = {""};
	pid_t pid;

	if (getpid() != 1 || strcmp(program, METAL_INIT))
		return false;
	init_mount();
	watchdog_arm(INIT_S);
	pid = fork();
	if (!pid) {
		metal_environment();
		*status = go_on();
		return true;
	}
	init_wait(pid);
	/* When process 1 ends the kernel panics, which starts the machine again as well. */
	kexec_reboot(true, &e);
	fprintf(stderr, "hugebench: %s\n", e.text);
	*status = EXIT_HOST;
	return true;
}

static int give_up(void)
{
	enum metal_outcome outcome;
	struct hb_error e = {""};
	int rc = metal_abort(&outcome, &e);

	if (rc)
		return plan_fail(rc, &e);
	fputs(outcome == METAL_ABORTED
		      ? given_up
		      : "hugebench: the run ends as soon as the machine is back on its own "
			"kernel\n",
	      stderr);
	return EXIT_OK;
}

static int status(void)
{
	struct hb_error e = {""};
	int rc = metal_status(stdout, &e);

	return rc ? plan_fail(rc, &e) : EXIT_OK;
}

static int usage_check(const struct metal_args *a)
{
	if (!a->what)
		return plan_usage_check(&a->run);
	if (!a->run.scenario && !a->run.yes && !a->run.name && !json_array_size(a->run.overrides))
		return 0;
	fprintf(stderr, "hugebench: --status, --abort and --continue are of the run under way; "
			"they take nothing else\n");
	return -EINVAL;
}

static int carry_out(struct metal_args *a)
{
	switch (a->what) {
	case KEY_CONTINUE:
		return go_on();
	case KEY_STATUS:
		return status();
	case KEY_ABORT:
		return give_up();
	default:
		return begin(a);
	}
}

int cmd_metal(int argc, char **argv)
{
	static const struct argp_child children[] = {{.argp = &plan_options_argp}, {0}};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.children = children,
		.doc = "Compare kernels on this machine itself. Its own kernel boots an arm by "
		       "kexec, on the same root; the arm measures one cell and starts the machine "
		       "again; and so on until the plan is done, by a systemd unit that is removed "
		       "at the end. Without --yes: say what would be booted.\v"
		       "A panic, a hang (by the machine's watchdog) or a power cut is recorded, "
		       "and the run goes on. The boot loader's default entry has to be the kernel "
		       "that runs now.\n"
		       "Exit status: 0; 1 the run finished, some cell is not as the scenario "
		       "expects; 2 bad usage or scenario; 3 the machine lacks something.",
	};
	struct metal_args a = {.run = plan_args("metal", argc, argv),
			       .options = {.pause = PAUSE_DEFAULT_NS}};
	int rc = EXIT_USAGE;

	if (!argp_parse(&argp, argc, argv, 0, NULL, &a) && !usage_check(&a))
		rc = carry_out(&a);
	plan_args_free(&a.run);
	return rc;
}
