// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/functime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/agent/tracefs.h"
#include "workloads/workload.h"

/* Tasks that may sleep in one probed function at a time; kretprobes beyond are lost. */
#define PROBE_DEPTH 512
/*
 * Entries of a histogram are never freed while it counts. One keeps a pid for good, and churn uses
 * up many: as many as there are pids by default (PID_MAX_DEFAULT). The other has one for every time
 * that occurred.
 */
#define PID_ENTRIES  32768
#define TIME_ENTRIES 65536

/* Of a probe; the last counts the times. */
enum { TRIGGER_ENTRY, TRIGGER_RETURN, TRIGGER_TIMES, TRIGGERS };

static char *filter(const struct functime *f)
{
	return f->comm ? hb_strf(" if comm == \"%s\"", f->comm) : strdup("");
}

/* Variables are looked up over all events, so they carry the name. */
static char *trigger_text(const struct functime *f, int which)
{
	const char *clock = f->coarse ? "common_timestamp.usecs" : "common_timestamp";
	HB_FREE char *only = filter(f);

	if (!only)
		return NULL;
	switch (which) {
	case TRIGGER_ENTRY:
		return hb_strf("hist:keys=common_pid:ts_%s=%s:size=%d%s", f->name, clock,
			       PID_ENTRIES, only);
	case TRIGGER_RETURN:
		return hb_strf("hist:keys=common_pid:lat_%1$s=%2$s-$ts_%1$s:size=%3$d:"
			       "onmatch(hb.%1$s).hb_%1$s($lat_%1$s)%4$s",
			       f->name, clock, PID_ENTRIES, only);
	default:
		return f->coarse ? strdup("hist:keys=lat.log2")
				 : hb_strf("hist:keys=lat:size=%d", TIME_ENTRIES);
	}
}

static char *event_name(const struct functime *f, int which)
{
	return which == TRIGGER_ENTRY	 ? hb_strf("hb/%s", f->name)
	       : which == TRIGGER_RETURN ? hb_strf("hb/%s_ret", f->name)
					 : hb_strf("synthetic/hb_%s", f->name);
}

/* @before and @after stand around the trigger: "!" takes it away, ":clear" empties it. */
static int trigger(const struct functime *f, int which, const char *before, const char *after)
{
	HB_FREE char *text = trigger_text(f, which);
	HB_FREE char *event = event_name(f, which);
	HB_FREE char *file = event ? hb_strf(TRACEFS "/events/%s/trigger", event) : NULL;

	return text && file ? tracefs_command(file, hb_strf("%s%s%s\n", before, text, after))
			    : -ENOMEM;
}

int functime_open(const struct functime *f)
{
	const char *events = TRACEFS "/kprobe_events";
	int rc = tracefs_command(events, hb_strf("p:hb/%s %s\n", f->name, f->function));

	if (!rc)
		rc = tracefs_command(
			events, hb_strf("r%d:hb/%s_ret %s\n", PROBE_DEPTH, f->name, f->function));
	if (!rc)
		rc = tracefs_command(TRACEFS "/synthetic_events",
				     hb_strf("hb_%s u64 lat\n", f->name));
	for (int i = 0; i < TRIGGERS && !rc; i++)
		rc = trigger(f, i, "", "");
	return rc;
}

int functime_clear(const struct functime *f)
{
	return trigger(f, TRIGGER_TIMES, "", ":clear");
}

static int hist_file(const struct functime *f, int which, char **text)
{
	HB_FREE char *event = event_name(f, which);
	HB_FREE char *path = event ? hb_strf(TRACEFS "/events/%s/hist", event) : NULL;

	return path ? hb_file_read(path, text, NULL) : -ENOMEM;
}

/* "Totals:\n    Hits: 12\n    Entries: 3\n    Dropped: 0\n" */
static bool total(const char *text, const char *name, uint64_t *value)
{
	const char *p = strstr(text, "Totals:\n");

	p = p ? strstr(p, name) : NULL;
	return p && sscanf(p + strlen(name), "%" SCNu64, value) == 1;
}

int functime_read(const struct functime *f, char **text)
{
	int rc = trigger(f, TRIGGER_TIMES, "", ":pause");

	/* A pid that found no room has lost its times. */
	for (int i = TRIGGER_ENTRY; i <= TRIGGER_RETURN && !rc; i++) {
		HB_FREE char *pids = NULL;
		uint64_t dropped;

		rc = hist_file(f, i, &pids);
		if (!rc && (!total(pids, "Dropped:", &dropped) || dropped))
			rc = -ENOSPC;
	}
	return rc ? rc : hist_file(f, TRIGGER_TIMES, text);
}

/* In reverse; what was never made is not there to remove, so errors mean nothing. */
void functime_close(const struct functime *f)
{
	for (int i = TRIGGERS; i > 0; i--)
		trigger(f, i - 1, "!", "");
	tracefs_command(TRACEFS "/synthetic_events", hb_strf("!hb_%s u64 lat\n", f->name));
	tracefs_command(TRACEFS "/kprobe_events", hb_strf("-:hb/%s_ret\n", f->name));
	tracefs_command(TRACEFS "/kprobe_events", hb_strf("-:hb/%s\n", f->name));
}

int functime_hist(const char *text, struct hist *h, struct hb_error *e)
{
	HB_FREE struct hist *all = malloc(sizeof(*all));
	uint64_t ns, hits, expected, dropped;

	if (!all)
		return hb_error_set(e, -ENOMEM, "no memory");
	if (!total(text, "Hits:", &expected) || !total(text, "Dropped:", &dropped))
		return hb_error_set(e, -EBADMSG, "the kernel's histogram has no totals");
	if (dropped)
		return hb_error_set(e, -ENOSPC,
				    "the kernel's histogram was full and dropped %" PRIu64
				    " of %" PRIu64 " times",
				    dropped, expected);
	hist_reset(all);
	/* "{ lat:       4242 } hitcount:          3": sorted by hits, so in any order. */
	for (const char *p = strstr(text, "{ lat:"); p; p = strstr(p + 1, "{ lat:")) {
		if (sscanf(p, "{ lat: %" SCNu64 " } hitcount: %" SCNu64, &ns, &hits) != 2)
			return hb_error_set(e, -EBADMSG,
					    "the kernel's histogram has a line that is not known: "
					    "%.80s",
					    p);
		hist_add(all, task_latency_unit(ns), hits);
	}
	if (all->count != expected)
		return hb_error_set(e, -EBADMSG,
				    "the kernel's histogram has %" PRIu64 " of %" PRIu64 " times",
				    all->count, expected);
	hist_merge(h, all);
	return 0;
}
