// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent: PID 1 in the guest, a plain program on the host.
 *
 *	hugebench-agent --describe		workloads, options and metrics as JSON
 *	hugebench-agent --native FD [--yes]	a session over the descriptor, on the running kernel
 *	hugebench-agent --self			what the timed path costs, on the running kernel
 *	hugebench-agent --exec NAME ARGS...	a process of workload NAME (workload_ops.exec)
 *
 * As PID 1: mounts, hello over the data port, then cells as WIRE_RUN brings them until WIRE_QUIT.
 *With /spec.json in the initramfs (mode exact) that one cell runs at once, and every frame is sent
 *after it.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/base/units.h"
#include "workloads/agent/cell.h"
#include "workloads/agent/clock.h"
#include "workloads/agent/guest.h"
#include "workloads/agent/kmsg.h"
#include "workloads/agent/modules.h"
#include "workloads/agent/machine.h"
#include "workloads/agent/selfbench.h"
#include "workloads/workload.h"

#define MOUNTED		"HUGEBENCH_MOUNTED"
#define SPEC_FILE	"/spec.json"
#define PORT_TIMEOUT_NS (10 * NSEC_PER_SEC)
#define IDLE_NS		NSEC_PER_SEC

static const char *role_name(enum workload_role role)
{
	return role == ROLE_WORKLOAD ? "workload" : "antagonist";
}

static json_t *needs_json(const char *const *needs)
{
	json_t *a = json_array();

	for (; needs && *needs; needs++)
		json_array_append_new(a, json_string(*needs));
	return a;
}

static int describe(void)
{
	json_t *list = json_array(), *top;
	unsigned int n;
	const struct workload_ops *const *all = workloads_sorted(&n);
	int rc;

	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "name",
						      all[i]->name, "summary", all[i]->summary,
						      "role", role_name(all[i]->role), "options",
						      option_describe(all[i]->options), "metrics",
						      metric_describe(all[i]->metrics), "needs",
						      needs_json(all[i]->needs)));
	top = json_pack("{s:i, s:o}", "abi", WORKLOAD_ABI, "workloads", list);
	rc = top ? json_dumpf(top, stdout, JSON_INDENT(2)) : -1;
	json_decref(top);
	return rc || putchar('\n') == EOF || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void native_end(void) __attribute__((noreturn));
static void native_end(void)
{
	_exit(EXIT_FAILURE);
}

static int run_spec(const json_t *spec, struct link *link, int native, int yes, struct hb_error *e)
{
	const char *cell = json_string_value(json_object_get(spec, "cell"));
	HB_FREE char *marker = hb_strf("cell %s begins", cell ? cell : "without a name");
	int log = kmsg_open(marker ? marker : "cell begins");
	HB_CLOSE int kmsg = log;
	struct cell_config c = {.spec = spec,
				.link = link,
				.native = native,
				.yes = yes,
				.kmsg = log,
				.end = native ? native_end : guest_power_off};

	return cell_run(&c, e);
}

/* Serve cells until the host says quit or is gone. 0, or an error of the stream. */
static int serve(struct link *link, int native, int yes, struct hb_error *e)
{
	for (;;) {
		enum wire_type type;
		json_t *payload;
		int rc = link_wait(link, hb_now_ns() + IDLE_NS, &type, &payload, e);

		if (!native)
			guest_reap();
		if (rc == 0)
			continue;
		if (rc < 0)
			return rc == -EPIPE ? 0 : rc;
		rc = 0;
		if (type == WIRE_RUN) {
			link->closed = 0;
			rc = run_spec(payload, link, native, yes, e);
		}
		json_decref(payload);
		if (rc || type == WIRE_QUIT)
			return rc < 0 ? rc : 0;
	}
}

static int native(int fd, int yes)
{
	struct hb_error e = {""};
	struct link link;
	int rc;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC)) {
		fprintf(stderr, "hugebench-agent: descriptor %d: %s\n", fd, strerror(errno));
		return EXIT_FAILURE;
	}
	clock_setup();
	link_init(&link, fd);
	rc = link_send(&link, WIRE_HELLO, hello_make(), &e);
	if (!rc)
		rc = serve(&link, 1, yes, &e);
	if (rc)
		fprintf(stderr, "hugebench-agent: %s\n", e.text);
	link_free(&link);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Mode exact: the cell that the initramfs brought; what it has to say is held until its result. */
static int guest_exact(json_t *spec, struct hb_error *e)
{
	struct link link;
	int rc;

	clock_setup_exact(machine_insn_ns(json_object_get(spec, "machine")));
	link_init_held(&link, guest_serial);
	link_send(&link, WIRE_HELLO, hello_make(), NULL);
	rc = run_spec(spec, &link, 0, 0, e);
	return rc ? rc : serve(&link, 0, 0, e);
}

static int guest_served(struct hb_error *e)
{
	int fd = guest_port(PORT_TIMEOUT_NS, e), rc;
	struct link link;

	if (fd < 0)
		return fd;
	clock_setup();
	link_init(&link, fd);
	rc = link_send(&link, WIRE_HELLO, hello_make(), e);
	return rc ? rc : serve(&link, 0, 0, e);
}

/*
 * libnuma reads /sys when it is loaded, before main(); as PID 1 that is before anybody can mount
 * it. So the first incarnation mounts and executes itself again.
 */
static int guest_start(struct hb_error *e)
{
	static char *const argv[] = {"hugebench-agent", NULL};
	int rc;

	if (getenv(MOUNTED))
		return 0;
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	rc = modules_load(e);
	if (!rc)
		rc = modules_switch_root(e);
	setenv(MOUNTED, "1", 1);
	if (!rc)
		rc = guest_mount(e);
	if (rc)
		return rc;
	execv("/proc/self/exe", argv);
	return hb_error_set(e, -errno, "cannot execute the agent again: %s", strerror(errno));
}

static void guest(void) __attribute__((noreturn));
static void guest(void)
{
	struct hb_error e = {""};
	json_t *spec = NULL;
	int rc;

	rc = guest_start(&e);
	if (!rc && !access(SPEC_FILE, R_OK)) {
		json_error_t je;

		spec = json_load_file(SPEC_FILE, 0, &je);
		rc = spec ? guest_exact(spec, &e)
			  : hb_error_set(&e, -EINVAL, SPEC_FILE ": %s", je.text);
	} else if (!rc) {
		rc = guest_served(&e);
	}
	/* The console is the last way to be heard. */
	if (rc)
		fprintf(stderr, "hugebench-agent: %s\n", e.text);
	guest_power_off();
}

static int exec_workload(const char *name, int argc, char **argv)
{
	const struct workload_ops *ops = workload_find(name);

	if (!ops || !ops->exec) {
		fprintf(stderr, "hugebench-agent: %s has nothing to execute\n", name);
		return EXIT_FAILURE;
	}
	return ops->exec(argc, argv);
}

static int self(void)
{
	struct hb_error e = {""};

	clock_setup();
	if (!selfbench(&e))
		return EXIT_SUCCESS;
	fprintf(stderr, "hugebench-agent: %s\n", e.text);
	return EXIT_FAILURE;
}

static int usage(void)
{
	fprintf(stderr, "usage: hugebench-agent --describe | --self | --native FD [--yes] | --exec "
			"NAME ARGS...\n");
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t fd;

	signal(SIGPIPE, SIG_IGN);
	/* First: the kernel hands init every word of its command line that it does not know. */
	if (getpid() == 1)
		guest();
	if (argc >= 3 && !strcmp(argv[1], "--exec"))
		return exec_workload(argv[2], argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "--describe"))
		return describe();
	if (argc == 2 && !strcmp(argv[1], "--self"))
		return self();
	if ((argc == 3 || (argc == 4 && !strcmp(argv[3], "--yes"))) &&
	    !strcmp(argv[1], "--native") && !hb_parse_u64(argv[2], &fd) && fd <= INT_MAX)
		return native(fd, argc == 4);
	return usage();
}
