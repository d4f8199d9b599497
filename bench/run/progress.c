// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/run/describe.h"
#include "bench/run/progress.h"

static double now_seconds(void)
{
	return hb_now_ns() / (double)NSEC_PER_SEC;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* 1234567 -> "1.23 M" */
static void format_count(char *buf, size_t len, double v)
{
	static const char *const prefix[] = {"", " k", " M", " G", " T"};
	size_t i = 0;

	for (; v >= 1000 && i + 1 < ARRAY_SIZE(prefix); i++)
		v /= 1000;
	snprintf(buf, len, "%.3g%s", v, prefix[i]);
}

/* The counter to show: the first main rate of the cell's first workload, else its first rate. */
static void headline_choose(struct progress *p)
{
	const json_t *in = json_array_get(
		json_object_get(json_object_get(p->planned, "spec"), "instances"), 0);
	const json_t *w = describe_find(p->workloads, text(in, "workload")), *metric, *best = NULL;
	size_t i;

	json_array_foreach (json_object_get(w, "metrics"), i, metric) {
		if (strcmp(text(metric, "kind"), "rate"))
			continue;
		if (!best || (json_is_true(json_object_get(metric, "primary")) &&
			      !json_is_true(json_object_get(best, "primary"))))
			best = metric;
	}
	snprintf(p->headline, sizeof(p->headline), "%s.%s", text(in, "workload"),
		 text(best, "name"));
}

static int columns(const struct progress *p)
{
	struct winsize size;

	if (ioctl(fileno(p->out), TIOCGWINSZ, &size) || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

/* "[ 5/24] hinode pmdshare r2" */
static void format_cell(const struct progress *p, size_t number, char *buf, size_t len)
{
	int digits = snprintf(NULL, 0, "%zu", p->total);
	int warm = json_is_true(json_object_get(p->planned, "warmup_boot"));

	snprintf(buf, len, "[%*zu/%zu] %s %s %s%lld", digits, number, p->total,
		 text(p->planned, "kernel"), text(p->planned, "cell"), warm ? "warm-up " : "r",
		 (long long)json_integer_value(json_object_get(p->planned, "rep")));
}

static void live_line(const struct progress *p)
{
	char cell[128], left[32], line[512];
	double running = now_seconds() - p->began;
	double rest = p->seconds_left > running ? p->seconds_left - running : 0;

	if (!p->terminal)
		return;
	format_cell(p, p->done + 1, cell, sizeof(cell));
	hb_format_duration(left, sizeof(left), rest * NSEC_PER_SEC);
	snprintf(line, sizeof(line), "%s: %s%s%s; %zu done, %zu left, about %s", cell, p->phase,
		 *p->figure ? ", " : "", p->figure, p->done, p->total - p->done, left);
	fprintf(p->out, "\r\033[K%.*s", columns(p) - 1, line);
	fflush(p->out);
}

void progress_begin(struct progress *p, const json_t *planned)
{
	p->planned = planned;
	p->began = now_seconds();
	p->figure[0] = 0;
	snprintf(p->phase, sizeof(p->phase), "boot");
	headline_choose(p);
	live_line(p);
}

/* The headline counter of an interval frame as a rate. */
static void figure_take(struct progress *p, const json_t *frame)
{
	const json_t *count = json_object_get(json_object_get(frame, "counters"), p->headline);
	double length = json_number_value(json_object_get(frame, "length_ns"));
	char rate[32];

	if (!json_is_number(count) || length <= 0)
		return;
	format_count(rate, sizeof(rate), json_number_value(count) * NSEC_PER_SEC / length);
	snprintf(p->figure, sizeof(p->figure), "%s %s/s", p->headline, rate);
}

void progress_frame(void *arg, const char *phase, const json_t *frame)
{
	struct progress *p = arg;

	snprintf(p->phase, sizeof(p->phase), "%s", phase);
	figure_take(p, frame);
	live_line(p);
}

void progress_clear(struct progress *p)
{
	if (p->terminal)
		fputs("\r\033[K", p->out);
	fflush(p->out);
}

void progress_end(struct progress *p, const json_t *cell)
{
	const char *reason = text(cell, "reason");
	const size_t todo = p->total - p->done;
	char name[128], took[32], left[32];

	format_cell(p, p->done, name, sizeof(name));
	hb_format_duration(took, sizeof(took), (now_seconds() - p->began) * NSEC_PER_SEC);
	hb_format_duration(left, sizeof(left), p->seconds_left * NSEC_PER_SEC);
	progress_clear(p);
	fprintf(p->out, "%s: %s%s in %s%s%s%s%s", name, text(cell, "verdict"),
		json_is_false(json_object_get(cell, "expected")) ? " (not expected)" : "", took,
		*p->figure ? ", " : "", p->figure, *reason ? ": " : "", reason);
	if (todo)
		fprintf(p->out, "; %zu left, about %s", todo, left);
	fputc('\n', p->out);
	fflush(p->out);
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	va_list args;

	progress_clear(p);
	fputs("hugebench: ", p->out);
	va_start(args, fmt);
	vfprintf(p->out, fmt, args);
	va_end(args);
	fputc('\n', p->out);
	fflush(p->out);
}
