/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large the guest of a run is: what the scenario says, or what the host allows. */
#ifndef HB_GUEST_SIZE_H
#define HB_GUEST_SIZE_H

#include <stdint.h>

#include "bench/base/util.h"
#include "bench/scenario/spec.h"

struct host_size {
	unsigned int cores, cpus; /* that we may run on; a core has one CPU or more */
	uint64_t memory;	  /* MemTotal, bytes */
	uint64_t limit;		  /* what a guest may have of it now, bytes */
};

struct guest_size {
	unsigned int vcpus, nodes;
	uint64_t memory; /* bytes */
};

/* Read it from the running system. */
int guest_size_host(struct host_size *h, struct hb_error *e);
/*
 * The guest for a run of @spec in the resolved @mode. Memory is backed in full before the first
 * boot, so more than the host has free is refused: -ENOMEM with what to do. -EINVAL: the
 * scenario's sizes do not fit one another.
 */
int guest_size_choose(const struct spec *spec, const char *mode, const struct host_size *h,
		      struct guest_size *g, struct hb_error *e);

#endif
