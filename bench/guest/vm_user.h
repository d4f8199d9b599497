/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who QEMU is while a guest runs. */
#ifndef HB_VM_USER_H
#define HB_VM_USER_H

/* What QEMU becomes, once it has opened all that it needs, where root starts it. */
#define VM_USER "nobody"

/*
 * VM_USER where we are root and QEMU can become that; else NULL: it stays who we are, and *@why
 * says why, "" where that is not root. Found out once; both are static.
 */
const char *vm_user(const char **why);

#endif
