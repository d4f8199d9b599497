// SPDX-License-Identifier: GPL-2.0-or-later
/* cpio "newc": 110 bytes of hexadecimal header, name, contents, each padded to four bytes. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/build/cpio.h"

#define HEADER_BYTES 110

static int write_bytes(FILE *out, const void *data, size_t size)
{
	errno = 0;
	if (size && fwrite(data, 1, size, out) != size)
		return errno ? -errno : -EIO;
	return 0;
}

static int write_padding(FILE *out, uint64_t written)
{
	static const char zeros[4];

	return write_bytes(out, zeros, -written & 3);
}

static int write_header(FILE *out, const char *name, mode_t mode, uint64_t size, unsigned int major,
			unsigned int minor)
{
	size_t name_bytes = strlen(name) + 1;
	char header[HEADER_BYTES + 1];
	int rc;

	if (name_bytes == 1 || name[0] == '/' || name_bytes > PATH_MAX)
		return -EINVAL;
	if (size > UINT32_MAX)
		return -EFBIG;
	/* magic, ino, mode, uid, gid, nlink, mtime, size, dev (2), rdev (2), name size, checksum */
	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0,
		 (unsigned int)mode, 0, 0, 1, 0, (unsigned int)size, 0, 0, major, minor,
		 (unsigned int)name_bytes, 0);
	rc = write_bytes(out, header, HEADER_BYTES);
	if (rc)
		return rc;
	rc = write_bytes(out, name, name_bytes);
	if (rc)
		return rc;
	return write_padding(out, HEADER_BYTES + name_bytes);
}

int cpio_add(FILE *out, const char *name, mode_t mode, const void *data, size_t size)
{
	int rc = write_header(out, name, mode, size, 0, 0);

	if (rc)
		return rc;
	rc = write_bytes(out, data, size);
	if (rc)
		return rc;
	return write_padding(out, size);
}

int cpio_add_node(FILE *out, const char *name, mode_t mode, unsigned int major, unsigned int minor)
{
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		return -EINVAL;
	return write_header(out, name, mode, 0, major, minor);
}

/* Copy exactly @size bytes; a file that shrank meanwhile would leave a broken archive. */
static int copy_bytes(FILE *out, FILE *in, uint64_t size)
{
	char buf[65536];

	for (uint64_t left = size; left;) {
		size_t want = left < sizeof(buf) ? left : sizeof(buf);
		size_t got = fread(buf, 1, want, in);
		int rc;

		if (!got)
			return -EIO;
		rc = write_bytes(out, buf, got);
		if (rc)
			return rc;
		left -= got;
	}
	return write_padding(out, size);
}

int cpio_add_file(FILE *out, const char *name, mode_t permissions, const char *path)
{
	FILE *in = fopen(path, "re");
	struct stat st;
	int rc = 0;

	if (!in)
		return -errno;
	if (fstat(fileno(in), &st))
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	if (!rc)
		rc = write_header(out, name, S_IFREG | (permissions & 07777), st.st_size, 0, 0);
	if (!rc)
		rc = copy_bytes(out, in, st.st_size);
	fclose(in);
	return rc;
}

int cpio_end(FILE *out)
{
	int rc = write_header(out, "TRAILER!!!", 0, 0, 0, 0);

	if (rc)
		return rc;
	return fflush(out) ? -errno : 0;
}
