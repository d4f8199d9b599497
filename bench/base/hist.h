/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Latency histogram with a bounded relative error.
 *
 * Values below 2^(HIST_SUB_BITS + 1) have a bucket each. Above, every power of two is cut into
 * 2^HIST_SUB_BITS buckets of equal width, so a bucket that starts at v is at most
 * v / 2^HIST_SUB_BITS wide: whatever value of the bucket is reported, the error is at most
 * 1/128 = 0.78 % of the true value.
 * Values of 2^HIST_MAX_BITS (18 minutes in ns) and more are counted in overflow; the true minimum,
 * maximum and sum are kept beside, so that no tail is cut off or clamped.
 */
#ifndef HB_BASE_HIST_H
#define HB_BASE_HIST_H

#include <jansson.h>
#include <stdint.h>

#include "bench/base/util.h"

#define HIST_SUB_BITS 7
#define HIST_MAX_BITS 40
#define HIST_BUCKETS  ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)
#define HIST_LAYOUT   "log-linear sub_bits=7 max_bits=40"

/* Plain data without pointers: may live in memory that processes share. One writer at a time. */
struct hist {
	uint64_t count;	   /* all values, overflow included */
	uint64_t overflow; /* values >= 2^HIST_MAX_BITS */
	uint64_t min, max; /* true extremes; min is UINT64_MAX when empty */
	double sum;
	uint64_t bucket[HIST_BUCKETS];
};

/* The bucket of a value below 2^HIST_MAX_BITS. */
static inline unsigned int hist_index(uint64_t v)
{
	unsigned int shift;

	if (v < (2ULL << HIST_SUB_BITS))
		return v;
	shift = 63 - __builtin_clzll(v) - HIST_SUB_BITS;
	return (shift << HIST_SUB_BITS) + (v >> shift);
}

/* The same value @n times. */
static inline void hist_add(struct hist *h, uint64_t v, uint64_t n)
{
	h->count += n;
	h->sum += (double)v * n;
	if (v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	if (v >> HIST_MAX_BITS)
		h->overflow += n;
	else
		h->bucket[hist_index(v)] += n;
}

static inline void hist_record(struct hist *h, uint64_t v)
{
	hist_add(h, v, 1);
}

void hist_reset(struct hist *h);
void hist_merge(struct hist *into, const struct hist *from);
/* First value of a bucket, and the first one past it. */
uint64_t hist_bucket_low(unsigned int index);
uint64_t hist_bucket_high(unsigned int index);
/* Arithmetic mean; NAN when empty. */
double hist_mean(const struct hist *h);

/* {"layout","unit","count","overflow","min","max","sum","buckets":[[index,count],...]}; new
 * reference. */
json_t *hist_to_json(const struct hist *h, const char *unit);
/*
 * The reverse; everything is checked: layout, index range and order, no negative or fractional
 * count, the buckets' total against count, min and max against the buckets. -EINVAL with the
 * reason.
 */
int hist_from_json(struct hist *h, const json_t *j, struct hb_error *e);
/*
 * The same in two steps, several times as fast: a document has an object for each of hundreds of
 * buckets. The first takes the buckets out of the text of a file as hugebench writes it, and leaves
 * an empty list in their place; false: it is written otherwise, @text is as it was and @h empty.
 * The second is given what is left of the text, or all of it.
 */
bool hist_take_buckets(struct hist *h, char *text);
int hist_complete(struct hist *h, const json_t *j, struct hb_error *e);

#endif
