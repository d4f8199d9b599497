// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/kexec.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/host/child.h"
#include "bench/host/kexec.h"

#define SYSTEMD "/run/systemd/system"
/*
 * Nobody sits before the machine: what would wait for a person starts it again. Also an initramfs
 * that does not find the root (Debian's goes by panic=, rd.* is dracut's), and a watchdog that the
 * firmware or the kernel before left running and nobody has opened for so long, seconds.
 */
#define UNATTENDED                                                                                 \
	"panic=10 oops=panic softlockup_panic=1 nmi_watchdog=panic rd.shell=0 "                    \
	"rd.emergency=reboot watchdog.open_timeout=300"
/* What sync(2) may take on a machine whose tasks hang. */
#define SYNC_NS (20 * NSEC_PER_SEC)

static const char *load_mend(int error)
{
	switch (error) {
	case EPERM:
		return "; only root may, where neither Secure Boot locks the kernel down nor "
		       "sysctl "
		       "kernel.kexec_load_disabled is 1";
	case ENOSYS:
		return "; the running kernel has no CONFIG_KEXEC_FILE";
	case EKEYREJECTED:
	case ENOKEY:
	case ENODATA:
		return "; the running kernel wants a signed image";
	case EBUSY:
		return "; another process loads a kernel";
	default:
		return "";
	}
}

int kexec_load(const char *bzimage, const char *initrd, const char *command_line,
	       struct hb_error *e)
{
	HB_CLOSE int kernel = open(bzimage, O_RDONLY | O_CLOEXEC), ram = -1;

	if (kernel < 0)
		return hb_error_set(e, -errno, "%s: %s", bzimage, strerror(errno));
	if (initrd)
		ram = open(initrd, O_RDONLY | O_CLOEXEC);
	if (initrd && ram < 0)
		return hb_error_set(e, -errno, "%s: %s", initrd, strerror(errno));
	if (!syscall(SYS_kexec_file_load, kernel, ram, strlen(command_line) + 1, command_line,
		     initrd ? 0UL : (unsigned long)KEXEC_FILE_NO_INITRAMFS))
		return 0;
	return hb_error_set(e, -errno, "%s cannot be loaded for kexec: %s%s", bzimage,
			    strerror(errno), load_mend(errno));
}

void kexec_unload(void)
{
	syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, (unsigned long)KEXEC_FILE_UNLOAD);
}

static bool systemd_runs(void)
{
	return !access(SYSTEMD, F_OK);
}

/* One that is ended by a signal has had its way: systemd ends it, as it does with every process of
 * a service. */
static int systemctl(const char *what, struct hb_error *e)
{
	char *argv[] = {"systemctl", "--no-block", (char *)what, NULL};
	HB_FREE char *output = NULL;
	int rc = child_capture(&(struct child){0}, argv, &output);

	return rc && rc != 128 + SIGTERM ? hb_error_set(e, -EIO, "systemctl %s: status %d: %.200s",
							what, rc, output ? output : "")
					 : 0;
}

/* sync(2) in a process that may hang without us. */
static void sync_briefly(void)
{
	uint64_t until = hb_now_ns() + SYNC_NS;
	pid_t pid = fork();

	if (!pid) {
		sync();
		_exit(0);
	}
	while (pid > 0 && !waitpid(pid, NULL, WNOHANG) && hb_now_ns() < until)
		hb_sleep_until_ns(hb_now_ns() + NSEC_PER_SEC / 20);
}

static int reboot_now(int how, struct hb_error *e)
{
	sync_briefly();
	reboot(how);
	return hb_error_set(e, -errno, "reboot(2): %s", strerror(errno));
}

int kexec_boot(struct hb_error *e)
{
	return systemd_runs() ? systemctl("kexec", e) : reboot_now(RB_KEXEC, e);
}

int kexec_reboot(bool hard, struct hb_error *e)
{
	return systemd_runs() && !hard && !systemctl("reboot", e) ? 0 : reboot_now(RB_AUTOBOOT, e);
}

/* Words that are not for another kernel, or that this file sets. */
static bool word_dropped(const char *word, size_t len, const char *root)
{
	static const char *const beginnings[] = {
		"BOOT_IMAGE=", "initrd=",	    "crashkernel=",  "panic=",	 "oops=",
		"hugebench.",  "softlockup_panic=", "systemd.unit=", "rootwait",
	};

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (len >= strlen(beginnings[i]) &&
		    !strncmp(word, beginnings[i], strlen(beginnings[i])))
			return true;
	return root && len >= 5 && !strncmp(word, "root=", 5);
}

char *kexec_command_line(const char *running, const char *root, const char *more)
{
	char *line = NULL;
	size_t size, len;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	for (const char *p = running; *(p += strspn(p, " \n")); p += len) {
		len = strcspn(p, " \n");
		if (!word_dropped(p, len, root))
			fprintf(out, "%.*s ", (int)len, p);
	}
	if (root)
		fprintf(out, "root=%s ", root);
	fprintf(out, UNATTENDED "%s%s", *more ? " " : "", more);
	if (!fclose(out))
		return line;
	free(line);
	return NULL;
}
