/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which machine this is. */
#ifndef HB_MACHINE_H
#define HB_MACHINE_H

#include <jansson.h>

/*
 * {id, name, cpu_model}; new reference, NULL without memory. name: of the node by Slurm, else of
 * the host. id tells machines apart: a hash of name, CPU model and machine-id(5), which is not to
 * be published as it is and which the nodes of a cluster often share.
 */
json_t *machine_describe(void);

#endif
