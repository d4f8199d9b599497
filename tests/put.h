/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a test is about. What cannot be written fails the test. */
#ifndef HB_TESTS_PUT_H
#define HB_TESTS_PUT_H

#include <jansson.h>
#include <stddef.h>

/* Write @text to a file, new or not; its directories are made. */
void put_file(const char *text, const char *path, ...) __attribute__((format(printf, 2, 3)));
/* The same with @len bytes of @data. */
void put_bytes(const void *data, size_t len, const char *path, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with @json, which is released. */
void put_json(json_t *json, const char *path, ...) __attribute__((format(printf, 2, 3)));

#endif
