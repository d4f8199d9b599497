/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who QEMU is while a guest runs. */
#ifndef HB_VM_USER_H
#define HB_VM_USER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is root's QEMU another user, once it has opened all that it needs? false: it stays who we are,
 * and *@why says why, "" where that is not root. Found out once; *@why is static.
 */
bool vm_user_apart(const char **why);

/*
 * A user and group for one QEMU, which no account and no process is: a guest that has taken its
 * QEMU over has no rights on the next one's. Of the numbers that systemd gives to services while
 * they run (61184 to 65519, systemd's UIDS-GIDS). Any thread; of two processes that ask at the
 * same moment both may be given the same.
 */
uid_t vm_user_new(void);

#endif
