// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench boot`: a shell or one command in a guest, with the console here. */
#include <argp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "bench/guest/accel.h"
#include "bench/base/units.h"
#include "bench/base/wire.h"
#include "bench/commands/commands.h"
#include "bench/build/elfinfo.h"
#include "bench/build/image.h"
#include "bench/build/initramfs.h"
#include "bench/build/kernel.h"
#include "bench/host/paths.h"
#include "bench/host/tsc.h"
#include "bench/guest/vm.h"

#define SCRIPT_NAME "boot-shell"
#define ESCAPE_KEY  0x1d /* Ctrl-] as in telnet */
#define POLL_MS	    100
#define OFF_NS	    (5 * NSEC_PER_SEC)

struct boot {
	const char *kernel;
	char *command; /* NULL: a shell */
	const char *mode;
	uint64_t memory, vcpus;
	uint64_t timeout; /* ns, 0: none */
};

/* A directory of our own for the archive and the console's log. */
struct boot_files {
	char *directory;
	char *initramfs;
	char *console;
};

static char *find_busybox(void)
{
	static const char *const places[] = {"/bin/busybox", "/usr/bin/busybox",
					     "/usr/local/bin/busybox"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!access(places[i], R_OK))
			return strdup(places[i]);
	return NULL;
}

/* What the guest runs as init. The command's status leaves by the data port, the console is the
 * user's. */
static char *shell_script(const struct boot *b)
{
	struct winsize w = {.ws_row = 24, .ws_col = 80};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row) {
		w.ws_row = 24;
		w.ws_col = 80;
	}
	return hb_strf(
		"#!/bin/busybox sh\n"
		"export PATH=/bin:/sbin HOME=/ TERM=vt100\n"
		"/bin/busybox --install -s /bin\n"
		"mkdir -p /sbin /dev/pts /dev/shm /sys/kernel/debug /mnt/huge\n"
		"ln -s /init /sbin/hugebench-agent\n"
		"mount -t proc proc /proc; mount -t sysfs sysfs /sys\n"
		"mount -t devtmpfs devtmpfs /dev; mkdir -p /dev/pts /dev/shm\n"
		"mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm\n"
		"mount -t debugfs debugfs /sys/kernel/debug; mount -t hugetlbfs none /mnt/huge\n"
		"stty rows %u cols %u\n"
		"port=/dev/null\n"
		"for p in /sys/class/virtio-ports/*; do\n"
		"	grep -q '^" WIRE_PORT_NAME "$' $p/name && port=/dev/${p##*/}\n"
		"done\n"
		/* A shell of its own: an exit in the command must not end init. */
		"cat >/command <<'END OF COMMAND'\n%s\nEND OF COMMAND\n"
		"echo ready >$port\n"
		"sh /command\n"
		"echo \"status $?\" >$port\n"
		"poweroff -f\n",
		w.ws_row, w.ws_col, b->command ? b->command : "setsid cttyhack sh || sh");
}

/* Append file @from to @out. */
static int append(FILE *out, const char *from)
{
	HB_FREE char *data = NULL;
	size_t len;
	int rc = hb_file_read(from, &data, &len);

	if (!rc && fwrite(data, 1, len, out) != len)
		rc = -EIO;
	return rc;
}

static int join_archives(const char *base, const char *addition, const char *path,
			 struct hb_error *e)
{
	FILE *out = fopen(path, "we");
	int rc = out ? append(out, base) : -errno;

	if (!rc)
		rc = append(out, addition);
	if (out && fclose(out) && !rc)
		rc = -errno;
	return rc ? hb_error_set(e, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}

static int make_initramfs(const struct boot *b, const struct boot_files *f, struct hb_error *e)
{
	HB_FREE char *addition = hb_strf("%s/addition", f->directory);
	HB_FREE char *script = shell_script(b);
	HB_FREE char *busybox = find_busybox();
	json_t *files = json_object();
	struct image img;
	int rc;

	if (!busybox) {
		json_decref(files);
		return hb_error_set(e, -ENODEV, "busybox is missing; make deps");
	}
	if (!addition || !script)
		rc = hb_error_set(e, -ENOMEM, "out of memory");
	else
		rc = elf_closure(busybox, NULL, NULL, files, e);
	if (!rc) {
		json_object_del(files, busybox);
		json_object_set_new(files, "/bin/busybox", json_string(busybox));
		rc = image_resolve(&(struct image_wants){0}, &img, e);
	}
	if (!rc) {
		rc = initramfs_write_addition(files, SCRIPT_NAME, script, addition, e);
		if (!rc)
			rc = join_archives(img.initramfs, addition, f->initramfs, e);
		image_free(&img);
	}
	json_decref(files);
	return rc;
}

static int files_begin(struct boot_files *f, struct hb_error *e)
{
	*f = (struct boot_files){.directory = paths_temporary("boot", e)};
	if (!f->directory)
		return -EIO;
	f->initramfs = hb_strf("%s/initramfs", f->directory);
	f->console = hb_strf("%s/console", f->directory);
	return f->initramfs && f->console ? 0 : hb_error_set(e, -ENOMEM, "out of memory");
}

static void files_end(struct boot_files *f)
{
	if (f->directory)
		hb_remove_all(f->directory);
	free(f->directory);
	free(f->initramfs);
	free(f->console);
}

/* Written by the signal handler alone. */
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* A guest's files and a raw terminal are not to be left behind. */
static int signals_take(struct hb_error *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &sa, NULL))
			return hb_error_set(e, -errno, "sigaction: %s", strerror(errno));
	/* `| head` may go, the guest's files go all the same. */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* Raw mode, so that keys such as Ctrl-C reach the guest; nothing when stdin is no terminal. */
static int terminal_raw(struct termios *saved)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, saved))
		return 0;
	raw = *saved;
	cfmakeraw(&raw);
	return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* Move what @from has to @to (-1: drop it). The number of bytes, 0 at the end, -EINTR for the
 * escape key. */
static ssize_t relay(int from, int to, int keys)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n <= 0)
		return 0;
	if (keys && memchr(buf, ESCAPE_KEY, n))
		return -EINTR;
	return to >= 0 && hb_write_all(to, buf, n) ? 0 : n;
}

/* What the guest said on the data port. */
struct status_text {
	char text[64];
	size_t used;
};

/* False: there is no more, or no room for it. */
static bool status_take(struct status_text *s, int fd)
{
	ssize_t n = read(fd, s->text + s->used, sizeof(s->text) - 1 - s->used);

	if (n > 0)
		s->used += n;
	return n > 0;
}

/* Until the guest is off: console to stdout, stdin to the console, the status aside. */
static int talk(const struct boot *b, struct vm *vm, int console, struct status_text *s,
		struct hb_error *e)
{
	struct pollfd p[] = {
		{console, POLLIN, 0}, {vm_data_fd(vm), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
	uint64_t deadline = b->timeout ? hb_now_ns() + b->timeout : UINT64_MAX;
	int status, ready, keys = isatty(STDIN_FILENO);

	while (!vm_exited(vm, &status) && !vm_panicked(vm)) {
		if (interrupted)
			return -EINTR;
		if (hb_now_ns() > deadline)
			return hb_error_set(e, -ETIMEDOUT, "the time is over; the guest was ended");
		/* Before the shell is there, a pipe waits and of the keys only the escape counts.
		 */
		ready = !!strstr(s->text, "ready");
		if (poll(p, keys || ready ? 3 : 2, POLL_MS) < 0) {
			if (errno != EINTR)
				return hb_error_set(e, -errno, "poll: %s", strerror(errno));
			continue;
		}
		if (p[0].revents && relay(console, STDOUT_FILENO, 0) <= 0)
			p[0].fd = -1;
		if (p[1].revents && !status_take(s, p[1].fd))
			p[1].fd = -1;
		if ((keys || ready) && p[2].revents) {
			ssize_t n = relay(STDIN_FILENO, ready ? console : -1, keys);

			if (n == -EINTR)
				return -EINTR;
			if (!n)
				p[2].fd = -1;
		}
	}
	while (p[0].fd >= 0 && relay(console, STDOUT_FILENO, 0) > 0)
		;
	if (p[1].fd >= 0)
		status_take(s, p[1].fd);
	return vm_panicked(vm) ? hb_error_set(e, -EIO, "the guest's kernel panicked") : 0;
}

static int run_guest(const struct boot *b, const struct kernel *k, const struct boot_files *f,
		     struct status_text *s, struct hb_error *e)
{
	struct vm_config c = {.bzimage = k->bzimage,
			      .initramfs = f->initramfs,
			      .command_line = "rdinit=/" SCRIPT_NAME,
			      .console_path = f->console,
			      .vcpus = b->vcpus,
			      .nodes = 1,
			      .tsc_khz = tsc_khz(),
			      .memory = b->memory};
	struct termios saved;
	char reason[512];
	struct vm *vm;
	int raw, console, rc;

	rc = accel_choose(b->mode, k->bzimage, &c.mode, reason, sizeof(reason), e);
	if (!rc)
		rc = signals_take(e);
	if (!rc)
		rc = vm_start(&c, &vm, e);
	if (rc)
		return rc;
	console = vm_console_fd(vm, e);
	rc = console;
	if (rc >= 0) {
		if (!b->command)
			fprintf(stderr, "hugebench: %s %s; Ctrl-] ends the guest\n", k->name,
				k->version);
		raw = !b->command && terminal_raw(&saved);
		rc = talk(b, vm, console, s, e);
		if (raw)
			tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	}
	vm_end(vm, rc ? 0 : OFF_NS);
	return rc;
}

static int boot(const struct boot *b, struct status_text *s, struct hb_error *e)
{
	struct boot_files f;
	struct kernel k;
	int rc = kernel_resolve(b->kernel, &k, e);

	if (rc)
		return rc;
	rc = files_begin(&f, e);
	if (!rc)
		rc = make_initramfs(b, &f, e);
	if (!rc)
		rc = run_guest(b, &k, &f, s, e);
	files_end(&f);
	kernel_free(&k);
	return rc;
}

/* The words of a command line as one, as ssh does it. */
static char *join_words(char **words)
{
	char *line = strdup("");

	for (; line && *words; words++) {
		char *longer = hb_strf("%s%s%s", line, *line ? " " : "", *words);

		free(line);
		line = longer;
	}
	return line;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct boot *b = state->input;

	switch (key) {
	case 'm':
		if (hb_parse_size(arg, &b->memory) || b->memory < 128ULL << 20)
			argp_error(state, "--memory %s: a size from 128M is wanted", arg);
		return 0;
	case 'c':
		if (hb_parse_u64(arg, &b->vcpus) || !b->vcpus || b->vcpus > VM_MAX_VCPUS)
			argp_error(state, "--vcpus %s: a number from 1 to %d is wanted", arg,
				   VM_MAX_VCPUS);
		return 0;
	case 't':
		if (hb_parse_duration(arg, &b->timeout))
			argp_error(state, "--timeout %s: a duration such as 60s is wanted", arg);
		return 0;
	case 'M':
		if (strcmp(arg, "auto") && strcmp(arg, "kvm") && strcmp(arg, "emulated"))
			argp_error(state, "--mode %s: auto, kvm or emulated is wanted", arg);
		b->mode = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			return ARGP_ERR_UNKNOWN;
		b->kernel = arg;
		return 0;
	case ARGP_KEY_ARGS:
		b->command = join_words(state->argv + state->next);
		return b->command ? 0 : ENOMEM;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which kernel? `hugebench list` shows them");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_boot(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"memory", 'm', "SIZE", 0, "of the guest (1G)", 0},
		{"vcpus", 'c', "N", 0, "processors of the guest (2)", 0},
		{"mode", 'M', "MODE", 0, "auto, kvm or emulated (auto)", 0},
		{"timeout", 't', "TIME", 0, "end the guest after this time", 0},
		{0},
	};
	const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "KERNEL [-- COMMAND...]",
		.doc = "Boot a kernel variant and give a shell, or run one command; "
		       "the console is here.\v"
		       "hugetlbfs is at /mnt/huge, the agent in the path. Exit status: 0 "
		       "when the command's was, else 1."};
	struct boot b = {.mode = "auto", .memory = 1ULL << 30, .vcpus = 2};
	struct status_text s = {.text = ""};
	struct hb_error e = {.text = ""};
	const char *said;
	int rc, status;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &b))
		return EXIT_USAGE;
	rc = boot(&b, &s, &e);
	free(b.command);
	if (rc == -EINTR)
		return EXIT_INT;
	if (rc) {
		fprintf(stderr, "hugebench boot: %s\n", e.text);
		return rc == -ENOENT || rc == -EINVAL ? EXIT_USAGE : EXIT_HOST;
	}
	said = strstr(s.text, "status ");
	if (!b.command)
		return EXIT_OK;
	if (!said || sscanf(said, "status %d", &status) != 1) {
		fprintf(stderr, "hugebench boot: the guest ended before the command did\n");
		return EXIT_HOST;
	}
	return status ? EXIT_CELLS : EXIT_OK;
}
