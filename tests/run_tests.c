// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs test programs one after the other and closes with "N passed, N failed[, N skipped]".
 *
 *	run_tests [-t SECONDS] PROGRAM...
 *
 * Each program speaks TAP (cmocka does, when asked by its environment). A program that dies, runs
 * into the deadline, reports fewer tests than it planned or leaves processes running counts one
 * failure more; its whole output is printed then.
 */
#include <argp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/base/util.h"
#include "tests/leftovers.h"

struct totals {
	unsigned int passed, failed, skipped;
};

struct output {
	char *text;
	size_t used;
};

struct arguments {
	uint64_t deadline_ns;
	char **programs;
};

static int output_append(struct output *o, const char *data, size_t n)
{
	char *bigger = realloc(o->text, o->used + n + 1);

	if (!bigger)
		return -ENOMEM;
	o->text = bigger;
	memcpy(o->text + o->used, data, n);
	o->used += n;
	o->text[o->used] = '\0';
	return 0;
}

/* Read until end of file or the deadline: 0, -ETIME, or an error. */
static int collect(int fd, uint64_t deadline, struct output *o)
{
	for (;;) {
		uint64_t now = hb_now_ns();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char chunk[4096];
		ssize_t n;

		if (now >= deadline)
			return -ETIME;
		if (poll(&p, 1, (deadline - now) / 1000000 + 1) < 0 && errno != EINTR)
			return -errno;
		if (!p.revents)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (output_append(o, chunk, n))
			return -ENOMEM;
	}
}

static pid_t spawn(const char *program, int *out)
{
	int fds[2], null;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid) {
		close(fds[1]);
		*out = fds[0];
		return pid;
	}
	/* A group of its own: a program past its deadline goes with its children. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fds[1], STDOUT_FILENO);
	dup2(fds[1], STDERR_FILENO);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
	execl(program, program, NULL);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* Count one TAP line; returns true for a failure. */
static bool count_line(const char *line, struct totals *t, unsigned int *seen,
		       unsigned int *planned)
{
	unsigned int n;
	int end = 0;

	if (sscanf(line, "1..%u%n", &n, &end) == 1 && end == (int)strlen(line)) {
		*planned += n;
		return false;
	}
	if (strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7))
		return false;
	(*seen)++;
	/* cmocka writes "not ok" before a skipped test, which TAP does not count as failed. */
	if (strstr(line, "# SKIP")) {
		t->skipped++;
		printf("  skipped: %s\n", strstr(line, "# SKIP") + strlen("# SKIP "));
		return false;
	}
	if (*line == 'o') {
		t->passed++;
		return false;
	}
	t->failed++;
	return true;
}

static bool count_output(const struct output *o, struct totals *t)
{
	HB_FREE char *copy = strdup(o->text ? o->text : "");
	unsigned int seen = 0, planned = 0;
	bool bad = false;
	char *save = NULL;

	for (char *l = copy ? strtok_r(copy, "\n", &save) : NULL; l;
	     l = strtok_r(NULL, "\n", &save))
		bad |= count_line(l, t, &seen, &planned);
	if (seen != planned || !seen) {
		printf("  FAIL %u of %u planned tests reported\n", seen, planned);
		t->failed++;
		bad = true;
	}
	return bad;
}

static void run_program(const char *program, uint64_t deadline_ns, struct totals *t)
{
	uint64_t start = hb_now_ns();
	struct output o = {0};
	struct totals before = *t;
	unsigned int left;
	int fd, status = 0, err;
	pid_t pid = spawn(program, &fd);
	bool bad;

	if (pid < 0) {
		printf("FAIL %s: cannot fork: %s\n", program, strerror(errno));
		t->failed++;
		return;
	}
	printf("%s\n", program);
	fflush(stdout);
	err = collect(fd, start + deadline_ns, &o);
	close(fd);
	if (err)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* What outlives its program would disturb the next one. */
	left = leftovers_end(LEFTOVERS_GRACE_NS);
	bad = count_output(&o, t);
	if (err || WIFSIGNALED(status) || (WEXITSTATUS(status) && !bad)) {
		printf("  FAIL %s\n", err == -ETIME ? "ran into its deadline" : "ended badly");
		t->failed++;
		bad = true;
	}
	if (left) {
		printf("  FAIL left %u processes running, which are killed now\n", left);
		t->failed++;
		bad = true;
	}
	if (bad)
		printf("%s\n", o.text ? o.text : "(no output)");
	printf("  %u passed, %u failed in %.1f s\n", t->passed - before.passed,
	       t->failed - before.failed, (hb_now_ns() - start) / 1e9);
	fflush(stdout);
	free(o.text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 't':
		if (hb_parse_duration(arg, &a->deadline_ns))
			argp_error(state, "-t %s is not a duration; write it like 90s or 20m", arg);
		return 0;
	case ARGP_KEY_ARGS:
		a->programs = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no test program given");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"timeout", 't', "TIME", 0, "Deadline of each program (default 20m)", 0},
		{0},
	};
	static const struct argp argp = {options, parse, "PROGRAM...", "Run TAP test programs.",
					 NULL,	  NULL,	 NULL};
	struct arguments a = {.deadline_ns = 1200 * NSEC_PER_SEC};
	struct totals t = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (leftovers_adopt())
		fprintf(stderr, "run_tests: orphans are not taken in: %s\n", strerror(errno));
	for (char **p = a.programs; p && *p; p++)
		run_program(*p, a.deadline_ns, &t);
	printf("%u passed, %u failed", t.passed, t.failed);
	if (t.skipped)
		printf(", %u skipped", t.skipped);
	putchar('\n');
	return t.failed || !t.passed;
}
