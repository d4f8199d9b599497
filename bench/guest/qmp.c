// SPDX-License-Identifier: GPL-2.0-or-later
/* QMP client. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/base/json.h"
#include "bench/guest/qmp.h"

/* The largest answer that is asked for (query-cpus-fast) is some KiB. */
#define LINE_MAX_BYTES (1u << 20)

struct qmp {
	int fd;
	bool panicked;
	unsigned int next_id;
	char *buf;
	size_t used, size;
};

/* Milliseconds until @deadline_ns for poll(), rounded up so that it does not spin at the end. */
static int poll_timeout(uint64_t deadline_ns)
{
	uint64_t now = hb_now_ns();
	uint64_t ms;

	if (now >= deadline_ns)
		return 0;
	ms = (deadline_ns - now + 999999) / 1000000;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static int make_room(struct qmp *q)
{
	size_t size = q->size ? q->size * 2 : 4096;
	char *buf;

	if (q->used < q->size)
		return 0;
	if (q->size >= LINE_MAX_BYTES)
		return -EPROTO;
	buf = realloc(q->buf, size);
	if (!buf)
		return -ENOMEM;
	q->buf = buf;
	q->size = size;
	return 0;
}

/* Read what is there, waiting until @deadline_ns for the first byte. */
static int fill(struct qmp *q, uint64_t deadline_ns, struct hb_error *e)
{
	struct pollfd p = {.fd = q->fd, .events = POLLIN};
	ssize_t n;
	int rc = make_room(q);

	if (rc)
		return hb_error_set(e, rc, "QMP: %s",
				    rc == -EPROTO ? "a line of more than 1 MiB" : strerror(-rc));
	rc = poll(&p, 1, poll_timeout(deadline_ns));
	if (rc < 0)
		return hb_error_set(e, -errno, "QMP: poll: %s", strerror(errno));
	if (!rc)
		return hb_error_set(e, -ETIMEDOUT, "QMP: no answer in time");
	n = read(q->fd, q->buf + q->used, q->size - q->used);
	if (n < 0)
		return hb_error_set(e, errno == ECONNRESET ? -EPIPE : -errno, "QMP: read: %s",
				    strerror(errno));
	if (!n)
		return hb_error_set(e, -EPIPE, "QMP: QEMU closed the connection");
	q->used += n;
	return 0;
}

/* Take one line out of the buffer: 1 and *@message (new reference), 0 when there is none. */
static int take_line(struct qmp *q, json_t **message, struct hb_error *e)
{
	char *end = q->used ? memchr(q->buf, '\n', q->used) : NULL;
	json_error_t why;
	size_t len;

	if (!end)
		return 0;
	len = end - q->buf;
	*message = json_loadb(q->buf, len, JSON_REJECT_DUPLICATES, &why);
	q->used -= len + 1;
	memmove(q->buf, end + 1, q->used);
	if (!*message)
		return hb_error_set(e, -EPROTO, "QMP: not JSON: %s", why.text);
	if (!json_is_object(*message)) {
		json_decref(*message);
		return hb_error_set(e, -EPROTO, "QMP: not a JSON object");
	}
	return 1;
}

/* 1 when @message is an event, which is noted. */
static int note_event(struct qmp *q, const json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	if (!event)
		return 0;
	if (!strcmp(event, "GUEST_PANICKED") || !strcmp(event, "GUEST_CRASHLOADED"))
		q->panicked = true;
	return 1;
}

/* The next message that is no event. */
static int next_message(struct qmp *q, uint64_t deadline_ns, json_t **message, struct hb_error *e)
{
	for (;;) {
		int rc = take_line(q, message, e);

		if (rc < 0)
			return rc;
		if (!rc) {
			rc = fill(q, deadline_ns, e);
			if (rc)
				return rc;
			continue;
		}
		if (!note_event(q, *message))
			return 0;
		json_decref(*message);
	}
}

static int send_all(struct qmp *q, const char *text, struct hb_error *e)
{
	size_t left = strlen(text);

	while (left) {
		/* MSG_NOSIGNAL: a QEMU that is gone must not end the run by SIGPIPE. */
		ssize_t n = send(q->fd, text, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hb_error_set(e, -errno, "QMP: send: %s", strerror(errno));
		text += n;
		left -= n;
	}
	return 0;
}

static int send_command(struct qmp *q, const char *command, json_t *arguments, unsigned int id,
			struct hb_error *e)
{
	json_t *message = json_pack("{s:s, s:i, s:o*}", "execute", command, "id", (int)id,
				    "arguments", arguments);
	HB_FREE char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	HB_FREE char *line = text ? hb_strf("%s\n", text) : NULL;

	json_decref(message);
	if (!line)
		return hb_error_set(e, -ENOMEM, "QMP: no memory");
	return send_all(q, line, e);
}

int qmp_command(struct qmp *q, const char *command, json_t *arguments, uint64_t deadline_ns,
		json_t **result, struct hb_error *e)
{
	unsigned int id = ++q->next_id;
	json_t *answer, *value;
	int rc = send_command(q, command, arguments, id, e);

	if (result)
		*result = NULL;
	if (rc)
		return rc;
	for (;;) {
		rc = next_message(q, deadline_ns, &answer, e);
		if (rc)
			return hb_error_prefix(e, rc, "%s", command);
		if (json_integer_value(json_object_get(answer, "id")) == id)
			break;
		/* The late answer to a command whose deadline has passed. */
		json_decref(answer);
	}
	value = json_object_get(answer, "return");
	if (!value) {
		const char *why = json_string_value(
			json_object_get(json_object_get(answer, "error"), "desc"));

		rc = hb_error_set(e, why ? -EREMOTEIO : -EPROTO, "QMP: %s: %s", command,
				  why ? why : "an answer without \"return\" and \"error\"");
	} else if (result) {
		*result = json_incref(value);
	}
	json_decref(answer);
	return rc;
}

static int handshake(struct qmp *q, uint64_t deadline_ns, struct hb_error *e)
{
	json_t *greeting;
	int rc = next_message(q, deadline_ns, &greeting, e);

	if (rc)
		return rc;
	if (!json_is_object(json_object_get(greeting, "QMP")))
		rc = hb_error_set(e, -EPROTO, "QMP: no greeting");
	json_decref(greeting);
	return rc ? rc : qmp_command(q, "qmp_capabilities", NULL, deadline_ns, NULL, e);
}

int qmp_open(int fd, uint64_t deadline_ns, struct qmp **q, struct hb_error *e)
{
	struct qmp *new = calloc(1, sizeof(*new));
	int rc;

	*q = NULL;
	if (!new) {
		close(fd);
		return hb_error_set(e, -ENOMEM, "QMP: no memory");
	}
	new->fd = fd;
	rc = handshake(new, deadline_ns, e);
	if (rc) {
		qmp_close(new);
		return rc;
	}
	*q = new;
	return 0;
}

void qmp_close(struct qmp *q)
{
	if (!q)
		return;
	close(q->fd);
	free(q->buf);
	free(q);
}

int qmp_drain(struct qmp *q, struct hb_error *e)
{
	json_t *message;
	int rc;

	do {
		while ((rc = take_line(q, &message, e)) > 0) {
			note_event(q, message);
			json_decref(message);
		}
		if (!rc)
			rc = fill(q, 0, e);
	} while (!rc);
	return rc == -ETIMEDOUT ? 0 : rc;
}

bool qmp_panicked(const struct qmp *q)
{
	return q->panicked;
}

int qmp_vcpu_threads(struct qmp *q, pid_t *tid, unsigned int max, uint64_t deadline_ns,
		     struct hb_error *e)
{
	json_t *cpus, *cpu;
	size_t i;
	int rc = qmp_command(q, "query-cpus-fast", NULL, deadline_ns, &cpus, e);

	if (rc)
		return rc;
	rc = json_array_size(cpus);
	json_array_foreach (cpus, i, cpu) {
		json_int_t index, thread;

		if (json_unpack(cpu, "{s:I, s:I}", "cpu-index", &index, "thread-id", &thread)) {
			rc = hb_error_set(e, -EPROTO, "QMP: query-cpus-fast without thread-id");
			break;
		}
		if (index >= 0 && index < max)
			tid[index] = thread;
	}
	json_decref(cpus);
	return rc;
}

/* A counter of one vCPU, out of query-stats' answer for it. */
static uint64_t count_of(const json_t *vcpu, const char *name)
{
	const json_t *stat = json_find(json_object_get(vcpu, "stats"), "name", name);

	return json_integer_value(json_object_get(stat, "value"));
}

int qmp_kvm_counts(struct qmp *q, uint64_t deadline_ns, struct qmp_kvm_counts *counts,
		   struct hb_error *e)
{
	json_t *what = json_pack("{s:s, s:[{s:s, s:[s, s]}]}", "target", "vcpu", "providers",
				 "provider", "kvm", "names", "exits", "insn_emulation");
	json_t *vcpus, *vcpu;
	size_t i;
	int rc;

	*counts = (struct qmp_kvm_counts){0};
	if (!what)
		return hb_error_set(e, -ENOMEM, "QMP: no memory");
	rc = qmp_command(q, "query-stats", what, deadline_ns, &vcpus, e);
	if (rc)
		return rc;
	json_array_foreach (vcpus, i, vcpu) {
		counts->exits += count_of(vcpu, "exits");
		counts->emulated += count_of(vcpu, "insn_emulation");
	}
	rc = json_array_size(vcpus) ? 0 : hb_error_set(e, -EREMOTEIO, "QMP: KVM has no counters");
	json_decref(vcpus);
	return rc;
}
