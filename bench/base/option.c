// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "bench/base/option.h"
#include "bench/base/plain.h"
#include "bench/base/units.h"

static const char *const type_names[] = {
	[OPTION_U64] = "number",     [OPTION_SIZE] = "size",	     [OPTION_DURATION] = "duration",
	[OPTION_DOUBLE] = "decimal", [OPTION_BOOL] = "yes/no",	     [OPTION_ENUM] = "choice",
	[OPTION_STRING] = "text",    [OPTION_SETTINGS] = "settings", [OPTION_FILE] = "file",
};

static const char *const type_examples[] = {
	[OPTION_U64] = "4",
	[OPTION_SIZE] = "512K, 2M or 1G",
	[OPTION_DURATION] = "10us, 5ms, 2s or 20m",
	[OPTION_DOUBLE] = "0.5",
	[OPTION_BOOL] = "yes or no",
	[OPTION_ENUM] = "one of the choices",
	[OPTION_STRING] = "text",
	[OPTION_SETTINGS] = "text",
	[OPTION_FILE] = "the path of a file",
};

/* Is an option called @name meant by the row called @row? */
static bool option_is(const char *row, const char *name)
{
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.";
	size_t len = strlen(row);

	if (!len || row[len - 1] != '*')
		return !strcmp(row, name);
	name += strncmp(row, name, len - 1) ? strlen(name) : len - 1;
	return *name && strspn(name, rest) == strlen(name);
}

static int parse_integer(enum option_type type, const char *value, uint64_t *v)
{
	if (type == OPTION_SIZE)
		return hb_parse_size(value, v);
	if (type == OPTION_DURATION)
		return hb_parse_duration(value, v);
	return hb_parse_u64(value, v);
}

static int find_choice(const char *const *choices, const char *value)
{
	for (int i = 0; choices[i]; i++)
		if (!strcmp(choices[i], value))
			return i;
	return -EINVAL;
}

static int wrong_type(const struct option_row *r, const char *value, struct hb_error *e)
{
	return hb_error_set(e, -EINVAL, "%s = %s is not a %s; write it like %s", r->name, value,
			    type_names[r->type], type_examples[r->type]);
}

static int out_of_range(const struct option_row *r, const char *value, struct hb_error *e)
{
	return hb_error_set(e, -ERANGE, "%s = %s is out of range; allowed: %s to %s", r->name,
			    value, r->min ? r->min : "any", r->max ? r->max : "any");
}

static int set_integer(const struct option_row *r, void *field, const char *value,
		       struct hb_error *e)
{
	uint64_t v, bound;
	int err = parse_integer(r->type, value, &v);

	if (err == -ERANGE)
		return out_of_range(r, value, e);
	if (err)
		return wrong_type(r, value, e);
	if ((r->min && !parse_integer(r->type, r->min, &bound) && v < bound) ||
	    (r->max && !parse_integer(r->type, r->max, &bound) && v > bound))
		return out_of_range(r, value, e);
	memcpy(field, &v, sizeof(v));
	return 0;
}

static int set_double(const struct option_row *r, void *field, const char *value,
		      struct hb_error *e)
{
	double v, bound;

	if (hb_parse_double(value, &v))
		return wrong_type(r, value, e);
	if ((r->min && !hb_parse_double(r->min, &bound) && v < bound) ||
	    (r->max && !hb_parse_double(r->max, &bound) && v > bound))
		return out_of_range(r, value, e);
	memcpy(field, &v, sizeof(v));
	return 0;
}

/* "a, b, c" */
static void list_choices(const struct option_row *r, char *all, size_t size)
{
	*all = 0;
	for (int i = 0; r->choices[i]; i++) {
		size_t used = strlen(all);

		snprintf(all + used, size - used, "%s%s", i ? ", " : "", r->choices[i]);
	}
}

static int set_enum(const struct option_row *r, void *field, const char *value, struct hb_error *e)
{
	char all[512];
	int v = find_choice(r->choices, value);

	if (v >= 0) {
		memcpy(field, &v, sizeof(v));
		return 0;
	}
	list_choices(r, all, sizeof(all));
	return hb_error_set(e, -EINVAL, "%s = %s is not known; allowed: %s", r->name, value, all);
}

static int set_file(const struct option_row *r, char *field, const char *value, struct hb_error *e)
{
	char all[512];

	if (find_choice(r->choices, value) < 0 && !strchr(value, '\n')) {
		list_choices(r, all, sizeof(all));
		return hb_error_set(e, -EINVAL, "%s = %s is no file, and none of %s", r->name,
				    value, all);
	}
	if (strlen(value) >= HB_OPTION_FILE)
		return hb_error_set(e, -ERANGE, "%s: the file has more than %d bytes", r->name,
				    HB_OPTION_FILE - NAME_LONGEST - 2);
	memcpy(field, value, strlen(value) + 1);
	return 0;
}

/* Append a line, so that the structure must have been given its defaults before. */
static int add_setting(const struct option_row *r, char *field, const char *name, const char *value,
		       struct hb_error *e)
{
	size_t used = strlen(field), room = HB_OPTION_SETTINGS - used;
	const char *rest = name + strlen(r->name) - 1;

	if (strchr(value, '\n'))
		return hb_error_set(e, -EINVAL, "%s has more than one line", name);
	if ((size_t)snprintf(field + used, room, "%s=%s\n", rest, value) < room)
		return 0;
	field[used] = 0;
	return hb_error_set(e, -ERANGE, "%s: all of %s have more than %d characters", name, r->name,
			    HB_OPTION_SETTINGS - 1);
}

/* @field has room for its type. @name: as given. */
static int set_field(const struct option_row *r, void *field, const char *name, const char *value,
		     struct hb_error *e)
{
	int flag;

	switch (r->type) {
	case OPTION_U64:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return set_integer(r, field, value, e);
	case OPTION_DOUBLE:
		return set_double(r, field, value, e);
	case OPTION_ENUM:
		return set_enum(r, field, value, e);
	case OPTION_BOOL:
		if (hb_parse_bool(value, &flag))
			return wrong_type(r, value, e);
		memcpy(field, &flag, sizeof(flag));
		return 0;
	case OPTION_STRING:
		if (strlen(value) >= HB_OPTION_STRING)
			return hb_error_set(e, -ERANGE, "%s is longer than %d characters", r->name,
					    HB_OPTION_STRING - 1);
		memcpy(field, value, strlen(value) + 1);
		return 0;
	case OPTION_SETTINGS:
		return add_setting(r, field, name, value, e);
	case OPTION_FILE:
		return set_file(r, field, value, e);
	}
	return hb_error_set(e, -EINVAL, "%s has no known type", r->name);
}

int option_defaults(const struct option_row *rows, void *options, struct hb_error *e)
{
	for (const struct option_row *r = rows; r->name; r++) {
		void *field = (char *)options + r->offset;
		int err = 0;

		if (r->type == OPTION_SETTINGS)
			*(char *)field = 0;
		else
			err = set_field(r, field, r->name, r->dflt, e);
		if (err)
			return hb_error_prefix(e, -EINVAL, "default");
	}
	return 0;
}

/* Wagner and Fischer, J. ACM 21, 1974. */
unsigned int option_name_distance(const char *a, const char *b)
{
	unsigned int row[64];
	size_t la = strnlen(a, 63), lb = strnlen(b, 63);

	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[lb];
}

static int unknown_option(const struct option_row *rows, const char *name, struct hb_error *e)
{
	const struct option_row *nearest = NULL;
	char all[768] = "";

	for (const struct option_row *r = rows; r->name; r++) {
		size_t used = strlen(all);

		if (!nearest ||
		    option_name_distance(name, r->name) < option_name_distance(name, nearest->name))
			nearest = r;
		snprintf(all + used, sizeof(all) - used, "%s%s", used ? ", " : "", r->name);
	}
	if (!nearest)
		return hb_error_set(e, -ENOENT, "no option '%s': there are none here", name);
	return hb_error_set(e, -ENOENT, "no option '%s'; did you mean '%s'? There are: %s", name,
			    nearest->name, all);
}

int option_set(const struct option_row *rows, void *options, const char *name, const char *value,
	       struct hb_error *e)
{
	for (const struct option_row *r = rows; r->name; r++)
		if (option_is(r->name, name))
			return set_field(r, (char *)options + r->offset, name, value, e);
	return unknown_option(rows, name, e);
}

int option_set_json(const struct option_row *rows, void *options, const json_t *object,
		    struct hb_error *e)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)object, name, value) {
		int err;

		if (!json_is_string(value))
			return hb_error_set(e, -EINVAL, "option %s is not a string", name);
		err = option_set(rows, options, name, json_string_value(value), e);
		if (err)
			return err;
	}
	return 0;
}

json_t *option_describe(const struct option_row *rows)
{
	json_t *list = json_array();

	for (const struct option_row *r = rows; r->name; r++) {
		json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "name", r->name, "type",
				      type_names[r->type], "default", r->dflt, "help", r->help);

		if (r->min)
			json_object_set_new(o, "min", json_string(r->min));
		if (r->max)
			json_object_set_new(o, "max", json_string(r->max));
		if (r->choices) {
			json_t *choices = json_array();

			for (int i = 0; r->choices[i]; i++)
				json_array_append_new(choices, json_string(r->choices[i]));
			json_object_set_new(o, "choices", choices);
		}
		json_array_append_new(list, o);
	}
	return list;
}

static int row_from_json(const json_t *o, struct option_row *r, const char **choices,
			 size_t nchoices, struct hb_error *e)
{
	const char *type = json_string_value(json_object_get(o, "type"));
	const json_t *list = json_object_get(o, "choices");

	*r = (struct option_row){
		.name = json_string_value(json_object_get(o, "name")),
		.min = json_string_value(json_object_get(o, "min")),
		.max = json_string_value(json_object_get(o, "max")),
		.choices = choices,
	};
	if (json_array_size(list) >= nchoices)
		return hb_error_set(e, -EINVAL, "described option has too many choices");
	for (size_t i = 0; i < json_array_size(list); i++)
		choices[i] = json_string_value(json_array_get(list, i));
	for (size_t i = 0; r->name && type && i < ARRAY_SIZE(type_names); i++) {
		if (!strcmp(type, type_names[i])) {
			r->type = i;
			return 0;
		}
	}
	return hb_error_set(e, -EINVAL, "described option has no name or no known type");
}

int option_check_described(const json_t *described, const char *name, const char *value,
			   struct hb_error *e)
{
	size_t n = json_array_size(described), i;
	HB_FREE struct option_row *rows = calloc(n + 1, sizeof(*rows));
	const char *choices[64] = {NULL};
	char field[HB_OPTION_FILE] = "";
	json_t *o;

	if (!rows)
		return hb_error_set(e, -ENOMEM, "no memory for %zu options", n);
	json_array_foreach ((json_t *)described, i, o) {
		int err;

		memset(choices, 0, sizeof(choices));
		err = row_from_json(o, &rows[i], choices, ARRAY_SIZE(choices), e);
		if (err)
			return err;
		if (option_is(rows[i].name, name))
			return set_field(&rows[i], field, name, value, e);
	}
	return unknown_option(rows, name, e);
}

/* The last component of @path, as a name. */
static char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strndup(slash ? slash + 1 : path, NAME_LONGEST);

	for (char *c = name; c && *c; c++)
		if (!name_ok((char[]){'a', *c, 0}, NAME_LONGEST))
			*c = '_';
	return name;
}

char *option_read_file(const json_t *described, const char *name, const char *value,
		       struct hb_error *e)
{
	HB_FREE char *text = NULL, *base = NULL;
	const char *choices[64] = {NULL};
	struct option_row row = {0};
	size_t i, len = 0;
	json_t *o;
	int err;

	json_array_foreach ((json_t *)described, i, o)
		if (!strcmp(json_string_value(json_object_get(o, "name")) ?: "", name) &&
		    !row_from_json(o, &row, choices, ARRAY_SIZE(choices), NULL))
			break;
	if (i == json_array_size(described) || row.type != OPTION_FILE ||
	    find_choice(choices, value) >= 0)
		return strdup(value);
	err = hb_file_read(value, &text, &len);
	base = file_name(value);
	if (err || !base) {
		hb_error_set(e, err ?: -ENOMEM, "%s = %s cannot be read: %s", name, value,
			     strerror(err ? -err : ENOMEM));
		return NULL;
	}
	if (!len || strlen(text) != len || len > HB_OPTION_FILE - NAME_LONGEST - 2) {
		hb_error_set(e, -ERANGE, "%s = %s: a text of 1 to %d bytes is wanted, it has %zu%s",
			     name, value, HB_OPTION_FILE - NAME_LONGEST - 2, len,
			     strlen(text) != len ? ", some of them zero" : "");
		return NULL;
	}
	return hb_strf("%s\n%s", base, text);
}
