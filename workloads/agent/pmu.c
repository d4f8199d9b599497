// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/pmu.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CACHE(cache, result)                                                                       \
	(PERF_COUNT_HW_CACHE_##cache | PERF_COUNT_HW_CACHE_OP_READ << 8 |                          \
	 PERF_COUNT_HW_CACHE_RESULT_##result << 16)

const struct pmu_event pmu_hardware[] = {
	{"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	{"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
	{"llc_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
	{"dtlb_misses", PERF_TYPE_HW_CACHE, CACHE(DTLB, MISS)},
	{"remote_accesses", PERF_TYPE_HW_CACHE, CACHE(NODE, MISS)},
	{NULL, 0, 0},
};

static const struct pmu_event page_faults = {"page_faults", PERF_TYPE_SOFTWARE,
					     PERF_COUNT_SW_PAGE_FAULTS};

/* read(2) of an event that was opened here. */
struct reading {
	uint64_t value, enabled, running;
};

/* A descriptor, or -errno. Kernel and user space; children inherit it. */
static int event_open(const struct pmu_event *event)
{
	struct perf_event_attr attr = {
		.type = event->type,
		.size = sizeof(attr),
		.config = event->config,
		.disabled = 1,
		.inherit = 1,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static const char *reason(int error)
{
	switch (error) {
	case ENOENT:
	case EOPNOTSUPP:
	case ENODEV:
		return "this processor, or the guest's share of it, has no such counter";
	case EACCES:
	case EPERM:
		return "it takes root, or sysctl kernel.perf_event_paranoid of 1 or less";
	case ENOSYS:
		return "the kernel has no CONFIG_PERF_EVENTS";
	default:
		return strerror(error);
	}
}

int pmu_open(struct pmu *p, const struct pmu_event *events, struct hb_error *e)
{
	*p = (struct pmu){.events = events, .faults = -1};
	for (unsigned int i = 0; events[i].name; i++) {
		p->fd[i] = event_open(&events[i]);
		p->why[i] = p->fd[i] < 0 ? -p->fd[i] : 0;
		if (p->why[0])
			return hb_error_set(e, -EOPNOTSUPP, "observe = pmu: no %s: %s",
					    events[0].name, reason(p->why[0]));
	}
	p->faults = event_open(&page_faults);
	return 0;
}

static void all(struct pmu *p, unsigned long request)
{
	for (unsigned int i = 0; p->events && p->events[i].name; i++)
		if (p->fd[i] >= 0)
			ioctl(p->fd[i], request, 0);
	if (p->events && p->faults >= 0)
		ioctl(p->faults, request, 0);
}

void pmu_begin(struct pmu *p)
{
	all(p, PERF_EVENT_IOC_RESET);
	all(p, PERF_EVENT_IOC_ENABLE);
}

void pmu_end(struct pmu *p)
{
	all(p, PERF_EVENT_IOC_DISABLE);
}

char *pmu_words(uint64_t value, uint64_t enabled, uint64_t running, uint64_t faults)
{
	double counted = enabled ? (double)running / enabled : 0;
	HB_FREE char *each = NULL;

	if (!running)
		return strdup("not counted: other events had the counters all the time");
	value = value / counted;
	each = faults ? hb_strf(", %.1f per page fault", (double)value / faults) : strdup("");
	if (!each)
		return NULL;
	return running < enabled ? hb_strf("%" PRIu64 "%s (counted %.0f%% of the time, the counter "
					   "being shared; extrapolated)",
					   value, each, 100 * counted)
				 : hb_strf("%" PRIu64 "%s", value, each);
}

char *pmu_text(const struct pmu *p, unsigned int i)
{
	struct reading r, faults = {0};

	if (p->fd[i] < 0)
		return hb_strf("not counted: %s", reason(p->why[i]));
	if (read(p->fd[i], &r, sizeof(r)) != sizeof(r))
		return strdup("not counted: the counter cannot be read");
	if (p->faults < 0 || read(p->faults, &faults, sizeof(faults)) != sizeof(faults))
		faults.value = 0;
	return pmu_words(r.value, r.enabled, r.running, faults.value);
}

void pmu_close(struct pmu *p)
{
	for (unsigned int i = 0; p->events && p->events[i].name; i++)
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	if (p->events && p->faults >= 0)
		close(p->faults);
	*p = (struct pmu){.faults = -1};
}
