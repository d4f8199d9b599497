/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options are data: one row tells name, type, place, default, range and help.
 * The scenario reader, the agent, `hugebench list` and --help all use the rows.
 */
#ifndef HB_BASE_OPTION_H
#define HB_BASE_OPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/base/util.h"

enum option_type {
	OPTION_U64,	 /* uint64_t, plain number */
	OPTION_SIZE,	 /* uint64_t, bytes */
	OPTION_DURATION, /* uint64_t, nanoseconds */
	OPTION_DOUBLE,	 /* double */
	OPTION_BOOL,	 /* int, 0 or 1 */
	OPTION_ENUM,	 /* int, index into choices */
	OPTION_STRING,	 /* char[HB_OPTION_STRING] inside the structure */
	OPTION_SETTINGS, /* char[HB_OPTION_SETTINGS]: a line "REST=value" for every option given
			    whose name is the row's, "PREFIX.*", with a REST of letters, digits, _
			    and . */
	OPTION_FILE,	 /* char[HB_OPTION_FILE]: one of the choices; or "NAME\nTEXT", a file that
			    the host has read, of whose name a user gives the path */
};

#define HB_OPTION_STRING   256
#define HB_OPTION_SETTINGS 2048
#define HB_OPTION_FILE	   8192

struct option_row {
	const char *name;
	enum option_type type;
	size_t offset;		    /* of the field in the options structure */
	const char *dflt;	    /* as a user would write it; never NULL */
	const char *min, *max;	    /* as a user would write them; NULL: no bound */
	const char *const *choices; /* OPTION_ENUM, OPTION_FILE: NULL-terminated */
	const char *help;	    /* one line, with the unit; what the values mean */
};

#define OPTION_END                                                                                 \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* Fill every field with its default. A default outside its own range is a bug: -EINVAL with the row
 * named. */
int option_defaults(const struct option_row *rows, void *options, struct hb_error *e);
/*
 * Parse @value into the field of @name. -ENOENT: no such option (the message lists those there are,
 * with the nearest first); -EINVAL: not of the type; -ERANGE: outside the range. The message says
 * what was wrong and what is allowed.
 */
int option_set(const struct option_row *rows, void *options, const char *name, const char *value,
	       struct hb_error *e);
/* option_set() for every member of a JSON object of strings. */
int option_set_json(const struct option_row *rows, void *options, const json_t *object,
		    struct hb_error *e);
/* The rows as JSON, for `hugebench-agent --describe`: [{name,type,default,min,max,choices,help}];
 * new reference. */
json_t *option_describe(const struct option_row *rows);
/*
 * The check of option_set() against rows that came as JSON from option_describe(): the host
 * validates a scenario without linking the workloads.
 */
int option_check_described(const json_t *described, const char *name, const char *value,
			   struct hb_error *e);
/*
 * The value of an option for the agent: a file's name is replaced by its name and text where
 * @described says that the option is of a file and @value is none of its choices; otherwise a copy
 * of @value. NULL: it cannot be read or is too large (the message says which).
 */
char *option_read_file(const json_t *described, const char *name, const char *value,
		       struct hb_error *e);
/* Levenshtein distance of two names, of which the first 63 characters count: to find the one that
 * was meant. */
unsigned int option_name_distance(const char *a, const char *b);

#endif
