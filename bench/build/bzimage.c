// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/build/bzimage.h"
#include "bench/build/elfinfo.h"

#define VMLINUX_MAX (256u << 20)

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
static int find_payload(const char *image, size_t size, const char **payload, size_t *len)
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
	/* The last four bytes of the payload are the length of what is in it. */
	size_t size = get32(in + in_len - 4);
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
 * Unpack with @program. It is fed from a file in memory and its status is ignored as long as there
 * is output: the appended length makes xz and lz4 complain of trailing bytes.
 */
static int unpack_program(const char *program, const char *in, size_t in_len, char **out,
			  size_t *out_len)
{
	HB_CLOSE int from = memfd_create("payload", MFD_CLOEXEC);
	HB_CLOSE int to = from < 0 ? -1 : memfd_create("vmlinux", MFD_CLOEXEC);
	HB_FREE char *command =
		hb_strf("%s -dc </proc/%d/fd/%d 2>/dev/null", program, getpid(), from);
	char *argv[] = {"sh", "-c", command, NULL};
	int rc, status;

	if (to < 0)
		return -errno;
	rc = command ? hb_write_all(from, in, in_len) : -ENOMEM;
	if (rc)
		return rc;
	status = hb_run(argv, to);
	if (status < 0 || status == 127)
		return status < 0 ? status : -ENODEV;
	return read_all(to, out, out_len);
}

static int unpack_payload(const char *in, size_t in_len, char **out, size_t *out_len,
			  struct hb_error *e)
{
	static const struct {
		unsigned char magic[4];
		size_t len;
		const char *program;
	} kinds[] = {
		{{0xfd, '7', 'z', 'X'}, 4, "xz"},
		{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd"},
		{{0x02, 0x21, 0x4c, 0x18}, 4, "lz4"},
		{{'B', 'Z', 'h'}, 3, "bzip2"},
	};
	int rc;

	if (!memcmp(in, "\x1f\x8b", 2))
		return unpack_gzip(in, in_len, out, out_len);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (memcmp(in, kinds[i].magic, kinds[i].len))
			continue;
		rc = unpack_program(kinds[i].program, in, in_len, out, out_len);
		if (rc == -ENODEV)
			hb_error_set(e, rc, "%s is missing; apt-get install %s", kinds[i].program,
				     kinds[i].program);
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
	const char *payload;
	size_t size, len, vmlinux_size = 0;
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
