// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/base/units.h"
#include "bench/scenario/describe.h"
#include "bench/run/progress.h"

static double now_seconds(void)
{
	return hb_now_ns() / (double)NSEC_PER_SEC;
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
static void headline_choose(struct progress_cell *c, const json_t *workloads)
{
	const json_t *in = json_array_get(
		json_object_get(json_object_get(c->planned, "spec"), "instances"), 0);
	const json_t *w = describe_find(workloads, json_text(in, "workload")), *metric,
		     *best = NULL;
	size_t i;

	json_array_foreach (json_object_get(w, "metrics"), i, metric) {
		if (strcmp(json_text(metric, "kind"), "rate"))
			continue;
		if (!best || (json_is_true(json_object_get(metric, "primary")) &&
			      !json_is_true(json_object_get(best, "primary"))))
			best = metric;
	}
	snprintf(c->headline, sizeof(c->headline), "%s.%s", json_text(in, "workload"),
		 json_text(best, "name"));
}

static int columns(const struct progress *p)
{
	struct winsize size;

	if (ioctl(fileno(p->out), TIOCGWINSZ, &size) || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

/* "[ 5/24]" */
static void print_count(const struct progress *p, FILE *out)
{
	fprintf(out, "[%*zu/%zu]", snprintf(NULL, 0, "%zu", p->total), p->done, p->total);
}

/* "hinode pmdshare r2" */
static void print_cell(const struct progress_cell *c, FILE *out)
{
	int warm = json_is_true(json_object_get(c->planned, "warmup_boot"));

	fprintf(out, " %s %s %s%lld", json_text(c->planned, "kernel"),
		json_text(c->planned, "cell"), warm ? "warm-up " : "r",
		(long long)json_integer_value(json_object_get(c->planned, "rep")));
}

/* Of several cells the figures would not fit. */
static void print_running(const struct progress_cell *const *running, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		print_cell(running[i], out);
		fprintf(out, ": %s", running[i]->phase);
		if (n == 1 && *running[i]->figure)
			fprintf(out, ", %s", running[i]->figure);
		fputc(i + 1 < n ? ',' : ';', out);
	}
}

/* Seconds that the running cells have used up already, taken off the estimate. */
static double rest_of(const struct progress *p, const struct progress_cell *const *running,
		      size_t n)
{
	double rest = p->seconds_left;

	for (size_t i = 0; i < n; i++)
		rest -= (now_seconds() - running[i]->began) / n;
	return rest > 0 ? rest : 0;
}

/* "3 left, about 2 m 5 s"; no time where the running cells have taken longer than all were to take.
 */
static void print_left(const struct progress *p, double seconds, FILE *out)
{
	char text[32];

	fprintf(out, " %zu left", p->total - p->done);
	if (seconds >= 1)
		fprintf(out, ", about %s",
			hb_format_duration(text, sizeof(text),
					   (double)(uint64_t)seconds * NSEC_PER_SEC));
}

void progress_live(const struct progress *p, const struct progress_cell *const *running, size_t n)
{
	HB_FREE char *line = NULL;
	size_t len;
	FILE *out = p->terminal ? open_memstream(&line, &len) : NULL;

	if (!out)
		return;
	print_count(p, out);
	print_running(running, n, out);
	print_left(p, rest_of(p, running, n), out);
	if (fclose(out))
		return;
	fprintf(p->out, "\r\033[K%.*s", columns(p) - 1, line);
	fflush(p->out);
}

void progress_begin(const struct progress *p, struct progress_cell *c, const json_t *planned)
{
	*c = (struct progress_cell){.planned = planned, .began = now_seconds(), .phase = "boot"};
	headline_choose(c, p->workloads);
}

/* The headline counter as a rate over the interval frames so far; in mode exact there are no
 * seconds. */
static void figure_take(struct progress_cell *c, const json_t *frame)
{
	const json_t *count = json_object_get(json_object_get(frame, "counters"), c->headline);
	const json_t *phases = json_object_get(json_object_get(c->planned, "spec"), "phases");
	double insn = json_number_value(json_object_get(phases, "interval_insn"));
	double length =
		insn > 0 ? insn / 1e6
			 : json_number_value(json_object_get(frame, "length_ns")) / NSEC_PER_SEC;
	char rate[32];

	if (!json_is_number(count) || length <= 0)
		return;
	c->count += json_number_value(count);
	c->length += length;
	format_count(rate, sizeof(rate), c->count / c->length);
	snprintf(c->figure, sizeof(c->figure), "%s %s/%s", c->headline, rate,
		 insn > 0 ? "Minsn" : "s");
}

void progress_frame(struct progress_cell *c, const char *phase, const json_t *frame)
{
	snprintf(c->phase, sizeof(c->phase), "%s", phase);
	figure_take(c, frame);
}

void progress_clear(const struct progress *p)
{
	if (p->terminal)
		fputs("\r\033[K", p->out);
	fflush(p->out);
}

void progress_end(const struct progress *p, const struct progress_cell *c, const json_t *cell)
{
	const char *reason = json_text(cell, "reason"), *verdict = json_text(cell, "verdict");
	/* Of a boot that did not end well there is no figure. */
	const char *figure = strcmp(verdict, "OK") ? "" : c->figure;
	char took[32];

	hb_format_duration(took, sizeof(took), (now_seconds() - c->began) * NSEC_PER_SEC);
	progress_clear(p);
	print_count(p, p->out);
	print_cell(c, p->out);
	fprintf(p->out, ": %s%s in %s%s%s%s%s", verdict,
		json_is_false(json_object_get(cell, "expected")) ? " (not expected)" : "", took,
		*figure ? ", " : "", figure, *reason ? ": " : "", reason);
	if (p->done < p->total) {
		fputc(';', p->out);
		print_left(p, p->seconds_left, p->out);
	}
	fputc('\n', p->out);
	fflush(p->out);
}

void progress_note(const struct progress *p, const char *fmt, ...)
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
