// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/result/load_fields.h"

#include <math.h>
#include <string.h>

#include "bench/base/plain.h"

int field_string(struct load_run *run, const json_t *j, const char *key, bool required,
		 const char **out, struct hb_error *e)
{
	const json_t *v = json_object_get(j, key);

	if (v && !json_is_null(v) && !json_is_string(v))
		return hb_error_set(e, -EINVAL, "\"%s\" is not a string", key);
	if (required && (!json_is_string(v) || !*json_string_value(v)))
		return hb_error_set(e, -EINVAL, "\"%s\" is missing", key);
	*out = strings_put(run->strings, json_is_string(v) ? json_string_value(v) : "");
	return *out ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

int field_name(struct load_run *run, const json_t *j, const char *key, size_t longest,
	       const char **out, struct hb_error *e)
{
	int err = field_string(run, j, key, true, out, e);

	if (err)
		return err;
	err = name_check(*out, longest, e);
	return err ? hb_error_prefix(e, err, "\"%s\"", key) : 0;
}

int field_array(const json_t *j, const char *key, size_t most, const json_t **out,
		struct hb_error *e)
{
	*out = json_object_get(j, key);
	if (*out && !json_is_array(*out))
		return hb_error_set(e, -EINVAL, "\"%s\" is not an array", key);
	if (json_array_size(*out) > most)
		return hb_error_set(e, -EINVAL, "\"%s\" has %zu members, at most %zu are read", key,
				    json_array_size(*out), most);
	return 0;
}

int field_number(const json_t *j, const char *key, bool required, bool negative, double *out,
		 struct hb_error *e)
{
	const json_t *v = json_object_get(j, key);

	*out = NAN;
	if (!v || json_is_null(v))
		return required ? hb_error_set(e, -EINVAL, "\"%s\" is missing", key) : 0;
	if (!json_is_number(v) || !isfinite(json_number_value(v)))
		return hb_error_set(e, -EINVAL, "\"%s\" is not a finite number", key);
	if (!negative && json_number_value(v) < 0)
		return hb_error_set(e, -EINVAL, "\"%s\" is negative (%g)", key,
				    json_number_value(v));
	*out = json_number_value(v);
	return 0;
}

int field_count(const json_t *j, const char *key, bool required, double *out, struct hb_error *e)
{
	int err = field_number(j, key, required, false, out, e);

	if (!err && !isnan(*out) && *out != floor(*out))
		return hb_error_set(e, -EINVAL, "\"%s\" is not a whole number (%g)", key, *out);
	return err;
}

int field_unsigned(const json_t *j, const char *key, unsigned int *out, struct hb_error *e)
{
	double v;
	int err = field_count(j, key, false, &v, e);

	if (!err && v > 1e9)
		return hb_error_set(e, -EINVAL, "\"%s\" is too large (%g)", key, v);
	*out = err || isnan(v) ? 0 : v;
	return err;
}

int field_bool(const json_t *j, const char *key, bool *out, struct hb_error *e)
{
	const json_t *v = json_object_get(j, key);

	*out = false;
	if (!v || json_is_null(v))
		return 0;
	if (!json_is_boolean(v))
		return hb_error_set(e, -EINVAL, "\"%s\" is neither true nor false", key);
	*out = json_is_true(v);
	return 0;
}
