/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mapping whose missing pages a thread of this process fills: userfaultfd(2). */
#ifndef HB_WORKLOADS_USERFAULT_H
#define HB_WORKLOADS_USERFAULT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bench/base/util.h"

struct userfault {
	int fd, stop;
	pthread_t thread;
	bool running;
	void *map;
	uint64_t bytes, page; /* of the mapping, and of a page of it */
	/* The thread calls it for the missing page at @address: it calls userfault_copy(). */
	void (*fill)(void *arg, uint64_t address);
	void *arg;
	_Atomic int error; /* errno of the first failure; from then on nobody waits for a page */
};

/*
 * Watch over map, bytes, page, fill and arg of @u, which the caller has set. End it with
 * userfault_end(), also after an error.
 */
int userfault_begin(struct userfault *u, struct hb_error *e);
/*
 * Put a copy of the page @from at @address, wherever in its page that is. False: somebody else had
 * put one in, or it is past the end of the file just now; then the fault runs again.
 */
bool userfault_copy(struct userfault *u, uint64_t address, const void *from);
/* 0, or what has failed until now. */
int userfault_check(const struct userfault *u, struct hb_error *e);
void userfault_end(struct userfault *u);

#endif
