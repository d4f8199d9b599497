/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, durations and rates as people write them, and back. */
#ifndef HB_BASE_UNITS_H
#define HB_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "4096", "512K", "2M", "1G", "1T" (powers of 1024, an optional B or iB behind): bytes; -EINVAL,
 * -ERANGE. */
int hb_parse_size(const char *s, uint64_t *bytes);
/* "250ns", "10us", "5ms", "2s", "20m", "1h"; a bare number is seconds; fractions allowed:
 * nanoseconds. */
int hb_parse_duration(const char *s, uint64_t *ns);
/* A finite decimal number; the whole string must be used. */
int hb_parse_double(const char *s, double *v);
/* yes/no/on/off/true/false/1/0 */
int hb_parse_bool(const char *s, int *v);

/* "1 GiB", "340 MiB", "92 KiB", "17 B": at most 4 digits; writes into @buf and returns it. */
char *hb_format_size(char *buf, size_t len, uint64_t bytes);
/* "13 ms", "1.25 us", "3 m 20 s": writes into @buf and returns it. */
char *hb_format_duration(char *buf, size_t len, double ns);

#endif
