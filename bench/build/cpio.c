// SPDX-License-Identifier: GPL-2.0-or-later
/* cpio "newc": 110 bytes of hexadecimal header, name, contents, each padded to four bytes. */
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/base/util.h"
#include "bench/build/cpio.h"

#define HEADER_BYTES 110

/* What a header says beside the name. */
struct entry {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	unsigned int major, minor;
};

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

static int write_header(FILE *out, const char *name, const struct entry *x)
{
	size_t name_bytes = strlen(name) + 1;
	char header[HEADER_BYTES + 1];
	int rc;

	if (name_bytes == 1 || name[0] == '/' || name_bytes > PATH_MAX)
		return -EINVAL;
	if (x->size > UINT32_MAX)
		return -EFBIG;
	/* magic, ino, mode, uid, gid, nlink, mtime, size, dev (2), rdev (2), name size, checksum */
	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0,
		 (unsigned int)x->mode, x->uid, x->gid, 1, 0, (unsigned int)x->size, 0, 0, x->major,
		 x->minor, (unsigned int)name_bytes, 0);
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
	int rc = write_header(out, name, &(struct entry){.mode = mode, .size = size});

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
	return write_header(out, name,
			    &(struct entry){.mode = mode, .major = major, .minor = minor});
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

/* The host's file @path with the permissions and the owner of @x. */
static int add_file(FILE *out, const char *name, struct entry *x, const char *path)
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
	if (!rc) {
		x->mode = S_IFREG | (x->mode & 07777);
		x->size = st.st_size;
		rc = write_header(out, name, x);
	}
	if (!rc)
		rc = copy_bytes(out, in, st.st_size);
	fclose(in);
	return rc;
}

int cpio_add_file(FILE *out, const char *name, mode_t permissions, const char *path)
{
	return add_file(out, name, &(struct entry){.mode = permissions}, path);
}

int cpio_add_archive(FILE *out, const char *path)
{
	HB_FCLOSE FILE *in = fopen(path, "re");
	struct stat st;

	if (!in || fstat(fileno(in), &st))
		return -errno;
	return copy_bytes(out, in, st.st_size);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* What fts has come to below the directory of the host of which @root bytes are the name. */
static int add_found(FILE *out, const char *name, size_t root, const FTSENT *f, uid_t uid,
		     gid_t gid)
{
	HB_FREE char *inside = hb_strf("%s%s", name, f->fts_path + root);
	struct entry x = {.uid = uid, .gid = gid};

	if (!inside)
		return -ENOMEM;
	switch (f->fts_info) {
	case FTS_D:
		x.mode = f->fts_statp->st_mode;
		return write_header(out, inside, &x);
	case FTS_F:
		x.mode = f->fts_statp->st_mode;
		return add_file(out, inside, &x, f->fts_path);
	case FTS_DP:
		return 0;
	default:
		return f->fts_errno ? -f->fts_errno : -EINVAL;
	}
}

int cpio_add_tree(FILE *out, const char *name, const char *path, uid_t uid, gid_t gid)
{
	char *const roots[] = {(char *)path, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *f;
	int rc = 0;

	if (!fts)
		return -errno;
	while (!rc && (f = fts_read(fts)))
		rc = add_found(out, name, strlen(path), f, uid, gid);
	if (!rc && errno)
		rc = -errno;
	fts_close(fts);
	return rc;
}

int cpio_end(FILE *out)
{
	int rc = write_header(out, "TRAILER!!!", &(struct entry){0});

	if (rc)
		return rc;
	return fflush(out) ? -errno : 0;
}
