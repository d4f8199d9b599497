// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/base/wire.h"

#define FILL_CHUNK 65536

const char *const wire_observe[] = {"vmstat", "status", "kprobes", "locks", "pmu", "waits", NULL};

int wire_send(int fd, enum wire_type type, const json_t *payload, struct hb_error *e)
{
	HB_FREE char *text = payload ? json_dumps(payload, JSON_COMPACT) : strdup("{}");
	HB_FREE char *frame = NULL;
	struct wire_header h;
	size_t len;
	int err;

	if (!text)
		return hb_error_set(e, -ENOMEM, "cannot encode a frame of type %d", type);
	len = strlen(text);
	if (len > WIRE_MAX_PAYLOAD)
		return hb_error_set(e, -EMSGSIZE, "frame of type %d has %zu bytes, limit %u", type,
				    len, WIRE_MAX_PAYLOAD);
	h = (struct wire_header){
		.magic = htole32(WIRE_MAGIC),
		.version = htole16(WIRE_VERSION),
		.type = htole16(type),
		.length = htole32(len),
		.crc32 = htole32(crc32(0, (const Bytef *)text, len)),
	};
	/* One write for the whole frame: writers in several processes never interleave headers. */
	frame = malloc(sizeof(h) + len);
	if (!frame)
		return hb_error_set(e, -ENOMEM, "no memory for a frame");
	memcpy(frame, &h, sizeof(h));
	memcpy(frame + sizeof(h), text, len);
	err = hb_write_all(fd, frame, sizeof(h) + len);
	return err ? hb_error_set(e, err, "cannot send a frame: %s", strerror(-err)) : 0;
}

int wire_fill(struct wire_reader *r, int fd)
{
	ssize_t n;

	if (r->size - r->used < FILL_CHUNK) {
		size_t size = r->size ? r->size * 2 : 4 * FILL_CHUNK;
		char *bigger = realloc(r->buf, size);

		if (!bigger)
			return -ENOMEM;
		r->buf = bigger;
		r->size = size;
	}
	do {
		n = read(fd, r->buf + r->used, FILL_CHUNK);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!n)
		return -EPIPE;
	r->used += n;
	r->total += n;
	return 0;
}

static int header_check(const struct wire_header *h, struct hb_error *e)
{
	if (le32toh(h->magic) != WIRE_MAGIC)
		return hb_error_set(e, -EPROTO, "not a frame: magic 0x%08x", le32toh(h->magic));
	if (le16toh(h->version) != WIRE_VERSION)
		return hb_error_set(e, -EPROTO, "frame of wire version %u, this program speaks %u",
				    le16toh(h->version), WIRE_VERSION);
	if (le32toh(h->length) > WIRE_MAX_PAYLOAD)
		return hb_error_set(e, -EPROTO, "frame claims %u bytes, limit %u",
				    le32toh(h->length), WIRE_MAX_PAYLOAD);
	return 0;
}

int wire_next(struct wire_reader *r, enum wire_type *type, json_t **payload, struct hb_error *e)
{
	struct wire_header h;
	const char *body;
	json_error_t je;
	size_t len;
	int err;

	if (r->used < sizeof(h))
		return 0;
	memcpy(&h, r->buf, sizeof(h));
	err = header_check(&h, e);
	if (err)
		return err;
	len = le32toh(h.length);
	if (r->used < sizeof(h) + len)
		return 0;
	body = r->buf + sizeof(h);
	if (crc32(0, (const Bytef *)body, len) != le32toh(h.crc32))
		return hb_error_set(e, -EPROTO, "frame of type %u is damaged (CRC)",
				    le16toh(h.type));
	*payload = json_loadb(body, len, JSON_REJECT_DUPLICATES, &je);
	if (!json_is_object(*payload)) {
		json_decref(*payload);
		return hb_error_set(e, -EPROTO, "frame of type %u is not a JSON object: %s",
				    le16toh(h.type), je.text);
	}
	*type = le16toh(h.type);
	r->used -= sizeof(h) + len;
	memmove(r->buf, r->buf + sizeof(h) + len, r->used);
	return 1;
}

void wire_reader_free(struct wire_reader *r)
{
	free(r->buf);
	*r = (struct wire_reader){0};
}
