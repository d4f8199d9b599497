// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/base/util.h"
#include "tests/run_command.h"
#include "tests/put.h"

static char top[] = "/tmp/hugebench-run-XXXXXX";
static char command[PATH_MAX + 32];
char *command_results, *command_agent;

char *path_of(const char *fmt, ...)
{
	char tail[PATH_MAX];
	va_list args;
	char *path;

	va_start(args, fmt);
	vsnprintf(tail, sizeof(tail), fmt, args);
	va_end(args);
	path = hb_strf("%s/%s", top, tail);
	assert_non_null(path);
	return path;
}

int command_setup(void **state)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	HB_FREE char *cache = NULL;

	(void)state;
	if (n < 0 || !mkdtemp(top))
		return -1;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	command_agent = hb_strf("%s/fake_guest", self);
	*strrchr(self, '/') = 0;
	snprintf(command, sizeof(command), "%s/hugebench", self);
	command_results = path_of("results");
	cache = path_of("cache");
	return setenv("XDG_CACHE_HOME", cache, 1);
}

void command_use(const char *bin)
{
	snprintf(command, sizeof(command), "%s/hugebench", bin);
	free(command_agent);
	command_agent = hb_strf("%s/hugebench-agent", bin);
}

int command_teardown(void **state)
{
	int rc = hb_remove_all(top);

	(void)state;
	free(command_results);
	free(command_agent);
	return rc;
}

void write_scenario(const char *text)
{
	HB_FREE char *path = path_of("t.ini");

	put_file(text, "%s", path);
}

pid_t command_start(const char *out, char *const args[])
{
	char *argv[24] = {command};
	size_t n = 1;
	pid_t pid;

	for (; *args; args++)
		argv[n++] = *args;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = out ? open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;

		if (!out && close_range(0, ~0u, 0))
			_exit(97);
		if (out && (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0))
			_exit(99);
		execv(command, argv);
		_exit(98);
	}
	return pid;
}

int command_finish(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void command_expect(const char *what, int status, const char *part, ...)
{
	HB_FREE char *file = path_of("t.ini"), *output = path_of("output");
	HB_FREE char *text = NULL;
	char *args[22] = {(char *)what, "--results", command_results, "--agent", command_agent};
	size_t n = strcmp(what, "merge") && strcmp(what, "slurm") ? 5 : 3;
	va_list list;
	int got;

	va_start(list, part);
	while (n < 21 && (args[n] = va_arg(list, char *)))
		if (!strcmp(args[n++], "-s!")) {
			args[n - 1] = "-s";
			args[n++] = file;
		}
	va_end(list);
	args[n] = NULL;
	got = command_finish(command_start(output, args));
	assert_int_equal(hb_file_read(output, &text, NULL), 0);
	if (got != status || !strstr(text, part))
		fail_msg("exit %d, wanted %d with '%s':\n%s", got, status, part, text);
}

unsigned int cells_of(const char *run, bool unfinished)
{
	HB_FREE char *path = path_of("results/%s/cells", run);
	DIR *d = opendir(path);
	struct dirent *entry;
	unsigned int n = 0;

	while (d && (entry = readdir(d)))
		if (unfinished ? !strncmp(entry->d_name, ".new-", 5) : entry->d_name[0] != '.')
			n++;
	if (d)
		closedir(d);
	return n;
}

json_t *json_of(const char *run, const char *file)
{
	HB_FREE char *path = path_of("results/%s/%s", run, file);
	json_t *j = json_load_file(path, 0, NULL);

	if (!j)
		fail_msg("%s cannot be read", path);
	return j;
}

void status_is(const char *run, const char *status)
{
	json_t *j = json_of(run, "run.json");

	assert_string_equal(json_string_value(json_object_get(j, "status")), status);
	json_decref(j);
}

void wait_for_cells(const char *run, unsigned int n)
{
	for (int i = 0; i < 200 && cells_of(run, false) < n; i++)
		usleep(50000);
	assert_true(cells_of(run, false) >= n);
}
