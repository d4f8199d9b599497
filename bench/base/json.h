/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts in JSON, and files of it; what is no text, no object or no array has no text. */
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
/* Write @j into the file @path, whole or not at all, by json_dumps() with @flags. 0 or -errno;
 * -ENOMEM also where @path or @j is NULL. */
int json_write(const char *path, const json_t *j, size_t flags);

#endif
