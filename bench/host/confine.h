/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that run what others made are kept from the files of who started them. */
#ifndef HB_CONFINE_H
#define HB_CONFINE_H

/*
 * From here on this process, and every program it becomes or starts, can change files only below
 * the directories (or files) @writable, NULL at the end; those that do not exist are passed over.
 * Reading, open descriptors, and memory files stay as they are. By Landlock
 * (Documentation/userspace-api/landlock.rst). No program of theirs gains rights by a file's mode
 * either (no_new_privs). Does not allocate: made for a child before exec. 0; -EOPNOTSUPP or
 * -ENOSYS: this kernel has no Landlock, and files can be changed as before; another -errno.
 */
int confine_writes(const char *const *writable);

#endif
