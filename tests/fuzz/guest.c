// SPDX-License-Identifier: GPL-2.0-or-later
/* What a guest or its QEMU sends. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/guest/console.h"
#include "bench/guest/qmp.h"
#include "bench/guest/session_state.h"
#include "bench/result/load.h"
#include "tests/fuzz/fuzz.h"

static json_t *planned(void)
{
	static json_t *cell;

	if (!cell)
		cell = json_pack("{s:s, s:i, s:s, s:s, s:i, s:b, s:{s:{s:I, s:I}, s:[{s:s, s:s, "
				 "s:i}]}}",
				 "id", "001-base-x-r1", "seq", 1, "kernel", "base", "cell", "x",
				 "rep", 1, "warmup_boot", 0, "spec", "phases", "measure_ns",
				 (json_int_t)1000, "interval_ns", (json_int_t)100, "instances",
				 "workload", "null", "role", "workload", "tasks", 3);
	return cell;
}

/* Take @len bytes of the stream as a session would, and make its cell. */
static void take(const char *bytes, size_t len)
{
	struct session_config c = {
		.planned = planned(),
		.native = 1,
		.native_mode = "native",
		.directory = fuzz_directory(),
		.accept = load_cell_check,
	};
	struct session s = {
		.c = &c,
		.spec = json_object_get(c.planned, "spec"),
		.initrd_fd = -1,
		.native = {.fd = open("/dev/null", O_RDWR | O_CLOEXEC)},
		.evidence = json_array(),
		.files = json_object(),
		.intervals = fopen("/dev/null", "we"),
	};
	struct hb_error e;
	json_t *cell;

	s.reader.buf = malloc(len + 1);
	if (!s.intervals || !s.reader.buf)
		abort();
	memcpy(s.reader.buf, bytes, len);
	s.reader.used = s.reader.size = s.reader.total = len;
	session_take_frames(&s, &e);
	if (!s.result)
		session_settle(&s, "INVALID", "no result");
	cell = session_cell(&s, "2026-01-01T00:00:00Z");
	/* Whatever a guest sends, what is kept can be read. */
	if (load_cell_check(cell, &e)) {
		fprintf(stderr, "a cell that nobody reads: %s\n", e.text);
		abort();
	}
	json_decref(cell);
	json_decref(s.hello);
	json_decref(s.result);
	json_decref(s.evidence);
	json_decref(s.files);
	fclose(s.intervals);
	close(s.native.fd);
	wire_reader_free(&s.reader);
}

void fuzz_stream(const uint8_t *data, size_t len)
{
	take((const char *)data, len);
}

/* Frames whose heads are right: a byte for the type, the payload up to the next line end. */
void fuzz_frames(const uint8_t *data, size_t len)
{
	HB_FREE char *bytes = NULL;
	size_t size;
	FILE *out = open_memstream(&bytes, &size);

	if (!out)
		abort();
	while (len) {
		const uint8_t *body = data + 1, *end = memchr(body, '\n', len - 1);
		size_t n = end ? (size_t)(end - body) : len - 1;
		struct wire_header h = {
			.magic = WIRE_MAGIC,
			.version = WIRE_VERSION,
			.type = *data & 31,
			.length = n,
			.crc32 = crc32(0, body, n),
		};

		fwrite(&h, 1, sizeof(h), out);
		fwrite(body, 1, n, out);
		n += 1 + (end != NULL);
		data += n;
		len -= n;
	}
	fclose(out);
	take(bytes, size);
}

/* QEMU's side of the conversation, all of it there from the start. */
void fuzz_qmp(const uint8_t *data, size_t len)
{
	struct qmp *q = NULL;
	struct hb_error e;
	json_t *result = NULL;
	pid_t tid[8];
	int fds[2];

	/* What a socket holds without a reader. */
	if (len > 65536)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		abort();
	if (hb_write_all(fds[1], data, len))
		abort();
	shutdown(fds[1], SHUT_WR);
	if (!qmp_open(fds[0], hb_now_ns() + NSEC_PER_SEC, &q, &e)) {
		qmp_command(q, "query-status", NULL, hb_now_ns() + NSEC_PER_SEC, &result, &e);
		qmp_vcpu_threads(q, tid, ARRAY_SIZE(tid), hb_now_ns() + NSEC_PER_SEC, &e);
		qmp_drain(q, &e);
		qmp_close(q);
	}
	json_decref(result);
	close(fds[1]);
}

void fuzz_console(const uint8_t *data, size_t len)
{
	struct console_scan s;

	console_scan_text((const char *)data, len, &s);
	console_scan_free(&s);
}
