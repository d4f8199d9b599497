// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/observe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/wire.h"
#include "workloads/agent/functime.h"
#include "workloads/agent/waits.h"

#define LOCK_STAT    "/proc/lock_stat"
#define LOCK_STAT_ON "/proc/sys/kernel/lock_stat"
#define LOCKS_SHOWN  12
#define POWERS	     63

/* In the order of wire_observe[]. */
enum { WANT_VMSTAT, WANT_STATUS, WANT_KPROBES, WANT_LOCKS, WANT_PMU, WANT_WAITS };

/* What changes the machine's tracing. */
#define TRACING (1u << WANT_KPROBES | 1u << WANT_LOCKS | 1u << WANT_WAITS)

static const char *const functions[] = {
	"hugetlb_fault",	  "huge_pmd_share",	      "huge_pmd_unshare",
	"remove_inode_hugepages", "rwsem_down_read_slowpath", "rwsem_down_write_slowpath",
};

static bool wants(const struct observe *o, unsigned int what)
{
	return o->wanted & (1u << what);
}

static void note(struct observe *o, const char *key, const char *text)
{
	json_array_append_new(o->notes, json_pack("{s:s, s:s, s:s}", "source", "observe", "key",
						  key, "text", text));
}

static struct functime probe(unsigned int i)
{
	return (struct functime){.function = functions[i], .name = functions[i], .coarse = true};
}

static void probes_open(struct observe *o)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		HB_FREE char *key = hb_strf("kprobes.%s", functions[i]), *text = NULL;
		const struct functime f = probe(i);
		int rc = functime_open(&f);

		if (!rc) {
			o->probes |= 1u << i;
			continue;
		}
		functime_close(&f);
		text = hb_strf("not probed: %s (inlined in this kernel, or CONFIG_KPROBE_EVENTS, "
			       "CONFIG_HIST_TRIGGERS missing)",
			       strerror(-rc));
		if (key && text)
			note(o, key, text);
	}
}

int observe_open(struct observe *o, const json_t *names, int change, json_t *notes,
		 struct hb_error *e)
{
	const json_t *name;
	size_t i;

	*o = (struct observe){.notes = notes};
	json_array_foreach ((json_t *)names, i, name) {
		const char *text = json_string_value(name);
		size_t k = 0;

		while (wire_observe[k] && (!text || strcmp(text, wire_observe[k])))
			k++;
		if (!wire_observe[k])
			return hb_error_set(e, -EINVAL,
					    "observe = %s: there are vmstat, status, kprobes, "
					    "locks, pmu and waits",
					    text ? text : "?");
		o->wanted |= 1u << k;
	}
	if (!change && o->wanted & TRACING) {
		note(o, "observe",
		     "kprobes, locks and waits change the machine's tracing and would stay after a "
		     "kill: left out in mode native");
		o->wanted &= ~TRACING;
	}
	if (wants(o, WANT_KPROBES))
		probes_open(o);
	if (wants(o, WANT_LOCKS) && hb_file_write(LOCK_STAT_ON, "1")) {
		note(o, "locks",
		     "not measured: the kernel has no " LOCK_STAT " (CONFIG_LOCK_STAT)");
		o->wanted &= ~(1u << WANT_LOCKS);
	}
	if (wants(o, WANT_WAITS)) {
		int rc = waits_open(notes, e);

		if (rc)
			return rc;
	}
	return wants(o, WANT_PMU) ? pmu_open(&o->pmu, pmu_hardware, e) : 0;
}

void observe_begin(struct observe *o)
{
	if (wants(o, WANT_VMSTAT) && hb_file_read("/proc/vmstat", &o->vmstat, NULL))
		o->vmstat = NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		const struct functime f = probe(i);

		if (o->probes & (1u << i))
			functime_clear(&f);
	}
	if (wants(o, WANT_LOCKS))
		hb_file_write(LOCK_STAT, "0");
	if (wants(o, WANT_WAITS))
		waits_begin();
	pmu_begin(&o->pmu);
}

static void counters_end(struct observe *o)
{
	pmu_end(&o->pmu);
	for (unsigned int i = 0; wants(o, WANT_PMU) && pmu_hardware[i].name; i++) {
		HB_FREE char *key = hb_strf("pmu.%s", pmu_hardware[i].name);
		HB_FREE char *text = pmu_text(&o->pmu, i);

		if (key && text)
			note(o, key, text);
	}
}

/* The value behind "name " at the start of a line; 0 when it is not there. */
static uint64_t vmstat_value(const char *text, const char *name, size_t len)
{
	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, len) && p[len] == ' ')
			return strtoull(p + len, NULL, 10);
	}
	return 0;
}

/* Counters only: what is named nr_ is a level, not a count. */
static void vmstat_end(struct observe *o)
{
	HB_FREE char *after = NULL;

	if (!o->vmstat || hb_file_read("/proc/vmstat", &after, NULL))
		return;
	for (const char *p = after; p && *p; p = strchr(p, '\n')) {
		uint64_t was, is;
		size_t len;

		p += *p == '\n';
		len = strcspn(p, " \n");
		if (!len || !strncmp(p, "nr_", 3))
			continue;
		was = vmstat_value(o->vmstat, p, len);
		is = strtoull(p + len, NULL, 10);
		if (is > was) {
			HB_FREE char *key = hb_strf("vmstat.%.*s", (int)len, p),
				     *text = hb_strf("%" PRIu64, is - was);

			if (key && text)
				note(o, key, text);
		}
	}
}

char *observe_hist_text(const char *hist)
{
	unsigned long long bucket[POWERS] = {0}, hits;
	unsigned int entries = 0, power;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	/* The kernel sorts by hits. */
	for (const char *p = strstr(hist, "~ 2^"); p; p = strstr(p + 1, "~ 2^"))
		if (sscanf(p, "~ 2^%u } hitcount: %llu", &power, &hits) == 2 && power < POWERS)
			bucket[power] += hits;
	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	/* Bucket n holds what is below 2^(n + 1): ilog2() rounds down
	 * (kernel/trace/trace_events_hist.c). */
	for (power = 0; power < POWERS; power++)
		if (bucket[power])
			fprintf(f, "%s<%llu us: %llu", entries++ ? ", " : "", 2ULL << power,
				bucket[power]);
	if (fclose(f) || !entries) {
		free(text);
		return NULL;
	}
	return text;
}

static void probes_end(struct observe *o)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		HB_FREE char *key = hb_strf("kprobes.%s", functions[i]), *hist = NULL, *text = NULL;
		const struct functime f = probe(i);

		if (!(o->probes & (1u << i)) || !key || functime_read(&f, &hist))
			continue;
		text = observe_hist_text(hist);
		note(o, key, text ? text : "not called");
	}
}

char *observe_lock_text(const char *line)
{
	const char *colon = strrchr(line, ':');
	unsigned long long waits, acquired;
	double most, total;

	/* Bounces, contentions, wait min, max, total, average, bounces, acquisitions
	 * (kernel/locking/lockdep_proc.c); the times are in us. */
	if (!colon ||
	    sscanf(colon + 1, "%*u %llu %*f %lf %lf %*f %*u %llu", &waits, &most, &total,
		   &acquired) != 4 ||
	    !waits)
		return NULL;
	line += strspn(line, " ");
	return hb_strf("%.*s: %llu of %llu acquisitions waited, %.0f us in all, %.0f us at most",
		       (int)(colon - line), line, waits, acquired, total, most);
}

/* The file is sorted by contention. */
static void locks_end(struct observe *o)
{
	HB_FREE char *text = NULL;
	unsigned int locks = 0;
	char *save = NULL;

	if (hb_file_read(LOCK_STAT, &text, NULL))
		return;
	for (char *line = strtok_r(text, "\n", &save); line && locks < LOCKS_SHOWN;
	     line = strtok_r(NULL, "\n", &save)) {
		HB_FREE char *said = observe_lock_text(line);

		if (said) {
			note(o, "locks", said);
			locks++;
		}
	}
	if (!locks)
		note(o, "locks", "no lock was waited for");
}

/* 0: the kernel does not tell it. */
static uint64_t status_number(const char *text, const char *key)
{
	uint64_t number;

	return hb_text_number(text, key, &number) ? 0 : number;
}

static void status_end(struct observe *o, const struct instance *in)
{
	uint64_t huge = 0, pte = 0, own = 0, forced = 0;
	unsigned int seen = 0, n = atomic_load(&in->target->npids);
	HB_FREE char *key = hb_strf("status.%s", in->ops->name), *line = NULL;

	for (unsigned int i = 0; i < n; i++) {
		HB_FREE char *path = hb_strf("/proc/%d/status",
					     (int)atomic_load(&in->target->pids[i])),
			     *text = NULL;

		if (!path || hb_file_read(path, &text, NULL))
			continue;
		seen++;
		huge += status_number(text, "HugetlbPages");
		pte += status_number(text, "VmPTE");
		own += status_number(text, "voluntary_ctxt_switches");
		forced += status_number(text, "nonvoluntary_ctxt_switches");
	}
	if (!seen)
		return;
	line = hb_strf("%u processes, on average HugetlbPages %" PRIu64 " kB, VmPTE %" PRIu64
		       " kB, %" PRIu64 " voluntary and %" PRIu64
		       " other context switches since they started",
		       seen, huge / seen, pte / seen, own / seen, forced / seen);
	if (key && line)
		note(o, key, line);
}

void observe_end(struct observe *o, const struct cell *cell)
{
	if (wants(o, WANT_WAITS))
		waits_end();
	counters_end(o);
	vmstat_end(o);
	probes_end(o);
	if (wants(o, WANT_LOCKS))
		locks_end(o);
	for (unsigned int i = 0; wants(o, WANT_STATUS) && i < cell->ninstances; i++)
		if (cell->instances[i].ops->role == ROLE_WORKLOAD)
			status_end(o, &cell->instances[i]);
}

json_t *observe_report(struct observe *o, const struct cell *cell)
{
	struct hb_error e = {""};
	json_t *rows = NULL;

	if (wants(o, WANT_WAITS) && waits_report(cell, &rows, &e))
		note(o, "waits", e.text);
	return rows;
}

void observe_close(struct observe *o)
{
	if (wants(o, WANT_WAITS))
		waits_close();
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++) {
		const struct functime f = probe(i);

		if (o->probes & (1u << i))
			functime_close(&f);
	}
	if (wants(o, WANT_LOCKS))
		hb_file_write(LOCK_STAT_ON, "0");
	pmu_close(&o->pmu);
	free(o->vmstat);
	*o = (struct observe){0};
}
