// SPDX-License-Identifier: GPL-2.0-or-later
/* Patterns are those of Linux 5.10 to 6.12: kernel/panic.c, kernel/hung_task.c,
 * kernel/locking/lockdep.c, ... */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bench/guest/console.h"

/* A finding brings the lines below it along: a stack trace with registers is about 40 lines. */
#define CONTEXT_LINES  60
#define EVIDENCE_LINES 400
#define LINE_BYTES     512
/* Written to /dev/kmsg by the agent as it begins with a cell (workloads/agent/kmsg.c). */
#define START_MARKER "hugebench: cell "

struct pattern {
	const char *text;
	enum console_kind kind;
};

/* The first that is found in a line decides: the narrower one stands before the wider one. */
static const struct pattern patterns[] = {
	{"Kernel panic - not syncing", CONSOLE_PANIC},
	{"BUG: soft lockup", CONSOLE_HUNG},
	{"BUG: workqueue lockup", CONSOLE_WARNING},
	{"BUG: ", CONSOLE_OOPS},
	{"kernel BUG at ", CONSOLE_OOPS},
	{"Oops: ", CONSOLE_OOPS},
	{"general protection fault", CONSOLE_OOPS},
	{"Unable to handle kernel", CONSOLE_OOPS},
	{"blocked for more than", CONSOLE_HUNG},
	{"WARNING: ", CONSOLE_WARNING},
	{"possible recursive locking detected", CONSOLE_WARNING},
	{"possible circular locking dependency", CONSOLE_WARNING},
	{"inconsistent lock state", CONSOLE_WARNING},
	{"suspicious RCU usage", CONSOLE_WARNING},
	{"detected stall", CONSOLE_WARNING},
	{"self-detected stall", CONSOLE_WARNING},
	{"Bad page map", CONSOLE_WARNING},
	{"list_add corruption", CONSOLE_WARNING},
	{"list_del corruption", CONSOLE_WARNING},
	{"UBSAN: ", CONSOLE_WARNING},
	{"unreferenced object", CONSOLE_WARNING},
	{"Out of memory: Killed process", CONSOLE_WARNING},
	{"Memory cgroup out of memory", CONSOLE_WARNING},
	{"HugeTLB: Bad", CONSOLE_WARNING},
};

/* Known and harmless here; a line that contains one of these is no finding. */
static const char *const harmless[] = {
	"topology_sane", /* guest NUMA nodes inside one socket: QEMU's layout, no fault of the
			    kernel */
	"WARNING: Unprivileged eBPF", /* a remark on the configuration */
};

static bool contains_any(const char *line, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(line, list[i]))
			return true;
	return false;
}

/* "task:mapper          state:D stack:    0 pid:..." (sched_show_task, 5.10 on). */
static bool is_blocked_task(const char *line)
{
	return !strncmp(line, "task:", 5) && strstr(line, " state:D ");
}

/* Kind of a finding, or -1. */
static int classify(const char *line)
{
	if (is_blocked_task(line))
		return CONSOLE_BLOCKED;
	/* SLUB's reports have no colon: "BUG kmalloc-64 (Not tainted): Redzone overwritten". */
	if (!strncmp(line, "BUG ", 4))
		return CONSOLE_WARNING;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (strstr(line, patterns[i].text))
			return contains_any(line, harmless, ARRAY_SIZE(harmless))
				       ? -1
				       : (int)patterns[i].kind;
	return -1;
}

/* A line of which no more trace follows. */
static bool ends_trace(const char *line)
{
	return strstr(line, "---[ end ") || strstr(line, "<<EOE>>") ||
	       strstr(line, "sysrq: Show") || strstr(line, "Rebooting in");
}

/* Take off "<4>", "[   12.345678] " and "[  T123] "; what remains is what is matched and kept. */
static const char *skip_stamp(const char *line)
{
	if (*line == '<' && isdigit((unsigned char)line[1]) && line[2] == '>')
		line += 3;
	while (*line == '[') {
		const char *end = strchr(line, ']');
		size_t n = strspn(line + 1, " .0123456789TC");

		if (!end || line + 1 + n != end)
			break;
		line = end + 1;
		if (*line == ' ')
			line++;
	}
	return line;
}

/* Copy printable text up to the end of line; SeaBIOS and terminals' escape sequences are dropped.
 */
static void copy_line(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < LINE_BYTES - 1; i++) {
		unsigned char c = text[i];

		if (c == 033 && i + 1 < len && text[i + 1] == '[') {
			for (i += 2; i < len && !isalpha((unsigned char)text[i]); i++)
				;
			continue;
		}
		if (c == '\t' || (c >= ' ' && c < 0177))
			out[n++] = c;
	}
	out[n] = '\0';
}

/* What the kernel warned of while it booted is told, not counted. */
static void begin(struct console_scan *s)
{
	s->began = true;
	snprintf(s->boot, sizeof(s->boot), "%s", s->first[CONSOLE_WARNING]);
	s->count[CONSOLE_WARNING] = 0;
	s->first[CONSOLE_WARNING][0] = '\0';
	json_array_clear(s->evidence);
}

static int scan_line(struct console_scan *s, const char *line, unsigned int *context)
{
	const char *text = skip_stamp(line);
	int kind = classify(text);

	if (!s->began && !strncmp(text, START_MARKER, strlen(START_MARKER))) {
		begin(s);
		*context = 0;
	} else if (kind >= 0) {
		if (!s->count[kind]++)
			snprintf(s->first[kind], sizeof(s->first[kind]), "%.255s", text);
		*context = CONTEXT_LINES;
	} else if (!strncmp(text, "task:", 5)) {
		*context = 0;
	}
	if (!*context || !*text)
		return 0;
	--*context;
	if (ends_trace(text))
		*context = 0;
	if (json_array_size(s->evidence) >= EVIDENCE_LINES)
		return 0;
	return json_array_append_new(s->evidence, json_string(text)) ? -ENOMEM : 0;
}

int console_scan_text(const char *text, size_t len, struct console_scan *s)
{
	unsigned int context = 0;
	const char *end = text + len;

	*s = (struct console_scan){.evidence = json_array()};
	if (!s->evidence)
		return -ENOMEM;
	while (text < end) {
		const char *eol = memchr(text, '\n', end - text);
		char line[LINE_BYTES] = "";
		int rc;

		if (!eol)
			eol = end;
		copy_line(line, text, eol - text);
		rc = scan_line(s, line, &context);
		if (rc)
			return rc;
		text = eol + 1;
	}
	return 0;
}

int console_scan_file(const char *path, struct console_scan *s)
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;
	int rc;

	*s = (struct console_scan){0};
	if (fd < 0)
		return errno == ENOENT ? console_scan_text("", 0, s) : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!st.st_size)
		return console_scan_text("", 0, s);
	/* Mapped, for a kernel that prints without end makes a file of any size. */
	text = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return -errno;
	rc = console_scan_text(text, st.st_size, s);
	munmap(text, st.st_size);
	return rc;
}

void console_scan_free(struct console_scan *s)
{
	json_decref(s->evidence);
	s->evidence = NULL;
}
