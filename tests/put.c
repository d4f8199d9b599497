// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/base/util.h"
#include "tests/put.h"

static void put(const void *data, size_t len, const char *path, va_list ap)
{
	HB_FREE char *full = NULL, *parent = NULL;

	assert_true(vasprintf(&full, path, ap) > 0);
	parent = strndup(full, strrchr(full, '/') - full);
	assert_int_equal(hb_mkdir_all(parent), 0);
	assert_int_equal(hb_file_write_atomic(full, data, len), 0);
}

void put_file(const char *text, const char *path, ...)
{
	va_list ap;

	va_start(ap, path);
	put(text, strlen(text), path, ap);
	va_end(ap);
}

void put_bytes(const void *data, size_t len, const char *path, ...)
{
	va_list ap;

	va_start(ap, path);
	put(data, len, path, ap);
	va_end(ap);
}

void put_json(json_t *json, const char *path, ...)
{
	HB_FREE char *text = json_dumps(json, 0);
	va_list ap;

	assert_non_null(text);
	json_decref(json);
	va_start(ap, path);
	put(text, strlen(text), path, ap);
	va_end(ap);
}
