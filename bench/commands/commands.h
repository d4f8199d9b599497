/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands; each parses its own arguments with argp and returns the documented exit status.
 */
#ifndef HB_COMMANDS_H
#define HB_COMMANDS_H

#include <stdbool.h>

#include "bench/base/exit_status.h"

int cmd_bisect(int argc, char **argv);
int cmd_boot(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_kernels(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_metal(int argc, char **argv);
int cmd_oracle(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_plots(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_selftests(int argc, char **argv);
int cmd_slurm(int argc, char **argv);

/* Started by the kernel as process 1 of an arm of `hugebench metal`, as @program? Then be that:
 * true, with the exit status. */
bool metal_as_init(const char *program, int *status);

#endif
