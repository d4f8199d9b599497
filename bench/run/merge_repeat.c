// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bench/base/json.h"
#include "bench/run/merge_repeat.h"

static const json_t *metric_like(const json_t *metrics, const json_t *wanted)
{
	const json_t *m;
	size_t i;

	json_array_foreach (metrics, i, m)
		if (!strcmp(json_text(m, "source"), json_text(wanted, "source")) &&
		    !strcmp(json_text(m, "name"), json_text(wanted, "name")))
			return m;
	return NULL;
}

/* Of member @key of metric @a, which @b has otherwise. */
static char *difference_of(const json_t *a, const json_t *b, const char *key)
{
	json_t *ours = json_object_get(a, key), *theirs = json_object_get(b, key);
	HB_FREE char *x = ours ? json_dumps(ours, JSON_ENCODE_ANY) : strdup("none");
	HB_FREE char *y = theirs ? json_dumps(theirs, JSON_ENCODE_ANY) : strdup("none");

	return x && y ? hb_strf("%s.%s %s is %s, and %s there", json_text(a, "source"),
				json_text(a, "name"), key, x, y)
		      : NULL;
}

/* The first figure that is not the same; "" where there is none; NULL: no memory. */
static char *difference(const json_t *ours, const json_t *theirs)
{
	static const char *const digits[] = {"value", "count", "min", "max"};
	const json_t *a = json_object_get(ours, "metrics"), *m;
	const json_t *b = json_object_get(theirs, "metrics");
	size_t i;

	if (json_array_size(a) != json_array_size(b))
		return hb_strf("%zu figures, and %zu there", json_array_size(a),
			       json_array_size(b));
	json_array_foreach (a, i, m) {
		const json_t *other = metric_like(b, m);

		for (size_t k = 0; k < ARRAY_SIZE(digits); k++) {
			json_t *x = json_object_get(m, digits[k]);
			json_t *y = json_object_get(other, digits[k]);

			if (x != y && !json_equal(x, y))
				return difference_of(m, other, digits[k]);
		}
	}
	return strdup("");
}

/* In the place of what was found before of the same boot and machine. */
static int note(json_t *record, const json_t *theirs, const char *found)
{
	const json_t *machine = json_object_get(theirs, "environment");
	const char *id = json_text(theirs, "id"), *host = json_text(machine, "host_id");
	json_t *list = json_object_get(record, "repeated"), *entry;
	json_t *made = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "host_id", host, "host_name",
				 json_text(machine, "host_name"), "difference", found);
	size_t i;

	if (!list) {
		list = json_array();
		if (json_object_set_new(record, "repeated", list))
			list = NULL;
	}
	json_array_foreach (list, i, entry)
		if (!strcmp(json_text(entry, "id"), id) &&
		    !strcmp(json_text(entry, "host_id"), host))
			return json_array_set_new(list, i, made);
	return json_array_append_new(list, made);
}

static bool is_ok(const json_t *cell)
{
	return !strcmp(json_text(cell, "verdict"), "OK");
}

int merge_repeat(json_t *record, const json_t *ours, const json_t *theirs,
		 struct merge_count *count, struct hb_error *e)
{
	HB_FREE char *found = NULL;

	/* With the same times, too, it is a copy of the same boot. */
	if (!is_ok(ours) || !is_ok(theirs) || json_equal(ours, theirs))
		return 0;
	found = difference(ours, theirs);
	if (!found || note(record, theirs, found))
		return hb_error_set(e, -ENOMEM, "no memory");
	count->repeated++;
	count->differing += *found != 0;
	return 0;
}
