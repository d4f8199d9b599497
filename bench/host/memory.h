/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory that outlives QEMU: files without a name (memfd_create(2)), on host huge pages where
 * enough are free, filled once for all boots of a run. Memory that is fresh at every boot would be
 * paid for at every boot, and unfilled memory would put the host's page faults into the guest's
 * figures. The memory is free again with the last process that has it open, however that ends.
 */
#ifndef HB_MEMORY_H
#define HB_MEMORY_H

#include "bench/base/util.h"
#include "bench/host/placement.h"

enum {
	MEMORY_UNKNOWN = -1,   /* its host node cannot be asked */
	MEMORY_SCATTERED = -2, /* it lies on several */
};

struct memory {
	bool huge; /* on host huge pages */
	unsigned int nodes;
	uint64_t node_bytes;		   /* of each */
	int fd[VM_MAX_NODES];		   /* for vm_config.memory_fd */
	int lies_on[VM_MAX_NODES];	   /* host node of each, or below */
	unsigned int looked_at, elsewhere; /* pages whose host node was asked, and was another */
	char text[256];			   /* for the record */
};

/*
 * How long a pass over @bytes of fresh memory may take: 15 s for a GiB. 7 s, 13 ms for each 2 MiB,
 * were seen on a host without memory behind its pages.
 */
uint64_t memory_slowest_ns(uint64_t bytes);
/* What a node gets when @bytes are shared out evenly to @nodes, whole 2 MiB pages; bytes. */
uint64_t memory_node_bytes(uint64_t bytes, unsigned int nodes);
/*
 * Make and fill the files for guests of @bytes on @nodes nodes, each node's on the host node that
 * @p names for it. -ENOSPC when the host would be left with too little, with what would fit; -EINTR
 * when *@interrupted (may be NULL) became non-zero. Takes long where the host has no memory behind
 * its pages yet: memory_slowest_ns(). A second caller on the machine waits until the first has its
 * memory, and then counts on what that left. Release with memory_close(), in every case.
 */
int memory_open(const struct placement *p, unsigned int nodes, uint64_t bytes,
		const volatile int *interrupted, struct memory *m, struct hb_error *e);
void memory_close(struct memory *m);
/* Size of the host's pages behind it, bytes. */
uint64_t memory_page(const struct memory *m);
/* Bytes that can be had, by the host and by the control groups of this process; 0: not known. */
uint64_t memory_available(void);
/*
 * *@bytes: of the host's free 2 MiB pages those that nobody has reserved. -errno, and 0 bytes: it
 * has no such pool. @root stands before /sys: "" but in tests.
 */
int memory_huge_free(const char *root, uint64_t *bytes);
/* Guest memory the host can give and stay usable; bytes. */
uint64_t memory_limit(void);

#endif
