/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this machine is. */
#ifndef HB_ENVIRONMENT_H
#define HB_ENVIRONMENT_H

#include <stddef.h>

/* "model name" of the first CPU, "" when it cannot be read; returns @buf. */
char *environment_cpu_model(char *buf, size_t len);

#endif
