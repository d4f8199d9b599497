/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of JSON objects; what is no text, or no object, has none. */
#ifndef HB_BASE_JSON_H
#define HB_BASE_JSON_H

#include <jansson.h>

/* Member @key of @o, which owns it; "" where there is none. */
const char *json_text(const json_t *o, const char *key);
/* The same, owned by the caller; NULL where there is none, or no memory. */
char *json_text_dup(const json_t *o, const char *key);

#endif
