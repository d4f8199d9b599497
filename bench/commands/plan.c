// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench plan` */
#include "bench/commands/commands.h"
#include "bench/commands/plan_options.h"

static int plan(struct run *r, struct hb_error *e)
{
	int rc = run_open(r, e);

	if (!rc)
		rc = run_read(r, e);
	return rc ? rc : run_plan(r, e);
}

int cmd_plan(int argc, char **argv)
{
	struct argp argp = plan_options_argp;
	struct run r = {.args = plan_args("plan", argc, argv), .store = {.lock = -1}};
	struct hb_error e = {""};
	int rc = EXIT_USAGE;

	argp.doc =
		"Write the plan of a run: every boot, in seeded order, in blocks of one boot of "
		"every kernel. Nothing is built or booted; that is for `hugebench run --name RUN "
		"--block K`, on any machine that sees the directory or has a copy of it, and "
		"`hugebench merge RUN`. `hugebench slurm RUN` has a cluster do all of it.\v"
		"The guest's size is chosen here: give -o memory= and -o vcpus= where the machines "
		"that boot are smaller than this one. Exit status: 0; 2 bad usage or scenario; 3 "
		"the host lacks something.";
	if (!argp_parse(&argp, argc, argv, 0, NULL, &r.args) && !plan_usage_check(&r.args)) {
		rc = plan(&r, &e);
		if (rc)
			rc = plan_fail(rc, &e);
	}
	run_close(&r);
	plan_args_free(&r.args);
	return rc;
}
