// SPDX-License-Identifier: GPL-2.0-or-later
/* The `hugebench` command: a table of subcommands. */
#include <argp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/util.h"
#include "bench/commands/commands.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct command commands[] = {
	{"run", cmd_run, "boot the kernels, measure, report"},
	{"plan", cmd_plan, "plan a run that several machines carry out, block by block"},
	{"metal", cmd_metal, "compare kernels on this machine itself, by kexec, boot after boot"},
	{"merge", cmd_merge, "join what several machines have done of a run, and report"},
	{"slurm", cmd_slurm, "have a cluster carry out a planned run"},
	{"doctor", cmd_doctor, "what this host can do, what is missing, and how to mend it"},
	{"report", cmd_report, "figures, verdicts and evidence of a run, from its raw data"},
	{"replay", cmd_replay, "boot a cell of mode exact again: the same seed, the same digits"},
	{"plots", cmd_plots, "draw the pictures of a run with gnuplot"},
	{"check", cmd_check, "correctness of the kernels: a table of bugs and kernels"},
	{"oracle", cmd_oracle, "search for a deadlock, and how rare it must be when there is none"},
	{"selftests", cmd_selftests, "the kernel's own hugetlb selftests, verdicts side by side"},
	{"bisect", cmd_bisect, "find the commit of a kernel tree that changed a figure"},
	{"list", cmd_list, "kernels, workloads, antagonists, scenarios"},
	{"kernels", cmd_kernels, "build kernel variants and show where they are"},
	{"image", cmd_image, "make the guest's images and show where they are"},
	{"boot", cmd_boot, "a shell or one command in a guest, with the console here"},
	{NULL, NULL, NULL},
};

static void usage(FILE *out)
{
	fputs("Usage: hugebench COMMAND [ARGS...]\n\nCommands (each has --help):\n", out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-9s %s\n", c->name, c->help);
}

/* The next file to be opened would get the number of a standard stream that is closed. */
static void streams_open(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* argp calls the program by argv[0] in its messages and usage. */
static int command_run(const struct command *c, int argc, char **argv)
{
	HB_FREE char *name = hb_strf("hugebench %s", c->name);

	if (name)
		argv[0] = name;
	return c->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help")) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(argv[1], c->name))
			return command_run(c, argc - 1, argv + 1);
	fprintf(stderr, "hugebench: no command '%s'\n", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int status;

	if (metal_as_init(argv[0], &status))
		return status;
	streams_open();
	/* Who starts us may ignore it, and then there is no child to wait for. */
	signal(SIGCHLD, SIG_DFL);
	/* A script's `hugebench run &` ignores it, and could not be interrupted while it builds. */
	signal(SIGINT, SIG_DFL);
	argp_err_exit_status = EXIT_USAGE;
	status = dispatch(argc, argv);
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "hugebench: not all of the output could be written: %s\n", strerror(errno));
	return status == EXIT_OK || status == EXIT_CELLS ? EXIT_HOST : status;
}
