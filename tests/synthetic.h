/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs that never ran: deterministic files in the format of results/FORMAT.md, to test the readers
 * with. */
#ifndef HB_TESTS_SYNTHETIC_H
#define HB_TESTS_SYNTHETIC_H

#include <stdint.h>

/*
 * In mode exact a boot has the instructions of an operation alone: 1000 divided by the effect, the
 * same in every boot unless there is noise.
 */
struct synthetic {
	const char *dir, *name, *mode;
	const char *kernels[4]; /* NULL at the end; "NAME-control" repeats NAME */
	const char *antagonists[3];
	unsigned int tasks[24]; /* a cell each, 0 at the end */
	unsigned int boots;	/* per arm and cell */
	unsigned int intervals; /* per boot */
	unsigned int samples;	/* of each histogram */
	double effect; /* ratio of kernel 1 to kernel 0: throughput times, latency divided by this
			*/
	double noise;  /* standard deviation of the log between boots */
	double speed;  /* operations per second of one task of kernel 0; 0: 10000 */
	int database;  /* 1: the workload is postgres, tasks[] is its number of clients */
	unsigned int machines;	 /* 0: the run's; else repetition r ran on node r % machines, each
				    half as   fast as the one before */
	unsigned int vcpus;	 /* of the guest; 0: 4 */
	int models;		 /* 1: each of them has another model of CPU */
	int contrary;		 /* 1: on node 1 the effect is the other way round */
	const char *hang_kernel; /* its boots of the last cell hang, as expected; NULL: none */
	uint64_t seed;
};

/* Two arms, three cells, six boots: the run of the golden reports. */
struct synthetic synthetic_default(const char *dir);
/* Write the run; 0 or -errno. An existing directory is removed first. */
int synthetic_write(const struct synthetic *s);

#endif
