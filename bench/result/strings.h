/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of strings that live as long as the set: equal texts are kept once, so that a run of a
 * thousand cells does not hold every name a thousand times, and equal texts have equal pointers.
 */
#ifndef HB_STRINGS_H
#define HB_STRINGS_H

struct strings;

/* Empty set, or NULL without memory. */
struct strings *strings_new(void);
void strings_free(struct strings *s);
/* The set's own copy of @text; NULL without memory. */
const char *strings_put(struct strings *s, const char *text);

#endif
