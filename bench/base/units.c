// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/base/units.h"
#include "bench/base/util.h"

int hb_parse_double(const char *s, double *v)
{
	char *end;
	double d;

	if (!*s || isspace((unsigned char)*s))
		return -EINVAL;
	d = strtod(s, &end);
	if (end == s || *end || !isfinite(d))
		return -EINVAL;
	*v = d;
	return 0;
}

int hb_parse_size(const char *s, uint64_t *bytes)
{
	static const char suffixes[] = "KMGTP";
	unsigned long long n;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno)
		return -errno;
	if (*end) {
		const char *p = strchr(suffixes, toupper((unsigned char)*end));

		if (p) {
			shift = 10 * (p - suffixes + 1);
			end++;
			if (*end == 'i' && end[1] == 'B')
				end++;
		}
		if (*end == 'B')
			end++;
		if (*end)
			return -EINVAL;
	}
	if (n && shift && n > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = (uint64_t)n << shift;
	return 0;
}

int hb_parse_duration(const char *s, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{"", 1e9},  {"ns", 1},	 {"us", 1e3},  {"ms", 1e6},
		{"s", 1e9}, {"m", 6e10}, {"h", 36e11},
	};
	double d;
	char *end;

	if (!isdigit((unsigned char)*s) && *s != '.')
		return -EINVAL;
	d = strtod(s, &end);
	if (end == s || !isfinite(d) || d < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].name))
			continue;
		/* 2^63 ns are 292 years: keeps the conversion below exact enough and defined */
		if (d * units[i].ns >= 9.2e18)
			return -ERANGE;
		*ns = (uint64_t)llround(d * units[i].ns);
		return 0;
	}
	return -EINVAL;
}

int hb_parse_bool(const char *s, int *v)
{
	static const char *const yes[] = {"yes", "on", "true", "1"};
	static const char *const no[] = {"no", "off", "false", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcasecmp(s, yes[i]) || !strcasecmp(s, no[i])) {
			*v = !strcasecmp(s, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

char *hb_format_size(char *buf, size_t len, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = bytes;
	unsigned int i = 0;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(names)) {
		v /= 1024;
		i++;
	}
	snprintf(buf, len, v == floor(v) || v >= 100 ? "%.0f %s" : "%.1f %s", v, names[i]);
	return buf;
}

char *hb_format_duration(char *buf, size_t len, double ns)
{
	uint64_t seconds = llround(ns / 1e9);

	if (ns < 999.5)
		snprintf(buf, len, "%.3g ns", ns);
	else if (ns < 999.5e3)
		snprintf(buf, len, "%.3g us", ns / 1e3);
	else if (ns < 999.5e6)
		snprintf(buf, len, "%.3g ms", ns / 1e6);
	else if (ns < 60e9)
		snprintf(buf, len, "%.3g s", ns / 1e9);
	else if (seconds < 3600)
		snprintf(buf, len, "%u m %u s", (unsigned int)(seconds / 60),
			 (unsigned int)(seconds % 60));
	else
		snprintf(buf, len, "%u h %u m", (unsigned int)(seconds / 3600),
			 (unsigned int)(seconds / 60 % 60));
	return buf;
}
