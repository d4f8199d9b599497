// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench/guest/vm_user.h"
#include "bench/host/child.h"

/* What root, in a container not all of root, needs for a QEMU that is another user. */
static const struct {
	int capability;
	const char *what;
} needed[] = {
	{CAP_SETUID, "CAP_SETUID, to become " VM_USER},
	{CAP_SETGID, "CAP_SETGID, to become " VM_USER},
	{CAP_KILL, "CAP_KILL, to end " VM_USER "'s QEMU"},
	{CAP_SYS_NICE, "CAP_SYS_NICE, to pin " VM_USER "'s vCPUs"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE, to keep " VM_USER "'s QEMU quiet in mode exact"},
};

/* In a namespace of users there may be none but root. */
static bool can_become(const struct passwd *pw)
{
	const struct child c = {.uid = pw->pw_uid, .gid = pw->pw_gid};
	char *argv[] = {(char *)"true", NULL};

	return pw->pw_uid && !child_run(&c, argv, NULL, NULL);
}

/* Why QEMU stays root, "": it does not; static. */
static const char *obstacle(void)
{
	static char text[128];
	const struct passwd *pw = getpwnam(VM_USER);

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (prctl(PR_CAPBSET_READ, needed[i].capability) != 1) {
			snprintf(text, sizeof(text), "this root has no %s", needed[i].what);
			return text;
		}
	if (!pw)
		return "there is no user " VM_USER;
	return can_become(pw) ? "" : "this root cannot become " VM_USER;
}

const char *vm_user(const char **why)
{
	static const char *reason;

	if (!reason)
		reason = geteuid() ? "" : obstacle();
	*why = reason;
	return geteuid() || *reason ? NULL : VM_USER;
}
