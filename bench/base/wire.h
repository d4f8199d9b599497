/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between host and guest: frames over one byte stream (virtio-serial port, or a
 * socketpair in native mode). A frame is a fixed little-endian header and a JSON payload.
 * Nothing from the other side is trusted: magic, version, type, length and CRC are checked first.
 */
#ifndef HB_BASE_WIRE_H
#define HB_BASE_WIRE_H

#include <jansson.h>
#include <stdint.h>

#include "bench/base/util.h"

#define WIRE_MAGIC	 0x48424e31u /* "1NBH" on the wire */
#define WIRE_VERSION	 1
#define WIRE_MAX_PAYLOAD (8u << 20)
#define WIRE_PORT_NAME	 "org.hugebench.data"

enum wire_type {
	/* guest to host */
	WIRE_HELLO = 1,	   /* once, first: who is there (results/FORMAT.md, "hello") */
	WIRE_PHASE = 2,	   /* {"phase":"setup|warmup|measure|drain|collect","t_ns":} */
	WIRE_INTERVAL = 3, /* one object per interval of the measured phase */
	WIRE_EVENT = 4,	   /* {"kind":"stall|kmsg|log|...","text":...}: evidence, in order */
	WIRE_HIST = 5,	   /* {"source","name", ...hist_to_json()} */
	WIRE_RESULT = 6,   /* once, last: verdict and metrics */
	/* host to guest */
	WIRE_RUN = 16,	/* the cell specification */
	WIRE_QUIT = 18, /* end the cell, still send the result; power off */
};

/* What a cell's "observe" may name; NULL at the end. */
extern const char *const wire_observe[];

struct wire_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t length; /* of the payload, bytes */
	uint32_t crc32;	 /* of the payload, zlib's polynomial */
} __attribute__((packed));

/* Read side of one stream; zero-initialise, release with wire_reader_free(). */
struct wire_reader {
	char *buf;
	size_t used, size;
	uint64_t total; /* bytes that have come */
};

/*
 * Send one frame, blocking; @payload is borrowed and may be NULL for an empty object.
 * -EMSGSIZE over WIRE_MAX_PAYLOAD; write errors as they come.
 */
int wire_send(int fd, enum wire_type type, const json_t *payload, struct hb_error *e);
/* Take in what the descriptor has (one read()). 0, -EPIPE at end of file, -EAGAIN, or an error. */
int wire_fill(struct wire_reader *r, int fd);
/*
 * Take the next whole frame out of the buffer: 1 and *@type, *@payload (new reference); 0 when no
 * whole frame is there; -EPROTO with the reason: the stream is of no use any more.
 */
int wire_next(struct wire_reader *r, enum wire_type *type, json_t **payload, struct hb_error *e);
void wire_reader_free(struct wire_reader *r);

#endif
