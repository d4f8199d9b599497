/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's end of the frame stream (bench/base/wire.h); several threads may send. */
#ifndef HB_WORKLOADS_LINK_H
#define HB_WORKLOADS_LINK_H

#include <jansson.h>
#include <pthread.h>

#include "bench/base/wire.h"

/* A descriptor, or a negative error with its reason. */
typedef int (*link_port)(struct hb_error *e);

struct link {
	int fd;
	struct wire_reader reader;
	pthread_mutex_t lock;
	int closed; /* the result is out: nothing may follow it */
	/*
	 * Mode exact: frames wait here until the result, since a device's interrupts come at the
	 * host's time and would break the sameness of the figures.
	 */
	json_t *held;	/* array of {"type", "payload"}, NULL: not holding */
	link_port port; /* opens the descriptor then */
};

void link_init(struct link *l, int fd);
/* Hold all frames until the result, then open the descriptor with @port and send them. */
void link_init_held(struct link *l, link_port port);
/* Send, or hold; takes over the reference to @payload. After WIRE_RESULT everything is dropped. */
int link_send(struct link *l, enum wire_type type, json_t *payload, struct hb_error *e);
/* WIRE_PHASE with the name and the time. */
void link_phase(struct link *l, const char *phase);
/* WIRE_EVENT of @kind with a text. */
void link_event(struct link *l, const char *kind, const char *text);
/*
 * Wait for a frame until @until_ns (CLOCK_MONOTONIC). 1: *@type and *@payload (new reference); 0:
 * none came; -EPIPE: the host is gone; -EPROTO with the reason.
 */
int link_wait(struct link *l, uint64_t until_ns, enum wire_type *type, json_t **payload,
	      struct hb_error *e);
void link_free(struct link *l);

#endif
