/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running the `hugebench` command from a test: mode native with a fake agent, in a directory of its
 * own. */
#ifndef HB_TESTS_RUN_COMMAND_H
#define HB_TESTS_RUN_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

extern char *command_results; /* the results directory, which --results names */
extern char *command_agent;   /* the fake agent, which --agent names */

/* Of a cmocka group. */
int command_setup(void **state);
int command_teardown(void **state);

/* Use the hugebench in directory @bin, which has the agent beside it, instead of the build's. */
void command_use(const char *bin);

/* A path below the test's directory; owned by the caller. */
char *path_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Write t.ini, which the argument "-s!" names. */
void write_scenario(const char *text);
/* Start `hugebench ARGS`, its output to the file @out; NULL: without descriptors. */
pid_t command_start(const char *out, char *const args[]);
/* The exit status, or 1000 + signal. */
int command_finish(pid_t pid);
/*
 * Run `hugebench @what` with the usual arguments and those given (NULL-terminated); the exit status
 * must be @status, the output have @part.
 */
void command_expect(const char *what, int status, const char *part, ...);
#define expect_command(...) command_expect(__VA_ARGS__, (char *)NULL)
#define expect_run(...)	    command_expect("run", __VA_ARGS__, (char *)NULL)

/* Cells of a run, finished or begun. */
unsigned int cells_of(const char *run, bool unfinished);
/* A file of a run; fails the test when it cannot be read. */
json_t *json_of(const char *run, const char *file);
void status_is(const char *run, const char *status);
/* Until the run has @n cells. */
void wait_for_cells(const char *run, unsigned int n);

#endif
