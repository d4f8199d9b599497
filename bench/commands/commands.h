/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands; each parses its own arguments with argp and returns the documented exit status.
 */
#ifndef HB_COMMANDS_H
#define HB_COMMANDS_H

enum exit_status {
	EXIT_OK = 0,
	EXIT_CELLS = 1, /* the run finished, some cell is not as expected */
	EXIT_USAGE = 2, /* bad usage or scenario */
	EXIT_HOST = 3,	/* the host lacks something */
	EXIT_INT = 130, /* interrupted; finished cells are kept */
};

int cmd_boot(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_kernels(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_oracle(int argc, char **argv);
int cmd_plots(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_selftests(int argc, char **argv);

#endif
