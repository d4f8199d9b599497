// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A check is a function that adds rows. Severity: "bad" stops runs, "warn" puts figures in doubt,
 * "note" is worth knowing.
 */
#include <hwloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "bench/build/hostqemu.h"
#include "bench/guest/accel.h"
#include "bench/guest/vm_user.h"
#include "bench/run/doctor.h"
#include "bench/host/child.h"
#include "bench/host/environment.h"
#include "bench/host/memory.h"
#include "bench/host/paths.h"

/* Two kernel trees with their objects, the source package, the image. */
#define CACHE_SPACE_BYTES   (12ULL << 30)
#define RESULTS_SPACE_BYTES (1ULL << 30)
/* Guests of less than 2 GiB cannot hold a database whose PMD tables are shared. */
#define MEMORY_WANTED_BYTES (5ULL << 30)
#define STEAL_SAMPLE_NS	    (NSEC_PER_SEC / 2)

static void add(json_t *rows, const char *check, const char *state, const char *mend,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(json_t *rows, const char *check, const char *state, const char *mend,
		const char *fmt, ...)
{
	char detail[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "check", check, "state",
					      state, "detail", detail, "mend", mend));
}

/* As hb_file_line(), with @root before the path: "" but in tests. */
static char *setting(const char *root, const char *path)
{
	HB_FREE char *full = hb_strf("%s%s", root, path);

	return full ? hb_file_line(full) : NULL;
}

static void check_governor(json_t *rows, const char *root)
{
	HB_FREE char *governor =
		setting(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");

	if (!governor)
		return;
	if (!strcmp(governor, "performance"))
		add(rows, "cpu governor", "ok", "", "performance");
	else
		add(rows, "cpu governor", "warn",
		    "echo performance | sudo tee "
		    "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
		    "%s: the clock follows the load, and figures with it", governor);
}

static void check_turbo(json_t *rows, const char *root)
{
	HB_FREE char *no_turbo = setting(root, "/sys/devices/system/cpu/intel_pstate/no_turbo");
	HB_FREE char *boost = setting(root, "/sys/devices/system/cpu/cpufreq/boost");

	if (no_turbo && !strcmp(no_turbo, "0"))
		add(rows, "turbo", "warn",
		    "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
		    "on: the clock depends on temperature and on what other cores do");
	else if (!no_turbo && boost && !strcmp(boost, "1"))
		add(rows, "turbo", "warn",
		    "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
		    "on: the clock depends on temperature and on what other cores do");
	else if (no_turbo || boost)
		add(rows, "turbo", "ok", "", "off");
}

static void check_smt(json_t *rows, const char *root)
{
	HB_FREE char *active = setting(root, "/sys/devices/system/cpu/smt/active");

	if (!active)
		return;
	if (!strcmp(active, "1"))
		add(rows, "SMT", "note", "echo off | sudo tee /sys/devices/system/cpu/smt/control",
		    "on: two vCPUs or tasks may share a core");
	else
		add(rows, "SMT", "ok", "", "off");
}

static void check_numa_balancing(json_t *rows, const char *root)
{
	HB_FREE char *on = setting(root, "/proc/sys/kernel/numa_balancing");

	if (!on)
		return;
	if (strcmp(on, "0"))
		add(rows, "NUMA balancing", "warn", "sudo sysctl kernel.numa_balancing=0",
		    "on: the host unmaps and moves the guest's memory while it is measured");
	else
		add(rows, "NUMA balancing", "ok", "", "off");
}

static void check_thp(json_t *rows, const char *root)
{
	HB_FREE char *enabled = setting(root, "/sys/kernel/mm/transparent_hugepage/enabled");

	if (!enabled)
		return;
	if (strstr(enabled, "[always]"))
		add(rows, "transparent huge pages", "note",
		    "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
		    "always: khugepaged works beside the measurement");
	else
		add(rows, "transparent huge pages", "ok", "", "%s", enabled);
}

static void check_ksm(json_t *rows, const char *root)
{
	HB_FREE char *run = setting(root, "/sys/kernel/mm/ksm/run");

	if (!run)
		return;
	if (!strcmp(run, "1"))
		add(rows, "KSM", "warn", "echo 0 | sudo tee /sys/kernel/mm/ksm/run",
		    "runs: it scans memory and takes CPU time");
	else
		add(rows, "KSM", "ok", "", "off");
}

static void check_load(json_t *rows, const char *root)
{
	HB_FREE char *text = setting(root, "/proc/loadavg");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double load = text ? strtod(text, NULL) : 0;

	if (!text)
		return;
	/* Half a CPU, or a tenth of them all, in others' use can be seen in every figure. */
	if (load > 0.5 && load > 0.1 * cpus)
		add(rows, "load", "warn", "ps -eo pid,pcpu,comm --sort=-pcpu | head",
		    "%.2f in the last minute on %ld CPUs: other work takes part in every figure, "
		    "but those of mode exact",
		    load, cpus);
	else
		add(rows, "load", "ok", "", "%.2f in the last minute", load);
}

static void check_swap(json_t *rows, const char *root)
{
	HB_FREE char *swaps = NULL, *path = hb_strf("%s/proc/swaps", root);

	if (!path || hb_file_read(path, &swaps, NULL))
		return;
	/* The first line is the heading. */
	if (swaps[strcspn(swaps, "\n")] && strchr(swaps, '\n')[1])
		add(rows, "swap", "note", "sudo swapoff -a",
		    "on: guest memory may be swapped out under pressure");
	else
		add(rows, "swap", "ok", "", "off");
}

static void check_clocksource(json_t *rows, const char *root)
{
	HB_FREE char *clock = environment_clock(root);

	if (!clock)
		return;
	if (strcmp(clock, "tsc") && strcmp(clock, "kvm-clock"))
		add(rows, "clocksource", "warn", "",
		    "%s: reading the time is slow here (matters in native mode)", clock);
	else
		add(rows, "clocksource", "ok", "", "%s", clock);
}

/* Without a free pool guests get memory in 4 KiB pages: more host TLB misses under KVM. */
static void check_host_huge_pages(json_t *rows, const char *root)
{
	uint64_t bytes;

	if (memory_huge_free(root, &bytes))
		return;
	if (bytes)
		add(rows, "host huge pages", "ok", "", "%llu MiB free in pages of 2 MiB",
		    (unsigned long long)bytes >> 20);
	else
		add(rows, "host huge pages", "note", "sudo sysctl vm.nr_hugepages=2048",
		    "none free: guest memory comes in 4 KiB pages");
}

json_t *doctor_check_settings(const char *root)
{
	static void (*const checks[])(json_t * rows, const char *root) = {
		check_load, check_governor, check_turbo, check_smt,	    check_numa_balancing,
		check_thp,  check_ksm,	    check_swap,	 check_clocksource, check_host_huge_pages,
	};
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < ARRAY_SIZE(checks); i++)
		checks[i](rows, root);
	return rows;
}

/* Jiffies of all CPUs: total, and those that the hypervisor gave to others. */
static int cpu_times(uint64_t *total, uint64_t *steal)
{
	HB_FREE char *text = NULL;
	unsigned long long t[8];

	if (hb_file_read("/proc/stat", &text, NULL) ||
	    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
		   &t[4], &t[5], &t[6], &t[7]) != 8)
		return -ENOENT;
	*total = 0;
	for (int i = 0; i < 8; i++)
		*total += t[i];
	*steal = t[7];
	return 0;
}

static void check_steal(json_t *rows)
{
	uint64_t total, steal, total_before, steal_before;
	double now, ever;

	if (cpu_times(&total_before, &steal_before))
		return;
	hb_sleep_until_ns(hb_now_ns() + STEAL_SAMPLE_NS);
	if (cpu_times(&total, &steal) || !total)
		return;
	now = total > total_before ? 100.0 * (steal - steal_before) / (total - total_before) : 0;
	ever = 100.0 * steal / total;
	if (now >= 1 || ever >= 1)
		add(rows, "steal", "warn", "",
		    "%.1f %% of CPU time goes to other guests of this host's hypervisor (%.1f %% "
		    "just now)",
		    ever, now);
	else
		add(rows, "steal", "ok", "", "%.1f %%", ever);
}

static void check_packages(json_t *rows)
{
	/* A program of each Debian package that is run, not linked; linked ones are here, or
	 * nothing is. */
	static const struct {
		const char *program, *package, *state;
	} wanted[] = {
		{"qemu-system-x86_64", "qemu-system-x86", "bad"},
		{"make", "make", "warn"},
		{"gcc", "gcc", "warn"},
		{"flex", "flex", "warn"},
		{"bison", "bison", "warn"},
		{"bc", "bc", "warn"},
		{"git", "git", "warn"},
		{"xz", "xz-utils", "warn"},
		{"mke2fs", "e2fsprogs", "warn"},
		{"busybox", "busybox", "warn"},
		{"gnuplot", "gnuplot-nox", "warn"},
	};
	char missing[256] = "", mend[320];
	const char *state = "warn";
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (child_finds(wanted[i].program))
			continue;
		if (!strcmp(wanted[i].state, "bad"))
			state = "bad";
		used += snprintf(missing + used, sizeof(missing) - used, " %s", wanted[i].package);
	}
	snprintf(mend, sizeof(mend), "sudo apt-get install%s", missing);
	if (used)
		add(rows, "packages", state, mend, "missing:%s", missing);
	else
		add(rows, "packages", "ok", "", "all there");
}

static void check_qemu(json_t *rows)
{
	struct hb_error e = {""};
	struct hostqemu q;

	if (hostqemu_look(&q, &e)) {
		add(rows, "QEMU", "bad", "", "%s", e.text);
		return;
	}
	add(rows, "QEMU", q.number < QEMU_STEADY ? "warn" : "ok", "", "%s: %s", q.version,
	    q.reason);
	hostqemu_free(&q);
}

static void check_user(json_t *rows)
{
	const char *why;

	if (vm_user_apart(&why))
		add(rows, "guests' user", "ok", "",
		    "each QEMU is a user of its own while a guest runs");
	else if (*why)
		add(rows, "guests' user", "note", "",
		    "QEMU stays root, and reads what root reads: %s", why);
	else
		add(rows, "guests' user", "ok", "", "QEMU is who starts hugebench");
}

static void check_kvm(json_t *rows)
{
	struct accel a;

	if (!accel_known(&a))
		add(rows, "KVM", "note", "",
		    "not tried yet: /dev/kvm is there; the first run boots a guest to see whether "
		    "it works");
	else if (a.works)
		add(rows, "KVM", "ok", "", "%s", a.reason);
	else
		add(rows, "KVM", "warn", "",
		    "does not work, guests are emulated (counts and ratios, no latencies of "
		    "hardware): %s",
		    a.reason);
}

static void check_cpus(json_t *rows)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 4)
		add(rows, "CPUs", "note", "",
		    "%ld: 4 vCPUs share them; contention between vCPUs is partly the host's "
		    "scheduler",
		    cpus);
	else
		add(rows, "CPUs", "ok", "", "%ld", cpus);
}

static void check_memory(json_t *rows)
{
	uint64_t limit = memory_limit();
	char size[32];

	hb_format_size(size, sizeof(size), limit);
	if (limit < MEMORY_WANTED_BYTES)
		add(rows, "memory", limit < (1ULL << 30) ? "bad" : "warn", "",
		    "%s for guests; 5 GiB are wanted for a database with shared PMD tables", size);
	else
		add(rows, "memory", "ok", "", "%s for guests", size);
}

static void check_space(json_t *rows, const char *check, const char *path, uint64_t wanted)
{
	struct statvfs st;
	char have[32], want[32];
	uint64_t bytes;

	if (statvfs(path, &st)) {
		add(rows, check, "bad", "", "%s: %s", path, strerror(errno));
		return;
	}
	bytes = (uint64_t)st.f_bavail * st.f_frsize;
	hb_format_size(have, sizeof(have), bytes);
	hb_format_size(want, sizeof(want), wanted);
	if (bytes < wanted)
		add(rows, check, "warn", "df -h", "%s free in %s, %s are wanted", have, path, want);
	else
		add(rows, check, "ok", "", "%s free in %s", have, path);
}

static void check_disk(json_t *rows)
{
	struct hb_error e = {""};
	HB_FREE char *cache = paths_cache(&e);

	if (cache)
		check_space(rows, "disk (cache)", cache, CACHE_SPACE_BYTES);
	else
		add(rows, "disk (cache)", "bad", "", "%s", e.text);
	check_space(rows, "disk (results)", ".", RESULTS_SPACE_BYTES);
}

json_t *doctor_check(void)
{
	static void (*const checks[])(json_t * rows) = {
		check_packages, check_qemu,   check_user, check_kvm,
		check_cpus,	check_memory, check_disk, check_steal,
	};
	json_t *rows = json_array(), *settings = doctor_check_settings("");

	for (size_t i = 0; rows && i < ARRAY_SIZE(checks); i++)
		checks[i](rows);
	if (rows && settings)
		json_array_extend(rows, settings);
	json_decref(settings);
	return rows;
}

static bool write_topology(const char *path)
{
	hwloc_topology_t t;
	bool written;

	if (hwloc_topology_init(&t))
		return false;
	written = !hwloc_topology_load(t) && !hwloc_topology_export_xml(t, path, 0);
	hwloc_topology_destroy(t);
	return written;
}

json_t *doctor_host(const char *topology_path)
{
	json_t *host = json_pack("{s:o}", "doctor", doctor_check());

	if (host && topology_path && write_topology(topology_path)) {
		const char *name = strrchr(topology_path, '/');

		json_object_set_new(host, "topology_file",
				    json_string(name ? name + 1 : topology_path));
	}
	return host;
}
