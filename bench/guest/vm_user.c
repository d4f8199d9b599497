// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/guest/vm_user.h"
#include "bench/host/child.h"

#define FIRST 61184
#define COUNT 4336

/* What root, in a container not all of root, needs for a QEMU that is another user. */
static const struct {
	int capability;
	const char *what;
} needed[] = {
	{CAP_SETUID, "CAP_SETUID, to be another user"},
	{CAP_SETGID, "CAP_SETGID, to be of another group"},
	{CAP_KILL, "CAP_KILL, to end another user's QEMU"},
	{CAP_SYS_NICE, "CAP_SYS_NICE, to pin another user's vCPUs"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE, to keep another user's QEMU quiet in mode exact"},
};

static bool has_account(uid_t id)
{
	return getpwuid(id) || getgrgid(id);
}

static bool has_process(uid_t id)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	struct stat st;
	bool found = false;

	while (proc && !found && (d = readdir(proc)))
		found = !fstatat(dirfd(proc), d->d_name, &st, 0) && st.st_uid == id;
	if (proc)
		closedir(proc);
	return found;
}

uid_t vm_user_new(void)
{
	static atomic_uint asked;
	uid_t id;
	unsigned int tries = 0;

	do
		id = FIRST + (getpid() * 37U + asked++) % COUNT;
	while (++tries < COUNT && (has_account(id) || has_process(id)));
	return id;
}

/* In a namespace of users there may be none but root. */
static bool can_become(uid_t id)
{
	const struct child c = {.uid = id, .gid = id};
	char *argv[] = {(char *)"true", NULL};

	return !child_run(&c, argv, NULL, NULL);
}

/* Why QEMU stays root, "": it does not; static. */
static const char *obstacle(void)
{
	static char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (prctl(PR_CAPBSET_READ, needed[i].capability) != 1) {
			snprintf(text, sizeof(text), "this root has no %s", needed[i].what);
			return text;
		}
	return can_become(vm_user_new()) ? "" : "this root cannot become another user";
}

bool vm_user_apart(const char **why)
{
	static const char *reason;

	if (!reason)
		reason = geteuid() ? "" : obstacle();
	*why = reason;
	return !geteuid() && !*reason;
}
