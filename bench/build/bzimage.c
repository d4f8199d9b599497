// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/build/bzimage.h"
#include "bench/build/elfinfo.h"
#include "bench/host/child.h"

#define NOBODY	    65534
#define VMLINUX_MAX (256u << 20)
#define GZIP_MAGIC  "\x1f\x8b"
/* The last four bytes of the payload are the length of what is in it. */
#define LENGTH_BYTES 4
/* zlib's memLevel that packs a kernel a little smaller than gzip -9 does. */
#define PACK_MEMORY 8

static uint32_t get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint16_t get16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

/* Where the payload is inside the image; -EINVAL for what is no bzImage. */
static int find_payload(char *image, size_t size, char **payload, size_t *len)
{
	uint64_t start;

	if (size < 0x250 || memcmp(image + 0x202, "HdrS", 4) || get16(image + 0x206) < 0x208)
		return -EINVAL;
	/* The protected-mode part starts behind setup_sects + 1 sectors; 0 means 4. */
	start = ((uint8_t)image[0x1f1] ? (uint8_t)image[0x1f1] : 4) + 1;
	start = start * 512 + get32(image + 0x248);
	*len = get32(image + 0x24c);
	if (start >= size || *len > size - start || *len < 16)
		return -EINVAL;
	*payload = image + start;
	return 0;
}

static int unpack_gzip(const char *in, size_t in_len, char **out, size_t *out_len)
{
	size_t size = get32(in + in_len - LENGTH_BYTES);
	z_stream z = {.next_in = (Bytef *)in, .avail_in = in_len};
	int rc;

	if (!size || size > VMLINUX_MAX)
		return -EINVAL;
	*out = malloc(size);
	if (!*out || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	z.next_out = (Bytef *)*out;
	z.avail_out = size;
	rc = inflate(&z, Z_FINISH);
	*out_len = size - z.avail_out;
	inflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -EINVAL;
}

/* All of the file @fd, from its beginning. */
static int read_all(int fd, char **out, size_t *out_len)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	*out = malloc(size + 1);
	if (!*out)
		return -ENOMEM;
	for (*out_len = 0; *out_len < (size_t)size;) {
		ssize_t n = pread(fd, *out + *out_len, size - *out_len, *out_len);

		if (n <= 0)
			return n ? -errno : -EIO;
		*out_len += n;
	}
	return 0;
}

/*
 * Unpack with @program, which reads what anybody may have packed. Its status is ignored as long as
 * there is output: the appended length makes xz and lz4 complain of trailing bytes.
 */
static int unpack_program(const char *program, const char *in, size_t in_len, char **out,
			  size_t *out_len)
{
	HB_CLOSE int from = memfd_create("payload", MFD_CLOEXEC);
	HB_CLOSE int to = from < 0 ? -1 : memfd_create("vmlinux", MFD_CLOEXEC);
	HB_CLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct child c = {.in = from, .err = null, .file_bytes = VMLINUX_MAX};
	char *argv[] = {(char *)program, "-dc", NULL};
	int rc;

	if (to < 0 || null < 0)
		return -errno;
	if (!geteuid())
		c.uid = c.gid = NOBODY;
	rc = hb_write_all(from, in, in_len);
	if (!rc && lseek(from, 0, SEEK_SET))
		rc = -errno;
	if (rc)
		return rc;
	rc = child_wait(child_start(&c, argv, to));
	if (rc < 0 || rc == 127)
		return rc < 0 ? rc : -ENODEV;
	return read_all(to, out, out_len);
}

static int unpack_payload(const char *in, size_t in_len, char **out, size_t *out_len,
			  struct hb_error *e)
{
	static const struct {
		unsigned char magic[4];
		size_t len;
		const char *program, *package;
	} kinds[] = {
		{{0xfd, '7', 'z', 'X'}, 4, "xz", "xz-utils"},
		{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd", "zstd"},
		{{0x02, 0x21, 0x4c, 0x18}, 4, "lz4", "lz4"},
		{{'B', 'Z', 'h'}, 3, "bzip2", "bzip2"},
		{{0x5d, 0, 0}, 3, "xz", "xz-utils"}, /* LZMA, by itself */
		{{0x89, 'L', 'Z', 'O'}, 4, "lzop", "lzop"},
	};
	int rc;

	if (!memcmp(in, GZIP_MAGIC, 2))
		return unpack_gzip(in, in_len, out, out_len);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (memcmp(in, kinds[i].magic, kinds[i].len))
			continue;
		rc = unpack_program(kinds[i].program, in, in_len, out, out_len);
		if (rc == -ENODEV)
			hb_error_set(e, rc, "%s is missing; apt-get install %s", kinds[i].program,
				     kinds[i].package);
		return rc;
	}
	return -EINVAL;
}

/* "5.10.262 (user@host) #1 ..." -> "5.10.262" */
static char *read_version(const char *image, size_t size)
{
	size_t at = get16(image + 0x20e) + 0x200u;

	if (at <= 0x200 || at >= size || !memchr(image + at, 0, size - at))
		return NULL;
	return strndup(image + at, strcspn(image + at, " "));
}

int bzimage_identify(const char *path, char **version, char **build_id, struct hb_error *e)
{
	HB_FREE char *image = NULL;
	HB_FREE char *vmlinux = NULL;
	size_t size, len, vmlinux_size = 0;
	char *payload;
	int rc = hb_file_read(path, &image, &size);

	if (rc)
		return hb_error_set(e, rc == -ENOENT ? -ENODEV : rc, "cannot read %s: %s", path,
				    strerror(-rc));
	rc = find_payload(image, size, &payload, &len);
	if (!rc)
		rc = unpack_payload(payload, len, &vmlinux, &vmlinux_size, e);
	if (rc == -EINVAL)
		hb_error_set(e, rc, "%s is no bzImage that can be read", path);
	if (!rc)
		rc = elf_build_id_of(vmlinux, vmlinux_size, path, build_id, e);
	if (rc)
		return rc;
	*version = read_version(image, size);
	if (*version)
		return 0;
	free(*build_id);
	*build_id = NULL;
	return hb_error_set(e, -EINVAL, "%s does not tell its version", path);
}

/* Fill the payload anew: what it holds has the same length, so only that of the gzip stream moves.
 */
static int pack_gzip(const char *vmlinux, size_t vmlinux_size, char *payload, size_t len)
{
	z_stream z = {.next_in = (Bytef *)vmlinux, .avail_in = vmlinux_size};
	size_t room = len - LENGTH_BYTES;
	int rc;

	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, PACK_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	z.next_out = (Bytef *)payload;
	z.avail_out = room;
	rc = deflate(&z, Z_FINISH);
	memset(payload + room - z.avail_out, 0, z.avail_out);
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -ENOSPC;
}

int bzimage_edit(const char *from, const char *to, bzimage_change change, struct hb_error *e)
{
	HB_FREE char *image = NULL;
	HB_FREE char *vmlinux = NULL;
	size_t size, len, vmlinux_size;
	char *payload;
	int rc = hb_file_read(from, &image, &size);

	if (!rc)
		rc = find_payload(image, size, &payload, &len);
	if (!rc && memcmp(payload, GZIP_MAGIC, 2))
		return hb_error_set(e, -EOPNOTSUPP, "%s is not compressed with gzip", from);
	if (!rc)
		rc = unpack_gzip(payload, len, &vmlinux, &vmlinux_size);
	if (rc)
		return hb_error_set(e, rc, "cannot unpack %s: %s", from, strerror(-rc));
	rc = change(vmlinux, vmlinux_size, e);
	if (rc)
		return rc;
	rc = pack_gzip(vmlinux, vmlinux_size, payload, len)
		     ?: hb_file_write_atomic(to, image, size);
	return rc ? hb_error_set(e, rc, "cannot pack %s: %s", to, strerror(-rc)) : 0;
}
