// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's command line. Every option is one that QEMU 7.2 to 10.0 understand; where they do not
 * agree its version decides.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/base/exact.h"
#include "bench/base/wire.h"
#include "bench/build/hostqemu.h"
#include "bench/guest/vm_argv.h"
#include "bench/host/memory.h"

#define NODE_MIN_BYTES (64ULL << 20)
#define APIC_MAX       254u
#define RUN_WITH_USER  QEMU_NUMBER(9, 1) /* -run-with has user=, and -runas is on its way out */

/* A growing argv; the first failure sticks. A string that is NULL had no memory. */
struct args {
	char **v;
	size_t n;
	int rc;
};

static void push(struct args *a, char *owned)
{
	char **v = a->rc || !owned ? NULL : realloc(a->v, (a->n + 2) * sizeof(*v));

	if (!v) {
		free(owned);
		a->rc = -ENOMEM;
		return;
	}
	v[a->n++] = owned;
	v[a->n] = NULL;
	a->v = v;
}

static void push_option(struct args *a, const char *option, char *owned_value)
{
	push(a, strdup(option));
	push(a, owned_value);
}

/* QEMU's option syntax wants a comma inside a value doubled. Owned by the caller. */
static char *escape(const char *value)
{
	char *out = malloc(2 * strlen(value) + 1);
	char *o = out;

	for (; out && *value; value++) {
		if (*value == ',')
			*o++ = ',';
		*o++ = *value;
	}
	if (out)
		*o = '\0';
	return out;
}

/* NUMA nodes that have vCPUs; the others have memory alone. */
static unsigned int sockets(const struct vm_config *c)
{
	return c->vcpus < c->nodes ? c->vcpus : c->nodes;
}

bool vm_has_turns(const struct vm_config *c)
{
	return c->mode == VM_EXACT && c->vcpus > 1;
}

/* With those that never run: exact.h. */
static unsigned int all_vcpus(const struct vm_config *c)
{
	return vm_has_turns(c) ? exact_all_vcpus(c->vcpus) : c->vcpus;
}

/*
 * The highest APIC id, where cores of a socket are numbered in a power of two of places. Without an
 * IOMMU that remaps interrupts a PC reaches 254 (Intel SDM, volume 3, "APIC ID").
 */
static unsigned int highest_apic(const struct vm_config *c)
{
	unsigned int cores = c->vcpus / sockets(c), places = 1;

	while (places < cores)
		places *= 2;
	return (all_vcpus(c) / cores - 1) * places + cores - 1;
}

static int config_check(const struct vm_config *c, struct hb_error *e)
{
	if (!c->bzimage || !c->console_path)
		return hb_error_set(e, -EINVAL,
				    "a guest needs a kernel and a file for the console");
	if (!c->initramfs && !c->root)
		return hb_error_set(e, -EINVAL, "a guest needs an initramfs or a root image");
	if (!c->nodes || c->nodes > VM_MAX_NODES)
		return hb_error_set(e, -EINVAL, "%u NUMA nodes; allowed: 1 to %d", c->nodes,
				    VM_MAX_NODES);
	if (!c->vcpus || c->vcpus > VM_MAX_VCPUS || c->vcpus % sockets(c))
		return hb_error_set(e, -EINVAL,
				    "%u vCPUs; allowed: 1 to %d, a multiple of %u nodes", c->vcpus,
				    VM_MAX_VCPUS, c->nodes);
	if (c->mode == VM_EXACT && c->vcpus > EXACT_VCPUS_MAX)
		return hb_error_set(e, -EINVAL, "mode exact has at most %d vCPUs, not %u",
				    EXACT_VCPUS_MAX, c->vcpus);
	if (highest_apic(c) > APIC_MAX)
		return hb_error_set(e, -EINVAL,
				    "%u vCPUs in %u sockets need APIC ids up to %u; allowed: %u",
				    c->vcpus, sockets(c), highest_apic(c), APIC_MAX);
	if (memory_node_bytes(c->memory, c->nodes) < NODE_MIN_BYTES)
		return hb_error_set(e, -EINVAL, "%llu MiB of guest memory; a node needs 64 MiB",
				    (unsigned long long)c->memory >> 20);
	return 0;
}

char *vm_command_line(const struct vm_config *c)
{
	/*
	 * loglevel=5: warnings reach the console, which is scanned; nothing below, which would
	 * cost time. oops=panic and panic=-1: a kernel that is broken ends at once, and -no-reboot
	 * makes QEMU exit. A task that is blocked is named on the console after 20 to 40 s.
	 * mitigations=off: one policy in all modes, for emulation has no speculation to guard
	 * against; a later mitigations= wins (Documentation/admin-guide/kernel-parameters.txt).
	 */
	static const char common[] = "console=ttyS0 loglevel=5 panic=-1 oops=panic "
				     "sysrq_always_enabled mitigations=off "
				     "sysctl.kernel.hung_task_timeout_secs=20";
	/*
	 * The time-stamp counter of emulation is the host's, which runs steadily: the watchdog
	 * against it would only misjudge a loaded host.
	 */
	static const char tcg[] = " tsc=reliable no_timer_check nokaslr";
	static const char exact[] = " norandmaps";
	/*
	 * A CPU that halts ends its turn, and the clock would count work instead of time: it polls.
	 * The agent brings up the other CPUs when all is set up, and has the HPET to itself. Of
	 * QEMU's idle vCPUs the kernel knows nothing.
	 */
	static const char turn_words[] = " idle=poll maxcpus=1 hpet=disable nr_cpus=%u";
	const char *own = c->command_line ? c->command_line : "";
	char frequency[40] = "", turns[64] = "";

	if (c->mode == VM_EMULATED && c->tsc_khz)
		snprintf(frequency, sizeof(frequency), " tsc_early_khz=%u", c->tsc_khz);
	if (vm_has_turns(c))
		snprintf(turns, sizeof(turns), turn_words, c->vcpus);
	return hb_strf("%s%s%s%s%s%s%s%s", common, c->mode == VM_KVM ? "" : tcg, frequency,
		       c->mode == VM_EXACT ? exact : "", turns,
		       c->root ? " root=/dev/vda rw init=/sbin/hugebench-agent" : "",
		       *own ? " " : "", own);
}

/*
 * A guest that has taken QEMU over starts no program and gains no rights. The filter that denies
 * it other rights denies QEMU to become another user, too: that one has no_new_privs (confine.h)
 * and none to begin with.
 */
static void push_privileges(struct args *a, const struct hostqemu *q, uid_t user)
{
	if (q->sandbox)
		push_option(a, "-sandbox",
			    hb_strf("on,obsolete=deny,%sspawn=deny",
				    user ? "" : "elevateprivileges=deny,"));
	if (user && q->number >= RUN_WITH_USER)
		push_option(a, "-run-with", hb_strf("user=%u:%u", user, user));
	else if (user)
		push_option(a, "-runas", hb_strf("%u:%u", user, user));
}

static void push_machine(struct args *a, const struct hostqemu *q, const struct vm_config *c)
{
	static const char *const fixed[] = {
		"-no-user-config", "-nodefaults", "-no-reboot",
		"-S", /* vCPU threads are pinned before they run */
	};

	for (char *const *word = q->words; *word; word++)
		push(a, strdup(*word));
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		push(a, strdup(fixed[i]));
	push_option(a, "-display", strdup("none"));
	/* The HPET is slow to read and to calibrate against; the TSC is the clock. */
	push_option(a, "-machine",
		    hb_strf("pc,hpet=%s,usb=off,vmport=off,graphics=off,dump-guest-core=off,"
			    "mem-merge=off",
			    vm_has_turns(c) ? "on" : "off"));
	if (vm_has_turns(c))
		push_option(a, "-global", hb_strf("hpet.timers=%d", EXACT_HPET_TIMERS));
	/* The panic is reported, then the guest goes on to print its trace and to reset. */
	push_option(a, "-action", strdup("panic=none"));
	if (c->mode == VM_EXACT)
		push_option(a, "-rtc", strdup("clock=vm,base=2020-01-01"));
}

static void push_accelerator(struct args *a, const struct vm_config *c)
{
	switch (c->mode) {
	case VM_KVM:
		push_option(a, "-accel", strdup("kvm"));
		/* What keeps a guest from moving to another host is let through: invariant TSC. */
		push_option(a, "-cpu", strdup("host,migratable=no"));
		break;
	case VM_EMULATED:
		push_option(a, "-accel", strdup("tcg,thread=multi"));
		/* A fixed model: "max" has AVX2, with which string functions are slow in TCG. */
		push_option(a, "-cpu", strdup("qemu64,+pdpe1gb,+rdtscp,+rdrand"));
		break;
	case VM_EXACT:
		push_option(a, "-accel", strdup("tcg,thread=single"));
		push_option(a, "-icount", hb_strf("shift=%u,sleep=off", exact_shift(c->vcpus)));
		/* No rdrand: it would hand the guest the host's random numbers. */
		push_option(a, "-cpu", strdup("qemu64,+pdpe1gb,+rdtscp"));
		break;
	}
}

static void push_cpu(struct args *a, unsigned int cpu, unsigned int cores)
{
	push_option(a, "-device",
		    hb_strf("qemu64-x86_64-cpu,socket-id=%u,core-id=%u,thread-id=0", cpu / cores,
			    cpu % cores));
}

/*
 * A socket per NUMA node that has vCPUs, or Linux doubts the topology (topology_sane). Those that
 * take turns are made one by one: the first, all that never run, the others.
 */
static void push_cpus(struct args *a, const struct vm_config *c)
{
	unsigned int cores = c->vcpus / sockets(c), all = all_vcpus(c);

	if (!vm_has_turns(c)) {
		push_option(
			a, "-smp",
			hb_strf("%u,sockets=%u,cores=%u,threads=1", c->vcpus, sockets(c), cores));
		return;
	}
	push_option(a, "-smp",
		    hb_strf("1,maxcpus=%u,sockets=%u,cores=%u,threads=1", all, all / cores, cores));
	for (unsigned int cpu = c->vcpus; cpu < all; cpu++)
		push_cpu(a, cpu, cores);
	for (unsigned int cpu = 1; cpu < c->vcpus; cpu++)
		push_cpu(a, cpu, cores);
}

/* Which vCPUs are of node @n, as QEMU's options say it; those that never run are of the first. */
static char *node_cpus(const struct vm_config *c, unsigned int n)
{
	unsigned int per_node = c->vcpus / sockets(c), first = n * per_node;
	char idle[32] = "";

	if (n >= sockets(c))
		return strdup("");
	if (!n && vm_has_turns(c))
		snprintf(idle, sizeof(idle), ",cpus=%u-%u", c->vcpus, all_vcpus(c) - 1);
	return per_node == 1 ? hb_strf(",cpus=%u%s", first, idle)
			     : hb_strf(",cpus=%u-%u%s", first, first + per_node - 1, idle);
}

/*
 * Memory that was filled for all boots is mapped before the guest runs, or the host's faults are in
 * its figures. Mode exact does not feel them, and a guest that has memory of its own is not timed.
 */
static bool preallocated(const struct vm_config *c)
{
	return c->memory_fd && c->mode != VM_EXACT;
}

static void push_memory(struct args *a, const struct vm_config *c, const struct vm_wiring *w)
{
	push_option(a, "-m",
		    hb_strf("%lluM", (unsigned long long)(memory_node_bytes(c->memory, c->nodes) *
							  c->nodes) >>
					     20));
	for (unsigned int n = 0; n < c->nodes; n++) {
		HB_FREE char *backend =
			c->memory_fd ? hb_strf("memory-backend-file,mem-path=/proc/self/fd/%d,"
					       "share=on",
					       c->memory_fd[n])
				     : strdup("memory-backend-ram");
		HB_FREE char *bind = w->host_node[n] >= 0 ? hb_strf(",host-nodes=%d,policy=bind",
								    w->host_node[n])
							  : strdup("");
		HB_FREE char *cpus = node_cpus(c, n);

		if (!backend || !bind || !cpus) {
			a->rc = -ENOMEM;
			return;
		}
		push_option(
			a, "-object",
			hb_strf("%s,id=mem%u,size=%lluM,prealloc=%s%s", backend, n,
				(unsigned long long)memory_node_bytes(c->memory, c->nodes) >> 20,
				preallocated(c) ? "on" : "off", bind));
		push_option(a, "-numa", hb_strf("node,nodeid=%u%s,memdev=mem%u", n, cpus, n));
	}
}

static void push_kernel(struct args *a, const struct vm_config *c)
{
	push_option(a, "-kernel", strdup(c->bzimage));
	push_option(a, "-append", vm_command_line(c));
	if (c->initramfs_fd)
		push_option(a, "-initrd", hb_strf("/proc/self/fd/%d", c->initramfs_fd));
	else if (!c->root)
		push_option(a, "-initrd", strdup(c->initramfs));
	if (c->root) {
		HB_FREE char *path = escape(c->root);

		push_option(a, "-drive",
			    path ? hb_strf("file=%s,if=none,id=root,format=raw,snapshot=on,"
					   "cache=unsafe",
					   path)
				 : NULL);
		push_option(a, "-device", strdup("virtio-blk-pci,drive=root"));
	}
}

static void push_devices(struct args *a, const struct vm_config *c, const struct vm_wiring *w)
{
	HB_FREE char *console = escape(c->console_path);

	/* Nobody is connected as a rule, then QEMU drops the output once it is in the log file. */
	push_option(a, "-chardev",
		    console ? hb_strf("socket,id=console,fd=%d,server=on,wait=off,logfile=%s,"
				      "logappend=off",
				      w->console_fd, console)
			    : NULL);
	push_option(a, "-serial", strdup("chardev:console"));
	push_option(a, "-chardev", hb_strf("socket,id=qmp,fd=%d", w->qmp_fd));
	push_option(a, "-mon", strdup("chardev=qmp,mode=control"));
	push_option(a, "-chardev", hb_strf("socket,id=data,fd=%d", w->data_fd));
	if (c->mode == VM_EXACT) {
		/* A virtio device's queues are served at the host's time, a UART within the
		 * guest's. */
		push_option(a, "-serial", strdup("chardev:data"));
	} else {
		push_option(a, "-device", strdup("virtio-serial-pci"));
		push_option(a, "-device",
			    strdup("virtserialport,chardev=data,name=" WIRE_PORT_NAME));
	}
	push_option(a, "-device", strdup("pvpanic"));
	if (c->gdb)
		push_option(a, "-gdb", hb_strf("tcp:127.0.0.1:%u", c->gdb));
}

int vm_argv(const struct hostqemu *q, const struct vm_config *c, const struct vm_wiring *w,
	    char ***argv, struct hb_error *e)
{
	struct args a = {0};
	int rc = config_check(c, e);

	*argv = NULL;
	if (rc)
		return rc;
	push_machine(&a, q, c);
	push_privileges(&a, q, w->user);
	push_accelerator(&a, c);
	push_cpus(&a, c);
	push_memory(&a, c, w);
	push_kernel(&a, c);
	push_devices(&a, c, w);
	if (a.rc) {
		vm_argv_free(a.v);
		return hb_error_set(e, a.rc, "no memory for QEMU's command line");
	}
	*argv = a.v;
	return 0;
}

void vm_argv_free(char **argv)
{
	for (char **a = argv; a && *a; a++)
		free(*a);
	free(argv);
}
