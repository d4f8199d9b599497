// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU: start, watch, end. */
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

#include "bench/base/units.h"
#include "bench/build/hostqemu.h"
#include "bench/host/child.h"
#include "bench/host/memory.h"
#include "bench/guest/quiet.h"
#include "bench/guest/vm_argv.h"
#include "bench/guest/vm_user.h"

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

const char *vm_mode_name(enum vm_mode mode)
{
	static const char *const names[] = {
		[VM_KVM] = "kvm",
		[VM_EMULATED] = "emulated",
		[VM_EXACT] = "exact",
	};

	return names[mode];
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
	if (!rc && vm_has_turns(c) && !c->gdb)
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
	wiring = (struct vm_wiring){
		w.data[1], w.qmp[1], w.console, {0}, vm_user_apart(&root) ? vm_user_new() : 0};
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

uint64_t vm_waited_ns(const struct vm *vm)
{
	return vm->reaped ? 0 : child_waited_ns(vm->pid);
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
