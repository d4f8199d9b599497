// SPDX-License-Identifier: GPL-2.0-or-later
#include "workloads/agent/link.h"

#include <poll.h>
#include <string.h>

void link_init(struct link *l, int fd)
{
	*l = (struct link){.fd = fd};
	pthread_mutex_init(&l->lock, NULL);
}

void link_init_held(struct link *l, link_port port)
{
	link_init(l, -1);
	l->held = json_array();
	l->port = port;
}

/* Send what was held; from here on nothing is. */
static int release_held(struct link *l, struct hb_error *e)
{
	json_t *held = HB_STEAL(l->held), *frame;
	size_t i;
	int rc = 0;

	l->fd = l->port(e);
	if (l->fd < 0)
		rc = l->fd;
	json_array_foreach (held, i, frame) {
		if (rc)
			break;
		rc = wire_send(l->fd, json_integer_value(json_object_get(frame, "type")),
			       json_object_get(frame, "payload"), e);
	}
	json_decref(held);
	return rc;
}

static int send_locked(struct link *l, enum wire_type type, json_t *payload, struct hb_error *e)
{
	int rc = 0;

	if (l->closed)
		return 0;
	if (type == WIRE_RESULT)
		l->closed = 1;
	if (l->held)
		rc = json_array_append_new(l->held, json_pack("{s:i, s:O}", "type", (int)type,
							      "payload", payload))
			     ? hb_error_set(e, -ENOMEM, "no memory")
			     : 0;
	else
		rc = wire_send(l->fd, type, payload, e);
	return !rc && l->held && l->closed ? release_held(l, e) : rc;
}

int link_send(struct link *l, enum wire_type type, json_t *payload, struct hb_error *e)
{
	int rc;

	if (!payload)
		return hb_error_set(e, -ENOMEM, "no memory for a frame");
	pthread_mutex_lock(&l->lock);
	rc = send_locked(l, type, payload, e);
	pthread_mutex_unlock(&l->lock);
	json_decref(payload);
	return rc;
}

void link_phase(struct link *l, const char *phase)
{
	link_send(l, WIRE_PHASE,
		  json_pack("{s:s, s:I}", "phase", phase, "t_ns", (json_int_t)hb_now_ns()), NULL);
}

void link_event(struct link *l, const char *kind, const char *text)
{
	link_send(l, WIRE_EVENT, json_pack("{s:s, s:s}", "kind", kind, "text", text), NULL);
}

int link_wait(struct link *l, uint64_t until_ns, enum wire_type *type, json_t **payload,
	      struct hb_error *e)
{
	for (;;) {
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		uint64_t now = hb_now_ns();
		int rc = wire_next(&l->reader, type, payload, e);
		uint64_t left_ms;

		if (rc)
			return rc;
		if (now >= until_ns)
			return 0;
		left_ms = (until_ns - now + 999999) / 1000000;
		rc = poll(&p, 1, left_ms > 60000 ? 60000 : left_ms);
		if (rc <= 0)
			continue;
		rc = wire_fill(&l->reader, l->fd);
		if (rc && rc != -EAGAIN)
			return hb_error_set(e, rc, "the host is gone: %s", strerror(-rc));
	}
}

void link_free(struct link *l)
{
	wire_reader_free(&l->reader);
	json_decref(l->held);
	pthread_mutex_destroy(&l->lock);
}
