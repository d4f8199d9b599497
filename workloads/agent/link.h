/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's end of the frame stream (bench/base/wire.h); several threads may send. */
#ifndef HB_WORKLOADS_LINK_H
#define HB_WORKLOADS_LINK_H

#include <jansson.h>
#include <pthread.h>

#include "bench/base/wire.h"

struct link {
	int fd;
	struct wire_reader reader;
	pthread_mutex_t lock;
	int closed; /* the result is out: nothing may follow it */
	/*
	 * Mode exact: frames wait here until link_release(), since a device's interrupts come at
	 * the host's time and would break the sameness of the figures.
	 */
	json_t *held; /* array of {"type", "payload"}, NULL: not holding */
};

void link_init(struct link *l, int fd, int hold);
/* Send, or hold; takes over the reference to @payload. After WIRE_RESULT everything is dropped. */
int link_send(struct link *l, enum wire_type type, json_t *payload, struct hb_error *e);
/* WIRE_PHASE with the name and the time. */
void link_phase(struct link *l, const char *phase);
/* WIRE_EVENT of @kind with a text. */
void link_event(struct link *l, const char *kind, const char *text);
/* Send what was held; from here on nothing is held. */
int link_release(struct link *l, struct hb_error *e);
/*
 * Wait for a frame until @until_ns (CLOCK_MONOTONIC). 1: *@type and *@payload (new reference); 0:
 * none came; -EPIPE: the host is gone; -EPROTO with the reason.
 */
int link_wait(struct link *l, uint64_t until_ns, enum wire_type *type, json_t **payload,
	      struct hb_error *e);
void link_free(struct link *l);

#endif
