/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writer of cpio archives in the "newc" format, the one that Linux unpacks as initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Owner 0:0 where none is given,
 * times 0 and inode 0 throughout, so that the same input gives the same bytes; hard links are not
 * written.
 *
 * Archives may be concatenated, also behind a compressed one, when each starts at a multiple of
 * four bytes: pad with zeros. What is written here always ends at such a multiple.
 *
 * Names are relative ("sbin/init"), a directory comes before what is in it. All return 0 or
 * -errno: -EINVAL for an empty, absolute or overlong name, -EFBIG from 4 GiB on.
 */
#ifndef HB_CPIO_H
#define HB_CPIO_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Add an entry. @mode has type and permissions: S_IFREG | 0644 with the contents in @data,
 * S_IFLNK | 0777 with the target in @data, S_IFDIR | 0755 with @size 0.
 */
int cpio_add(FILE *out, const char *name, mode_t mode, const void *data, size_t size);
/* Add a device node; @mode is S_IFCHR or S_IFBLK with permissions. */
int cpio_add_node(FILE *out, const char *name, mode_t mode, unsigned int major, unsigned int minor);
/* Add the contents of the host's file @path as regular file @name with permissions @permissions. */
int cpio_add_file(FILE *out, const char *name, mode_t permissions, const char *path);
/*
 * Add the host's directory @path as @name, with all that is in it, in the order of the names, owned
 * by @uid and @gid. -EINVAL for what is neither a file nor a directory.
 */
int cpio_add_tree(FILE *out, const char *name, const char *path, uid_t uid, gid_t gid);
/* Append the archive in the host's file @path, padded to the four bytes that the next one begins
 * at. */
int cpio_add_archive(FILE *out, const char *path);
/* The entry that ends an archive; flushes. */
int cpio_end(FILE *out);

#endif
