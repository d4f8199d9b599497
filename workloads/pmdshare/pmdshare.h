/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of workload pmdshare have in common. */
#ifndef HB_WORKLOADS_PMDSHARE_H
#define HB_WORKLOADS_PMDSHARE_H

#include "workloads/agent/hugetlb.h"
#include "workloads/agent/touch.h"
#include "workloads/workload.h"

enum shape { SHAPE_REMAP, SHAPE_ATTACH, SHAPE_STEADY };
enum order { ORDER_SEQ, ORDER_RANDOM };

struct pmdshare_options {
	uint64_t size, touched, attach_pages, rest;
	int file, aligned, shape, order, page_size, prealloc, threads, private;
};

enum pmdshare_row {
	ROW_TOUCHES,
	ROW_FAULTS,
	ROW_PASSES,
	ROW_FAULT_LATENCY,
	ROW_TOUCH_LATENCY,
	ROW_MMAP_LATENCY,
	ROW_MUNMAP_LATENCY,
	ROW_ATTACH_LATENCY,
	ROW_LIFE_LATENCY,
	ROW_UNSETTLED,
	ROW_REPEATED,
	ROW_UNCLASSIFIED,
	ROW_SIGBUS,
	ROW_SHARED,
};

struct pmdshare_task {
	struct touch touch;
	char *addr;
	uint32_t *order; /* NULL: ascending */
	int mapped;
	pid_t server; /* shape attach: forks the attached processes; 0: none */
	int requests; /* socket to it */
};

static inline uint64_t pmdshare_page_bytes(const struct pmdshare_options *o)
{
	return o->page_size ? HUGETLB_1G : HUGETLB_2M;
}

static inline uint64_t pmdshare_touched_bytes(const struct pmdshare_options *o)
{
	return o->touched ? o->touched : o->size;
}

static inline uint64_t pmdshare_touched_pages(const struct pmdshare_options *o)
{
	return pmdshare_touched_bytes(o) / pmdshare_page_bytes(o);
}

/* Map the file at @addr as a task does. */
static inline int pmdshare_map(const struct instance *in, char *addr, struct hb_error *e)
{
	const struct pmdshare_options *o = in->options;

	return hugetlb_file_map(in->priv, addr, o->private, o->touched != 0, e);
}

/* Are PMD tables shared, or not, as the options say? -ENODATA, -EINVAL: no. */
int pmdshare_prove(struct instance *in, struct hb_error *e);

/*
 * Shape attach: start the process of task @t that forks attached ones. Returns when it has said
 * that it is ready: what executing it takes is not to be in the phase.
 */
int pmdshare_server_start(struct task *t, struct hb_error *e);
/* Its children end with their reports; it ends when nobody can ask any more. */
void pmdshare_server_stop(struct pmdshare_task *p);
/* One attached process from its start to its end. */
int pmdshare_attach_pass(struct task *t, struct hb_error *e);
/*
 * main() of the process that forks them, one at a time and each with the random seed that it is
 * sent; the exit status.
 */
int pmdshare_server_main(int argc, char **argv);

#endif
