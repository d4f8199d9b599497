// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU: command line, start, watch, end. Every option is one that QEMU 7.2 to 10.0 understand;
 * where they do not agree its version decides. */
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/base/exact.h"
#include "bench/base/units.h"
#include "bench/base/wire.h"
#include "bench/build/hostqemu.h"
#include "bench/host/child.h"
#include "bench/host/memory.h"
#include "bench/guest/quiet.h"
#include "bench/guest/vm.h"
#include "bench/guest/vm_user.h"

#define HUGE_PAGE_BYTES	   (2ULL << 20)
#define NODE_MIN_BYTES	   (64ULL << 20)
#define APIC_MAX	   254u
#define RUN_WITH_USER	   QEMU_NUMBER(9, 1) /* -run-with has user=, and -runas is on its way out */
#define START_TIMEOUT_NS   (60 * NSEC_PER_SEC) /* and for its memory: memory_slowest_ns() */
#define COMMAND_TIMEOUT_NS (10 * NSEC_PER_SEC)
/* For the guest to take one key off the line before the next break. */
#define KEY_GAP_NS	(NSEC_PER_SEC / 2)
#define QUIT_TIMEOUT_NS (2 * NSEC_PER_SEC)
/* A thread that is kept quiet runs so often, so long, and again when it is not done then. */
#define BREATH_EVERY_NS (NSEC_PER_SEC / 10)
#define BREATH_NS	1000000ULL
#define BREATHS		20

struct vm {
	pid_t pid;
	int pidfd, data_fd, stderr_fd;
	int lifeline;	/* QEMU is killed when it is closed (child.h) */
	int console_fd; /* connected when something is to be typed on the serial console, else -1 */
	struct sockaddr_un console_address; /* where QEMU listens for that */
	socklen_t console_address_len;
	bool reaped;
	int status;
	struct qmp *qmp;
	bool qmp_broken;
	struct placement placement;
	struct quiet quiet;   /* QEMU's main thread, mode exact with turns */
	uint64_t breathed_ns; /* when it ran last */
};

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

const char *vm_mode_name(enum vm_mode mode)
{
	static const char *const names[] = {
		[VM_KVM] = "kvm",
		[VM_EMULATED] = "emulated",
		[VM_EXACT] = "exact",
	};

	return names[mode];
}

/* NUMA nodes that have vCPUs; the others have memory alone. */
static unsigned int sockets(const struct vm_config *c)
{
	return c->vcpus < c->nodes ? c->vcpus : c->nodes;
}

/* Several vCPUs in turn on one thread. */
static bool has_turns(const struct vm_config *c)
{
	return c->mode == VM_EXACT && c->vcpus > 1;
}

/* With those that never run: exact.h. */
static unsigned int all_vcpus(const struct vm_config *c)
{
	return has_turns(c) ? exact_all_vcpus(c->vcpus) : c->vcpus;
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
	if (has_turns(c))
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
static void push_privileges(struct args *a, const struct hostqemu *q, const char *user)
{
	if (q->sandbox)
		push_option(a, "-sandbox",
			    hb_strf("on,obsolete=deny,%sspawn=deny",
				    user ? "" : "elevateprivileges=deny,"));
	if (user && q->number >= RUN_WITH_USER)
		push_option(a, "-run-with", hb_strf("user=%s", user));
	else if (user)
		push_option(a, "-runas", strdup(user));
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
			    has_turns(c) ? "on" : "off"));
	if (has_turns(c))
		push_option(a, "-global", hb_strf("hpet.timers=%d", EXACT_TIMERS));
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

	if (!has_turns(c)) {
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
	if (!n && has_turns(c))
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

/* Our ends and QEMU's ends of what connects us; QEMU's are closed once it has them. */
struct wires {
	int data[2], qmp[2]; /* [0] ours, [1] QEMU's */
	int lifeline[2];     /* [0] QEMU's, [1] ours */
	int console;	     /* listens, QEMU's */
	int stderr_fd;
};

static void wires_close(struct wires *w)
{
	int *fds[] = {&w->data[0], &w->data[1],	  &w->qmp[0],	   &w->qmp[1],
		      &w->console, &w->stderr_fd, &w->lifeline[0], &w->lifeline[1]};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* A listening socket at an abstract address that the kernel chooses (autobind, unix(7)). */
static int listen_somewhere(struct sockaddr_un *address, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len = sizeof(*address);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)address, sizeof(sa_family_t)) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)address, len)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static int wires_open(struct wires *w, struct vm *vm)
{
	int rc = 0;

	*w = (struct wires){{-1, -1}, {-1, -1}, {-1, -1}, -1, -1};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->data) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->qmp) ||
	    pipe2(w->lifeline, O_CLOEXEC) ||
	    (w->stderr_fd = memfd_create("qemu-stderr", MFD_CLOEXEC)) < 0)
		rc = -errno;
	if (!rc) {
		w->console = listen_somewhere(&vm->console_address, &vm->console_address_len);
		rc = w->console < 0 ? w->console : 0;
	}
	if (rc)
		wires_close(w);
	return rc;
}

static int spawn(struct vm *vm, const struct vm_config *c, const struct wires *w, char **argv,
		 struct hb_error *e)
{
	HB_FREE char *console = strdup(c->console_path);
	const char *temporary = getenv("TMPDIR");
	/* Where QEMU, and so a guest that has taken it over, can change files. */
	const char *const writable[] = {
		console ? dirname(console) : "/nonexistent",
		/* What -drive snapshot=on writes, with TMPDIR as child_start() leaves it. */
		temporary && !access(temporary, W_OK | X_OK) ? temporary : "/var/tmp",
		"/dev",
		NULL,
	};
	struct child child = {.group = true,
			      .death = CHILD_KILL,
			      .lifeline = w->lifeline[0],
			      .writable = writable,
			      .keep = {w->data[1], w->qmp[1], w->console}};
	size_t n = 3;

	_Static_assert(CHILD_KEEPS > 4 + VM_MAX_NODES, "room for all and a 0");
	for (unsigned int i = 0; c->memory_fd && i < c->nodes; i++)
		child.keep[n++] = c->memory_fd[i];
	child.keep[n] = c->initramfs_fd;
	vm->pid = child_start(&child, argv, w->stderr_fd);
	if (vm->pid < 0)
		return hb_error_set(e, vm->pid, "cannot start QEMU: fork: %s", strerror(-vm->pid));
	vm->pidfd = syscall(SYS_pidfd_open, vm->pid, 0);
	if (vm->pidfd < 0)
		return hb_error_set(e, -errno, "pidfd_open: %s", strerror(errno));
	return 0;
}

/* Name the reason of a failed start by QEMU's own words, where there are some. */
static int start_error(struct vm *vm, int rc, struct hb_error *e)
{
	HB_FREE char *words = NULL;
	int status;

	if (rc == -EPIPE) {
		struct pollfd p = {.fd = vm->pidfd, .events = POLLIN};

		poll(&p, 1, 1000);
	}
	if (vm_exited(vm, &status) && rc != -EINTR)
		rc = -ENODEV;
	words = vm_stderr(vm);
	if (words && *words)
		return hb_error_set(e, rc, "QEMU does not start: %s", words);
	return hb_error_prefix(e, rc, "QEMU does not start");
}

static int pin(struct vm *vm, unsigned int vcpus, struct hb_error *e)
{
	pid_t tid[VM_MAX_VCPUS] = {0};
	int n = qmp_vcpu_threads(vm->qmp, tid, VM_MAX_VCPUS, hb_now_ns() + COMMAND_TIMEOUT_NS, e);

	if (n < 0)
		return n;
	for (unsigned int i = 0; i < vcpus && i < (unsigned int)n; i++) {
		int rc;

		if (vm->placement.cpu[i] < 0)
			continue;
		rc = placement_pin(tid[i], vm->placement.cpu[i]);
		if (rc) {
			snprintf(vm->placement.text, sizeof(vm->placement.text),
				 "vCPU %u could not be pinned to CPU %d: %s", i,
				 vm->placement.cpu[i], strerror(-rc));
			return 0;
		}
	}
	/* Threads that QEMU starts from here on inherit it; those of the vCPUs have theirs. */
	if (CPU_COUNT(&vm->placement.others))
		sched_setaffinity(vm->pid, sizeof(vm->placement.others), &vm->placement.others);
	return 0;
}

static int bring_up(struct vm *vm, const struct vm_config *c, int qmp_fd, struct hb_error *e)
{
	uint64_t deadline = hb_now_ns() + START_TIMEOUT_NS + memory_slowest_ns(c->memory);
	int rc = qmp_open(qmp_fd, deadline, &vm->qmp, e);

	if (!rc)
		rc = pin(vm, c->vcpus, e);
	if (!rc && !c->gdb)
		rc = qmp_command(vm->qmp, "cont", NULL, hb_now_ns() + COMMAND_TIMEOUT_NS, NULL, e);
	/* The stub is served by the main thread. */
	if (!rc && has_turns(c) && !c->gdb)
		quiet_begin(&vm->quiet, vm->pid);
	return rc;
}

int vm_start(const struct vm_config *c, struct vm **out, struct hb_error *e)
{
	const struct hostqemu *qemu = hostqemu(e);
	struct vm *vm;
	struct vm_wiring wiring;
	const char *root;
	struct wires w;
	char **argv;
	int rc;

	*out = NULL;
	if (!qemu)
		return -ENODEV;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return hb_error_set(e, -ENOMEM, "no memory");
	rc = wires_open(&w, vm);
	if (rc) {
		free(vm);
		return hb_error_set(e, rc, "cannot connect to QEMU: %s", strerror(-rc));
	}
	if (c->placement)
		vm->placement = *c->placement;
	else
		placement_none(&vm->placement, "not asked for");
	wiring = (struct vm_wiring){w.data[1], w.qmp[1], w.console, {0}, vm_user(&root)};
	memcpy(wiring.host_node, vm->placement.host_node, sizeof(wiring.host_node));
	rc = vm_argv(qemu, c, &wiring, &argv, e);
	if (rc) {
		wires_close(&w);
		free(vm);
		return rc;
	}
	vm->data_fd = w.data[0];
	vm->lifeline = w.lifeline[1];
	vm->console_fd = -1;
	vm->stderr_fd = dup(w.stderr_fd);
	vm->pidfd = -1;
	rc = vm->stderr_fd < 0 ? hb_error_set(e, -errno, "dup: %s", strerror(errno))
			       : spawn(vm, c, &w, argv, e);
	vm_argv_free(argv);
	if (!rc) {
		int qmp_fd = w.qmp[0];

		w.data[0] = w.qmp[0] = w.lifeline[1] = -1;
		wires_close(&w);
		rc = bring_up(vm, c, qmp_fd, e);
		if (rc)
			rc = start_error(vm, rc, e);
	} else {
		vm->data_fd = vm->lifeline = -1;
		wires_close(&w);
	}
	if (rc) {
		vm_end(vm, 0);
		return rc;
	}
	*out = vm;
	return 0;
}

int vm_data_fd(const struct vm *vm)
{
	return vm->data_fd;
}

const char *vm_placement(const struct vm *vm)
{
	return vm->placement.text;
}

int vm_exited(struct vm *vm, int *status)
{
	if (!vm->reaped && waitpid(vm->pid, &vm->status, WNOHANG) == vm->pid)
		vm->reaped = !quiet_went_on(&vm->quiet, vm->status);
	if (vm->reaped)
		*status = vm->status;
	return vm->reaped;
}

char *vm_stderr(const struct vm *vm)
{
	char buf[512];
	ssize_t n = pread(vm->stderr_fd, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	for (char *c = buf; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : '\0';
	return strdup(buf);
}

/* Now and then QEMU's main thread may do what has come up. */
static void breathe(struct vm *vm)
{
	uint64_t now = hb_now_ns();

	if (!vm->quiet.tid || now < vm->breathed_ns + BREATH_EVERY_NS)
		return;
	quiet_wake(&vm->quiet);
	for (unsigned int i = 0; i < BREATHS && !vm->quiet.stopped; i++) {
		hb_sleep_until_ns(hb_now_ns() + BREATH_NS);
		quiet_stop(&vm->quiet);
	}
	vm->breathed_ns = hb_now_ns();
}

int vm_panicked(struct vm *vm)
{
	breathe(vm);
	if (vm->qmp && !vm->qmp_broken && qmp_drain(vm->qmp, NULL))
		vm->qmp_broken = true;
	return vm->qmp && qmp_panicked(vm->qmp);
}

int vm_kvm_counts(struct vm *vm, struct qmp_kvm_counts *counts, struct hb_error *e)
{
	return qmp_kvm_counts(vm->qmp, hb_now_ns() + COMMAND_TIMEOUT_NS, counts, e);
}

static int console_connect(struct vm *vm)
{
	if (vm->console_fd >= 0)
		return 0;
	vm->console_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (vm->console_fd < 0)
		return -errno;
	if (connect(vm->console_fd, (struct sockaddr *)&vm->console_address,
		    vm->console_address_len)) {
		int rc = -errno;

		close(vm->console_fd);
		vm->console_fd = -1;
		return rc;
	}
	return 0;
}

int vm_console_fd(struct vm *vm, struct hb_error *e)
{
	int rc = console_connect(vm);

	return rc ? hb_error_set(e, rc, "serial console: %s", strerror(-rc)) : vm->console_fd;
}

/* Type @key on the serial line as a sysrq: behind a break. */
static int type_sysrq(struct vm *vm, char key, struct hb_error *e)
{
	int rc = qmp_command(vm->qmp, "chardev-send-break", json_pack("{s:s}", "id", "console"),
			     hb_now_ns() + COMMAND_TIMEOUT_NS, NULL, e);

	if (rc)
		return rc;
	if (send(vm->console_fd, &key, 1, MSG_NOSIGNAL) != 1)
		return hb_error_set(e, -errno, "serial console: %s", strerror(errno));
	return 0;
}

int vm_dump_blocked(struct vm *vm, struct hb_error *e)
{
	int rc;

	if (!vm->qmp || vm->qmp_broken)
		return hb_error_set(e, -EPIPE, "QEMU does not answer");
	quiet_end(&vm->quiet);
	/* Stays connected: a hang-up might overtake the key. What comes back is in the log too. */
	rc = console_connect(vm);
	if (rc)
		return hb_error_set(e, rc, "serial console: %s", strerror(-rc));
	/* Stacks are printed at level "info", which the console leaves out until told otherwise. */
	rc = type_sysrq(vm, '7', e);
	if (rc)
		return rc;
	hb_sleep_until_ns(hb_now_ns() + KEY_GAP_NS);
	return type_sysrq(vm, 'w', e);
}

/* Reap when QEMU ends within @ns. */
static bool wait_exit(struct vm *vm, uint64_t ns)
{
	uint64_t deadline = hb_now_ns() + ns;
	int status;

	while (!vm_exited(vm, &status)) {
		struct pollfd p = {.fd = vm->pidfd, .events = POLLIN};
		uint64_t now = hb_now_ns();

		if (now >= deadline)
			return false;
		poll(&p, 1, (int)((deadline - now) / 1000000) + 1);
	}
	return true;
}

void vm_end(struct vm *vm, uint64_t grace_ns)
{
	quiet_end(&vm->quiet);
	if (vm->pid > 0 && vm->pidfd >= 0 && !wait_exit(vm, grace_ns)) {
		if (vm->qmp && !vm->qmp_broken &&
		    !qmp_command(vm->qmp, "quit", NULL, hb_now_ns() + QUIT_TIMEOUT_NS, NULL, NULL))
			wait_exit(vm, QUIT_TIMEOUT_NS);
	}
	if (vm->pid > 0 && !vm->reaped) {
		kill(vm->pid, SIGKILL);
		while (waitpid(vm->pid, &vm->status, 0) < 0 && errno == EINTR)
			;
	}
	qmp_close(vm->qmp);
	if (vm->data_fd >= 0)
		close(vm->data_fd);
	if (vm->console_fd >= 0)
		close(vm->console_fd);
	if (vm->stderr_fd >= 0)
		close(vm->stderr_fd);
	if (vm->pidfd >= 0)
		close(vm->pidfd);
	if (vm->lifeline >= 0)
		close(vm->lifeline);
	free(vm);
}
