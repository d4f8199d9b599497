// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/host/digest.h"

struct digest {
	EVP_MD_CTX *md;
	int error;
};

struct digest *digest_begin(void)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->md = EVP_MD_CTX_new();
	if (!d->md || !EVP_DigestInit_ex(d->md, EVP_sha256(), NULL))
		d->error = -ENOMEM;
	return d;
}

static void digest_bytes(struct digest *d, const void *data, size_t len)
{
	if (d && !d->error && !EVP_DigestUpdate(d->md, data, len))
		d->error = -EIO;
}

/* The header in front of each piece. */
static void digest_label(struct digest *d, const char *label, uint64_t len)
{
	char head[96];
	int n = snprintf(head, sizeof(head), "%s %" PRIu64 "\n", label, len);

	digest_bytes(d, head, n);
}

void digest_text(struct digest *d, const char *label, const char *text)
{
	digest_label(d, label, strlen(text));
	digest_bytes(d, text, strlen(text));
}

/* Feed the bytes of an open file. */
static int digest_stream(struct digest *d, int fd)
{
	HB_FREE char *buf = malloc(1 << 20);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	while ((n = read(fd, buf, 1 << 20)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		digest_bytes(d, buf, n);
	}
	return 0;
}

void digest_file(struct digest *d, const char *label, const char *path)
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (!d || d->error)
		return;
	if (fd < 0 || fstat(fd, &st)) {
		d->error = -errno;
		return;
	}
	digest_label(d, label, st.st_size);
	rc = digest_stream(d, fd);
	if (rc)
		d->error = rc;
}

int digest_end(struct digest *d, char hex[DIGEST_LEN + 1])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int rc;

	if (!d)
		return -ENOMEM;
	rc = d->error;
	if (!rc && !EVP_DigestFinal_ex(d->md, md, &len))
		rc = -EIO;
	EVP_MD_CTX_free(d->md);
	free(d);
	for (unsigned int i = 0; !rc && i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", md[i]);
	return rc;
}

int digest_of_file(const char *path, char hex[DIGEST_LEN + 1])
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct digest *d;
	int rc;

	if (fd < 0)
		return -errno;
	d = digest_begin();
	if (d && !d->error) {
		rc = digest_stream(d, fd);
		if (rc)
			d->error = rc;
	}
	return digest_end(d, hex);
}
