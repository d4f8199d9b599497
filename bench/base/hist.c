// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/hist.h"

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	into->count += from->count;
	into->overflow += from->overflow;
	into->sum += from->sum;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t hist_bucket_low(unsigned int index)
{
	unsigned int shift;

	if (index < (2u << HIST_SUB_BITS))
		return index;
	shift = (index >> HIST_SUB_BITS) - 1;
	return (uint64_t)(index - (shift << HIST_SUB_BITS)) << shift;
}

uint64_t hist_bucket_high(unsigned int index)
{
	return hist_bucket_low(index + 1);
}

double hist_mean(const struct hist *h)
{
	return h->count ? h->sum / h->count : NAN;
}

json_t *hist_to_json(const struct hist *h, const char *unit)
{
	json_t *buckets = json_array();

	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		if (h->bucket[i])
			json_array_append_new(buckets, json_pack("[I,I]", (json_int_t)i,
								 (json_int_t)h->bucket[i]));
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:f,s:o}", "layout", HIST_LAYOUT, "unit", unit,
			 "count", (json_int_t)h->count, "overflow", (json_int_t)h->overflow, "min",
			 (json_int_t)(h->count ? h->min : 0), "max", (json_int_t)h->max, "sum",
			 h->sum, "buckets", buckets);
}

static int buckets_from_json(struct hist *h, const json_t *buckets, struct hb_error *e)
{
	json_int_t last = -1;
	json_t *pair;
	size_t i;

	json_array_foreach (buckets, i, pair) {
		const json_t *index = json_array_get(pair, 0), *count = json_array_get(pair, 1);
		json_int_t at = json_integer_value(index);

		if (json_array_size(pair) != 2 || !json_is_integer(index) ||
		    !json_is_integer(count))
			return hb_error_set(e, -EINVAL, "bucket %zu is not [index, count]", i);
		if (at <= last || at >= HIST_BUCKETS)
			return hb_error_set(e, -EINVAL,
					    "bucket index %lld is out of order or range (0 to %d)",
					    (long long)at, HIST_BUCKETS - 1);
		if (json_integer_value(count) <= 0)
			return hb_error_set(e, -EINVAL,
					    "bucket %lld has count %lld, wanted 1 or more",
					    (long long)at, (long long)json_integer_value(count));
		h->bucket[at] = json_integer_value(count);
		last = at;
	}
	return 0;
}

/* The totals must follow from the buckets; what lies in the overflow has no bucket. */
static int totals_check(const struct hist *h, struct hb_error *e)
{
	uint64_t total = h->overflow;
	unsigned int first = HIST_BUCKETS, last = 0;

	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		if (h->bucket[i] > UINT64_MAX - total)
			return hb_error_set(e, -EINVAL, "the buckets' total overflows 64 bits");
		total += h->bucket[i];
		if (first == HIST_BUCKETS)
			first = i;
		last = i;
	}
	if (total != h->count)
		return hb_error_set(e, -EINVAL,
				    "buckets and overflow hold %llu values, count says %llu",
				    (unsigned long long)total, (unsigned long long)h->count);
	if (h->count && h->min > h->max)
		return hb_error_set(e, -EINVAL, "min %llu is above max %llu",
				    (unsigned long long)h->min, (unsigned long long)h->max);
	if (first < HIST_BUCKETS ? h->min >> HIST_MAX_BITS || hist_index(h->min) != first
				 : h->count && !(h->min >> HIST_MAX_BITS))
		return hb_error_set(e, -EINVAL, "min %llu is not in the first bucket",
				    (unsigned long long)h->min);
	if (h->overflow ? !(h->max >> HIST_MAX_BITS)
			: h->count && (h->max >> HIST_MAX_BITS || hist_index(h->max) != last))
		return hb_error_set(e, -EINVAL, "max %llu is not in the last bucket",
				    (unsigned long long)h->max);
	return 0;
}

/* A whole number of at most 18 digits at *@at as JSON has it, which is passed; -1: there is none.
 */
static int64_t take_number(char **at)
{
	char *begin = *at;
	int64_t v;

	if (!isdigit((unsigned char)*begin))
		return -1;
	v = strtoll(begin, at, 10);
	return *at - begin > 18 || (*begin == '0' && *at > begin + 1) ? -1 : v;
}

/* "[index,count]" at *@at, which is passed: index above @last; false: it is not. */
static bool take_pair(struct hist *h, char **at, int64_t *last)
{
	int64_t index, count;

	if (*(*at)++ != '[')
		return false;
	index = take_number(at);
	if (index <= *last || index >= HIST_BUCKETS || *(*at)++ != ',')
		return false;
	count = take_number(at);
	if (count < 1 || *(*at)++ != ']')
		return false;
	h->bucket[index] = count;
	*last = index;
	return true;
}

/* The list of pairs behind its '[', with all that follows it: the end of the object. */
static bool take_list(struct hist *h, char *at)
{
	int64_t last = -1;

	do
		if (!take_pair(h, &at, &last))
			return false;
	while (*at++ == ',');
	return at[-1] == ']' && (!strcmp(at, "}") || !strcmp(at, "}\n"));
}

bool hist_take_buckets(struct hist *h, char *text)
{
	static const char key[] = "\"buckets\":[";
	char *list = strstr(text, key);

	hist_reset(h);
	if (!list)
		return false;
	list += sizeof(key) - 1;
	if (take_list(h, list)) {
		memcpy(list, "]}", sizeof("]}"));
		return true;
	}
	hist_reset(h);
	return false;
}

int hist_from_json(struct hist *h, const json_t *j, struct hb_error *e)
{
	hist_reset(h);
	return hist_complete(h, j, e);
}

int hist_complete(struct hist *h, const json_t *j, struct hb_error *e)
{
	json_int_t count, overflow, min, max;
	const char *layout, *unit;
	json_t *buckets;
	json_error_t je;
	double sum;
	int err;

	if (json_unpack_ex((json_t *)j, &je, 0, "{s:s,s:s,s:I,s:I,s:I,s:I,s:F,s:o}", "layout",
			   &layout, "unit", &unit, "count", &count, "overflow", &overflow, "min",
			   &min, "max", &max, "sum", &sum, "buckets", &buckets))
		return hb_error_set(e, -EINVAL, "not a histogram: %s", je.text);
	if (strcmp(layout, HIST_LAYOUT))
		return hb_error_set(e, -EINVAL,
				    "histogram of layout \"%s\", this program reads \"%s\"", layout,
				    HIST_LAYOUT);
	if (count < 0 || overflow < 0 || min < 0 || max < 0 || !isfinite(sum) || sum < 0)
		return hb_error_set(e, -EINVAL, "a negative total");
	if (!json_is_array(buckets))
		return hb_error_set(e, -EINVAL, "buckets is not an array");
	h->count = count;
	h->overflow = overflow;
	h->min = count ? (uint64_t)min : UINT64_MAX;
	h->max = max;
	h->sum = sum;
	err = buckets_from_json(h, buckets, e);
	return err ? err : totals_check(h, e);
}
