/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts in JSON; what is no text, no object or no array has none. */
#ifndef HB_BASE_JSON_H
#define HB_BASE_JSON_H

#include <stdbool.h>

#include <jansson.h>

/* Member @key of @o, which owns it; "" where there is none. */
const char *json_text(const json_t *o, const char *key);
/* The same, owned by the caller; NULL where there is none, or no memory. */
char *json_text_dup(const json_t *o, const char *key);
/* Is @text an item of the array @list? */
bool json_has_text(const json_t *list, const char *text);
/* The first object in the array @list, which owns it, whose member @key is @text; NULL: none. */
json_t *json_find(const json_t *list, const char *key, const char *text);

#endif
